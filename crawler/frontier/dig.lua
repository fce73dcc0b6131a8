-- Dig where something was found: the address comes before others, the host has every second turn there, and what lies
-- beside the find goes first, whether it waits (as far as ARGV[2] elements) or is queued later.
-- ARGV[1]: msgpack {run, {{politeness key, origin, {{directory, page}, …}}, …}, ms that the address stays hot}.
local order, most = cmsgpack.unpack(ARGV[1]), tonumber(ARGV[2])
local run, places, hot = order[1], order[2], order[3]
assert(type(run) == 'string' and type(places) == 'table' and type(hot) == 'number', 'malformed order')
local MOST_DIGS = 16

-- Directories of a queue that are known, with the new ones at the end, or nothing when none is new.
local function remember(q, digs)
  local known = digs_of(q)
  local seen, fresh = {}, {}
  for _, dig in ipairs(known) do seen[dig[1] .. '\n' .. dig[2]] = true end
  for _, dig in ipairs(digs) do
    if not seen[dig[1] .. '\n' .. dig[2]] then
      known[#known + 1], fresh[#fresh + 1] = dig, dig
    end
  end
  while #known > MOST_DIGS do table.remove(known, 1) end
  if #fresh > 0 then call('HSET', P .. 'dig', q.id, cmsgpack.pack(known)) end
  return fresh
end

-- Take the neighbours among the first elements of a band out of it.
local function take_near(q, lane, band, length, digs)
  local list, near, others = list_of(q, lane, band), {}, {}
  for _, element in ipairs(call('LRANGE', list, 0, most - 1)) do
    local target = beside(element, digs) and near or others
    target[#target + 1] = element
  end
  most = most - #near - #others
  if #near == 0 then return near end
  call('LTRIM', list, #near + #others, -1)
  local turned = {}
  for i = #others, 1, -1 do turned[#turned + 1] = others[i] end
  in_parts(turned, 'LPUSH', list)
  set_band(q, lane, band, length - #near)
  return near
end

local function dig(q, lane, digs)
  local bands, found = q[lane], {}
  for at = 1, #bands, BAND_BYTES do
    local band, length = unpacked(BAND, bands, at)
    if band > FIRST_BAND and most > 0 then
      for _, element in ipairs(take_near(q, lane, band, length, digs)) do found[#found + 1] = element end
    end
  end
  if #found > 0 then push(q, lane, FIRST_BAND, found) end
end

for _, place in ipairs(places) do
  local key, origin, digs = place[1], place[2], place[3]
  local a = address(key)
  if not a.fresh then a.hot, a.dirty = now + hot, true end
  local id = call('HGET', P .. 'qi:' .. run, origin .. '|' .. key)
  local q = id and queue(tonumber(id))
  if q then
    q.hot, q.dirty = 1, true
    local fresh = remember(q, digs)
    if #fresh > 0 then
      for _, lane in ipairs(LANES) do dig(q, lane, fresh) end
    end
  end
end
save()
return 1
