-- Return leases that ran out: at most ARGV[1] of them; ARGV[2]: attempts cap. Returns how many.
local cap = tonumber(ARGV[2])
local expired = redis.call('ZRANGEBYSCORE', P .. 'expiry', '-inf', now, 'LIMIT', 0, tonumber(ARGV[1]))
for _, token in ipairs(expired) do
  local packed = redis.call('HGET', P .. 'leases', token)
  redis.call('ZREM', P .. 'expiry', token)
  redis.call('HDEL', P .. 'leases', token)
  if packed then
    local lease = cmsgpack.unpack(packed)
    local run = redis.call('HGET', P .. 'q:' .. lease.q, 'run')
    release(lease.k)
    if run then
      local robots = tonumber(lease.b) < 0
      count(run, robots and 'robots_leased' or 'leased', -1)
      -- robots.txt is asked for until it has an answer; its own outcome decides when to give up.
      if not again(lease, run, 'lease-expired', now, robots and 256 or cap) and not robots then
        count(run, 'f:lease-expired', 1)
        dead_letter(run, lease, 'lease-expired')
      end
    end
  end
end
settle()
flush_counts()
return #expired
