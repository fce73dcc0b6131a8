-- Lift budgets where something was found. ARGV: run, by how much, at most to, then the names: hosts, and "." before domains.
local key = P .. 'lift:' .. ARGV[1]
for i = 4, #ARGV do
  local lifted = min((tonumber(call('HGET', key, ARGV[i])) or 0) + tonumber(ARGV[2]), tonumber(ARGV[3]))
  call('HSET', key, ARGV[i], format('%d', lifted))
end
-- Something found in a run that is over would stay for ever.
call('EXPIRE', key, 30 * 86400)
return 1
