-- Set right what damaged records left behind: addresses get their queues anew, gates and parked hosts what they wait for;
-- what is counted as waiting and is nowhere has failed as "corrupt-record". It reads all of the partition, which only damage
-- is worth. Returns how many URLs are missing.
local LETTERS = 100
local ROBOTS = pack('<H', 0)

local unreadable = {}
for _, name in ipairs(call('SMEMBERS', P .. 'damaged')) do unreadable[name] = true end

local actual = {}
local function add(run, name, by)
  local counters = actual[run] or {}
  actual[run] = counters
  counters[name] = (counters[name] or 0) + by
end

-- ---------------------------------------------------------------- queues

-- A queue whose gate is closed, or whose record is lost, is of no use without its facts.
local function drop(id)
  for _, lane in ipairs(LANES) do
    for band = 0, LAST_BAND do call('UNLINK', list_of({id = id}, lane, band)) end
  end
  call('HDEL', P .. 'queue', pack('<I4', id))
  for _, name in ipairs({'robots', 'session', 'dig'}) do call('HDEL', P .. name, id) end
  queues[id] = false
end

-- Those that are of use: by number, each with its politeness key.
local usable, keys = {}, {}
for run in pairs(run_numbers) do
  local rows = call('HGETALL', P .. 'qi:' .. run)
  for i = 1, #rows, 2 do
    local id = tonumber(rows[i + 1])
    local q = id and queue(id)
    if q and (q.gated == 0 or fact_of(id)) then
      usable[id], keys[id] = q, string.match(rows[i], '|(.*)$')
      if q.run ~= run_numbers[run] then q.run, q.dirty = run_numbers[run], true end
    elseif id and id > 0 then
      drop(id)
    end
  end
end

-- ---------------------------------------------------------------- leases, what waits, streams

local has_robots, parks, inflight = {}, {}, {}

-- Note a lease that is out or waits; false for one that nothing can become of.
local function note(packed, name)
  local lease = unpacked_lease(packed)
  if lease and lease.q == 0 then return lease end -- of a visit, which is of no queue
  local run = lease and usable[lease.q] and run_names[lease.run]
  if not run then return nil end
  if lease.band == 0 then has_robots[lease.q] = true end
  add(run, lease.band == 0 and 'robots_' .. name or name, 1)
  return lease
end

for _, batch in ipairs(call('ZRANGE', P .. 'expiry', 0, -1)) do
  local key = P .. 'lease:' .. batch
  local rows = call('HGETALL', key)
  for i = 1, #rows, 2 do
    local lease = note(rows[i + 1], 'leased')
    if lease then
      inflight[lease.key] = (inflight[lease.key] or 0) + 1
    else
      call('HDEL', key, rows[i])
    end
  end
  if call('EXISTS', key) == 0 then call('ZREM', P .. 'expiry', batch) end
end

for _, entry in ipairs(call('ZRANGE', P .. 'timers', 0, -1)) do
  local kind, rest = sub(entry, 1, 1), sub(entry, 2)
  local later = kind == 'L' and opened(rest)
  if kind == 'P' and #rest > 4 then
    parks[(unpacked('<I4', rest))] = true
  elseif later and later[2] then
    add(later[1], 'later', 1)
  elseif kind ~= 'D' or not note(rest, 'delayed') then
    call('ZREM', P .. 'timers', entry)
  end
end

for _, stream in ipairs({'disc', 'res'}) do
  local from = '-'
  repeat
    local rows = call('XRANGE', P .. stream, from, '+', 'COUNT', 500)
    for _, row in ipairs(rows) do
      for i = 1, #row[2], 2 do
        if row[2][i] == 'run' then add(row[2][i + 1], stream, 1) end
      end
      from = '(' .. row[1]
    end
  until #rows == 0
end

-- ---------------------------------------------------------------- gates and addresses

local at_key = {}
for id, q in pairs(usable) do
  local run = run_names[q.run]
  if q.parked == 1 and not parks[id] then q.parked, q.dirty = 0, true end
  if q.gated == 1 and not has_robots[id] and sub(q.p, 1, 2) ~= ROBOTS then
    push(q, 'p', 0, {fact_of(id)[4]})
  end
  for _, lane in ipairs(LANES) do
    for at = 1, #q[lane], BAND_BYTES do
      local band, length = unpacked(BAND, q[lane], at)
      add(run, band == 0 and 'robots_queued' or 'queued', length)
    end
  end
  at_key[keys[id]] = at_key[keys[id]] or {}
  table.insert(at_key[keys[id]], q)
end

-- Every address forgets its rotation and gets it anew: a queue may be lost to it in more ways than one.
for key, all in pairs(at_key) do
  local a = address(key)
  a.p, a.i, a.more_p, a.more_i, a.inflight, a.fresh, a.dirty = '', '', 0, 0, inflight[key] or 0, nil, true
  call('UNLINK', rotation_key(a, 'p'), rotation_key(a, 'i'))
  if unreadable['a' .. key] then a.blocked = max(a.blocked, now + UNKNOWN_MS) end
  for _, q in ipairs(all) do
    q.in_p, q.in_i, q.dirty = 0, 0, true
    rotate_in(q, a)
  end
end
-- What was counted until here is part of what is known.
save()

-- ---------------------------------------------------------------- counters

local COUNTED = {
  'queued', 'leased', 'delayed', 'robots_queued', 'robots_leased', 'robots_delayed', 'later', 'disc', 'res',
}
local missing_in_all = 0
local function recount(run)
  local known, missing = call('HMGET', P .. 'cnt:' .. run, unpack(COUNTED)), {}
  for i, name in ipairs(COUNTED) do
    local is = actual[run] and actual[run][name] or 0
    missing[name] = (tonumber(known[i]) or 0) - is
    call('HSET', P .. 'cnt:' .. run, name, is)
  end
  local lost = max(missing.queued + missing.leased + missing.delayed, 0)
  for _ = 1, min(lost, LETTERS) do
    call('RPUSH', P .. 'dead:' .. run, cmsgpack.pack({'corrupt-record', '', '', now}))
  end
  count(run, 'f:corrupt-record', lost)
  missing_in_all = missing_in_all + lost
end
for run in pairs(run_numbers) do recount(run) end
save()
call('DEL', P .. 'damaged')
return missing_in_all
