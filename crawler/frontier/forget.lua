-- Remove what a run left behind: ARGV[1] run, ARGV[2] queues (or buckets of seen numbers) per call. Returns how many are
-- left. Markers expire by themselves.
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
  redis.call('HDEL', P .. 'a:' .. pkey, 'rate:' .. run, 'conc:' .. run)
  limit(pkey)
  schedule(pkey)
end
local left = redis.call('SCARD', P .. 'rq:' .. run)
local seen = P .. 'seen:' .. run .. ':'
local meta = redis.call('HMGET', seen .. 'meta', 'level', 'split', 'gone')
if left == 0 and meta[1] then
  local buckets, gone = 2 ^ meta[1] + meta[2], tonumber(meta[3] or 0)
  local last = math.min(gone + tonumber(ARGV[2]), buckets)
  for bucket = gone, last - 1 do redis.call('UNLINK', seen .. string.format('%.0f', bucket)) end
  redis.call('HSET', seen .. 'meta', 'gone', last)
  left = buckets - last
end
if left == 0 then
  redis.call('UNLINK', seen .. 'meta', P .. 'host:' .. run)
  redis.call('UNLINK', P .. 'qi:' .. run, P .. 'cnt:' .. run, P .. 'dead:' .. run)
  redis.call('HDEL', P .. 'state', run)
end
return left
