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
--   queue         hash  number (4 bytes) -> queue, packed as QUEUE says
--   fact          hash  number -> msgpack of what never changes of a queue
--   qi:RUN        hash  origin|pkey -> number of the queue            robots, session, dig  hashes, by number
--   q:N:L:B       list  elements of one band: attempts byte, then the record; N in 4 bytes, B in 2
--   pace          zset  origin|pkey by the time until which the host is parked, in all runs
--   moving        set   queues that are closed, for their hosts moved, and not empty yet
--   lease:BATCH   hash  index (2 bytes) -> lease, packed as LEASE says     expiry  zset  batches by time
--   timers        zset  what comes back: "D" lease, "P" queue that was parked, "L" discoveries to judge again
--   aging         zset  queues by the time of their robots.txt
--   damaged       set   what could not be read, for mend.lua: "a" and the address, "q" queue, "l" lease, …
--   disc, res     stream  discoveries and results    cnt:RUN  hash  counters    dead:RUN  list
local P = KEYS[1] .. ':'
local QUEUED = P .. 'q:'
-- Each use of a global is a look-up: those that are used for every URL are locals.
local call, pack, unpacked, sub, byte = redis.call, struct.pack, struct.unpack, string.sub, string.byte
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
    local packed = tonumber(any) and call('HGET', P .. 'queue', pack('<I4', any))
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
local ADDRESS_BYTES = 57
local function blank_address() return pack(ADDRESS, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0) end

-- What happens to every URL is done to records as they stand in Redis, since making a table of one takes longer than all
-- the rest. `plain` has them, and false for what has to be a table or is one: whatever else a script does takes tables,
-- and load_addresses and load_queues make them of records that have changed already. For addresses that changed, `stood`
-- says where they stand in Redis, `standing` and `score` where they are to.
local plain, stood, standing, score = {}, {}, {}, {}

local function load_plain(keys)
  local missing, n = {}, 0
  for i = 1, #keys do
    local key = keys[i]
    if key and plain[key] == nil then
      n = n + 1
      missing[n], plain[key] = key, false
    end
  end
  if n == 0 then return end
  local found = in_parts(missing, 'HMGET', P .. 'addr')
  for i = 1, n do
    local packed = found[i]
    if packed and #packed >= ADDRESS_BYTES and (#packed - ADDRESS_BYTES) % 4 == 0 then plain[missing[i]] = packed end
  end
end

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

local function new_address(key, packed)
  local unreadable = packed and (#packed < ADDRESS_BYTES or (#packed - ADDRESS_BYTES) % 4 ~= 0)
  local a = unpacked_address(key, packed and not unreadable and packed or blank_address())
  addresses[key] = a
  if unreadable then
    damaged('a' .. key)
    for _, name in ipairs(SETS) do call('ZREM', P .. name, key) end
    tighten(a)
    -- When it was asked last is not known any more.
    a.blocked = now + UNKNOWN_MS
  elseif not packed then
    -- One that is new, or that nothing happened at for long: what runs allow there holds all the same.
    tighten(a)
    a.fresh, a.dirty = true, false
  end
end

local function load_addresses(keys)
  local missing, unread = missing_in(addresses, keys), {}
  for i = 1, #missing do
    local key = missing[i]
    local packed = plain[key]
    if packed then
      new_address(key, packed)
      if stood[key] then
        addresses[key].stands, addresses[key].dirty = stood[key], true
        stood[key], score[key] = nil, nil
      end
    else
      unread[#unread + 1] = key
    end
    plain[key] = false
  end
  local found = in_parts(unread, 'HMGET', P .. 'addr')
  for i = 1, #unread do new_address(unread[i], found[i]) end
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

-- Queues as they stand in Redis, by number in 4 bytes, and which of them changed: see `plain`.
local plain_queues, changed = {}, {}

local function load_plain_queues(ids)
  local missing, n = {}, 0
  for i = 1, #ids do
    local id = ids[i]
    if plain_queues[id] == nil then
      n = n + 1
      missing[n], plain_queues[id] = id, false
    end
  end
  if n == 0 then return end
  local found = in_parts(missing, 'HMGET', P .. 'queue')
  for i = 1, n do
    local packed = found[i]
    if packed and whole_queue(packed) then plain_queues[missing[i]] = packed end
  end
end

-- A queue that is gone with its run stays false.
local function load_queues(ids)
  local missing, unread, names = missing_in(queues, ids), {}, {}
  for i = 1, #missing do
    local id, name = missing[i], pack('<I4', missing[i])
    if plain_queues[name] then
      queues[id] = unpacked_queue(id, plain_queues[name])
      queues[id].dirty, changed[name] = changed[name] or false, nil
    else
      unread[#unread + 1], names[#names + 1] = id, name
    end
    plain_queues[name] = false
  end
  local found = in_parts(names, 'HMGET', P .. 'queue')
  for i = 1, #unread do
    local packed = found[i]
    if packed and whole_queue(packed) then
      queues[unread[i]] = unpacked_queue(unread[i], packed)
    elseif packed then
      damaged('q')
      queues[unread[i]] = remade(unread[i])
    end
  end
end

local function queue(id)
  if queues[id] == nil then load_queues({id}) end
  return queues[id] or nil
end

-- ---------------------------------------------------------------- leases

-- LEASE: queue, run number, lane, band, slot, the address's next slot after it, bytes of its politeness key; then that key
-- and the element. Without the queue, which a plain turn has in 4 bytes, it is REST_OF_LEASE.
local LEASE, REST_OF_LEASE, LEASE_BYTES = '<I4I4BHddB', '<I4BHddB', 28

-- A URL that failed. q: number of its queue.
local function dead_letter(run, q, element, reason)
  local key = P .. 'dead:' .. run
  call('RPUSH', key, cmsgpack.pack({reason, call('HGET', P .. 'fact', q), element, now}))
  call('LTRIM', key, -10000, -1)
end

-- ---------------------------------------------------------------- saving

-- Where an address belongs. pages, images: bytes of its rotations, and of those that go on in a list.
local function place_of(pages, images, inflight, conc, hot)
  if pages == 0 and images == 0 then return IDLE end
  if inflight >= conc then return 0 end
  return (hot > now and 3 or 0) + (pages > 0 and (images > 0 and 3 or 1) or 2)
end

-- Note what became of a plain address; moves: its time is another one. turns: both rotations. Returns where it belongs.
local function settle_plain(key, moves, next_slot, blocked, hot, rate, slow, latency, floor, conc, inflight, turn, slowed,
    stands, more_p, p, more_i, i, turns)
  local place = place_of(more_p + p, more_i + i, inflight, conc, hot)
  plain[key] = pack(ADDRESS, next_slot, blocked, hot, rate, slow, latency, floor, conc, inflight, turn, slowed, place,
    more_p, p, more_i, i) .. turns
  if not stood[key] then stood[key] = stands end
  standing[key] = place
  if place ~= 0 and (moves or place ~= stands) then
    score[key] = format('%d', ceil(max(next_slot, blocked, place == IDLE and now or 0)))
  end
  return place
end

-- Members that leave the sets, and what they and their scores are in them from now on; by place.
local gone, moves = {}, {}
local function listed(lists, place)
  local list = lists[place]
  if not list then
    list = {}
    lists[place] = list
  end
  return list
end

local function move(key, from, place, at)
  if from ~= 0 and from ~= place then
    local list = listed(gone, from)
    list[#list + 1] = key
  end
  if place ~= 0 then
    local list = listed(moves, place)
    local n = #list
    list[n + 1], list[n + 2] = at, key
  end
end

-- Scores are text: Redis would write a number with 17 digits, which takes longer than most commands.
local function settle_address(a)
  local place = place_of(a.more_p + #a.p, a.more_i + #a.i, a.inflight, a.conc, a.hot)
  move(a.key, a.stands, place, format('%d', ceil(max(a.next, a.blocked, place == IDLE and now or 0))))
  a.stands = place
  local slowed = a.slow > 1.001 and 1 or 0
  if slowed ~= a.slowed then
    call(slowed == 1 and 'SADD' or 'SREM', P .. 'slow', a.key)
    a.slowed = slowed
  end
end

local function save_addresses()
  local records, n = {}, 0
  for key, from in pairs(stood) do
    if score[key] or standing[key] ~= from then move(key, from, standing[key], score[key]) end
    records[n + 1], records[n + 2], n = key, plain[key], n + 2
  end
  for key, a in pairs(addresses) do
    if a.dirty then
      a.dirty = false
      settle_address(a)
      records[n + 1], records[n + 2], n = key, packed_address(a), n + 2
    end
  end
  in_parts(records, 'HSET', P .. 'addr')
  for place, list in pairs(gone) do in_parts(list, 'ZREM', P .. SETS[place]) end
  for place, list in pairs(moves) do in_parts(list, 'ZADD', P .. SETS[place]) end
  stood, gone, moves = {}, {}, {}
end

-- Write back whatever changed. Every script that writes ends with this.
local function save()
  save_addresses()
  local records, n = {}, 0
  for name in pairs(changed) do records[n + 1], records[n + 2], n = name, plain_queues[name], n + 2 end
  changed = {}
  for id, q in pairs(queues) do
    if q and q.dirty then
      q.dirty = false
      records[n + 1], records[n + 2], n = pack('<I4', id), packed_queue(q), n + 2
    end
  end
  in_parts(records, 'HSET', P .. 'queue')
  for run, counters in pairs(moved) do
    for name, by in pairs(counters) do
      if by ~= 0 then call('HINCRBY', P .. 'cnt:' .. run, name, format('%d', by)) end
    end
  end
  moved = {}
end
