-- Return leases that ran out, and forget addresses that nothing happened at for long: at most ARGV[1] of each; ARGV[2]:
-- attempts cap. Returns how many leases, and 1 when something was found damaged.
local most, cap = tonumber(ARGV[1]), tonumber(ARGV[2])

local function ran_out(lease)
  local a = release(lease)
  local run, q = run_names[lease.run], queue(lease.q)
  if not run or not q then return end
  local robots = lease.band == 0
  count(run, robots and 'robots_leased' or 'leased', -1)
  -- robots.txt is asked for until it has an answer; its own outcome decides when to give up.
  if not again(lease, 'lease-expired', now, robots and 10000 or cap) and not robots then
    count(run, 'f:lease-expired', 1)
    dead_letter(run, lease.q, lease.element, 'lease-expired')
  end
  a.dirty = true
end

local reaped = 0
for _, batch in ipairs(call('ZRANGEBYSCORE', P .. 'expiry', '-inf', now, 'LIMIT', 0, most)) do
  if reaped >= most then break end
  local key = P .. 'lease:' .. batch
  local found = call('HRANDFIELD', key, most - reaped, 'WITHVALUES')
  for i = 1, #found, 2 do
    local lease = unpacked_lease(found[i + 1])
    if lease then ran_out(lease) end
    call('HDEL', key, found[i])
    reaped = reaped + 1
  end
  if call('EXISTS', key) == 0 then call('ZREM', P .. 'expiry', batch) end
end

-- What was sent a moment ago counts for whoever comes next; an hour is more than any spacing.
for _, key in ipairs(call('ZRANGEBYSCORE', P .. 'idle', '-inf', now - IDLE_MS, 'LIMIT', 0, most)) do
  local a = address(key)
  if a.inflight == 0 and max(a.next, a.blocked, a.hot) < now then
    call('HDEL', P .. 'addr', key)
    call('SREM', P .. 'slow', key)
    call('ZREM', P .. 'idle', key)
  end
end
call('ZREMRANGEBYSCORE', P .. 'pace', '-inf', now - IDLE_MS)
save()
return {reaped, call('EXISTS', P .. 'damaged')}
