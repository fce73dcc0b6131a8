-- Before turns.lua and claim.lua: what a claim wants, and how a lease is made.
local wanted = {p = min(tonumber(ARGV[1]), 1000), i = min(tonumber(ARGV[2]), 1000)}
local lookahead, window, life, ttl = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local horizon = now + lookahead
local LANE_BYTE, LIST = {p = string.byte('p'), i = string.byte('i')}, {p = ':p:', i = ':i:'}

local known = call('MGET', P .. 'batch', P .. 'generation')
local out, records, leased, batch = {now, -1, known[2] or '', 0}, {}, 0, nil
local last_expiry, urls, robots = 0, {}, {}

-- What an address notes of the lane that it served last, beside the hot queue's bit.
local LANE_TURN = {p = 0, i = 2}

-- id: the queue's number in 4 bytes.
local function lease_out(id, run, version, lane, band, slot, after, key, element)
  if not batch then
    batch = batch_after(known[1])
    call('SET', P .. 'batch', format('%d', batch))
  end
  records[2 * leased + 1] = pack('<H', leased)
  records[2 * leased + 2] = id .. pack(REST_OF_LEASE, run, LANE_BYTE[lane], band, #key, slot, after) .. key .. element
  leased = leased + 1
  if slot > last_expiry then last_expiry = slot end
  local n = 4 * leased
  out[n + 1], out[n + 2], out[n + 3], out[n + 4] = slot, id, version, element
  local kind = band == 0 and robots or urls
  kind[run] = (kind[run] or 0) + 1
  wanted[lane] = wanted[lane] - 1
end

-- Requests leave within `window` of their slot, so slots are stretched by it: in any w >= 1 s at the server at most
-- (w + window) / spacing + 1 <= rate * w + 1 arrive.
local function slot_after(slot, rate, slow) return slot + (1000 + window) / rate * slow end

-- What the leases of this claim leave behind.
local function write_leases()
  if leased == 0 then return end
  in_parts(records, 'HSET', P .. 'lease:' .. format('%d', batch))
  call('ZADD', P .. 'expiry', format('%d', ceil(last_expiry + window + life)), format('%d', batch))
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
