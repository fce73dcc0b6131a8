-- Every script's second part: what it loads, as it stands in Redis. What takes tables is in tables.lua.

-- ---------------------------------------------------------------- runs

local run_names, run_numbers, paused = {}, {}, {}
local rows = call('HGETALL', P .. 'runs')
for i = 1, #rows, 2 do
  local number = tonumber((string.gsub(rows[i + 1], '!', '')))
  if not number then
    -- A number that is damaged stands in every queue of the run.
    for _, any in ipairs(call('HVALS', P .. 'qi:' .. rows[i])) do
      -- What was let go of has none.
      local packed = not number and (tonumber(any) or 0) > 0 and call('HGET', P .. 'queue', pack('<I4', any))
      number = number or packed and whole_queue(packed) and unpacked('<I4', packed, RUN_AT) or nil
    end
    number = number or redis.pcall('INCR', P .. 'numbers')
    if type(number) ~= 'number' then
      -- The counter is damaged as well: above all that are in use.
      number = 1
      for at = 2, #rows, 2 do number = max(number, 1 + (tonumber((string.gsub(rows[at], '!', ''))) or 0)) end
      call('SET', P .. 'numbers', number)
    end
    call('HSET', P .. 'runs', rows[i], number)
    call('SADD', P .. 'damaged', 'r')
  end
  run_names[number], run_numbers[rows[i]] = rows[i], number
  paused[number] = sub(rows[i + 1], -1) == '!' or nil
end

local moved = {}
local function count(run, name, by)
  local counters = moved[run]
  if not counters then
    counters = {}
    moved[run] = counters
  end
  counters[name] = (counters[name] or 0) + by
end

-- ---------------------------------------------------------------- addresses

-- Records are flat and what they hold many of stays packed: tables are what Lua is slow with. Flags are 0 or 1.
--
-- ADDRESS: latency (s), its floor (s), slowed by; in flight, where it stands (number in SETS, 0: nowhere, it is busy); for
-- pages and images each whether there is a longer rotation in rot:PKEY:L, and queues in the rotation; lane of the last turn
-- and whether a hot queue took it, next slot; blocked until, hot until, rate (1/s), concurrency, without streaks until. Behind
-- it the rotations p and i: numbers of queues, 4 bytes each. The order is that of what changes together: a completion writes
-- up to STANDS_AT, a turn from there to before STEADY_AT, with what is in flight; the rest is taken over as it is.
local ADDRESS, ADDRESS_BYTES, STANDS_AT, STEADY_AT = '<fffHBBBBBBddddHd', 62, 15, 29
local SETS = {'due:p', 'due:i', 'due:b', 'hot:p', 'hot:i', 'hot:b', 'idle'}
local IDLE = 7
local IN = {p = 'in_p', i = 'in_i'}

-- The table that was packed, or nil.
local function opened(packed)
  local whole, value = pcall(cmsgpack.unpack, packed or '')
  return whole and type(value) == 'table' and value or nil
end

local function whole_address(packed)
  local turns = #packed - ADDRESS_BYTES
  if turns < 0 then return false end
  local stands, _, p, _, i = byte(packed, STANDS_AT, STANDS_AT + 4)
  return stands <= IDLE and 4 * (p + i) == turns
end

-- What happens to every URL is done to records as they stand in Redis, since making a table of one takes longer than all
-- the rest. `plain` has them, and false for what has to be a table or is one: whatever else a script does takes tables,
-- and load_addresses and load_queues make them of records that have changed already. For addresses that changed, `stood`
-- says where they stand in Redis, `standing` and `score` where they are to.
local plain, stood, standing, score = {}, {}, {}, {}

-- Those of the names that a table has nothing under yet, once each.
local function missing_in(known, names)
  local missing, n = {}, 0
  for i = 1, #names do
    local name = names[i]
    if name and known[name] == nil then
      n = n + 1
      missing[n], known[name] = name, false
    end
  end
  return missing
end

local function load_whole(known, names, hash, is_whole)
  local missing = missing_in(known, names)
  local found = in_parts(missing, 'HMGET', P .. hash)
  for i = 1, #missing do
    local packed = found[i]
    if packed and is_whole(packed) then known[missing[i]] = packed end
  end
end

-- ---------------------------------------------------------------- queues

-- Queues as they stand in Redis, by number in 4 bytes, and which of them changed: see `plain`.
local plain_queues, changed = {}, {}
