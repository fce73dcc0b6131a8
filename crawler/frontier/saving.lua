-- Every script's third part: what it writes back.

-- ---------------------------------------------------------------- leases

-- LEASE: queue, run number, lane, band, bytes of the address's politeness key, slot, the address's next slot after it; then
-- that key and the element. Without the queue, which a plain turn has in 4 bytes, it is REST_OF_LEASE, and what stands there
-- before the slots LEASE_OF_RUN.
local LEASE, REST_OF_LEASE, LEASE_OF_RUN, LEASE_BYTES, SLOT_AT = '<I4I4BHBdd', '<I4BHBdd', '<I4BHB', 28, 13

-- The number of the next batch of leases. known: the last one. Batches follow the clock, so that none comes twice even after
-- the server lost its data; after a number that is damaged they go on an hour ahead of it, for it may have been ahead too.
local function batch_after(known)
  local last = known and (tonumber(string.match(known, '^%d+$')) or now + 3600000) or 0
  return max(now, last + 1)
end

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

-- When an address may be asked again, in whole ms and not before its time; since when it has been idle. As text: Redis would
-- write a number with 17 digits, which takes longer than most commands.
local function time_of(next_slot, blocked, place)
  local at = blocked > next_slot and blocked or next_slot
  if place == IDLE and at < now then at = now end
  return format('%d', at + 0.999)
end

-- Whether an address counts as slowed down is seen in what it is slowed by.
local SLOWED = 1.001
local function note_slowness(key, was, slow)
  local is = slow > SLOWED
  if is ~= was then call(is and 'SADD' or 'SREM', P .. 'slow', key) end
end

-- Note what became of a plain address: its record, where it stood and where it belongs; at: its time there, nil when it has
-- not changed.
local function settle_plain(key, packed, stands, place, at)
  plain[key], standing[key] = packed, place
  if not stood[key] then stood[key] = stands end
  if at then score[key] = at end
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

-- What tables.lua adds to the records that are written.
local settled_addresses, settled_queues

local function save_addresses()
  local records, n = {}, 0
  for key, from in pairs(stood) do
    if score[key] or standing[key] ~= from then move(key, from, standing[key], score[key]) end
    records[n + 1], records[n + 2], n = key, plain[key], n + 2
  end
  if settled_addresses then settled_addresses(records) end
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
  if settled_queues then settled_queues(records) end
  in_parts(records, 'HSET', P .. 'queue')
  for run, counters in pairs(moved) do
    for name, by in pairs(counters) do
      if by ~= 0 then call('HINCRBY', P .. 'cnt:' .. run, name, format('%d', by)) end
    end
  end
  moved = {}
end
