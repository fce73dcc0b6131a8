-- Queue admitted URLs in the partition of their address, once per entry.
-- ARGV[1]: msgpack list of {m marker, r run, g groups}; a group is {o origin, k pkey, a address, s rate per s,
-- c concurrency, t robots element or '', u {{lane, band, {element, …}}, …}}.  ARGV[2]: seconds that markers are kept.
local entries = cmsgpack.unpack(ARGV[1])
for _, entry in ipairs(entries) do
  assert(type(entry.m) == 'string' and type(entry.r) == 'string' and type(entry.g) == 'table', 'malformed entry')
end

local function make_queue(run, group, name)
  local q = string.format('%.0f', redis.call('INCR', P .. 'queues'))
  redis.call('HSET', P .. 'qi:' .. run, name, q)
  redis.call('SADD', P .. 'rq:' .. run, q)
  redis.call('HSET', P .. 'q:' .. q, 'run', run, 'origin', group.o, 'address', group.a, 'pkey', group.k)
  if redis.call('HGET', P .. 'state', run) == 'paused' then redis.call('HSET', P .. 'q:' .. q, 'held', 1) end
  if group.t ~= '' then
    redis.call('HSET', P .. 'q:' .. q, 'robots_item', group.t)
    gate(q, group.t)
    count(run, 'robots_queued', 1)
    rotate_in(q, 'p', group.k)
  end
  return q
end

-- The queues of an entry's groups. Two groups may share one, when their addresses share their politeness.
local function queues_of(run, groups)
  local names, queues, made = {}, {}, {}
  for i, group in ipairs(groups) do names[i] = group.o .. '|' .. group.k end
  for first = 1, #names, 1000 do
    local last = math.min(first + 999, #names)
    for i, q in ipairs(redis.call('HMGET', P .. 'qi:' .. run, unpack(names, first, last))) do
      queues[first + i - 1] = q
    end
  end
  for i, group in ipairs(groups) do
    local name = names[i]
    if not queues[i] then
      made[name] = made[name] or make_queue(run, group, name)
      queues[i] = made[name]
    end
  end
  return queues
end

local limited = {}
local function set_limits(run, group)
  local key, limits = run .. '|' .. group.k, group.s .. '|' .. group.c
  if limited[key] == limits then return end
  limited[key] = limits
  local a = P .. 'a:' .. group.k
  local known = redis.call('HMGET', a, 'rate:' .. run, 'conc:' .. run)
  if tonumber(known[1]) == group.s and tonumber(known[2]) == group.c then return end
  redis.call('HSET', a, 'rate:' .. run, group.s, 'conc:' .. run, group.c)
  limit(group.k)
  touch(group.k)
end

-- A band that held something before is in its rotation, or waits behind a gate or a pause: only a new one changes that.
local function fill(q, group)
  for _, part in ipairs(group.u) do
    local lane, band, elements = part[1], part[2], part[3]
    local bands, fresh = P .. 'q:' .. q .. ':' .. lane, false
    for first = 1, #elements, 1000 do
      local last = math.min(first + 999, #elements)
      local length = redis.call('RPUSH', bands .. ':' .. band, unpack(elements, first, last))
      fresh = fresh or length == last - first + 1
    end
    if fresh then
      redis.call('ZADD', bands, band, band)
      rotate_in(q, lane, group.k)
    end
  end
end

for _, entry in ipairs(entries) do
  if redis.call('SET', P .. 'mark+:' .. entry.m, 1, 'NX', 'EX', tonumber(ARGV[2])) then
    local queues = queues_of(entry.r, entry.g)
    for i, group in ipairs(entry.g) do
      set_limits(entry.r, group)
      fill(queues[i], group)
      for _, part in ipairs(group.u) do count(entry.r, 'queued', #part[3]) end
    end
  end
end
settle()
flush_counts()
return 1
