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
--   due:L          zset  addresses whose rotation is not empty, by the time at which they may be asked; busy ones at +inf
--   leases         hash  token -> lease: q queue, k address, l lane, b band, e element, r run
--   expiry         zset  tokens by time
--   delayed        zset  queue entries by the time at which they are tried again
--   disc, res      stream  discoveries and results    cnt:RUN  hash counters
local P = KEYS[1] .. ':'
local LANES = {'p', 'i'}
local IDLE_MS = 3600000

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local moved = {}
local function count(run, name, by)
  local counters = moved[run]
  if not counters then
    counters = {}
    moved[run] = counters
  end
  counters[name] = (counters[name] or 0) + by
end
local function flush_counts()
  for run, counters in pairs(moved) do
    for name, by in pairs(counters) do
      if by ~= 0 then redis.call('HINCRBY', P .. 'cnt:' .. run, name, by) end
    end
  end
end

-- One command for many arguments, in even parts: Lua's stack takes some thousands.
local function call_in_parts(arguments, ...)
  local head = {...}
  for first = 1, #arguments, 2000 do
    local command = {unpack(head)}
    for i = first, math.min(first + 1999, #arguments) do command[#command + 1] = arguments[i] end
    redis.call(unpack(command))
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

-- Where an address stands in `due` from its state {next, inflight, conc, blocked}; BUSY: no place in flight is free. An
-- address whose rotation of a lane holds something is in that lane's `due`, so what only moves it need not look there.
local BUSY = '+inf'
local function due_at(state)
  if tonumber(state[2] or 0) >= tonumber(state[3] or 1) then return BUSY end
  -- The strings as they are: to format a number with 17 digits costs more than most commands do.
  local next_slot, blocked = state[1] or '0', state[4] or '0'
  return tonumber(next_slot) >= tonumber(blocked) and next_slot or blocked
end
local function state_of(pkey)
  return redis.call('HMGET', P .. 'a:' .. pkey, 'next', 'inflight', 'conc', 'blocked')
end

-- Put an address where its state says, whatever has become of its rotations.
local function schedule(pkey)
  local at = due_at(state_of(pkey))
  for _, lane in ipairs(LANES) do
    if redis.call('LLEN', P .. 'rot:' .. pkey .. ':' .. lane) > 0 then
      redis.call('ZADD', P .. 'due:' .. lane, at, pkey)
    else
      redis.call('ZREM', P .. 'due:' .. lane, pkey)
    end
  end
end

-- What a script did to addresses, applied by `settle` once for each and not once for each URL: places in flight to free,
-- times until which to send nothing, rotations that were empty before. No rotation may have lost its last queue.
local freed, blocks, woken = {}, {}, {p = {}, i = {}}
local function touch(pkey) freed[pkey] = freed[pkey] or 0 end
local function release(pkey) freed[pkey] = (freed[pkey] or 0) + 1 end
local function settle()
  local moves, arrivals = {}, {p = {}, i = {}}
  for pkey, places in pairs(freed) do
    local state, block = state_of(pkey), blocks[pkey]
    local before = tonumber(state[2] or 0)
    if before > 0 and places > 0 then
      state[2] = math.max(before - places, 0)
      redis.call('HSET', P .. 'a:' .. pkey, 'inflight', state[2])
    end
    if block then
      state[4] = string.format('%.0f', math.max(tonumber(state[4] or 0), block))
      redis.call('HSET', P .. 'a:' .. pkey, 'blocked', state[4])
    end
    local at = due_at(state)
    moves[#moves + 1] = at
    moves[#moves + 1] = pkey
    for _, lane in ipairs(LANES) do
      if woken[lane][pkey] then
        arrivals[lane][#arrivals[lane] + 1] = at
        arrivals[lane][#arrivals[lane] + 1] = pkey
      end
    end
  end
  for _, lane in ipairs(LANES) do
    call_in_parts(arrivals[lane], 'ZADD', P .. 'due:' .. lane)
    call_in_parts(moves, 'ZADD', P .. 'due:' .. lane, 'XX')
  end
  freed, blocks, woken = {}, {}, {p = {}, i = {}}
end

-- Let a queue take part in its address's rotation, when it has something that may be claimed.
local function rotate_in(q, lane, pkey)
  local state = redis.call('HMGET', P .. 'q:' .. q, 'in:' .. lane, 'gate', 'held')
  if state[1] or state[3] then return end
  local first = redis.call('ZRANGE', P .. 'q:' .. q .. ':' .. lane, 0, 0)[1]
  if not first or (state[2] and tonumber(first) >= 0) then return end
  redis.call('HSET', P .. 'q:' .. q, 'in:' .. lane, 1)
  if redis.call('RPUSH', P .. 'rot:' .. pkey .. ':' .. lane, q) == 1 then
    woken[lane][pkey] = true
    touch(pkey)
  end
end

-- Band -1 holds the robots.txt of a gated queue, all others start at 0.
local function push(q, lane, band, element, front)
  local bands = P .. 'q:' .. q .. ':' .. lane
  if redis.call(front and 'LPUSH' or 'RPUSH', bands .. ':' .. band, element) == 1 then
    redis.call('ZADD', bands, band, band)
  end
end

-- Close the gate of a queue until its robots.txt was read.
local function gate(q, robots)
  redis.call('HSET', P .. 'q:' .. q, 'gate', 1)
  push(q, 'p', -1, robots)
end

-- A lease that ended without an answer: queue it again after `at`, or count it as failed when its attempts are used up.
-- Returns true when it will be tried again. robots.txt stands outside the counters of URLs.
local function again(lease, run, reason, at, cap)
  local attempts = string.byte(lease.e, 1) + 1
  if attempts >= cap then return false end
  lease.e = string.char(math.min(attempts, 255)) .. string.sub(lease.e, 2)
  local entry = cmsgpack.pack(lease)
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
