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
-- Places in flight of a plain address are free again, of leases from one to another. latencies: ms, or -1.
local function free_places(key, packed, latencies, from, to)
  local known, floor, slow, inflight, stands, more_p, p, more_i, i, _, next_slot, blocked, hot, _, conc =
    unpacked(ADDRESS, packed)
  local was = slow > SLOWED
  for n = from, to do
    if latencies[n] >= 0 then slow, known, floor = after_answer(slow, known, floor, latencies[n]) end
  end
  note_slowness(key, was, slow)
  inflight = max(inflight - (to - from + 1), 0)
  local place = place_of(more_p + p, more_i + i, inflight, conc, hot)
  packed = pack('<fffHB', known, floor, slow, inflight, place) .. sub(packed, STANDS_AT + 1)
  settle_plain(key, packed, stands, place, place ~= 0 and place ~= stands and time_of(next_slot, blocked, place) or nil)
end

-- The end of a lease whose URL has its outcome, where nothing goes back to its queue.
local function plain_end(lease, key, run, op)
  if op.d or op.r then emit(run, op) end
  if op.o ~= 'done' then outcome(run, op, (unpacked('<I4', lease)), sub(lease, LEASE_BYTES + 1 + #key)) end
  tally(ends, op, run)
end

-- Read everything first: leases, then their addresses, then the queues that something goes back to. runs: of those that
-- end on plain records, if their addresses are.
local PAGES, IMAGES = byte('pi', 1, 2)
local leases, refs, latencies, keys, runs, ids, total, n = {}, {}, {}, {}, {}, {}, 0, 0
for at = 2, #order, 4 do
  local found = in_parts(order[at + 1], 'HMGET', P .. 'lease:' .. order[at])
  local which, took = order[at + 2], order[at + 3]
  for i = 1, #found do
    total = total + 1
    local packed, op, key, run = found[i], ops[which[i]], false, false
    if packed and #packed > LEASE_BYTES then
      local number, lane, band, length = unpacked(LEASE_OF_RUN, packed, 5)
      if lane == PAGES or lane == IMAGES then
        key = sub(packed, LEASE_BYTES + 1, LEASE_BYTES + length)
        if needs_queue(band, op) then
          n = n + 1
          ids[n] = sub(packed, 1, 4)
        elseif not op.w and not op.u then
          run = run_names[number]
        end
      end
    end
    refs[total], latencies[total], leases[total], keys[total], runs[total] = op, took[i], packed, key, run
  end
end
load_whole(plain, keys, 'addr', whole_address)
load_whole(plain_queues, ids, 'queue', whole_queue)
local done, unsent, i = {}, {}, 1
while i <= total do
  local key, run, last = keys[i], runs[i], i
  local packed = run and plain[key]
  if packed then
    -- Those of a streak mostly end together.
    while runs[last + 1] and keys[last + 1] == key do last = last + 1 end
    free_places(key, packed, latencies, i, last)
    for n = i, last do
      plain_end(leases[n], key, runs[n], refs[n])
      done[n] = '1'
    end
  elseif key and (refs[i].u or refs[i].o == 'back') then
    unsent[#unsent + 1] = i
  else
    done[i] = leases[i] and rare().finish(leases[i], refs[i], latencies[i]) and '1' or '0'
  end
  i = last + 1
end
if #unsent > 0 then
  -- From the last slot on, so that those of a streak are free again one by one, and what returns is in the order it had.
  local slots = {}
  for _, n in ipairs(unsent) do slots[n] = unpacked('<d', leases[n], SLOT_AT) end
  table.sort(unsent, function(one, other) return slots[one] > slots[other] end)
  for _, n in ipairs(unsent) do done[n] = rare().finish(leases[n], refs[n], latencies[n]) and '1' or '0' end
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
return table.concat(done)
