-- Acknowledge and remove entries of a stream in one step, so that nothing is trimmed that was not read.
-- ARGV: stream name ('disc' or 'res'), group, then id, run, payload, ms, …: a payload that is not empty becomes an entry of
-- the discoveries after so long. Returns how many were still pending.
local stream, done = P .. ARGV[1], 0
for i = 3, #ARGV, 4 do
  if call('XACK', stream, ARGV[2], ARGV[i]) == 1 then
    call('XDEL', stream, ARGV[i])
    local run = ARGV[i + 1]
    count(run, ARGV[1], -1)
    if ARGV[i + 2] ~= '' then
      -- The entry's own id makes the member unlike any other.
      local later = 'L' .. cmsgpack.pack({run, ARGV[i + 2], ARGV[i]})
      call('ZADD', P .. 'timers', now + tonumber(ARGV[i + 3]), later)
      count(run, 'later', 1)
    end
    done = done + 1
  end
end
save()
return done
