-- Let go of what is kept of hosts with which nothing is going on. ARGV[1]: run; then origin|pkey of each. Returns 1, or 0
-- while something of the run is delayed, which knows its queue by number only. The name stays, with no queue, for forget.lua,
-- and with it what the run allows at the address.
local run, names, keys, ids = ARGV[1], {}, {}, {}
for _, name in ipairs({'delayed', 'robots_delayed'}) do
  if tonumber(call('HGET', P .. 'cnt:' .. run, name) or 0) ~= 0 then return 0 end
end
for i = 2, #ARGV do names[i - 1], keys[i - 1] = ARGV[i], string.match(ARGV[i], '|(.*)$') end
for i, id in ipairs(in_parts(names, 'HMGET', P .. 'qi:' .. run)) do ids[i] = tonumber(id) or 0 end
load_queues(ids)
load_addresses(keys)
for i, id in ipairs(ids) do
  local q = queue(id)
  -- A lease would hold a place in flight. What has a session, or something was found at, is more than an address that was asked.
  if q and q.p == '' and q.i == '' and q.gated + q.parked + q.moved == 0 and address(keys[i]).inflight == 0
    and call('HEXISTS', P .. 'session', id) + call('HEXISTS', P .. 'dig', id) == 0 then
    call('HDEL', P .. 'queue', pack('<I4', id))
    for _, name in ipairs({'fact', 'robots'}) do call('HDEL', P .. name, id) end
    call('ZREM', P .. 'aging', pack('<I4', id) .. keys[i])
    call('HSET', P .. 'qi:' .. run, names[i], 0)
    queues[id] = false
  end
end
save()
return 1
