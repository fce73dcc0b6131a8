-- Queue admitted URLs in the partition of their address, once per entry.
-- ARGV[1]: msgpack list of {m marker, r run, g groups}; a group is {o origin, k pkey, a address, s rate per s,
-- c concurrency, t robots element or '', u {{lane, band, {element, …}}, …}}.  ARGV[2]: seconds that markers are kept.
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

-- The queues of an entry's groups. Two groups may share one, when their addresses share their politeness.
local function queues_of(run, groups)
  local names, found, ids, made = {}, {}, {}, {}
  for i, group in ipairs(groups) do names[i] = group.o .. '|' .. group.k end
  for i, id in ipairs(in_parts(names, 'HMGET', P .. 'qi:' .. run)) do
    found[i] = tonumber(id)
    ids[#ids + 1] = found[i]
  end
  load_queues(ids)
  for i, group in ipairs(groups) do
    local q = found[i] and queue(found[i]) or made[names[i]]
    if not q then
      q = make_queue(run, group)
      made[names[i]] = q
    end
    found[i] = q
  end
  return found
end

local function set_limits(run, groups)
  local number, names, wanted = format('%d', number_of_run(run)), {}, {}
  for i, group in ipairs(groups) do
    names[i], wanted[i] = group.k .. '|' .. number, pack('<dH', group.s, group.c)
  end
  for i, known in ipairs(in_parts(names, 'HMGET', P .. 'lim')) do
    local a = addresses[groups[i].k]
    if known ~= wanted[i] or a.fresh then
      call('HSET', P .. 'lim', names[i], wanted[i])
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

for _, entry in ipairs(entries) do
  if not is_done(entry.m) and call('SET', P .. 'mark+:' .. entry.m, '1', 'NX', 'EX', ARGV[2]) then
    local keys = {}
    for i, group in ipairs(entry.g) do keys[i] = group.k end
    load_addresses(keys)
    local found = queues_of(entry.r, entry.g)
    set_limits(entry.r, entry.g)
    local queued = 0
    for i, group in ipairs(entry.g) do
      fill(found[i], addresses[group.k], group)
      for _, part in ipairs(group.u) do queued = queued + #part[3] end
    end
    count(entry.r, 'queued', queued)
  end
end
save()
return 1
