-- Keep what was left out for a budget, for the next run of its campaign; once per entry.
-- ARGV[1]: msgpack list of {m marker, r run, p {{campaign, host, {number, …}, discoveries payload}, …}}; ARGV[2]: seconds
-- to keep.
local keep = tonumber(ARGV[2])
for _, entry in ipairs(cmsgpack.unpack(ARGV[1])) do
  if not is_done(entry.m) and call('SET', P .. 'mark-:' .. entry.m, 1, 'NX', 'EX', keep) then
    for _, part in ipairs(entry.p) do
      local host = part[1] .. ':' .. part[2]
      call('RPUSH', P .. 'carry:' .. host, cmsgpack.pack({part[3], part[4], entry.r}))
      call('EXPIRE', P .. 'carry:' .. host, keep)
      -- They were noted when they were judged; carry_over.lua may have counted anew meanwhile.
      in_parts(part[3], 'SADD', P .. 'carried:' .. host)
      call('EXPIRE', P .. 'carried:' .. host, keep)
    end
  end
end
return 1
