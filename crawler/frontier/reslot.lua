-- Another slot for a lease that missed its own, for instance because connecting took longer than the send window.
-- ARGV: token, send window ms, lease ms beyond send_by. Returns {now, slot}, or nothing when the token is not leased.
local token, window, life = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local packed = redis.call('HGET', P .. 'leases', token)
if not packed then return {} end
local a = P .. 'a:' .. cmsgpack.unpack(packed).k
local state = redis.call('HMGET', a, 'next', 'rate', 'blocked')
local slot = math.max(tonumber(state[1] or 0), tonumber(state[3] or 0), now)
redis.call('HSET', a, 'next', string.format('%.3f', slot + (1000 + window) / tonumber(state[2] or 1)))
redis.call('ZADD', P .. 'expiry', slot + window + life, token)
schedule(cmsgpack.unpack(packed).k)
return {string.format('%.0f', now), string.format('%.3f', slot)}
