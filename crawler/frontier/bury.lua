-- A URL of a run that moved, and whose record cannot be read, has failed. ARGV: run, reason.
count(ARGV[1], 'f:' .. ARGV[2], 1)
call('RPUSH', P .. 'dead:' .. ARGV[1], cmsgpack.pack({ARGV[2], '', '', now}))
save()
return 1
