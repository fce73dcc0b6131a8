-- Another slot for a lease that missed its own, for instance because connecting took longer than the send window.
-- ARGV: batch, index, send window ms, lease ms beyond send_by, ms from now before which it does not lie. Returns {now, slot},
-- or nothing when it is not leased.
local key, index, window, life = P .. 'lease:' .. ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local packed = call('HGET', key, index)
local lease = packed and unpacked_lease(packed)
if not lease then return {} end
local a = address(lease.key)
lease.slot = max(a.next, a.blocked, now + tonumber(ARGV[5]))
lease.after = lease.slot + (1000 + window) / a.rate * a.slow
a.next, a.dirty = lease.after, true
call('HSET', key, index, repacked(lease))
call('ZADD', P .. 'expiry', 'GT', ceil(lease.slot + window + life), ARGV[1])
local q = queue(lease.q)
if q then keep_pace(q, a, lease.slot) end
save()
return {format('%d', now), format('%.3f', lease.slot)}
