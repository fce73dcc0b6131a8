-- What a run allows at addresses from now on. ARGV: run, msgpack of {{politeness key, rate, concurrency}, …}.
local number = number_of_run(ARGV[1])
local rows, keys = cmsgpack.unpack(ARGV[2]), {}
for i, row in ipairs(rows) do
  call('HSET', P .. 'lim', row[1] .. '|' .. number, pack('<dH', row[2], row[3]))
  keys[i] = row[1]
end
load_addresses(keys)
-- One that nothing happened at for long has no record, and is told when it gets one.
for _, key in ipairs(keys) do
  if not addresses[key].fresh then tighten(addresses[key]) end
end
save()
return #rows
