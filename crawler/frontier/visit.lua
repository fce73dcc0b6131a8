-- A lease for one request at an address beside what is queued there: it is of no queue and no run, so that its end frees
-- its place in flight, tells of the address's speed, and does nothing else.
-- Where there is no place, nobody gets a streak for a while: who was refused comes again.
-- ARGV: politeness key, rate per s, concurrency, ms within which its slot has to lie, send window ms, lease ms beyond
-- send_by. Returns {now, slot, batch}, or nothing when there is no such slot or no place in flight.
local WAITED_MS = 2000
local key, rate, conc = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local within, window, life = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local a = address(key)
local slot = max(a.next, a.blocked, now)
if slot > now + within then return {} end
if a.inflight >= min(a.conc, conc) then
  -- Streaks would have its places nearly always.
  a.single, a.dirty = now + WAITED_MS, true
  save()
  return {}
end
local after = slot + (1000 + window) / min(a.rate, rate) * a.slow
a.next, a.inflight, a.dirty = after, a.inflight + 1, true
local batch = batch_after(call('GET', P .. 'batch'))
call('SET', P .. 'batch', format('%d', batch))
local lease = {q = 0, run = 0, lane = 'p', band = 1, slot = slot, after = after, key = key, element = '\0'}
call('HSET', P .. 'lease:' .. format('%d', batch), pack('<H', 0), repacked(lease))
call('ZADD', P .. 'expiry', ceil(slot + window + life), format('%d', batch))
save()
return {format('%d', now), format('%.3f', slot), format('%d', batch)}
