-- Before claim.lua, wake.lua and relocate.lua: what waited long enough comes back, and what moved is sent on.
local MOST_MOVED = 200

-- What waited long enough comes back: leases to the front of their queues, hosts into the rotation, discoveries.
local function back_from_wait(entry)
  local kind, rest = sub(entry, 1, 1), sub(entry, 2)
  if kind == 'D' then
    local lease = unpacked_lease(rest)
    local q = lease and queue(lease.q)
    if q and run_names[q.run] then
      count(run_names[q.run], lease.band == 0 and 'robots_delayed' or 'delayed', -1)
      put_back(q, address(lease.key), lease.lane, lease.band, lease.element, true)
    end
  elseif kind == 'P' and #rest > 4 then
    local q = queue((unpacked('<I4', rest)))
    if q then
      q.parked, q.dirty = 0, true
      rotate_in(q, address(sub(rest, 5)))
    end
  else
    local later = kind == 'L' and opened(rest)
    if not later or not later[2] then return damaged('t') end
    local run, payload = later[1], later[2]
    call('XADD', P .. 'disc', '*', 'run', run, 'd', payload)
    count(run, 'later', -1)
    count(run, 'disc', 1)
  end
end

local function back_from_waiting()
  local ready = call('ZRANGEBYSCORE', P .. 'timers', '-inf', now, 'LIMIT', '0', '500')
  for _, entry in ipairs(ready) do back_from_wait(entry) end
  if #ready > 0 then in_parts(ready, 'ZREM', P .. 'timers') end
  return #ready
end

local function tend(ttl)
  local ready = back_from_waiting()
  -- A queue whose robots.txt grew old is gated anew.
  local old = call('ZRANGEBYSCORE', P .. 'aging', '-inf', now - ttl, 'LIMIT', 0, 100)
  for _, entry in ipairs(old) do
    local q = #entry > 4 and queue((unpacked('<I4', entry)))
    local fact = q and q.gated == 0 and q.moved == 0 and fact_of(q.id)
    if fact then gate(q, address(sub(entry, 5)), fact[4]) end
  end
  if #old > 0 then in_parts(old, 'ZREM', P .. 'aging') end
  local moving, sent = call('SRANDMEMBER', P .. 'moving'), 0
  if moving then
    local q = queue(tonumber(moving))
    sent = q and drain(q, MOST_MOVED) or 0
    if not q then call('SREM', P .. 'moving', moving) end
  end
  if ready + #old + sent > 0 then save() end
  return ready + sent
end
