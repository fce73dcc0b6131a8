-- End leases: each with its discoveries, results and counters, all of it or nothing.
-- ARGV[1]: msgpack list of {t token, o outcome, …}; ARGV[2]: attempts cap.
--   done     n counter, d discoveries payloads, r results payloads, c tally, x robots text (opens the queue's gate)
--   failed   n reason, r, c            skipped  n reason, c
--   retry    n reason, a after ms      back     (not sent: returned as it was)
--   rekind   l lane, b band, e record
--   any      w ms for which nothing is sent to the address
-- Returns a character for each: '1', or '0' when the token is not leased any more, and then nothing of it was done.
local ops = cmsgpack.unpack(ARGV[1])
local cap = tonumber(ARGV[2])
-- Everything is checked before the first write: errors do not roll back.
for _, op in ipairs(ops) do
  assert(type(op.t) == 'string' and type(op.o) == 'string', 'malformed operation')
end

local function emit(run, op)
  for _, payload in ipairs(op.d or {}) do
    redis.call('XADD', P .. 'disc', '*', 'run', run, 'd', payload)
    count(run, 'disc', 1)
  end
  for _, payload in ipairs(op.r or {}) do
    redis.call('XADD', P .. 'res', '*', 'run', run, 'r', payload)
    count(run, 'res', 1)
  end
  for name, by in pairs(op.c or {}) do count(run, 't:' .. name, by) end
end

local function open_gate(lease, text)
  redis.call('HSET', P .. 'q:' .. lease.q, 'robots', text, 'robots_at', now)
  redis.call('HDEL', P .. 'q:' .. lease.q, 'gate')
  for _, lane in ipairs(LANES) do rotate_in(lease.q, lane, lease.k) end
end

local function finish(lease, run, op)
  local robots = tonumber(lease.b) < 0
  local leased, queued = 'leased', 'queued'
  if robots then leased, queued = 'robots_leased', 'robots_queued' end
  if op.o == 'back' then
    push(lease.q, lease.l, lease.b, lease.e, true)
    rotate_in(lease.q, lease.l, lease.k)
    count(run, queued, 1)
  elseif op.o == 'rekind' then
    push(lease.q, op.l, op.b, string.sub(lease.e, 1, 1) .. op.e)
    rotate_in(lease.q, op.l, lease.k)
    count(run, queued, 1)
  elseif op.o == 'retry' and again(lease, run, op.n, now + op.a, cap) then
    emit(run, {c = op.c})
  elseif robots then
    emit(run, op)
    open_gate(lease, op.x or '!' .. (op.n or 'robots'))
  elseif op.o == 'done' then
    emit(run, op)
    count(run, 'fetched', 1)
  elseif op.o == 'skipped' then
    emit(run, op)
    count(run, 's:' .. op.n, 1)
  else
    emit(run, op)
    count(run, 'f:' .. op.n, 1)
    dead_letter(run, lease, op.n)
  end
  count(run, leased, -1)
end

-- The run that an ended lease counts for, or nil when it was forgotten. What goes back to a queue needs the queue itself,
-- for a run is forgotten queue by queue.
local alive = {}
local function run_of(lease, op)
  if tonumber(lease.b) < 0 or not (op.o == 'done' or op.o == 'skipped') then
    return redis.call('HGET', P .. 'q:' .. lease.q, 'run')
  end
  if alive[lease.r] == nil then alive[lease.r] = redis.call('EXISTS', P .. 'qi:' .. lease.r) == 1 end
  return alive[lease.r] and lease.r
end

local packed = {}
for first = 1, #ops, 1000 do
  local tokens = {}
  for i = first, math.min(first + 999, #ops) do tokens[#tokens + 1] = ops[i].t end
  for i, lease in ipairs(redis.call('HMGET', P .. 'leases', unpack(tokens))) do packed[first + i - 1] = lease end
end

local done, ended, over = {}, {}, {}
for i, op in ipairs(ops) do
  done[i] = '0'
  if packed[i] and not over[op.t] then
    done[i], over[op.t], ended[#ended + 1] = '1', true, op.t
    local lease = cmsgpack.unpack(packed[i])
    local run = run_of(lease, op)
    release(lease.k)
    if run then finish(lease, run, op) end
    if op.w then blocks[lease.k] = math.max(blocks[lease.k] or 0, now + op.w) end
  end
end
call_in_parts(ended, 'HDEL', P .. 'leases')
call_in_parts(ended, 'ZREM', P .. 'expiry')
settle()
flush_counts()
return table.concat(done)
