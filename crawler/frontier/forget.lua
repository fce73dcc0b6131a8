-- Remove what a run left behind: ARGV[1] run, ARGV[2] queues per call. Returns how many queues are left.
-- Seen numbers, budgets and markers expire by themselves.
local run = ARGV[1]
for _, q in ipairs(redis.call('SPOP', P .. 'rq:' .. run, tonumber(ARGV[2]))) do
  local pkey = redis.call('HGET', P .. 'q:' .. q, 'pkey')
  for _, lane in ipairs(LANES) do
    local bands = P .. 'q:' .. q .. ':' .. lane
    for _, band in ipairs(redis.call('ZRANGE', bands, 0, -1)) do redis.call('UNLINK', bands .. ':' .. band) end
    redis.call('UNLINK', bands)
    redis.call('LREM', P .. 'rot:' .. pkey .. ':' .. lane, 0, q)
  end
  redis.call('UNLINK', P .. 'q:' .. q)
  schedule(pkey)
end
local left = redis.call('SCARD', P .. 'rq:' .. run)
if left == 0 then
  redis.call('UNLINK', P .. 'qi:' .. run, P .. 'cnt:' .. run, P .. 'dead:' .. run)
  redis.call('HDEL', P .. 'state', run)
end
return left
