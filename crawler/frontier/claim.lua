-- Hand out leases for what is due.
-- ARGV: pages, images (how many at most), lookahead ms, send window ms, lease ms beyond send_by, robots ttl ms
-- Returns msgpack of {now, when something is next due (ms) or -1, generation, batch, then for each lease: slot, queue,
-- version, element}. The token of lease n (from 0) is batch * 2048 + n. One flat packed list, since clients are slow to
-- read many answers; what never changes of a queue they keep, under the generation: an emptied server starts another.
local wanted = {p = min(tonumber(ARGV[1]), 1000), i = min(tonumber(ARGV[2]), 1000)}
local lookahead, window, life, ttl = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local horizon = now + lookahead
local MOST_ROUNDS = 256

local out, records, leased, batch = {now, -1, '', 0}, {}, 0, nil
local last_expiry, urls, robots = 0, {}, {}
local function lease_out(q, a, lane, slot, element, band)
  if not batch then
    -- Batches follow the clock, so that none comes twice even after the server lost its data.
    batch = max(now, tonumber(call('GET', P .. 'batch') or 0) + 1)
    call('SET', P .. 'batch', format('%d', batch))
  end
  -- Requests leave within `window` of their slot, so slots are stretched by it: in any w >= 1 s at the server at most
  -- (w + window) / spacing + 1 <= rate * w + 1 arrive.
  local after = slot + (1000 + window) / a.rate * a.slow
  records[2 * leased + 1], records[2 * leased + 2] = leased, packed_lease(q, lane, band, slot, after, a.key, element)
  leased = leased + 1
  last_expiry = max(last_expiry, slot + window + life)
  local n = 4 * leased
  out[n + 1], out[n + 2], out[n + 3], out[n + 4] = slot, q.id, q.version, element
  a.next, a.inflight, a.dirty = after, a.inflight + 1, true
  local kind = band == 0 and robots or urls
  kind[q.run] = (kind[q.run] or 0) + 1
end

-- After its turn a queue stays in the rotation, or leaves it. A hot one comes again after the next one; unless the turn
-- before was a hot one's too, for several of them would leave no turn to others.
local function turn_over(q, a, lane)
  if not claimable(q, lane) then
    q[IN[lane]], q.dirty = 0, true
    next_turn(a, lane, false)
  elseif q.hot == 1 and a.hot > now and a.turn == 0 then
    a.turn = 1
    a[lane] = sub(a[lane], 5, 8) .. sub(a[lane], 1, 4) .. sub(a[lane], 9)
  else
    a.turn = 0
    next_turn(a, lane, true)
  end
end

-- The slot that an address has free within the lookahead, or nil.
local function free_slot(a)
  if a.inflight >= a.conc then return nil end
  local slot = max(a.next, a.blocked, now)
  return slot <= horizon and slot or nil
end

-- One turn at each address that is free; the addresses that may have another.
local function round(keys, lane)
  local places, ids, slots, n, going = {}, {}, {}, 0, {}
  for i = 1, #keys do
    if n == wanted[lane] then break end
    local a = addresses[keys[i]]
    local slot = free_slot(a)
    local id = slot and whose_turn(a, lane)
    if id then
      n = n + 1
      places[n], ids[n], slots[n] = a, id, slot
    elseif slot then
      a.dirty = true
    end
  end
  load_queues(ids)
  for i = 1, n do
    local a, q = places[i], queues[ids[i]]
    if q then
      local element, band
      if claimable(q, lane) then element, band = pop(q, lane) end
      if element then
        lease_out(q, a, lane, slots[i], element, band)
        keep_pace(q, a, slots[i])
        wanted[lane] = wanted[lane] - 1
      end
      turn_over(q, a, lane)
    else
      next_turn(a, lane, false)
    end
    if free_slot(a) then going[#going + 1] = a.key end
  end
  return going
end

-- Addresses of two sets that are due, in the order of their times.
local function due_in(one, both, most)
  local a = call('ZRANGEBYSCORE', P .. one, '-inf', horizon, 'WITHSCORES', 'LIMIT', 0, most)
  local b = call('ZRANGEBYSCORE', P .. both, '-inf', horizon, 'WITHSCORES', 'LIMIT', 0, most)
  if not a[1] then a, b = b, a end
  local merged, n, at, bt = {}, 0, 1, 1
  while n < most and a[at] do
    n = n + 1
    if not b[bt] or tonumber(a[at + 1]) <= tonumber(b[bt + 1]) then
      merged[n], at = a[at], at + 2
    else
      merged[n], bt = b[bt], bt + 2
    end
    if not a[at] then a, b, at, bt = b, a, bt, at end
  end
  return merged
end

local function claim_lane(lane)
  for _, heat in ipairs({'hot:', 'due:'}) do
    if wanted[lane] == 0 then return end
    -- What the other lane has just taken stands there still.
    local keys = due_in(heat .. lane, heat .. 'b', wanted[lane] + leased)
    load_addresses(keys)
    -- A rotation of queues that give nothing is worked off over several calls.
    for _ = 1, MOST_ROUNDS do
      if #keys == 0 or wanted[lane] == 0 then break end
      keys = round(keys, lane)
    end
  end
end

tend(ttl)
-- The lanes go first in turn: where both wait at one address, neither starves.
local order, asked = {'p', 'i'}, {p = wanted.p > 0, i = wanted.i > 0}
if call('INCR', P .. 'turn') % 2 == 0 then order = {'i', 'p'} end
for _, lane in ipairs(order) do
  if wanted[lane] > 0 then claim_lane(lane) end
end

if leased > 0 then
  local key = P .. 'lease:' .. format('%d', batch)
  in_parts(records, 'HSET', key)
  call('ZADD', P .. 'expiry', ceil(last_expiry), format('%d', batch))
  for number, n in pairs(urls) do
    count(run_names[number], 'queued', -n)
    count(run_names[number], 'leased', n)
  end
  for number, n in pairs(robots) do
    count(run_names[number], 'robots_queued', -n)
    count(run_names[number], 'robots_leased', n)
  end
end
save()

local waited = {'timers'}
for place = 1, IDLE - 1 do
  local lane = sub(SETS[place], -1)
  if lane == 'b' or asked[lane] then waited[#waited + 1] = SETS[place] end
end
for _, key in ipairs(waited) do
  local first = call('ZRANGE', P .. key, 0, 0, 'WITHSCORES')
  local at = tonumber(first[2])
  if at and (out[2] < 0 or at < out[2]) then out[2] = at end
end
out[3] = call('GET', P .. 'generation') or ''
out[4] = batch or 0
return cmsgpack.pack(out)
