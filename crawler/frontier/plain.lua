-- Before claim.lua, after handing.lua: a turn on records as they stand, without tables (docs/adr/0027).

-- What stands before the bands and the rotations in their records; of a queue, what is zero but for few: see QUEUE.
local BANDS, TURNS, NOTHING_ODD = QUEUE_BYTES + 1, ADDRESS_BYTES + 1, string.rep('\0', 10)
local LIST = {p = ':p:', i = ':i:'}
-- As in base.py.
local LATE_MS = 1000

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

-- The first elements of a plain queue, at most so many and of one band, as {elements, or the one where no more were asked for,
-- how many, their band, run, version, whether more may be claimed}; nil where anything is out of the ordinary, and then nothing
-- was changed.
local function plain_pop(id, q, lane, most)
  if sub(q, 1, 10) ~= NOTHING_ODD then return nil end
  local run, version, gated, pages = unpacked('<I4HBH', q, RUN_AT)
  local at, last = BANDS, QUEUE_BYTES + pages
  if lane == 'i' then at, last = last + 1, #q end
  if at > last or not run_names[run] or paused[run] then return nil end
  local band, length = unpacked(BAND, q, at)
  if gated == 1 and band > 0 then return nil end
  local list, elements = QUEUED .. id .. LIST[lane] .. sub(q, at, at + 1), nil
  -- A list may be longer than it is said to be, were it nothing.
  if most > length then most = max(length, 1) end
  if most == 1 or band == 0 then
    elements, most = call('LPOP', list), 1
  else
    elements = call('LPOP', list, format('%d', most))
    most = elements and #elements
    -- The list is shorter than it is said to be.
    if most == 1 then elements = elements[1] end
  end
  if not elements then return nil end
  local stays, left = true, length - most
  if left > 0 then
    q = sub(q, 1, at + 1) .. pack('<I4', left) .. sub(q, at + BAND_BYTES)
  else
    stays = gated == 0 and at + BAND_BYTES <= last
    q = without_band(q, lane, at, pages, stays)
  end
  plain_queues[id], changed[id] = q, true
  return elements, most, band, run, version, stays
end

-- One turn of a queue at an address, on the records as they are. Whether it may have another; nil where anything is out of
-- the ordinary, and then nothing was changed.
local function plain_turn(key, lane, id)
  local packed, q = plain[key], plain_queues[id]
  if not packed or not q then return nil end
  local latency, _, slow, inflight, stands, more_p, p, more_i, i, _, slot, blocked, hot, rate, conc, single =
    unpacked(ADDRESS, packed)
  if blocked > slot then slot = blocked end
  local late = now - slot
  if late > 0 then slot = now end
  if hot > now or inflight >= conc or slot > horizon then return nil end
  local after, most, step = slot_after(slot, rate, slow), 1, 0
  if after <= horizon and latency > 0 and slow <= SLOWED and single <= now and late <= LATE_MS then
    most, step = streak_at(slot, after - slot, latency, conc - inflight, lane)
  end
  local elements, n, band, run, version, stays = plain_pop(id, q, lane, most)
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
  if n == 1 then
    lease_out(id, run, version, lane, band, slot, after, key, elements)
  else
    after = after + (n - 1) * step
    streak_out(id, run, version, lane, band, slot, step, after, conc - inflight, key, elements)
  end
  inflight = inflight + n
  local place = place_of(more_p + p, more_i + i, inflight, conc, hot)
  packed = sub(packed, 1, STANDS_AT - 3)
    .. pack('<HBBBBBBd', inflight, place, more_p, p, more_i, i, LANE_TURN[lane], after)
    .. sub(packed, STEADY_AT, from - 1) .. sub(packed, from + 4, to - 1) .. last .. sub(packed, to)
  settle_plain(key, packed, stands, place, place ~= 0 and time_of(after, blocked, place) or nil)
  -- Where a lane has nothing left, only the other one may go on.
  local left = lane == 'p' and more_p + p or more_i + i
  return left > 0 and place ~= 0 and max(after, blocked) <= horizon
end
