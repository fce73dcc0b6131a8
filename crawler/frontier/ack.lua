-- Acknowledge entries of a stream.
-- ARGV: stream name ('disc' or 'res'), group, then id, run, payload, ms, …: see settling.lua. Returns how many were still
-- pending.
local done = 0
for i = 3, #ARGV, 4 do
  if acknowledge(ARGV[1], ARGV[2], unpack(ARGV, i, i + 3)) then done = done + 1 end
end
save()
return done
