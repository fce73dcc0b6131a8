-- Shared by every script of a partition; prepended to each.
-- KEYS[1] is the partition's prefix, for instance "vangnet:{p0}"; every other key is built from it, so all share its
-- hash tag. Times are milliseconds of the server's clock. Lanes are 'p' (pages) and 'i' (images).
--
--   q:N            hash  one queue: run, origin, address, pkey, rate, conc, gate, robots, robots_at, in:p, in:i
--   q:N:L          zset  bands (priority, depth) of lane L that are not empty
--   q:N:L:B        list  elements of one band: attempts byte, then the record
--   qi:RUN         hash  origin|pkey -> N             rq:RUN   set  queues of a run
--   a:PKEY         hash  politeness of one address: next, inflight, blocked, rate:RUN, conc:RUN, and as the strictest of
--                        these rate, conc
--   rot:PKEY:L     list  queues of an address that have something to claim, in rotation
--   due:L          zset  addresses that may be asked, by time
--   leases         hash  token -> lease               expiry   zset token by time
--   delayed        zset  queue entries by the time at which they are tried again
--   disc, res      stream  discoveries and results    cnt:RUN  hash counters
local P = KEYS[1] .. ':'
local LANES = {'p', 'i'}
local IDLE_MS = 3600000

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local moved = {}
local function count(run, name, by)
  local key = run .. '\0' .. name
  moved[key] = (moved[key] or 0) + by
end
local function flush_counts()
  for key, by in pairs(moved) do
    if by ~= 0 then
      local at = string.find(key, '\0', 1, true)
      redis.call('HINCRBY', P .. 'cnt:' .. string.sub(key, 1, at - 1), string.sub(key, at + 1), by)
    end
  end
end

-- The strictest of all runs that have something for an address holds there.
local function limit(pkey)
  local a = P .. 'a:' .. pkey
  local all, rate, conc = redis.call('HGETALL', a), nil, nil
  for i = 1, #all, 2 do
    local value = tonumber(all[i + 1])
    if string.sub(all[i], 1, 5) == 'rate:' then rate = math.min(rate or value, value) end
    if string.sub(all[i], 1, 5) == 'conc:' then conc = math.min(conc or value, value) end
  end
  if rate then
    redis.call('HSET', a, 'rate', rate, 'conc', conc)
    redis.call('PERSIST', a)
  else
    -- What was sent a moment ago counts for whoever comes next, an hour is more than any spacing.
    redis.call('PEXPIRE', a, IDLE_MS)
  end
end

-- Put an address where its state says: due when a lane has something and a place in flight is free.
local function schedule(pkey)
  local state = redis.call('HMGET', P .. 'a:' .. pkey, 'next', 'inflight', 'conc', 'blocked')
  local at = math.max(tonumber(state[1] or 0), tonumber(state[4] or 0))
  local free = tonumber(state[2] or 0) < tonumber(state[3] or 1)
  for _, lane in ipairs(LANES) do
    if free and redis.call('LLEN', P .. 'rot:' .. pkey .. ':' .. lane) > 0 then
      redis.call('ZADD', P .. 'due:' .. lane, at, pkey)
    else
      redis.call('ZREM', P .. 'due:' .. lane, pkey)
    end
  end
end

-- Let a queue take part in its address's rotation, when it has something that may be claimed.
local function rotate_in(q, lane, pkey)
  local state = redis.call('HMGET', P .. 'q:' .. q, 'in:' .. lane, 'gate', 'held')
  if state[1] or state[3] then return end
  local first = redis.call('ZRANGE', P .. 'q:' .. q .. ':' .. lane, 0, 0)[1]
  if not first or (state[2] and tonumber(first) >= 0) then return end
  redis.call('HSET', P .. 'q:' .. q, 'in:' .. lane, 1)
  redis.call('RPUSH', P .. 'rot:' .. pkey .. ':' .. lane, q)
end

-- Band -1 holds the robots.txt of a gated queue, all others start at 0.
local function push(q, lane, band, element, front)
  local bands = P .. 'q:' .. q .. ':' .. lane
  if redis.call(front and 'LPUSH' or 'RPUSH', bands .. ':' .. band, element) == 1 then
    redis.call('ZADD', bands, band, band)
  end
end

local function pop(q, lane, band)
  local bands = P .. 'q:' .. q .. ':' .. lane
  local element = redis.call('LPOP', bands .. ':' .. band)
  if redis.call('EXISTS', bands .. ':' .. band) == 0 then redis.call('ZREM', bands, band) end
  return element
end

-- Close the gate of a queue until its robots.txt was read.
local function gate(q, robots)
  redis.call('HSET', P .. 'q:' .. q, 'gate', 1)
  push(q, 'p', -1, robots)
end

local function release(pkey)
  if redis.call('HINCRBY', P .. 'a:' .. pkey, 'inflight', -1) < 0 then
    redis.call('HSET', P .. 'a:' .. pkey, 'inflight', 0)
  end
end

-- A lease that ended without an answer: queue it again after `at`, or count it as failed when its attempts are used up.
-- Returns true when it will be tried again. robots.txt stands outside the counters of URLs.
local function again(lease, run, reason, at, cap)
  local attempts = string.byte(lease.e, 1) + 1
  if attempts >= cap then return false end
  lease.e = string.char(math.min(attempts, 255)) .. string.sub(lease.e, 2)
  local entry = cmsgpack.pack({q = lease.q, k = lease.k, l = lease.l, b = lease.b, e = lease.e})
  redis.call('ZADD', P .. 'delayed', at, entry)
  count(run, 'delayed', 1)
  count(run, 'r:' .. reason, 1)
  return true
end

local function dead_letter(run, lease, reason)
  local key = P .. 'dead:' .. run
  redis.call('RPUSH', key, cmsgpack.pack({reason, redis.call('HGET', P .. 'q:' .. lease.q, 'origin'), lease.e}))
  redis.call('LTRIM', key, -10000, -1)
end
