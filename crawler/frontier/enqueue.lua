-- Queue admitted URLs in the partition of their address, once per entry.
-- ARGV[1]: msgpack list of {m marker, r run, g groups}; a group is {o origin, k pkey, a address, s rate per s,
-- c concurrency, t robots element or '', u {{lane, band, {element, …}}, …}}.  ARGV[2]: seconds that markers are kept.
-- ARGV[3], where all of the entries was judged and is queued in this partition: its number. Then they are acknowledged in the
-- same step, each (also those of which nothing is queued) with id, run, payload, ms in what follows: see settling.lua.
local entries = cmsgpack.unpack(ARGV[1])
for _, entry in ipairs(entries) do
  assert(type(entry.m) == 'string' and type(entry.r) == 'string' and type(entry.g) == 'table', 'malformed entry')
end

local function begin_generation(...) call('SET', P .. 'generation', format('%.0f%06d', clock[1], clock[2]), ...) end

-- A queue's number, where the counter is damaged: above all that are in use. Clients know others by those that were given
-- before, and forget them with the generation.
local function number_above(run, fact)
  local id = 0
  for _, known in ipairs(call('HKEYS', P .. 'fact')) do id = max(id, tonumber(known) or 0) end
  id = id + 1
  call('SET', P .. 'queues', id)
  call('HSET', P .. 'fact', id, fact)
  begin_generation()
  count(run, 't:corrupt-record', 1)
  return id
end

local function make_queue(run, group)
  local id, fact = redis.pcall('INCR', P .. 'queues'), cmsgpack.pack({run, group.o, group.a, group.t})
  if type(id) ~= 'number' or call('HSETNX', P .. 'fact', id, fact) == 0 then id = number_above(run, fact) end
  if id == 1 then begin_generation('NX') end
  call('HSET', P .. 'qi:' .. run, group.o .. '|' .. group.k, id)
  local q = {
    id = id, run = number_of_run(run), version = 0, delay = 0, gated = 0, parked = 0, in_p = 0, in_i = 0, hot = 0, moved = 0,
    p = '', i = '', dirty = true,
  }
  queues[id] = q
  local parked = tonumber(call('ZSCORE', P .. 'pace', group.o .. '|' .. group.k) or 0)
  if parked > now then park(q, address(group.k), parked) end
  if group.t ~= '' then gate(q, address(group.k), group.t) end
  return q
end

-- The queues of places, as {group, name and number (if it has one) of its queue, name of its limits, what they are to be and
-- what they are}. Two may share a queue, when their addresses share their politeness.
local function queues_of(run, places)
  local found, known, made = {}, {}, {}
  for _, place in ipairs(places) do known[#known + 1] = place.id end
  load_queues(known)
  for i, place in ipairs(places) do
    local q = place.id and queue(place.id) or made[place.name]
    if not q then
      q = make_queue(run, place.group)
      made[place.name] = q
    end
    found[i] = q
  end
  return found
end

local function set_limits(places)
  for _, place in ipairs(places) do
    local a = addresses[place.group.k]
    if place.known ~= place.limits or a.fresh then
      call('HSET', P .. 'lim', place.limits_name, place.limits)
      a.fresh = nil
      tighten(a)
    end
  end
end

-- Where something was found, what lies beside it goes first: see dig.lua.
local function neighbours(q, elements)
  local digs, near, others = digs_of(q), {}, {}
  for _, element in ipairs(elements) do
    local target = beside(element, digs) and near or others
    target[#target + 1] = element
  end
  return near, others
end

local function fill(q, a, group)
  for _, part in ipairs(group.u) do
    local lane, band, elements = part[1], part[2], part[3]
    if q.hot == 1 and a.hot > now then
      local near
      near, elements = neighbours(q, elements)
      if #near > 0 then push(q, lane, FIRST_BAND, near) end
    end
    if #elements > 0 then push(q, lane, band, elements) end
  end
  rotate_in(q, a)
end

-- What stands in a plain queue, and is zero but for few: Crawl-delay, parked, moved, hot.
local NOTHING_ODD, IN_AT, FIRST_BAND_AT = string.rep('\0', 11), {p = 12, i = 13}, QUEUE_BYTES + 1

-- Where the length of a band stands in a plain queue, and what it is; nil where the queue has no such band.
local function length_at(q, lane, band)
  local pages = byte(q, QUEUE_BYTES - 1) + 256 * byte(q, QUEUE_BYTES)
  local from, to = FIRST_BAND_AT, FIRST_BAND_AT + pages
  if lane == 'i' then from, to = to, #q + 1 end
  for at = from, to - 1, BAND_BYTES do
    local found, length = unpacked(BAND, q, at)
    if found == band then return at + 2, length end
  end
end

-- Add to a plain queue that waits for its turn in those lanes already and has those bands: nothing else changes with that.
-- Whether it is one; else nothing was done. id: its number in 4 bytes.
local function plain_fill(id, group)
  local q = plain_queues[id]
  if not q or sub(q, 1, 11) ~= NOTHING_ODD then return false end
  for _, part in ipairs(group.u) do
    local at, length = length_at(q, part[1], part[2])
    if not at or byte(q, IN_AT[part[1]]) == 0 then return false end
    q = sub(q, 1, at - 1) .. pack('<I4', length + #part[3]) .. sub(q, at + 4)
  end
  for _, part in ipairs(group.u) do
    in_parts(part[3], 'RPUSH', QUEUED .. id .. ':' .. part[1] .. ':' .. pack('<H', part[2]))
  end
  plain_queues[id], changed[id] = q, true
  return true
end

local function fill_on_tables(run, places)
  local keys = {}
  for i, place in ipairs(places) do keys[i] = place.group.k end
  load_addresses(keys)
  local found = queues_of(run, places)
  set_limits(places)
  for i, place in ipairs(places) do fill(found[i], addresses[keys[i]], place.group) end
end

-- Queue what an entry's groups have: on records as they stand where that is all, on tables the rest.
local function enqueue(run, groups)
  local number, names, limit_names, limits = format('%d', number_of_run(run)), {}, {}, {}
  for i, group in ipairs(groups) do
    names[i], limit_names[i], limits[i] = group.o .. '|' .. group.k, group.k .. '|' .. number, pack('<dH', group.s, group.c)
  end
  local ids, known = in_parts(names, 'HMGET', P .. 'qi:' .. run), in_parts(limit_names, 'HMGET', P .. 'lim')
  local packed, rest = {}, {}
  for i = 1, #names do
    ids[i] = tonumber(ids[i])
    packed[i] = ids[i] and pack('<I4', ids[i]) or false
  end
  load_whole(plain_queues, packed, 'queue', whole_queue)
  for i, group in ipairs(groups) do
    if not (packed[i] and known[i] == limits[i] and plain_fill(packed[i], group)) then
      rest[#rest + 1] = {
        group = group, name = names[i], id = ids[i], limits_name = limit_names[i], limits = limits[i], known = known[i],
      }
    end
  end
  fill_on_tables(run, rest)
end

for _, entry in ipairs(entries) do
  -- First of all: what breaks off does so once, and is not queued again at every delivery.
  if not is_done(entry.m) and call('SET', P .. 'mark+:' .. entry.m, '1', 'NX', 'EX', ARGV[2]) then
    local queued = 0
    for _, group in ipairs(entry.g) do
      for _, part in ipairs(group.u) do queued = queued + #part[3] end
    end
    count(entry.r, 'queued', queued)
    -- Whatever it breaks off for, no other entry waits for it: mend.lua counts what is missing then as failed.
    if not pcall(enqueue, entry.r, entry.g) then damaged('e') end
  end
end
for i = 4, #ARGV, 4 do
  acknowledge('disc', 'admit', unpack(ARGV, i, i + 3))
  unmark(ARGV[3] .. ':' .. ARGV[i])
end
save()
return 1
