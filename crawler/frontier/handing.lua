-- Before turns.lua and claim.lua: what a claim wants, and how a lease is made.
local wanted = {p = min(tonumber(ARGV[1]), 1000), i = min(tonumber(ARGV[2]), 1000)}
local lookahead, window, life, ttl = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local horizon = now + lookahead
local LANE_BYTE = {p = string.byte('p'), i = string.byte('i')}

local known = call('MGET', P .. 'batch', P .. 'generation')
local out, records, leased, batch = {now, -1, known[2] or '', 0}, {}, 0, nil
local last_slot, urls, robots = 0, {}, {}

-- What an address notes of the lane that it served last, beside the hot queue's bit.
local LANE_TURN = {p = 0, i = 2}

-- Requests leave within `window` of their slot, so slots are stretched by it: in any w >= 1 s at the server at most
-- (w + window) / distance + 1 <= rate * w + 1 arrive.
local function slot_after(slot, rate, slow) return slot + (1000 + window) / rate * slow end

-- As in base.py.
local STREAK, STRIDE = 16, 1.25
local longest = {p = tonumber(ARGV[7]), i = STREAK}

-- How many slots of a streak lie within the lookahead, as far as they are wanted, and how far they are apart (ms): no less
-- than `distance`, and no less than an answer takes. latency: the address's smoothed one (s).
local function streak_at(slot, distance, latency, places, lane)
  local step = max(distance, STRIDE * 1000 * latency / places)
  return min(longest[lane], wanted[lane], 1 + math.floor((horizon - slot) / step)), step
end

local function new_batch()
  batch = batch_after(known[1])
  call('SET', P .. 'batch', format('%d', batch))
end

local function count_leases(lane, band, run, n)
  local kind = band == 0 and robots or urls
  kind[run] = (kind[run] or 0) + n
  wanted[lane] = wanted[lane] - n
end

-- id: the queue's number in 4 bytes.  after: the address's next slot.
local function lease_out(id, run, version, lane, band, slot, after, key, element)
  if not batch then new_batch() end
  records[2 * leased + 1] = pack('<H', leased)
  records[2 * leased + 2] = id .. pack(REST_OF_LEASE, run, LANE_BYTE[lane], band, #key, slot, after) .. key .. element
  leased = leased + 1
  if slot > last_slot then last_slot = slot end
  local n = #out
  out[n + 1], out[n + 2], out[n + 3], out[n + 4] = slot, id, version, element
  count_leases(lane, band, run, 1)
end

-- Leases of elements of one queue that were taken in a row, at slots that are `step` apart. places: how many of them may be
-- under way at once.
local function streak_out(id, run, version, lane, band, slot, step, after, places, key, elements)
  if not batch then new_batch() end
  local n, row = #elements, #out
  out[row + 1], out[row + 2], out[row + 3], out[row + 4] = slot, id, version, {step, places, elements}
  -- What REST_OF_LEASE packs at once.
  local head = id .. pack(LEASE_OF_RUN, run, LANE_BYTE[lane], band, #key)
  local last, from = slot + (n - 1) * step, pack('<d', slot)
  for i = 1, n do
    local place, to = 2 * leased, pack('<d', i < n and slot + i * step or after)
    records[place + 1], records[place + 2] = pack('<H', leased), head .. from .. to .. key .. elements[i]
    leased, from = leased + 1, to
  end
  if last > last_slot then last_slot = last end
  count_leases(lane, band, run, n)
end

local function write_leases()
  in_parts(records, 'HSET', P .. 'lease:' .. format('%d', batch))
  call('ZADD', P .. 'expiry', format('%d', ceil(last_slot + window + life)), format('%d', batch))
  for number, n in pairs(urls) do
    count(run_names[number], 'queued', -n)
    count(run_names[number], 'leased', n)
  end
  for number, n in pairs(robots) do
    count(run_names[number], 'robots_queued', -n)
    count(run_names[number], 'robots_leased', n)
  end
  out[4] = batch
end

-- Write what this claim leaves behind.
local function save_claim()
  if leased > 0 then write_leases() end
  save()
end
