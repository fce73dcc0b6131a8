-- Hand out leases for what is due.
-- ARGV: pages, images (how many at most), lookahead ms, send window ms, lease ms beyond send_by, robots ttl ms
-- Returns msgpack of {now, when something is next due (ms) or -1, generation, batch, then for each lease: slot, queue (its
-- number in 4 bytes), version, element}. The token of lease n (from 0) is batch * 2048 + n. One flat packed list, since
-- clients are slow to read many answers; what never changes of a queue they keep, under the generation: an emptied server
-- starts another.
local MOST_ROUNDS = 256
local UNTIL = format('%.3f', horizon)

-- What stands before the bands and the rotations in their records, and where an address has the lengths of its rotations.
local BANDS, TURNS, LENGTHS = QUEUE_BYTES + 1, ADDRESS_BYTES + 1, '<HBH'
local LENGTHS_AT, TURN_AT = ADDRESS_BYTES - 4, ADDRESS_BYTES - 8

-- The queue whose turn it is at a plain address, in 4 bytes; nil where that has to be looked for.
local function plain_id(key, lane)
  local packed = plain[key]
  if not packed then return nil end
  local p, _, i = unpacked(LENGTHS, packed, LENGTHS_AT)
  if lane == 'p' then return p > 0 and sub(packed, TURNS, TURNS + 3) or nil end
  return i > 0 and sub(packed, TURNS + p, TURNS + p + 3) or nil
end

-- The rotation of a lane after a turn of its first queue.
local function after_turn(turns, key, lane, id, stays, more)
  if stays and more == 1 then call('RPUSH', P .. 'rot:' .. key .. ':' .. lane, (unpacked('<I4', id))) end
  if stays and more == 0 then return #turns > 4 and sub(turns, 5) .. id or turns end
  return sub(turns, 5)
end

-- The first element of a plain queue that may be claimed, as {element, its band, whether more may be}; nil where anything
-- is out of the ordinary.
local function plain_pop(id, q, lane, gated, pages)
  local at, last = BANDS, QUEUE_BYTES + pages
  if lane == 'i' then at, last = last + 1, #q end
  if at > last then return nil end
  local band, length = unpacked(BAND, q, at)
  if gated == 1 and band > 0 then return nil end
  local element = call('LPOP', QUEUED .. id .. LIST[lane] .. sub(q, at, at + 1))
  if not element then return nil end
  if length > 1 then
    plain_queues[id] = sub(q, 1, at - 1) .. pack(BAND, band, length - 1) .. sub(q, at + BAND_BYTES)
    return element, band, true
  end
  plain_queues[id] = sub(q, 1, at - 1) .. sub(q, at + BAND_BYTES)
  return element, band, gated == 0 and at + BAND_BYTES <= last, true
end

-- One turn of a queue at an address, on the records as they are. Whether it may have another; nil where anything is out of
-- the ordinary, and then nothing was changed.
local function plain_turn(key, lane, id)
  local packed, q = plain[key], plain_queues[id]
  if not packed or not q then return nil end
  local next_slot, blocked, hot, rate, slow, latency, floor, conc, inflight, _, slowed, stands, more_p, p, more_i, i =
    unpacked(ADDRESS, packed)
  local slot = max(next_slot, blocked, now)
  if hot > now or inflight >= conc or slot > horizon then return nil end
  local run, version, delay, gated, parked, in_p, in_i, q_hot, gone, pages = unpacked(QUEUE, q)
  if delay > 0 or parked == 1 or gone == 1 or not run_names[run] or paused[run] then return nil end
  local element, band, stays, shorter = plain_pop(id, q, lane, gated, pages)
  if not element then return nil end
  local turns
  if lane == 'p' then
    if shorter then pages = pages - BAND_BYTES end
    if not stays then in_p = 0 end
    local first = after_turn(sub(packed, TURNS, TURNS + p - 1), key, lane, id, stays, more_p)
    turns = first .. sub(packed, TURNS + p)
    p = #first
  else
    if not stays then in_i = 0 end
    local second = after_turn(sub(packed, TURNS + p), key, lane, id, stays, more_i)
    turns = sub(packed, TURNS, TURNS + p - 1) .. second
    i = #second
  end
  if shorter then
    plain_queues[id] = pack(QUEUE, run, version, delay, gated, parked, in_p, in_i, q_hot, gone, pages)
      .. sub(plain_queues[id], BANDS)
  end
  changed[id] = true
  local after = slot_after(slot, rate, slow)
  lease_out(id, run, version, lane, band, slot, after, key, element)
  local place = settle_plain(key, true, after, blocked, hot, rate, slow, latency, floor, conc, inflight + 1, LANE_TURN[lane], slowed,
    stands, more_p, p, more_i, i, turns)
  return place ~= 0 and place ~= IDLE and max(after, blocked) <= horizon
end

-- Whether an address that has something for both lanes served this one last: then the other one goes first there, so that
-- neither starves. Lanes that took turns for all addresses together would keep step with the addresses' own.
local left_to_other = false
local function is_others(key, lane)
  local packed = plain[key]
  local turn, _, stands
  if packed then
    turn, _, stands = byte(packed, TURN_AT, TURN_AT + 2)
  else
    local a = rare().address(key)
    turn, stands = a.turn, a.stands
  end
  if (stands ~= 3 and stands ~= 6) or turn - turn % 2 ~= LANE_TURN[lane] then return false end
  left_to_other = true
  return true
end

-- One turn at each address that is free; the addresses that may have another. first: the other lane comes after it.
local function round(keys, lane, first)
  local places, ids, found, n, going = {}, {}, {}, 0, {}
  for i = 1, #keys do
    if n == wanted[lane] then break end
    local key = keys[i]
    -- What the other lane has just taken stands in its set still.
    if standing[key] ~= 0 and not (first and is_others(key, lane)) then
      n = n + 1
      local id = plain_id(key, lane)
      places[n], ids[n] = key, id or false
      if id then found[#found + 1] = id end
    end
  end
  load_whole(plain_queues, found, 'queue', whole_queue)
  for i = 1, n do
    local key, id = places[i], ids[i]
    local goes
    if id then goes = plain_turn(key, lane, id) end
    if goes == nil then goes = rare().turn(key, lane) end
    if goes then going[#going + 1] = key end
  end
  return going
end

-- When the first of a sorted set is due, or nil.
local function first_in(name) return tonumber(call('ZRANGE', P .. name, 0, 0, 'WITHSCORES')[2]) end

-- Addresses that are due, of two sets: each in the order of its times, and first those of the set whose first waits longer,
-- so that neither is left waiting for the other. Scores are for Redis alone: to write one takes it longer than all else.
local function due_in(one, both, most)
  local first, second = first_in(one), first_in(both)
  if not first or (second and second < first) then one, both, first, second = both, one, second, first end
  if not first or first > horizon then return {} end
  local keys = call('ZRANGEBYSCORE', P .. one, '-inf', UNTIL, 'LIMIT', 0, most)
  if #keys < most and second and second <= horizon then
    for _, key in ipairs(call('ZRANGEBYSCORE', P .. both, '-inf', UNTIL, 'LIMIT', 0, most - #keys)) do
      keys[#keys + 1] = key
    end
  end
  return keys
end

local function claim_lane(lane, heats, first)
  for _, heat in ipairs(heats) do
    if wanted[lane] == 0 then return end
    local keys = due_in(heat .. lane, heat .. 'b', wanted[lane] + leased)
    load_whole(plain, keys, 'addr', whole_address)
    -- A rotation of queues that give nothing is worked off over several calls.
    for _ = 1, MOST_ROUNDS do
      if #keys == 0 or wanted[lane] == 0 then break end
      keys = round(keys, lane, first)
    end
  end
end

local timer, old = first_in('timers'), first_in('aging')
if (timer and timer <= now) or (old and old <= now - ttl) or call('EXISTS', P .. 'moving') == 1 then
  rare().tend(ttl)
end
local asked = {p = wanted.p > 0, i = wanted.i > 0}
local heats = call('EXISTS', P .. 'hot:p', P .. 'hot:i', P .. 'hot:b') > 0 and {'hot:', 'due:'} or {'due:'}
if asked.p then claim_lane('p', heats, asked.i) end
if asked.i then claim_lane('i', heats, false) end
if left_to_other then claim_lane('p', heats, false) end

write_leases()
save()

-- What is parked waits for a timer, which is set on tables only.
local soonest = rare_made and first_in('timers') or timer
for place = 1, IDLE - 1 do
  local lane = sub(SETS[place], -1)
  if (place < 4 or #heats == 2) and (lane == 'b' or asked[lane]) then
    local at = first_in(SETS[place])
    if at and (not soonest or at < soonest) then soonest = at end
  end
end
out[2] = soonest or -1
return cmsgpack.pack(out)
