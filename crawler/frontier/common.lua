-- Shared by every script, after state.lua: what happens to queues, addresses and leases, on loaded records.

-- ---------------------------------------------------------------- queues

-- Of robots.txt is band 0; the others are those of priority 0 and depth 0 to priority 9 and depth 63.
local FIRST_BAND, LAST_BAND = 1, 640

local function list_of(q, lane, band) return QUEUED .. pack('<I4', q.id) .. ':' .. lane .. ':' .. pack('<H', band) end

-- Where a band stands in a lane's packed bands (or would), its length, and whether it is there.
local function find_band(bands, band)
  local at = 1
  while at <= #bands do
    local found, length = unpacked(BAND, bands, at)
    if found >= band then return at, length, found == band end
    at = at + BAND_BYTES
  end
  return at, 0, false
end

-- Note that a band has so many elements now.
local function set_band(q, lane, band, length)
  local bands = q[lane]
  local at, _, there = find_band(bands, band)
  local packed = length > 0 and pack(BAND, band, length) or ''
  q[lane] = sub(bands, 1, at - 1) .. packed .. sub(bands, there and at + BAND_BYTES or at)
  q.dirty = true
end

-- Add elements to a band, at its end or at its front.
local function push(q, lane, band, elements, front)
  in_parts(elements, front and 'LPUSH' or 'RPUSH', list_of(q, lane, band))
  local _, length, there = find_band(q[lane], band)
  set_band(q, lane, band, (there and length or 0) + #elements)
end

-- The first element of a lane and its band; nil when there is none.
local function pop(q, lane)
  while q[lane] ~= '' do
    local band, length, at = unpacked(BAND, q[lane])
    local element = call('LPOP', list_of(q, lane, band))
    q.dirty = true
    if element and length > 1 then
      q[lane] = pack(BAND, band, length - 1) .. sub(q[lane], at)
    else
      q[lane] = sub(q[lane], at)
    end
    if element then return element, band end
  end
end

local function claimable(q, lane)
  local bands = q[lane]
  if bands == '' or q.parked == 1 or q.moved == 1 or not run_names[q.run] or paused[q.run] then return false end
  return q.gated == 0 or sub(bands, 1, 2) == '\0\0'
end

-- What never changes of a queue, {run, origin, address, robots element}; nil when it is damaged.
local function fact_of(id)
  local fact = opened(call('HGET', P .. 'fact', id))
  return fact and type(fact[2]) == 'string' and type(fact[4]) == 'string' and run_numbers[fact[1]] and fact or nil
end

-- A queue from its facts and its lists; its robots.txt is read anew. False without facts.
function remade(id)
  local fact = fact_of(id)
  if not fact then return false end
  local q = {
    id = id, run = run_numbers[fact[1]], version = now % 65536, delay = 0, gated = 0, parked = 0, in_p = 0, in_i = 0,
    hot = 0, moved = 0, p = '', i = '', dirty = true,
  }
  for _, lane in ipairs(LANES) do
    for band = 0, LAST_BAND do
      local length = call('LLEN', list_of(q, lane, band))
      if length > 0 then q[lane] = q[lane] .. pack(BAND, band, length) end
    end
  end
  if fact[4] ~= '' then
    q.gated = 1
    push(q, 'p', 0, {fact[4]})
    count(fact[1], 'robots_queued', 1)
  end
  return q
end

-- ---------------------------------------------------------------- rotation of an address

local function rotation_key(a, lane) return P .. 'rot:' .. a.key .. ':' .. lane end

-- The queue whose turn it is; nil when there is none.
local function whose_turn(a, lane)
  if a[lane] == '' then
    if a[MORE[lane]] == 0 then return nil end
    local key = rotation_key(a, lane)
    for _, id in ipairs(call('LPOP', key, WINDOW) or {}) do a[lane] = a[lane] .. pack('<I4', id) end
    a[MORE[lane]] = call('EXISTS', key)
    if a[lane] == '' then return nil end
  end
  return (unpacked('<I4', a[lane]))
end

local function last_in(a, lane, id)
  a.dirty = true
  if a[MORE[lane]] == 0 and #a[lane] < 4 * WINDOW then
    a[lane] = a[lane] .. pack('<I4', id)
  else
    call('RPUSH', rotation_key(a, lane), id)
    a[MORE[lane]] = 1
  end
end

-- The turn of the first queue is over; stays: it will have others.
local function next_turn(a, lane, stays)
  local turns = a[lane]
  a.dirty = true
  if stays and #turns == 4 and a[MORE[lane]] == 0 then return end
  a[lane] = sub(turns, 5)
  if stays then last_in(a, lane, (unpacked('<I4', turns))) end
end

-- Let a queue take part in its address's rotation, when it has something that may be claimed.
local function rotate_in(q, a)
  for _, lane in ipairs(LANES) do
    if q[IN[lane]] == 0 and claimable(q, lane) then
      q[IN[lane]], q.dirty = 1, true
      last_in(a, lane, q.id)
    end
  end
end

-- Keep a queue out of every rotation until a time; those that have it let go of it at its turn.
local function park(q, a, at)
  call('ZADD', P .. 'timers', 'GT', format('%d', math.ceil(at)), 'P' .. pack('<I4', q.id) .. a.key)
  q.parked, q.dirty = 1, true
end

-- Let nothing of a host be claimed until a time, in no run. A shorter pause does not end a longer one.
local function park_host(origin, a, at)
  local name = origin .. '|' .. a.key
  call('ZADD', P .. 'pace', 'GT', format('%d', math.ceil(at)), name)
  for _, run in pairs(run_names) do
    local id = call('HGET', P .. 'qi:' .. run, name)
    local q = id and queue(tonumber(id))
    if q then park(q, a, at) end
  end
end

local function origin_of(q)
  local fact = fact_of(q.id)
  return fact and fact[2] or ''
end

-- A request to a host with a Crawl-delay left, or will leave, at a slot.
local function keep_pace(q, a, slot)
  if q.delay > 0 then park_host(origin_of(q), a, slot + q.delay) end
end

-- Close the gate of a queue until its robots.txt was read.
local function gate(q, a, robots)
  q.gated, q.dirty = 1, true
  push(q, 'p', 0, {robots})
  count(run_names[q.run], 'robots_queued', 1)
  rotate_in(q, a)
end

-- ---------------------------------------------------------------- leases

-- Nil for bytes that are no lease.
local function unpacked_lease(packed)
  if #packed <= LEASE_BYTES or not IN[sub(packed, 9, 9)] then
    damaged('l')
    return nil
  end
  local q, run, lane, band, length, slot, after, at = unpacked(LEASE, packed)
  return {
    q = q, run = run, lane = string.char(lane), band = band, slot = slot, after = after,
    key = sub(packed, at, at + length - 1), element = sub(packed, at + length),
  }
end

local function repacked(lease)
  return pack(LEASE, lease.q, lease.run, byte(lease.lane), lease.band, #lease.key, lease.slot, lease.after)
    .. lease.key .. lease.element
end

-- The place in flight of a lease is free. Its slot may serve another request when none was sent and none came after.
local function release(lease, unsent)
  local a = address(lease.key)
  a.inflight, a.dirty = max(a.inflight - 1, 0), true
  if unsent and a.next == lease.after then a.next = lease.slot end
  return a
end

-- A lease that ended without an answer: try it again at a time, or return false when its attempts are used up.
local function again(lease, reason, at, cap)
  local attempts = byte(lease.element, 1) + 1
  if attempts >= cap then return false end
  lease.element = string.char(min(attempts, 255)) .. sub(lease.element, 2)
  call('ZADD', P .. 'timers', at, 'D' .. repacked(lease))
  local run = run_names[lease.run]
  count(run, lease.band == 0 and 'robots_delayed' or 'delayed', 1)
  count(run, 'r:' .. reason, 1)
  return true
end

-- ---------------------------------------------------------------- hosts that moved

-- Give an element of a closed queue to the discoveries, to be judged where its host lies now: see MOVED in codec.py.
-- robots.txt is not taken along, for the new queue asks for it itself.
local function send_on(q, origin, band, element)
  if band == 0 then return end
  local run = run_names[q.run]
  call('XADD', P .. 'disc', '*', 'run', run, 'd', '\132' .. pack('<H', #origin) .. origin .. sub(element, 2))
  count(run, 'disc', 1)
end

-- Empty a closed queue, as far as `most` elements. Returns how many.
local function drain(q, most)
  local run, origin, n = run_names[q.run], origin_of(q), 0
  for _, lane in ipairs(run and LANES or {}) do
    while q[lane] ~= '' and n < most do
      local element, band = pop(q, lane)
      if element then
        send_on(q, origin, band, element)
        count(run, band == 0 and 'robots_queued' or 'queued', -1)
        n = n + 1
      end
    end
  end
  if n < most then call('SREM', P .. 'moving', q.id) end
  return n
end

-- What was leased or waited comes back to its queue.
local function put_back(q, a, lane, band, element, front)
  if q.moved == 1 then return send_on(q, origin_of(q), band, element) end
  push(q, lane, band, {element}, front)
  count(run_names[q.run], band == 0 and 'robots_queued' or 'queued', 1)
  rotate_in(q, a)
end

-- ---------------------------------------------------------------- where something was found

-- Whether an element is a neighbour of a find: it stands below one of the directories (as the record has it, without the
-- origin), or a page of that name showed it. digs: list of {directory, page}.
local function beside(element, digs)
  local fields = opened(sub(element, 3))
  -- What cannot be read fails at its turn, and not here.
  if not fields or type(fields[1]) ~= 'string' then return false end
  for _, dig in ipairs(digs) do
    if sub(fields[1], 1, #dig[1]) == dig[1] or fields[5] == dig[2] then return true end
  end
  return false
end

-- The directories that are dug in at a queue's host.
local function digs_of(q)
  local digs = {}
  for _, dig in ipairs(opened(call('HGET', P .. 'dig', q.id)) or {}) do
    if type(dig) == 'table' and type(dig[1]) == 'string' and type(dig[2]) == 'string' then digs[#digs + 1] = dig end
  end
  return digs
end
