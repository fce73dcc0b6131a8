-- Before endings.lua and complete.lua: what a lease's operation leaves behind, whatever its records are.
local order = cmsgpack.unpack(ARGV[1])
local ops, cap = order[1], tonumber(ARGV[2])
-- Everything is checked before the first write: errors do not roll back.
for _, op in ipairs(ops) do assert(type(op.o) == 'string', 'malformed operation') end
assert(#order % 4 == 1, 'malformed batch')

local GIVEN_BACK = {back = true, retry = true, rekind = true}
local function needs_queue(band, op)
  return band == 0 or op.k ~= nil or op.s ~= nil or GIVEN_BACK[op.o] ~= nil
end

-- What operations carry is counted once for all leases that end with the same one: how often each came, by run, where leases
-- ended on plain records and where on tables.
local ends, times = {}, {}
local function tally(times_of, op, run, n)
  local runs = times_of[op]
  if not runs then
    runs = {}
    times_of[op] = runs
  end
  runs[run] = (runs[run] or 0) + n
end

local function emit(run, op)
  if op.d then
    for _, payload in ipairs(op.d) do call('XADD', P .. 'disc', '*', 'run', run, 'd', payload) end
    count(run, 'disc', #op.d)
  end
  if op.r then
    for _, payload in ipairs(op.r) do call('XADD', P .. 'res', '*', 'run', run, 'r', payload) end
    count(run, 'res', #op.r)
  end
end

local function count_tallies(times_of)
  for op, runs in pairs(times_of) do
    for run, n in pairs(runs) do
      for name, by in pairs(op.c or {}) do count(run, 't:' .. name, n * by) end
    end
  end
end

-- How fast an address may be asked after answers, from one to another, whose latencies (ms, -1 for none) are listed: see
-- manners.py. Returns its slowness, latency (s) and floor (s).
local function after_answers(slow, known, floor, latencies, from, to)
  for n = from, to do
    local took = latencies[n] / 1000
    if took >= 0 then
      known = known > 0 and 0.7 * known + 0.3 * took or took
      if floor == 0 or known < floor then floor = known else floor = floor + 0.01 * (known - floor) end
      if known > 0.5 and known > 3 * floor then
        slow = min(slow * 1.5, SLOWEST)
      elseif slow > 1 then
        slow = max(slow * 0.8, 1)
      end
    end
  end
  return slow, known, floor
end

-- A URL that has its outcome.
local function outcome(run, op, q, element)
  if op.o == 'done' then return count(run, 'fetched', 1) end
  count(run, (op.o == 'skipped' and 's:' or 'f:') .. op.n, 1)
  if op.o == 'failed' then dead_letter(run, q, element, op.n) end
end
