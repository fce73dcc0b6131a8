-- Send nothing to an address for a while: ARGV politeness key, ms from now. A shorter block does not end a longer one.
local a = P .. 'a:' .. ARGV[1]
local blocked = tonumber(redis.call('HGET', a, 'blocked') or 0)
redis.call('HSET', a, 'blocked', math.max(blocked, now + tonumber(ARGV[2])))
if redis.call('HEXISTS', a, 'rate') == 0 then redis.call('PEXPIRE', a, math.max(IDLE_MS, tonumber(ARGV[2]))) end
schedule(ARGV[1])
return 1
