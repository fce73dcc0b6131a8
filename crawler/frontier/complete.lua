-- End leases: each with its discoveries, results and counters, all of it or nothing.
-- ARGV[1]: msgpack list of {operations, then for each batch of leases: batch, its leases' indexes, for each of them which
-- operation (from 1), and its latency in ms or -1}; ARGV[2]: attempts cap. An operation is {o outcome, …}:
--   done     n counter, d discoveries payloads, r results payloads, c tally, x robots text (opens the queue's gate)
--   failed   n reason, r, c            skipped  n reason, c
--   retry    n reason, a after ms      back     (not sent: returned as it was)
--   rekind   l lane, b band, e record
--   any      w ms for which nothing is sent to the address, k ms for which the host is parked, s session, y Crawl-delay ms,
--            u nothing was sent
-- Returns a character for each lease, in the order given: '1', or '0' when it is not held any more, and then nothing of it
-- was done.
local order = cmsgpack.unpack(ARGV[1])
local ops, cap = order[1], tonumber(ARGV[2])
-- Everything is checked before the first write: errors do not roll back.
for _, op in ipairs(ops) do assert(type(op.o) == 'string', 'malformed operation') end
assert(#order % 4 == 1, 'malformed batch')

-- What operations carry is counted once for all leases that end with the same one: how often each came, by run.
local times = {}
local function emit(run, op)
  if op.d then
    for _, payload in ipairs(op.d) do call('XADD', P .. 'disc', '*', 'run', run, 'd', payload) end
    count(run, 'disc', #op.d)
  end
  if op.r then
    for _, payload in ipairs(op.r) do call('XADD', P .. 'res', '*', 'run', run, 'r', payload) end
    count(run, 'res', #op.r)
  end
  if op.c then
    local runs = times[op] or {}
    times[op], runs[run] = runs, (runs[run] or 0) + 1
  end
end

local function count_tallies()
  for op, runs in pairs(times) do
    for run, n in pairs(runs) do
      for name, by in pairs(op.c) do count(run, 't:' .. name, n * by) end
    end
  end
end

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
  if lease.band == 0 then
    open_gate(lease, q, a, op)
  elseif op.o == 'done' then
    count(run, 'fetched', 1)
  elseif op.o == 'skipped' then
    count(run, 's:' .. op.n, 1)
  else
    count(run, 'f:' .. op.n, 1)
    dead_letter(lease, op.n)
  end
end

-- How fast an address may be asked after an answer, or the lack of one: see manners.py.
local function adjust(a, op, latency)
  if op.w then
    a.slow = min(a.slow * 2, SLOWEST)
  elseif latency >= 0 then
    local took = latency / 1000
    a.latency = a.latency > 0 and 0.7 * a.latency + 0.3 * took or took
    if a.floor == 0 or a.latency < a.floor then a.floor = a.latency else a.floor = a.floor + 0.01 * (a.latency - a.floor) end
    if a.latency > 0.5 and a.latency > 3 * a.floor then
      a.slow = min(a.slow * 1.5, SLOWEST)
    elseif a.slow > 1 then
      a.slow = max(a.slow * 0.8, 1)
    end
  end
end

local function needs_queue(lease, op)
  return lease.band == 0 or op.k or op.s or op.o == 'back' or op.o == 'retry' or op.o == 'rekind' or op.o == 'failed'
end

local function finish(lease, op, latency)
  local a = release(lease, op.u or op.o == 'back')
  adjust(a, op, latency)
  if op.w then a.blocked = max(a.blocked, now + op.w) end
  local run = run_names[lease.run]
  local q = needs_queue(lease, op) and queue(lease.q)
  -- A run is forgotten queue by queue.
  if not run or q == nil then return end
  if op.s then
    call('HSET', P .. 'session', lease.q, op.s)
    q.version, q.dirty = (q.version + 1) % 65536, true
  end
  if op.k then park_host(origin_of(q), a, now + op.k) end
  if not returned(lease, q, a, op) then ended(lease, q, a, run, op) end
  count(run, lease.band == 0 and 'robots_leased' or 'leased', -1)
end

-- Read everything first: leases, then their addresses, then the queues that something goes back to.
local leases, refs, latencies, keys, ids, total = {}, {}, {}, {}, {}, 0
for at = 2, #order, 4 do
  local found = in_parts(order[at + 1], 'HMGET', P .. 'lease:' .. order[at])
  for i = 1, #found do
    total = total + 1
    refs[total], latencies[total], leases[total] = order[at + 2][i], order[at + 3][i], false
    local lease = found[i] and unpacked_lease(found[i])
    if lease then
      leases[total], keys[#keys + 1] = lease, lease.key
      if needs_queue(lease, ops[refs[total]]) then ids[#ids + 1] = lease.q end
    end
  end
end
load_addresses(keys)
load_queues(ids)
local done = {}
for i = 1, total do
  local lease = leases[i]
  done[i] = lease and '1' or '0'
  if lease then finish(lease, ops[refs[i]], latencies[i]) end
end
for at = 2, #order, 4 do
  local batch = P .. 'lease:' .. order[at]
  in_parts(order[at + 1], 'HDEL', batch)
  if call('EXISTS', batch) == 0 then call('ZREM', P .. 'expiry', order[at]) end
end
count_tallies()
save()
return table.concat(done)
