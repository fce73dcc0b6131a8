-- Hand out leases for what is due.
-- ARGV: pages, images (how many at most), lookahead ms, send window ms, lease ms beyond send_by, robots ttl ms, pages of a
-- streak at most
-- Returns msgpack of {now, when something is next due (ms) or -1, generation, batch, then for each lease by itself: slot, queue
-- (its number in 4 bytes), version, element; for each streak slot of the first, queue, version, {ms between slots, places,
-- {element, …}}}. The token of lease n (from 0, over all of them) is batch * 2048 + n. One flat packed list, since clients are
-- slow to read many answers; what never changes of a queue they keep, under the generation: an emptied server starts another.
local MOST_ROUNDS = 256
local UNTIL = format('%.3f', horizon)
-- URLs that a turn is expected to give before any has: a streak is of up to 16.
local EACH = 8

local TURNS = ADDRESS_BYTES + 1

-- Where a lane finds an address with so many turns taken and queues waiting, in the order of STANDS_AT: whether it left it
-- to the other lane, and the queue whose turn it is at a plain one, in 4 bytes; false where that has to be looked for.
--
-- An address that has something for both lanes and served this one last is left to the other first, so that neither
-- starves. Lanes that took turns for all addresses together would keep step with the addresses' own.
local left_to_other = false
local function look_at(key, lane, first)
  local packed, id = plain[key], false
  local stands, turn
  if packed then
    local _, p, i
    stands, _, p, _, i, turn = byte(packed, STANDS_AT, STANDS_AT + 5)
    if lane == 'p' then
      if p > 0 then id = sub(packed, TURNS, TURNS + 3) end
    elseif i > 0 then
      id = sub(packed, TURNS + 4 * p, TURNS + 4 * p + 3)
    end
  elseif first then
    local a = rare().address(key)
    turn, stands = a.turn, a.stands
  end
  if first and (stands == 3 or stands == 6) and turn - turn % 2 == LANE_TURN[lane] then
    left_to_other = true
    return true
  end
  return false, id
end

-- One turn at each address that is free. Returns `going`, with those added that may have another, and how many had one.
-- first: the other lane comes after it.
local function round(keys, lane, first, going)
  local places, ids, found, n = {}, {}, {}, 0
  for i = 1, #keys do
    if n == wanted[lane] then break end
    local key = keys[i]
    local left, id = look_at(key, lane, first)
    if not left then
      n = n + 1
      places[n], ids[n] = key, id
      if id then found[#found + 1] = id end
    end
  end
  load_whole(plain_queues, found, 'queue', whole_queue)
  for i = 1, n do
    if wanted[lane] == 0 then break end
    local key, id = places[i], ids[i]
    local goes
    if id then goes = plain_turn(key, lane, id) end
    if goes == nil then goes = rare().turn(key, lane) end
    if goes then going[#going + 1] = key end
  end
  return going, n
end

-- When the first of a sorted set is due, or nil.
local function first_in(name) return tonumber(call('ZRANGE', P .. name, '0', '0', 'WITHSCORES')[2]) end

-- Addresses of a set that are due, in the order of their times, at least n as far as there are: so many as streaks may need
-- where half are left to the other lane, and all that a claim may when that is not enough. Scores are for Redis alone: to
-- write one takes it longer than all else.
local due_of, most_due = {}, wanted.p + wanted.i
local few_due = min(most_due, max(math.ceil(2 * most_due / EACH), 32))
local function due(name, n)
  local keys = due_of[name]
  if not keys or (#keys < n and #keys == few_due and few_due < most_due) then
    local most, known = keys and most_due or few_due, {}
    keys = keys or {}
    for i = 1, #keys do known[keys[i]] = true end
    -- From the first on, for those whose records could not be read have left the set.
    for _, key in ipairs(call('ZRANGEBYSCORE', P .. name, '-inf', UNTIL, 'LIMIT', '0', format('%d', most))) do
      if not known[key] then keys[#keys + 1] = key end
    end
    due_of[name] = keys
  end
  return keys
end

-- Whether the first of a set waits longer than that of another. Either may have been emptied meanwhile, for the records of
-- its addresses could not be read.
local function waits_longer(one, other)
  local here, there = first_in(one), first_in(other)
  return here and there and here < there
end

-- Gives addresses of two sets that are due and that no lane has taken, some at a time, and no more than `limit` of them: first
-- those of the set whose first waits longer, so that neither is left waiting for the other. The limit is also for those that
-- a lane leaves to the other: with pages of further ones in their place their own would wait for ever.
local function due_in(one, both, limit)
  if #due(one, 1) == 0 or (#due(both, 1) > 0 and waits_longer(both, one)) then one, both = both, one end
  local name, at = one, 0
  return function(most)
    local keys, n = {}, 0
    most = min(most, limit)
    while n < most do
      at = at + 1
      local key = due(name, at)[at]
      if not key then
        if name == both then break end
        name, at = both, 0
      -- What the other lane has just taken stands in its set still.
      elseif standing[key] ~= 0 then
        n = n + 1
        keys[n] = key
      end
    end
    limit = limit - n
    return keys
  end
end

-- A turn at each of the addresses that `take` gives, as long as something is wanted; those that may have another. How many
-- it takes is known when some had theirs, and no more are loaded than may be needed.
local function first_round(take, lane, first)
  local going, each = {}, EACH
  while wanted[lane] > 0 do
    local some = take(math.ceil(wanted[lane] / each))
    if #some == 0 then break end
    load_whole(plain, some, 'addr', whole_address)
    local before = wanted[lane]
    local _, turns = round(some, lane, first, going)
    if turns > 0 then each = max((before - wanted[lane]) / turns, 1) end
  end
  return going
end

local function claim_lane(lane, heats, first)
  for _, heat in ipairs(heats) do
    if wanted[lane] == 0 then return end
    local going = first_round(due_in(heat .. lane, heat .. 'b', wanted[lane]), lane, first)
    -- A rotation of queues that give nothing is worked off over several calls.
    for _ = 2, MOST_ROUNDS do
      if #going == 0 or wanted[lane] == 0 then break end
      going = round(going, lane, first, {})
    end
  end
end

local timer, old = first_in('timers'), first_in('aging')
if (timer and timer <= now) or (old and old <= now - ttl) or call('EXISTS', P .. 'moving') == 1 then
  rare().tend(ttl)
end
local asked = {p = wanted.p > 0, i = wanted.i > 0}
local heats = call('EXISTS', P .. 'hot:p', P .. 'hot:i', P .. 'hot:b') > 0 and {'hot:', 'due:'} or {'due:'}
local whole, problem = pcall(function()
  if asked.p then claim_lane('p', heats, asked.i) end
  if asked.i then claim_lane('i', heats, false) end
  if left_to_other then claim_lane('p', heats, false) end
end)

-- Whatever went wrong, what was taken is leased out: nobody hears of it, so it comes back when the leases end.
save_claim()
if not whole then error(problem) end

-- What is parked waits for a timer, which is set on tables only.
local soonest = rare_made and first_in('timers') or timer
for place = 1, IDLE - 1 do
  local lane = sub(SETS[place], -1)
  if (place < 4 or #heats == 2) and (lane == 'b' or asked[lane]) then
    local at = first_in(SETS[place])
    if at and (not soonest or at < soonest) then soonest = at end
  end
end
out[2] = soonest or -1
return cmsgpack.pack(out)
