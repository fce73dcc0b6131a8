-- Keep what was left out for a budget, for the next run of its campaign; once per entry.
-- ARGV[1]: msgpack list of {m marker, p {{campaign, host, {number, …}, discoveries payload}, …}}; ARGV[2]: seconds to keep.
local keep = tonumber(ARGV[2])
for _, entry in ipairs(cmsgpack.unpack(ARGV[1])) do
  if not is_done(entry.m) and call('SET', P .. 'mark-:' .. entry.m, 1, 'NX', 'EX', keep) then
    for _, part in ipairs(entry.p) do
      local kept = P .. 'carry:' .. part[1] .. ':' .. part[2]
      call('RPUSH', kept, cmsgpack.pack({part[3], part[4]}))
      call('EXPIRE', kept, keep)
    end
  end
end
return 1
