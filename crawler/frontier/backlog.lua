-- Entries of both streams that nobody has acknowledged, without those of paused runs.
local waiting = call('XLEN', P .. 'disc') + call('XLEN', P .. 'res')
for number in pairs(paused) do
  for _, n in ipairs(call('HMGET', P .. 'cnt:' .. run_names[number], 'disc', 'res')) do
    waiting = waiting - (tonumber(n or 0) or 0)
  end
end
return max(waiting, 0)
