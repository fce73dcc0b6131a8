-- The last of what complete.lua makes only when it needs it: leases that give something back to their queues, slow their
-- addresses down, or open a gate, on tables.

local function open_gate(lease, q, a, op)
  call('HSET', P .. 'robots', q.id, op.x or '!' .. (op.n or 'robots'))
  call('ZADD', P .. 'aging', now, pack('<I4', q.id) .. a.key)
  q.gated, q.delay, q.version, q.dirty = 0, op.y or 0, (q.version + 1) % 65536, true
  -- The request for robots.txt was one too.
  keep_pace(q, a, lease.slot)
  rotate_in(q, a)
end

-- What a lease that ended in vain, or on the wrong lane, leaves in its queue. False: it ended for good.
local function returned(lease, q, a, op)
  if op.o == 'back' then
    put_back(q, a, lease.lane, lease.band, lease.element, true)
  elseif op.o == 'rekind' then
    put_back(q, a, op.l, op.b, sub(lease.element, 1, 1) .. op.e)
  else
    return op.o == 'retry' and again(lease, op.n, now + op.a, cap)
  end
  return true
end

local function ended(lease, q, a, run, op)
  emit(run, op)
  tally(times, op, run, 1)
  if lease.band == 0 then return open_gate(lease, q, a, op) end
  if op.o == 'retry' then
    -- Its attempts are used up.
    count(run, 'f:' .. op.n, 1)
    return dead_letter(run, lease.q, lease.element, op.n)
  end
  outcome(run, op, lease.q, lease.element)
end

local function adjust(a, op, latency)
  if op.w then
    a.slow = min(a.slow * 2, SLOWEST)
    a.blocked = max(a.blocked, now + op.w)
  else
    a.slow, a.latency, a.floor = after_answers(a.slow, a.latency, a.floor, {latency}, 1, 1)
  end
end

-- As in base.py.
local MISSED_MS = 60000

local function finish(packed, op, latency)
  local lease = unpacked_lease(packed)
  if not lease then return false end
  local a = release(lease, op.u or op.o == 'back')
  -- Its turn did not come in time, or its worker's did not: what was taken in a row was too much.
  if op.o == 'back' and lease.q > 0 then a.single = max(a.single, now + MISSED_MS) end
  adjust(a, op, latency)
  local run = run_names[lease.run]
  local q = needs_queue(lease.band, op) and queue(lease.q)
  -- A run is forgotten queue by queue.
  if not run or q == nil then return true end
  if op.s then
    call('HSET', P .. 'session', lease.q, op.s)
    q.version, q.dirty = (q.version + 1) % 65536, true
  end
  if op.k then park_host(origin_of(q), a, now + op.k) end
  if not returned(lease, q, a, op) then ended(lease, q, a, run, op) end
  count(run, lease.band == 0 and 'robots_leased' or 'leased', -1)
  return true
end

return {finish = finish}
