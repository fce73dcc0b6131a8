-- Shared by every script of a partition and prepended to each: what a script loads, changes in Lua and saves once at its
-- end. Many small commands are what a server's processor goes to; a record in one string costs one, for all together.
-- KEYS[1] is the partition's prefix, for instance "vangnet:{p0}"; every other key is built from it, so all share its
-- hash tag. Times are milliseconds of the server's clock. Lanes are 'p' (pages) and 'i' (images).
--
--   runs          hash  run -> number, with a "!" behind it while the run is paused       numbers, queues: counters
--   addr          hash  politeness key -> address, packed as ADDRESS says
--   lim           hash  politeness key|run number -> rate and concurrency that the run allows there
--   rot:PKEY:L    list  queues that wait for their turn behind those in the address
--   due:L, hot:L  zset  addresses with a free place in flight and something to claim, by the time at which they may be
--                       asked; each in one of six: L is p, i, or b where both lanes have something
--   slow, idle    set   addresses that are slowed down; zset of those with nothing to claim, by time
--   queue         hash  number -> queue, packed as QUEUE says         fact  hash  number -> msgpack of what never changes
--   qi:RUN        hash  origin|pkey -> number of the queue            robots, session, dig  hashes, by number
--   q:N:L:B       list  elements of one band: attempts byte, then the record
--   pace          zset  origin|pkey by the time until which the host is parked, in all runs
--   moving        set   queues that are closed, for their hosts moved, and not empty yet
--   lease:BATCH   hash  index -> lease, packed as LEASE says          expiry  zset  batches by time
--   timers        zset  what comes back: "D" lease, "P" queue that was parked, "L" discoveries to judge again
--   aging         zset  queues by the time of their robots.txt
--   damaged       set   what could not be read, for mend.lua: "a" and the address, "q" queue, "l" lease, …
--   disc, res     stream  discoveries and results    cnt:RUN  hash  counters    dead:RUN  list
local P = KEYS[1] .. ':'
-- Each use of a global is a look-up: those that are used for every URL are locals.
local call, pack, unpacked, sub = redis.call, struct.pack, struct.unpack, string.sub
local format, ceil, max, min = string.format, math.ceil, math.max, math.min
local LANES = {'p', 'i'}
local IDLE_MS = 3600000
local WINDOW = 64
local SLOWEST = 16
local UNKNOWN_MS = 60000

local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Commands for many arguments, in even parts: Lua's stack takes some thousands. The answers of one part are not copied.
local function in_parts(arguments, name, key)
  local total = #arguments
  if total == 0 then return {} end
  if total <= 4000 then return call(name, key, unpack(arguments)) end
  local answers = {}
  for first = 1, total, 4000 do
    local part = call(name, key, unpack(arguments, first, min(first + 3999, total)))
    for _, value in ipairs(type(part) == 'table' and part or {}) do answers[#answers + 1] = value end
  end
  return answers
end

-- QUEUE: run number, version of what is known of the host, Crawl-delay (ms); gated, parked, in the rotation of pages, of
-- images, hot, moved; bytes of the bands of pages. Behind it the bands p and i in order: BAND, number and length of each.
-- Band 0 is robots.txt.
local QUEUE, BAND, QUEUE_BYTES, BAND_BYTES = '<I4HdBBBBBBH', '<HI4', 22, 6
local function whole_queue(packed) return #packed >= QUEUE_BYTES and (#packed - QUEUE_BYTES) % BAND_BYTES == 0 end

-- ---------------------------------------------------------------- runs

local run_names, run_numbers, paused = {}, {}, {}
local rows = call('HGETALL', P .. 'runs')
for i = 1, #rows, 2 do
  local number = tonumber((string.gsub(rows[i + 1], '!', '')))
  if not number then
    -- A number that is damaged stands in every queue of the run.
    local any = call('HRANDFIELD', P .. 'qi:' .. rows[i], 1, 'WITHVALUES')[2]
    local packed = any and call('HGET', P .. 'queue', any)
    number = packed and whole_queue(packed) and unpacked('<I4', packed) or call('INCR', P .. 'numbers')
    call('HSET', P .. 'runs', rows[i], number)
    call('SADD', P .. 'damaged', 'r')
  end
  run_names[number], run_numbers[rows[i]] = rows[i], number
  paused[number] = sub(rows[i + 1], -1) == '!' or nil
end

local function number_of_run(run)
  if not run_numbers[run] then
    local number = call('INCR', P .. 'numbers')
    call('HSETNX', P .. 'runs', run, number)
    run_numbers[run], run_names[number] = number, run
  end
  return run_numbers[run]
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
-- ADDRESS: next slot, blocked until, hot until, rate (1/s), slowed by, latency (s), its floor (s), concurrency, in flight;
-- whether a hot queue took the last turn, slowed down, where it stands (number in SETS, 0: nowhere, it is busy); for pages
-- and images each: a longer rotation in rot:PKEY:L, bytes of the rotation. Behind it the rotations p and i: numbers of
-- queues, 4 bytes each.
local ADDRESS = '<ddddfffHHBBBBHBH'
local SETS = {'due:p', 'due:i', 'due:b', 'hot:p', 'hot:i', 'hot:b', 'idle'}
local IDLE = 7
local MORE, IN = {p = 'more_p', i = 'more_i'}, {p = 'in_p', i = 'in_i'}
local addresses = {}

-- A record that cannot be read stops nobody: it is counted in every run, done without, and noted for mend.lua.
local function damaged(what)
  call('SADD', P .. 'damaged', what)
  for _, run in pairs(run_names) do count(run, 't:corrupt-record', 1) end
end

-- The table that was packed, or nil.
local function opened(packed)
  local whole, value = pcall(cmsgpack.unpack, packed or '')
  return whole and type(value) == 'table' and value or nil
end

local function unpacked_address(key, packed)
  local next_slot, blocked, hot, rate, slow, latency, floor, conc, inflight, turn, slowed, stands, more_p, p, more_i, i,
    at = unpacked(ADDRESS, packed)
  return {
    key = key, next = next_slot, blocked = blocked, hot = hot, rate = rate, slow = slow, latency = latency, floor = floor,
    conc = conc, inflight = inflight, turn = turn, slowed = slowed, stands = stands, more_p = more_p,
    p = sub(packed, at, at + p - 1), more_i = more_i, i = sub(packed, at + p), dirty = false,
  }
end

local function packed_address(a)
  return pack(ADDRESS, a.next, a.blocked, a.hot, a.rate, a.slow, a.latency, a.floor, a.conc, a.inflight, a.turn,
    a.slowed, a.stands, a.more_p, #a.p, a.more_i, #a.i) .. a.p .. a.i
end

-- What an address is before a run says more: one request a second, one at a time.
local BLANK_ADDRESS = pack(ADDRESS, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)

-- Those of the names that a table has nothing under yet, once each.
local function missing_in(known, names)
  local missing, n = {}, 0
  for i = 1, #names do
    local name = names[i]
    if known[name] == nil then
      n = n + 1
      missing[n], known[name] = name, false
    end
  end
  return missing
end

-- The strictest of all runs that have something for an address holds there.
local function tighten(a)
  local names, rate, conc = {}, nil, nil
  for number in pairs(run_names) do names[#names + 1] = a.key .. '|' .. number end
  for _, packed in ipairs(in_parts(names, 'HMGET', P .. 'lim')) do
    if packed then
      local r, c = unpacked('<dH', packed)
      rate, conc = min(rate or r, r), min(conc or c, c)
    end
  end
  a.rate, a.conc, a.dirty = rate or a.rate, conc or a.conc, true
end

local function load_addresses(keys)
  local missing = missing_in(addresses, keys)
  local found = in_parts(missing, 'HMGET', P .. 'addr')
  for i = 1, #missing do
    local packed = found[i]
    local unreadable = packed and (#packed < #BLANK_ADDRESS or (#packed - #BLANK_ADDRESS) % 4 ~= 0)
    local a = unpacked_address(missing[i], not unreadable and packed or BLANK_ADDRESS)
    addresses[missing[i]] = a
    if unreadable then
      damaged('a' .. a.key)
      for _, name in ipairs(SETS) do call('ZREM', P .. name, a.key) end
      tighten(a)
      -- When it was asked last is not known any more.
      a.blocked = now + UNKNOWN_MS
    elseif not packed then
      -- One that is new, or that nothing happened at for long: what runs allow there holds all the same.
      tighten(a)
      a.fresh, a.dirty = true, false
    end
  end
end

local function address(key)
  if not addresses[key] then load_addresses({key}) end
  return addresses[key]
end

-- ---------------------------------------------------------------- queues

local queues = {}

local function unpacked_queue(id, packed)
  local run, version, delay, gated, parked, in_p, in_i, hot, gone, p, at = unpacked(QUEUE, packed)
  return {
    id = id, run = run, version = version, delay = delay, gated = gated, parked = parked, in_p = in_p, in_i = in_i,
    hot = hot, moved = gone, p = sub(packed, at, at + p - 1), i = sub(packed, at + p), dirty = false,
  }
end

local function packed_queue(q)
  return pack(QUEUE, q.run, q.version, q.delay, q.gated, q.parked, q.in_p, q.in_i, q.hot, q.moved, #q.p) .. q.p .. q.i
end

-- What common.lua makes of a queue whose record cannot be read.
local remade

-- A queue that is gone with its run stays false.
local function load_queues(ids)
  local missing = missing_in(queues, ids)
  local found = in_parts(missing, 'HMGET', P .. 'queue')
  for i = 1, #missing do
    local packed = found[i]
    if packed and whole_queue(packed) then
      queues[missing[i]] = unpacked_queue(missing[i], packed)
    elseif packed then
      damaged('q')
      queues[missing[i]] = remade(missing[i])
    end
  end
end

local function queue(id)
  if queues[id] == nil then load_queues({id}) end
  return queues[id] or nil
end

-- ---------------------------------------------------------------- saving

local function place_of(a)
  local pages, images = a.p ~= '' or a.more_p == 1, a.i ~= '' or a.more_i == 1
  if not pages and not images then return IDLE end
  if a.inflight >= a.conc then return 0 end
  return (a.hot > now and 3 or 0) + (pages and (images and 3 or 1) or 2)
end

local function settle_address(a, gone, moves)
  local place, before = place_of(a), a.stands
  if before ~= 0 and before ~= place then
    local list = gone[before]
    list[#list + 1] = a.key
  end
  if place ~= 0 then
    local list = moves[place]
    local n = #list
    -- Scores as text: Redis would write a number with 17 digits, which takes longer than most commands.
    list[n + 1], list[n + 2] = format('%d', ceil(max(a.next, a.blocked, place == IDLE and now or 0))), a.key
  end
  a.stands = place
  local slowed = a.slow > 1.001 and 1 or 0
  if slowed ~= a.slowed then
    call(slowed == 1 and 'SADD' or 'SREM', P .. 'slow', a.key)
    a.slowed = slowed
  end
end

-- Write back whatever changed. Every script that writes ends with this.
local function save()
  local gone, moves, records, n = {{}, {}, {}, {}, {}, {}, {}}, {{}, {}, {}, {}, {}, {}, {}}, {}, 0
  for key, a in pairs(addresses) do
    if a.dirty then
      a.dirty = false
      settle_address(a, gone, moves)
      records[n + 1], records[n + 2], n = key, packed_address(a), n + 2
    end
  end
  in_parts(records, 'HSET', P .. 'addr')
  for place, name in ipairs(SETS) do
    if gone[place][1] then in_parts(gone[place], 'ZREM', P .. name) end
    if moves[place][1] then in_parts(moves[place], 'ZADD', P .. name) end
  end
  records, n = {}, 0
  for id, q in pairs(queues) do
    if q and q.dirty then
      q.dirty = false
      records[n + 1], records[n + 2], n = id, packed_queue(q), n + 2
    end
  end
  in_parts(records, 'HSET', P .. 'queue')
  for run, counters in pairs(moved) do
    for name, by in pairs(counters) do
      if by ~= 0 then call('HINCRBY', P .. 'cnt:' .. run, name, by) end
    end
  end
  moved = {}
end
