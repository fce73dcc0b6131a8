-- Append discoveries that no lease brought: seeds. ARGV: run, then payloads.
for i = 2, #ARGV do
  redis.call('XADD', P .. 'disc', '*', 'run', ARGV[1], 'd', ARGV[i])
end
count(ARGV[1], 'disc', #ARGV - 1)
flush_counts()
return #ARGV - 1
