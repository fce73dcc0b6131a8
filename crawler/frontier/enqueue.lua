-- Queue admitted URLs in the partition of their address, once per entry.
-- ARGV[1]: msgpack list of {m marker, r run, g groups}; a group is {o origin, k pkey, a address, s rate per s,
-- c concurrency, t robots element or '', u {{lane, band, element}, …}}.  ARGV[2]: seconds that markers are kept.
local entries = cmsgpack.unpack(ARGV[1])
for _, entry in ipairs(entries) do
  assert(type(entry.m) == 'string' and type(entry.r) == 'string' and type(entry.g) == 'table', 'malformed entry')
end

local function queue_of(run, group)
  local name = group.o .. '|' .. group.k
  local q = redis.call('HGET', P .. 'qi:' .. run, name)
  if q then return q end
  q = string.format('%.0f', redis.call('INCR', P .. 'queues'))
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

local function limited(run, group)
  local a = P .. 'a:' .. group.k
  local known = redis.call('HMGET', a, 'rate:' .. run, 'conc:' .. run)
  if tonumber(known[1]) == group.s and tonumber(known[2]) == group.c then return end
  redis.call('HSET', a, 'rate:' .. run, group.s, 'conc:' .. run, group.c)
  limit(group.k)
end

for _, entry in ipairs(entries) do
  if redis.call('SET', P .. 'mark+:' .. entry.m, 1, 'NX', 'EX', tonumber(ARGV[2])) then
    for _, group in ipairs(entry.g) do
      local q = queue_of(entry.r, group)
      limited(entry.r, group)
      for _, url in ipairs(group.u) do
        push(q, url[1], url[2], url[3])
      end
      count(entry.r, 'queued', #group.u)
      for _, lane in ipairs(LANES) do rotate_in(q, lane, group.k) end
      schedule(group.k)
    end
  end
end
flush_counts()
return 1
