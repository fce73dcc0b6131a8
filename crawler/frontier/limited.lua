-- Addresses that a run has a say at. ARGV: run, cursor, how many per call. Returns {next cursor, '0' at the end; their
-- politeness keys}, some of them twice perhaps.
local found = call('HSCAN', P .. 'lim', ARGV[2], 'MATCH', '*|' .. number_of_run(ARGV[1]), 'COUNT', tonumber(ARGV[3]))
local keys = {}
for i = 1, #found[2], 2 do keys[#keys + 1] = string.match(found[2][i], '^(.*)|') end
return {found[1], keys}
