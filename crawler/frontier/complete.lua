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
-- Leases that end in a row with one operation, of one queue, lane and band, are a group, as what a streak was mostly is. Of
-- each: the leases of its batch as packed, their latencies (ms or -1), which of these it is, the operation, the address's key
-- (false: no lease is held), and the run where they end on plain records, if the address's is.
local founds, tooks, from, to, refs, keys, runs, groups, ids = {}, {}, {}, {}, {}, {}, {}, 0, {}

-- Leases whose URLs have their outcome, while nothing goes back to their queues: places in flight of a plain address are free.
local function plain_ends(key, packed, run, op, found, took, first, last)
  local known, floor, slow, inflight, stands, more_p, p, more_i, i, _, next_slot, blocked, hot, _, conc =
    unpacked(ADDRESS, packed)
  local was = slow > SLOWED
  slow, known, floor = after_answers(slow, known, floor, took, first, last)
  note_slowness(key, was, slow)
  local n = last - first + 1
  inflight = inflight > n and inflight - n or 0
  local place = place_of(more_p + p, more_i + i, inflight, conc, hot)
  packed = pack('<fffHB', known, floor, slow, inflight, place) .. sub(packed, STANDS_AT + 1)
  settle_plain(key, packed, stands, place, place ~= 0 and place ~= stands and time_of(next_slot, blocked, place) or nil)
  tally(ends, op, run, n)
  if op.o == 'done' and not op.d and not op.r then return end
  for each = first, last do
    if op.d or op.r then emit(run, op) end
    if op.o ~= 'done' then outcome(run, op, (unpacked('<I4', found[each])), sub(found[each], LEASE_BYTES + 1 + #key)) end
  end
end

-- Read everything first: leases, then their addresses, then the queues that something goes back to.
local PAGES, IMAGES = byte('pi', 1, 2)
for at = 2, #order, 4 do
  local found = in_parts(order[at + 1], 'HMGET', P .. 'lease:' .. order[at])
  local which, took, number, head = order[at + 2], order[at + 3], nil, nil
  for n = 1, #found do
    local packed, before = found[n], head
    head = packed and #packed > LEASE_BYTES and sub(packed, 1, SLOT_AT - 1)
    if head ~= before or which[n] ~= number then
      number = which[n]
      local op, key, run = ops[number], false, false
      if head then
        local run_number, lane, band, length = unpacked(LEASE_OF_RUN, packed, 5)
        if lane == PAGES or lane == IMAGES then
          key = sub(packed, LEASE_BYTES + 1, LEASE_BYTES + length)
          if needs_queue(band, op) then
            ids[#ids + 1] = sub(packed, 1, 4)
          elseif not op.w and not op.u then
            run = run_names[run_number] or false
          end
        end
      end
      groups = groups + 1
      founds[groups], tooks[groups], from[groups], refs[groups] = found, took, n, op
      keys[groups], runs[groups] = key, run
    end
    to[groups] = n
  end
end
load_whole(plain, keys, 'addr', whole_address)
load_whole(plain_queues, ids, 'queue', whole_queue)

local answers, unsent = {}, {}
for g = 1, groups do
  local key, run, op, found, took, first, last = keys[g], runs[g], refs[g], founds[g], tooks[g], from[g], to[g]
  local packed = run and plain[key]
  if packed then
    plain_ends(key, packed, run, op, found, took, first, last)
    answers[#answers + 1] = first == last and '1' or string.rep('1', last - first + 1)
  else
    for n = first, last do
      local place = #answers + 1
      answers[place] = '0'
      if key and (op.u or op.o == 'back') then
        unsent[#unsent + 1] = {(unpacked('<d', found[n], SLOT_AT)), found[n], op, took[n], place}
      elseif found[n] and rare().finish(found[n], op, took[n]) then
        answers[place] = '1'
      end
    end
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
