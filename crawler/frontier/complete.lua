-- End leases: each with its discoveries, results and counters, all of it or nothing.
-- ARGV[1]: msgpack list of {operations, then for each batch of leases: batch, its leases' indexes (2 bytes each), for each of
-- them which operation (from 1), and its latency in ms or -1}; ARGV[2]: attempts cap. An operation is {o outcome, …}:
--   done     n counter, d discoveries payloads, r results payloads, c tally, x robots text (opens the queue's gate)
--   failed   n reason, r, c            skipped  n reason, c
--   retry    n reason, a after ms      back     (not sent: returned as it was)
--   rekind   l lane, b band, e record
--   any      w ms for which nothing is sent to the address, k ms for which the host is parked, s session, y Crawl-delay ms,
--            u nothing was sent
-- Returns a character for each lease, in the order given: '1', or '0' when it is not held any more, and then nothing of it
-- was done.
-- Leases that end in a row with one operation, of one queue, lane and band, are a group, as what a streak was mostly is:
-- {found leases as packed, their latencies (ms or -1), from, to, operation, the address's key, run}. key: false where no
-- lease is held. run: where they end on plain records, if the address's is.
local FOUND, TOOK, FROM, TO, OP, KEY, RUN = 1, 2, 3, 4, 5, 6, 7

-- Places in flight of a plain address are free again.
local function free_places(group, packed)
  local known, floor, slow, inflight, stands, more_p, p, more_i, i, _, next_slot, blocked, hot, _, conc =
    unpacked(ADDRESS, packed)
  local key, took, from, to, was = group[KEY], group[TOOK], group[FROM], group[TO], slow > SLOWED
  slow, known, floor = after_answers(slow, known, floor, took, from, to)
  note_slowness(key, was, slow)
  inflight = max(inflight - (to - from + 1), 0)
  local place = place_of(more_p + p, more_i + i, inflight, conc, hot)
  packed = pack('<fffHB', known, floor, slow, inflight, place) .. sub(packed, STANDS_AT + 1)
  settle_plain(key, packed, stands, place, place ~= 0 and place ~= stands and time_of(next_slot, blocked, place) or nil)
end

-- Leases whose URLs have their outcome, and nothing goes back to their queues.
local function plain_ends(group)
  local op, run = group[OP], group[RUN]
  tally(ends, op, run, group[TO] - group[FROM] + 1)
  if op.o == 'done' and not op.d and not op.r then return end
  for n = group[FROM], group[TO] do
    if op.d or op.r then emit(run, op) end
    if op.o ~= 'done' then
      local packed = group[FOUND][n]
      outcome(run, op, (unpacked('<I4', packed)), sub(packed, LEASE_BYTES + 1 + #group[KEY]))
    end
  end
end

-- Read everything first: leases, then their addresses, then the queues that something goes back to.
local PAGES, IMAGES = byte('pi', 1, 2)
local groups, keys, ids = {}, {}, {}

local function begin_group(found, took, from, op, held)
  local key, run = false, false
  if held then
    local packed = found[from]
    local number, lane, band, length = unpacked(LEASE_OF_RUN, packed, 5)
    if lane == PAGES or lane == IMAGES then
      key = sub(packed, LEASE_BYTES + 1, LEASE_BYTES + length)
      keys[#keys + 1] = key
      if needs_queue(band, op) then
        ids[#ids + 1] = sub(packed, 1, 4)
      elseif not op.w and not op.u then
        run = run_names[number] or false
      end
    end
  end
  local group = {found, took, from, from, op, key, run}
  groups[#groups + 1] = group
  return group
end

for at = 2, #order, 4 do
  local found = in_parts(order[at + 1], 'HMGET', P .. 'lease:' .. order[at])
  local which, took, number, head, group = order[at + 2], order[at + 3], nil, nil, nil
  for n = 1, #found do
    local packed, before = found[n], head
    head = packed and #packed > LEASE_BYTES and sub(packed, 1, SLOT_AT - 1)
    if head ~= before or which[n] ~= number then
      if group then group[TO] = n - 1 end
      number = which[n]
      group = begin_group(found, took, n, ops[number], head)
    end
  end
  if group then group[TO] = #found end
end
load_whole(plain, keys, 'addr', whole_address)
load_whole(plain_queues, ids, 'queue', whole_queue)

local answers, unsent = {}, {}
local function rare_ends(group)
  local op = group[OP]
  for n = group[FROM], group[TO] do
    local packed, place = group[FOUND][n], #answers + 1
    answers[place] = '0'
    if group[KEY] and (op.u or op.o == 'back') then
      unsent[#unsent + 1] = {(unpacked('<d', packed, SLOT_AT)), packed, op, group[TOOK][n], place}
    elseif packed and rare().finish(packed, op, group[TOOK][n]) then
      answers[place] = '1'
    end
  end
end

for _, group in ipairs(groups) do
  local packed = group[RUN] and plain[group[KEY]]
  if packed then
    free_places(group, packed)
    plain_ends(group)
    answers[#answers + 1] = string.rep('1', group[TO] - group[FROM] + 1)
  else
    rare_ends(group)
  end
end
-- From the last slot on, so that those of a streak are free again one by one, and what returns is in the order it had.
table.sort(unsent, function(one, other) return one[1] > other[1] end)
for _, lease in ipairs(unsent) do
  local _, packed, op, latency, place = unpack(lease)
  if rare().finish(packed, op, latency) then answers[place] = '1' end
end
count_tallies(times)
count_tallies(ends)
for op, by_run in pairs(ends) do
  for run, times_ended in pairs(by_run) do
    count(run, 'leased', -times_ended)
    if op.o == 'done' then count(run, 'fetched', times_ended) end
  end
end
for at = 2, #order, 4 do
  local batch = P .. 'lease:' .. order[at]
  in_parts(order[at + 1], 'HDEL', batch)
  if call('EXISTS', batch) == 0 then call('ZREM', P .. 'expiry', order[at]) end
end
save()
return table.concat(answers)
