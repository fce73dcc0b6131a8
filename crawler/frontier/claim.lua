-- Hand out leases for what is due.
-- ARGV: pages, images (how many at most), lookahead ms, send window ms, lease ms beyond send_by, robots ttl ms, pages of a
-- streak at most
-- Returns msgpack of {now, when something is next due (ms) or -1, generation, batch, then for each streak: slot of the first,
-- ms between slots, queue (its number in 4 bytes), version, places, {element, …}}. The token of lease n (from 0, over all
-- streaks) is batch * 2048 + n. One flat packed list, since clients are slow to read many answers; what never changes of a
-- queue they keep, under the generation: an emptied server starts another.
local MOST_ROUNDS = 256
local UNTIL = format('%.3f', horizon)

-- What stands before the bands and the rotations in their records; of a queue, what is zero but for few: see QUEUE.
local BANDS, TURNS, NOTHING_ODD = QUEUE_BYTES + 1, ADDRESS_BYTES + 1, string.rep('\0', 10)

-- A plain queue without the band that stands there, of which the last was taken. stays: something else may be claimed.
local function without_band(q, lane, at, pages, stays)
  local hot, in_p, in_i = byte(q, 11, 13)
  if lane == 'p' then pages = pages - BAND_BYTES end
  if not stays then
    if lane == 'p' then in_p = 0 else in_i = 0 end
  end
  return sub(q, 1, 10) .. pack('<BBB', hot, in_p, in_i) .. sub(q, RUN_AT, QUEUE_BYTES - 2) .. pack('<H', pages)
    .. sub(q, BANDS, at - 1) .. sub(q, at + BAND_BYTES)
end

-- The first elements of a plain queue, at most so many and of one band, as {elements, their band, run, version, whether more
-- may be claimed}; nil where anything is out of the ordinary, and then nothing was changed.
local function plain_pop(id, q, lane, most)
  if sub(q, 1, 10) ~= NOTHING_ODD then return nil end
  local run, version, gated, pages = unpacked('<I4HBH', q, RUN_AT)
  local at, last = BANDS, QUEUE_BYTES + pages
  if lane == 'i' then at, last = last + 1, #q end
  if at > last or not run_names[run] or paused[run] then return nil end
  local band, length = unpacked(BAND, q, at)
  if gated == 1 and band > 0 then return nil end
  if band == 0 then most = 1 end
  local elements = call('LPOP', QUEUED .. id .. LIST[lane] .. sub(q, at, at + 1), format('%d', most))
  if not elements then return nil end
  local stays, left = true, length - #elements
  if left > 0 then
    q = sub(q, 1, at + 1) .. pack('<I4', left) .. sub(q, at + BAND_BYTES)
  else
    stays = gated == 0 and at + BAND_BYTES <= last
    q = without_band(q, lane, at, pages, stays)
  end
  plain_queues[id], changed[id] = q, true
  return elements, band, run, version, stays
end

-- One turn of a queue at an address, on the records as they are. Whether it may have another; nil where anything is out of
-- the ordinary, and then nothing was changed.
local function plain_turn(key, lane, id)
  local packed, q = plain[key], plain_queues[id]
  if not packed or not q then return nil end
  local latency, _, slow, inflight, stands, more_p, p, more_i, i, _, slot, blocked, hot, rate, conc, single =
    unpacked(ADDRESS, packed)
  if blocked > slot then slot = blocked end
  if now > slot then slot = now end
  if hot > now or inflight >= conc or slot > horizon then return nil end
  local places = conc - inflight
  local most, step, distance = streak_at(slot, rate, slow, single > now and 0 or latency, places, lane)
  local elements, band, run, version, stays = plain_pop(id, q, lane, most)
  if not elements then return nil end
  local from, to, more = TURNS, TURNS + 4 * p, more_p
  if lane == 'i' then from, to, more = to, to + 4 * i, more_i end
  local last = ''
  if stays and more == 0 then
    last = id
  else
    if stays then call('RPUSH', P .. 'rot:' .. key .. ':' .. lane, (unpacked('<I4', id))) end
    if lane == 'p' then p = p - 1 else i = i - 1 end
  end
  local after = slot + (#elements - 1) * step + distance
  lease_out(id, run, version, lane, band, slot, step, after, places, key, elements)
  inflight = inflight + #elements
  local place = place_of(more_p + p, more_i + i, inflight, conc, hot)
  packed = sub(packed, 1, STANDS_AT - 3)
    .. pack('<HBBBBBBd', inflight, place, more_p, p, more_i, i, LANE_TURN[lane], after)
    .. sub(packed, STEADY_AT, from - 1) .. sub(packed, from + 4, to - 1) .. last .. sub(packed, to)
  settle_plain(key, packed, stands, place, place ~= 0 and time_of(after, blocked, place) or nil)
  -- Where a lane has nothing left, only the other one may go on.
  local left = lane == 'p' and more_p + p or more_i + i
  return left > 0 and place ~= 0 and max(after, blocked) <= horizon
end

-- Where a lane finds an address with so many turns taken and queues waiting, in the order of STANDS_AT: whether it left it
-- to the other lane, and the queue whose turn it is at a plain one, in 4 bytes; false where that has to be looked for.
--
-- An address that has something for both lanes and served this one last is left to the other first, so that neither
-- starves. Lanes that took turns for all addresses together would keep step with the addresses' own.
local left_to_other = false
local function look_at(key, lane, first)
  local packed, id = plain[key], false
  local stands, turn
  if packed then
    local _, p, i
    stands, _, p, _, i, turn = byte(packed, STANDS_AT, STANDS_AT + 5)
    if lane == 'p' then
      if p > 0 then id = sub(packed, TURNS, TURNS + 3) end
    elseif i > 0 then
      id = sub(packed, TURNS + 4 * p, TURNS + 4 * p + 3)
    end
  elseif first then
    local a = rare().address(key)
    turn, stands = a.turn, a.stands
  end
  if first and (stands == 3 or stands == 6) and turn - turn % 2 == LANE_TURN[lane] then
    left_to_other = true
    return true
  end
  return false, id
end

-- One turn at each address that is free. Returns `going`, with those added that may have another, and how many had one.
-- first: the other lane comes after it.
local function round(keys, lane, first, going)
  local places, ids, found, n = {}, {}, {}, 0
  for i = 1, #keys do
    if n == wanted[lane] then break end
    local key = keys[i]
    local left, id = look_at(key, lane, first)
    if not left then
      n = n + 1
      places[n], ids[n] = key, id
      if id then found[#found + 1] = id end
    end
  end
  load_whole(plain_queues, found, 'queue', whole_queue)
  for i = 1, n do
    if wanted[lane] == 0 then break end
    local key, id = places[i], ids[i]
    local goes
    if id then goes = plain_turn(key, lane, id) end
    if goes == nil then goes = rare().turn(key, lane) end
    if goes then going[#going + 1] = key end
  end
  return going, n
end

-- A turn at each of the addresses, as long as something is wanted; those that may have another. How many it takes is known
-- when some had theirs, and no more are loaded than may be needed.
local function first_round(keys, lane, first)
  local going, at, each = {}, 1, 8
  while at <= #keys and wanted[lane] > 0 do
    local some = {unpack(keys, at, min(at + ceil(wanted[lane] / each) - 1, #keys))}
    load_whole(plain, some, 'addr', whole_address)
    local before = wanted[lane]
    local _, turns = round(some, lane, first, going)
    if turns > 0 then each = max((before - wanted[lane]) / turns, 1) end
    at = at + #some
  end
  return going
end

-- When the first of a sorted set is due, or nil.
local function first_in(name) return tonumber(call('ZRANGE', P .. name, '0', '0', 'WITHSCORES')[2]) end

-- Addresses of a set that are due, in the order of their times, as many as a claim may need; each set is read once. Scores
-- are for Redis alone: to write one takes it longer than all else.
local due_of, most_due = {}, format('%d', wanted.p + wanted.i)
local function due(name)
  local keys = due_of[name]
  if not keys then
    keys = call('ZRANGEBYSCORE', P .. name, '-inf', UNTIL, 'LIMIT', '0', most_due)
    due_of[name] = keys
  end
  return keys
end

-- Addresses of two sets that are due and that no lane has taken: first those of the set whose first waits longer, so that
-- neither is left waiting for the other.
local function due_in(one, both, most)
  local first, second, keys, n = due(one), due(both), {}, 0
  if #first == 0 or (#second > 0 and first_in(both) < first_in(one)) then first, second = second, first end
  for _, list in ipairs({first, second}) do
    for i = 1, #list do
      if n == most then return keys end
      -- What the other lane has just taken stands in its set still.
      if standing[list[i]] ~= 0 then
        n = n + 1
        keys[n] = list[i]
      end
    end
  end
  return keys
end

local function claim_lane(lane, heats, first)
  for _, heat in ipairs(heats) do
    if wanted[lane] == 0 then return end
    local keys = due_in(heat .. lane, heat .. 'b', wanted[lane])
    local going = first_round(keys, lane, first)
    -- A rotation of queues that give nothing is worked off over several calls.
    for _ = 2, MOST_ROUNDS do
      if #going == 0 or wanted[lane] == 0 then break end
      going = round(going, lane, first, {})
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
