-- The partition at a glance. Returns numbers in the order of FrontierState.
local due, waiting, hot, leases = 0, 0, 0, 0
for place = 1, IDLE - 1 do
  local all = call('ZCARD', P .. SETS[place])
  local ready = call('ZCOUNT', P .. SETS[place], '-inf', now)
  due, waiting = due + ready, waiting + all - ready
  if place > 3 then hot = hot + all end
end
local known = call('HLEN', P .. 'addr')
local busy = known - due - waiting - call('ZCARD', P .. 'idle')
for _, batch in ipairs(call('ZRANGE', P .. 'expiry', 0, -1)) do
  leases = leases + call('HLEN', P .. 'lease:' .. batch)
end
-- Of very many that wait, those that come first: a look must not hold up the server.
local waits = {D = 0, P = 0, L = 0}
for _, entry in ipairs(call('ZRANGE', P .. 'timers', 0, 19999)) do
  local kind = sub(entry, 1, 1)
  waits[kind] = (waits[kind] or 0) + 1
end
return {
  known, due, waiting, busy, hot, call('SCARD', P .. 'slow'), call('HLEN', P .. 'queue'),
  leases, waits.D, waits.P, call('XLEN', P .. 'disc'), call('XLEN', P .. 'res'),
}
