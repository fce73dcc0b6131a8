-- Acknowledge and remove entries of a stream in one step, so that nothing is trimmed that was not read.
-- ARGV: stream name ('disc' or 'res'), group, then id, run, id, run, …   Returns how many were still pending.
local stream, done = P .. ARGV[1], 0
for i = 3, #ARGV, 2 do
  if redis.call('XACK', stream, ARGV[2], ARGV[i]) == 1 then
    redis.call('XDEL', stream, ARGV[i])
    count(ARGV[i + 1], ARGV[1], -1)
    done = done + 1
  end
end
flush_counts()
return done
