-- Every script's second part: what it loads, as tables or as it stands in Redis.

-- ---------------------------------------------------------------- runs

local run_names, run_numbers, paused = {}, {}, {}
local rows = call('HGETALL', P .. 'runs')
for i = 1, #rows, 2 do
  local number = tonumber((string.gsub(rows[i + 1], '!', '')))
  if not number then
    -- A number that is damaged stands in every queue of the run.
    local any = call('HRANDFIELD', P .. 'qi:' .. rows[i], 1, 'WITHVALUES')[2]
    local packed = tonumber(any) and call('HGET', P .. 'queue', pack('<I4', any))
    number = packed and whole_queue(packed) and unpacked('<I4', packed) or call('INCR', P .. 'numbers')
    call('HSET', P .. 'runs', rows[i], number)
    call('SADD', P .. 'damaged', 'r')
  end
  run_names[number], run_numbers[rows[i]] = rows[i], number
  paused[number] = sub(rows[i + 1], -1) == '!' or nil
end

local function number_of_run(run)
  if not run_numbers[run] then
    local number = call('INCR', P .. 'numbers')
    call('HSETNX', P .. 'runs', run, number)
    run_numbers[run], run_names[number] = number, run
  end
  return run_numbers[run]
end

local moved = {}
local function count(run, name, by)
  local counters = moved[run]
  if not counters then
    counters = {}
    moved[run] = counters
  end
  counters[name] = (counters[name] or 0) + by
end

-- ---------------------------------------------------------------- addresses

-- Records are flat and what they hold many of stays packed: tables are what Lua is slow with. Flags are 0 or 1.
--
-- ADDRESS: next slot, blocked until, hot until, rate (1/s), slowed by, latency (s), its floor (s), concurrency, in flight;
-- whether a hot queue took the last turn, slowed down, where it stands (number in SETS, 0: nowhere, it is busy); for pages
-- and images each: a longer rotation in rot:PKEY:L, bytes of the rotation. Behind it the rotations p and i: numbers of
-- queues, 4 bytes each.
local ADDRESS = '<ddddfffHHBBBBHBH'
local SETS = {'due:p', 'due:i', 'due:b', 'hot:p', 'hot:i', 'hot:b', 'idle'}
local IDLE = 7
local MORE, IN = {p = 'more_p', i = 'more_i'}, {p = 'in_p', i = 'in_i'}
local addresses = {}

-- A record that cannot be read stops nobody: it is counted in every run, done without, and noted for mend.lua.
local function damaged(what)
  call('SADD', P .. 'damaged', what)
  for _, run in pairs(run_names) do count(run, 't:corrupt-record', 1) end
end

-- The table that was packed, or nil.
local function opened(packed)
  local whole, value = pcall(cmsgpack.unpack, packed or '')
  return whole and type(value) == 'table' and value or nil
end

local function unpacked_address(key, packed)
  local next_slot, blocked, hot, rate, slow, latency, floor, conc, inflight, turn, slowed, stands, more_p, p, more_i, i,
    at = unpacked(ADDRESS, packed)
  return {
    key = key, next = next_slot, blocked = blocked, hot = hot, rate = rate, slow = slow, latency = latency, floor = floor,
    conc = conc, inflight = inflight, turn = turn, slowed = slowed, stands = stands, more_p = more_p,
    p = sub(packed, at, at + p - 1), more_i = more_i, i = sub(packed, at + p), dirty = false,
  }
end

local function packed_address(a)
  return pack(ADDRESS, a.next, a.blocked, a.hot, a.rate, a.slow, a.latency, a.floor, a.conc, a.inflight, a.turn,
    a.slowed, a.stands, a.more_p, #a.p, a.more_i, #a.i) .. a.p .. a.i
end

-- What an address is before a run says more: one request a second, one at a time.
local ADDRESS_BYTES = 57
local function whole_address(packed)
  if #packed < ADDRESS_BYTES then return false end
  local stands, _, p, _, i = unpacked('<BBHBH', packed, ADDRESS_BYTES - 6)
  return stands <= IDLE and p % 4 == 0 and i % 4 == 0 and p + i == #packed - ADDRESS_BYTES
end
local function blank_address() return pack(ADDRESS, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0) end

-- What happens to every URL is done to records as they stand in Redis, since making a table of one takes longer than all
-- the rest. `plain` has them, and false for what has to be a table or is one: whatever else a script does takes tables,
-- and load_addresses and load_queues make them of records that have changed already. For addresses that changed, `stood`
-- says where they stand in Redis, `standing` and `score` where they are to.
local plain, stood, standing, score = {}, {}, {}, {}

local function load_plain(keys)
  local missing, n = {}, 0
  for i = 1, #keys do
    local key = keys[i]
    if key and plain[key] == nil then
      n = n + 1
      missing[n], plain[key] = key, false
    end
  end
  if n == 0 then return end
  local found = in_parts(missing, 'HMGET', P .. 'addr')
  for i = 1, n do
    local packed = found[i]
    if packed and whole_address(packed) then plain[missing[i]] = packed end
  end
end

-- Those of the names that a table has nothing under yet, once each.
local function missing_in(known, names)
  local missing, n = {}, 0
  for i = 1, #names do
    local name = names[i]
    if known[name] == nil then
      n = n + 1
      missing[n], known[name] = name, false
    end
  end
  return missing
end

-- The strictest of all runs that have something for an address holds there.
local function tighten(a)
  local names, rate, conc = {}, nil, nil
  for number in pairs(run_names) do names[#names + 1] = a.key .. '|' .. number end
  for _, packed in ipairs(in_parts(names, 'HMGET', P .. 'lim')) do
    if packed then
      local r, c = unpacked('<dH', packed)
      rate, conc = min(rate or r, r), min(conc or c, c)
    end
  end
  a.rate, a.conc, a.dirty = rate or a.rate, conc or a.conc, true
end

local function new_address(key, packed)
  local unreadable = packed and not whole_address(packed)
  local a = unpacked_address(key, packed and not unreadable and packed or blank_address())
  addresses[key] = a
  if unreadable then
    damaged('a' .. key)
    for _, name in ipairs(SETS) do call('ZREM', P .. name, key) end
    tighten(a)
    -- When it was asked last is not known any more.
    a.blocked = now + UNKNOWN_MS
  elseif not packed then
    -- One that is new, or that nothing happened at for long: what runs allow there holds all the same.
    tighten(a)
    a.fresh, a.dirty = true, false
  end
end

local function load_addresses(keys)
  local missing, unread = missing_in(addresses, keys), {}
  for i = 1, #missing do
    local key = missing[i]
    local packed = plain[key]
    if packed then
      new_address(key, packed)
      if stood[key] then
        addresses[key].stands, addresses[key].dirty = stood[key], true
        stood[key], score[key] = nil, nil
      end
    else
      unread[#unread + 1] = key
    end
    plain[key] = false
  end
  local found = in_parts(unread, 'HMGET', P .. 'addr')
  for i = 1, #unread do new_address(unread[i], found[i]) end
end

local function address(key)
  if not addresses[key] then load_addresses({key}) end
  return addresses[key]
end

-- ---------------------------------------------------------------- queues

local queues = {}

local function unpacked_queue(id, packed)
  local run, version, delay, gated, parked, in_p, in_i, hot, gone, p, at = unpacked(QUEUE, packed)
  return {
    id = id, run = run, version = version, delay = delay, gated = gated, parked = parked, in_p = in_p, in_i = in_i,
    hot = hot, moved = gone, p = sub(packed, at, at + p - 1), i = sub(packed, at + p), dirty = false,
  }
end

local function packed_queue(q)
  return pack(QUEUE, q.run, q.version, q.delay, q.gated, q.parked, q.in_p, q.in_i, q.hot, q.moved, #q.p) .. q.p .. q.i
end

-- What common.lua makes of a queue whose record cannot be read.
local remade

-- Queues as they stand in Redis, by number in 4 bytes, and which of them changed: see `plain`.
local plain_queues, changed = {}, {}

local function load_plain_queues(ids)
  local missing, n = {}, 0
  for i = 1, #ids do
    local id = ids[i]
    if plain_queues[id] == nil then
      n = n + 1
      missing[n], plain_queues[id] = id, false
    end
  end
  if n == 0 then return end
  local found = in_parts(missing, 'HMGET', P .. 'queue')
  for i = 1, n do
    local packed = found[i]
    if packed and whole_queue(packed) then plain_queues[missing[i]] = packed end
  end
end

-- A queue that is gone with its run stays false.
local function load_queues(ids)
  local missing, unread, names = missing_in(queues, ids), {}, {}
  for i = 1, #missing do
    local id, name = missing[i], pack('<I4', missing[i])
    if plain_queues[name] then
      queues[id] = unpacked_queue(id, plain_queues[name])
      queues[id].dirty, changed[name] = changed[name] or false, nil
    else
      unread[#unread + 1], names[#names + 1] = id, name
    end
    plain_queues[name] = false
  end
  local found = in_parts(names, 'HMGET', P .. 'queue')
  for i = 1, #unread do
    local packed = found[i]
    if packed and whole_queue(packed) then
      queues[unread[i]] = unpacked_queue(unread[i], packed)
    elseif packed then
      damaged('q')
      queues[unread[i]] = remade(unread[i])
    end
  end
end

local function queue(id)
  if queues[id] == nil then load_queues({id}) end
  return queues[id] or nil
end
