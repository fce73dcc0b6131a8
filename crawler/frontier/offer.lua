-- Append discoveries that no lease brought: seeds. ARGV: run, then payloads.
for i = 2, #ARGV do
  call('XADD', P .. 'disc', '*', 'run', ARGV[1], 'd', ARGV[i])
end
count(ARGV[1], 'disc', #ARGV - 1)
save()
return #ARGV - 1
