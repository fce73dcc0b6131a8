-- Pause or resume a run: ARGV[1] run, ARGV[2] 'paused' or 'running', ARGV[3] cursor, ARGV[4] queues per call.
-- Returns the next cursor, '0' at the end. A held queue keeps its URLs and takes no part in its address's rotation.
local run, state = ARGV[1], ARGV[2]
redis.call('HSET', P .. 'state', run, state)
local found = redis.call('SSCAN', P .. 'rq:' .. run, ARGV[3], 'COUNT', tonumber(ARGV[4]))
for _, q in ipairs(found[2]) do
  local pkey = redis.call('HGET', P .. 'q:' .. q, 'pkey')
  for _, lane in ipairs(LANES) do
    if state == 'paused' then
      redis.call('HSET', P .. 'q:' .. q, 'held', 1)
      redis.call('HDEL', P .. 'q:' .. q, 'in:' .. lane)
      redis.call('LREM', P .. 'rot:' .. pkey .. ':' .. lane, 0, q)
    else
      redis.call('HDEL', P .. 'q:' .. q, 'held')
      rotate_in(q, lane, pkey)
    end
  end
  schedule(pkey)
end
return found[1]
