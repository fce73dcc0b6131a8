-- Hand out leases for what is due.
-- ARGV: pages, images (how many at most), lookahead ms, send window ms, lease ms beyond send_by, robots ttl ms
-- Returns msgpack of {now, when something is next due on a lane that was asked for (ms) or -1, lease, …}; a lease is
-- {token, slot, run, origin, address, queue, robots_at, element}. One packed string, since clients are slow to read many.
local lookahead, window, life, ttl = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local out = {}

for _, entry in ipairs(redis.call('ZRANGEBYSCORE', P .. 'delayed', '-inf', now, 'LIMIT', 0, 200)) do
  redis.call('ZREM', P .. 'delayed', entry)
  local item = cmsgpack.unpack(entry)
  local run = redis.call('HGET', P .. 'q:' .. item.q, 'run')
  if run then
    push(item.q, item.l, item.b, item.e, true)
    count(run, 'delayed', -1)
    count(run, tonumber(item.b) < 0 and 'robots_queued' or 'queued', 1)
    rotate_in(item.q, item.l, item.k)
  end
end
settle()

-- Take a queue, which was just moved to the end of its rotation, out of it when it has nothing more to claim.
-- Returns the band that it gives next.
local function still_claimable(q, lane, rotation, gated)
  local band = redis.call('ZRANGE', P .. 'q:' .. q .. ':' .. lane, 0, 0)[1]
  if band and not (gated and tonumber(band) >= 0) then return band end
  redis.call('RPOP', rotation)
  redis.call('HDEL', P .. 'q:' .. q, 'in:' .. lane)
end

-- The next queue of this address and lane that gives something, or nil, and whether the rotations changed otherwise than
-- by turning. A queue whose robots.txt grew old is gated anew.
local function next_element(pkey, lane)
  local rotation, changed = P .. 'rot:' .. pkey .. ':' .. lane, false
  while true do
    local q = redis.call('LMOVE', rotation, rotation, 'LEFT', 'RIGHT')
    if not q then return nil, true end
    local info = redis.call('HMGET', P .. 'q:' .. q, 'run', 'origin', 'address', 'gate', 'robots_at', 'robots_item')
    if info[6] and not info[4] and tonumber(info[5]) + ttl < now then
      gate(q, info[6])
      count(info[1], 'robots_queued', 1)
      info[4] = '1'
      if lane ~= 'p' then rotate_in(q, 'p', pkey) end
      changed = true
    end
    local band = still_claimable(q, lane, rotation, info[4])
    if band then
      local list = P .. 'q:' .. q .. ':' .. lane .. ':' .. band
      local element = redis.call('LPOP', list)
      if redis.call('EXISTS', list) == 0 then
        redis.call('ZREM', P .. 'q:' .. q .. ':' .. lane, band)
        if not still_claimable(q, lane, rotation, info[4]) then changed = true end
      end
      return q, changed, info, band, element
    end
    changed = true
  end
end

-- Tokens follow the clock, so that none comes twice even after the server lost its data.
local last_token = tonumber(redis.call('GET', P .. 'token') or 0)
local function next_token()
  last_token = math.max(last_token, clock[1] * 1000000 + clock[2]) + 1
  return string.format('%d', last_token)
end

local leases, expiries = {}, {}
local function lease_out(q, pkey, lane, slot, info, band, element)
  local token = next_token()
  leases[#leases + 1] = token
  leases[#leases + 1] = cmsgpack.pack({q = q, k = pkey, l = lane, b = band, e = element, r = info[1]})
  expiries[#expiries + 1] = string.format('%d', slot + window + life)
  expiries[#expiries + 1] = token
  local queued, leased = 'queued', 'leased'
  if tonumber(band) < 0 then queued, leased = 'robots_queued', 'robots_leased' end
  count(info[1], queued, -1)
  count(info[1], leased, 1)
  out[#out + 1] = {token, slot, info[1], info[2], info[3], q, info[5] or '', element}
end

local function claim_lane(lane, wanted)
  local due, moves = P .. 'due:' .. lane, {}
  for _, pkey in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now + lookahead, 'LIMIT', 0, wanted)) do
    local a = P .. 'a:' .. pkey
    local state = redis.call('HMGET', a, 'next', 'inflight', 'rate', 'conc', 'blocked')
    local inflight, rate, conc = tonumber(state[2] or 0), tonumber(state[3] or 1), tonumber(state[4] or 1)
    local slot = math.max(tonumber(state[1] or 0), tonumber(state[5] or 0), now)
    local taken, changed = 0, false
    while wanted > 0 and inflight < conc and slot <= now + lookahead do
      local q, turned, info, band, element = next_element(pkey, lane)
      changed = changed or turned
      if not q then break end
      lease_out(q, pkey, lane, slot, info, band, element)
      -- Requests leave within `window` of their slot, so slots are stretched by it: in any w >= 1 s at the server at
      -- most (w + window) / spacing + 1 <= rate * w + 1 arrive.
      slot = slot + (1000 + window) / rate
      inflight, wanted, taken = inflight + 1, wanted - 1, taken + 1
    end
    local next_slot = string.format('%.3f', slot)
    if taken > 0 then redis.call('HSET', a, 'next', next_slot, 'inflight', inflight) end
    if changed or taken == 0 then
      schedule(pkey)
    else
      moves[#moves + 1] = inflight < conc and next_slot or BUSY
      moves[#moves + 1] = pkey
    end
    if wanted == 0 then break end
  end
  for _, each in ipairs(LANES) do call_in_parts(moves, 'ZADD', P .. 'due:' .. each, 'XX') end
end

-- The lanes go first in turn: where both wait at one address, neither starves.
local wanted = {p = tonumber(ARGV[1]), i = tonumber(ARGV[2])}
local order = {'p', 'i'}
if redis.call('INCR', P .. 'turn') % 2 == 0 then order = {'i', 'p'} end
for _, lane in ipairs(order) do
  if wanted[lane] > 0 then claim_lane(lane, wanted[lane]) end
end
call_in_parts(leases, 'HSET', P .. 'leases')
call_in_parts(expiries, 'ZADD', P .. 'expiry')
if #out > 0 then redis.call('SET', P .. 'token', string.format('%.0f', last_token)) end
flush_counts()

local soonest = -1
local waited = {'delayed'}
for _, lane in ipairs(LANES) do
  if wanted[lane] > 0 then waited[#waited + 1] = 'due:' .. lane end
end
for _, key in ipairs(waited) do
  local first = redis.call('ZRANGE', P .. key, 0, 0, 'WITHSCORES')
  local at = first[2] and first[2] ~= 'inf' and tonumber(first[2])
  if at and (soonest < 0 or at < soonest) then soonest = at end
end
table.insert(out, 1, soonest)
table.insert(out, 1, now)
return cmsgpack.pack(out)
