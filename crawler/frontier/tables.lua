-- After saving.lua, where a script takes addresses and queues as tables. claim.lua and complete.lua make it when they need it.

local LANES, MORE = {'p', 'i'}, {p = 'more_p', i = 'more_i'}
local WINDOW = 64
local UNKNOWN_MS = 60000
local addresses, queues = {}, {}

-- ---------------------------------------------------------------- runs

local function number_of_run(run)
  if not run_numbers[run] then
    local number = redis.pcall('INCR', P .. 'numbers')
    if type(number) ~= 'number' or run_names[number] then
      -- The counter is damaged: above all that are in use.
      number = 1
      for used in pairs(run_names) do number = max(number, used + 1) end
      call('SET', P .. 'numbers', number)
      count(run, 't:corrupt-record', 1)
    end
    call('HSETNX', P .. 'runs', run, number)
    run_numbers[run], run_names[number] = number, run
  end
  return run_numbers[run]
end

-- A record that cannot be read stops nobody: it is counted in every run, done without, and noted for mend.lua.
local function damaged(what)
  call('SADD', P .. 'damaged', what)
  for _, run in pairs(run_names) do count(run, 't:corrupt-record', 1) end
end

-- ---------------------------------------------------------------- addresses

local function unpacked_address(key, packed)
  local latency, floor, slow, inflight, stands, more_p, p, more_i, _, turn, next_slot, blocked, hot, rate, conc, single,
    at = unpacked(ADDRESS, packed)
  return {
    key = key, next = next_slot, blocked = blocked, hot = hot, rate = rate, slow = slow, latency = latency, floor = floor,
    conc = conc, inflight = inflight, turn = turn, slowed = slow > SLOWED, single = single, stands = stands, more_p = more_p,
    p = sub(packed, at, at + 4 * p - 1), more_i = more_i, i = sub(packed, at + 4 * p), dirty = false,
  }
end

local function packed_address(a)
  return pack(ADDRESS, a.latency, a.floor, a.slow, a.inflight, a.stands, a.more_p, #a.p / 4, a.more_i, #a.i / 4, a.turn,
    a.next, a.blocked, a.hot, a.rate, a.conc, a.single) .. a.p .. a.i
end

-- What an address is before a run says more: one request a second, one at a time.
local function blank_address() return pack(ADDRESS, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0) end

-- The strictest of all runs that have something for an address holds there.
local function tighten(a)
  local names, rate, conc = {}, nil, nil
  for number in pairs(run_names) do names[#names + 1] = a.key .. '|' .. number end
  for _, packed in ipairs(in_parts(names, 'HMGET', P .. 'lim')) do
    if packed then
      -- One that cannot be read is taken for what holds there.
      local r, c = a.rate, a.conc
      if #packed == 10 then r, c = unpacked('<dH', packed) end
      rate, conc = min(rate or r, r), min(conc or c, c)
    end
  end
  a.rate, a.conc, a.dirty = rate or a.rate, conc or a.conc, true
end

-- Take an address out of all sets, for nothing is known of it, and note it for mend.lua.
local function lose_address(key)
  damaged('a' .. key)
  for _, name in ipairs(SETS) do call('ZREM', P .. name, key) end
end

local function new_address(key, packed)
  local unreadable = packed and not whole_address(packed)
  local a = unpacked_address(key, packed and not unreadable and packed or blank_address())
  addresses[key] = a
  if unreadable then
    lose_address(key)
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

local function settle_address(a)
  local place = place_of(a.more_p + #a.p, a.more_i + #a.i, a.inflight, a.conc, a.hot)
  move(a.key, a.stands, place, time_of(a.next, a.blocked, place))
  a.stands = place
  note_slowness(a.key, a.slowed, a.slow)
  a.slowed = a.slow > SLOWED
end

function settled_addresses(records)
  for key, a in pairs(addresses) do
    if a.dirty then
      a.dirty = false
      settle_address(a)
      records[#records + 1] = key
      records[#records + 1] = packed_address(a)
    end
  end
end

-- ---------------------------------------------------------------- queues

local function unpacked_queue(id, packed)
  local delay, parked, gone, hot, in_p, in_i, run, version, gated, p, at = unpacked(QUEUE, packed)
  return {
    id = id, run = run, version = version, delay = delay, gated = gated, parked = parked, in_p = in_p, in_i = in_i,
    hot = hot, moved = gone, p = sub(packed, at, at + p - 1), i = sub(packed, at + p), dirty = false,
  }
end

local function packed_queue(q)
  return pack(QUEUE, q.delay, q.parked, q.moved, q.hot, q.in_p, q.in_i, q.run, q.version, q.gated, #q.p) .. q.p .. q.i
end

-- What common.lua makes of a queue whose record cannot be read.
local remade

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

function settled_queues(records)
  for id, q in pairs(queues) do
    if q and q.dirty then
      q.dirty = false
      records[#records + 1] = pack('<I4', id)
      records[#records + 1] = packed_queue(q)
    end
  end
end
