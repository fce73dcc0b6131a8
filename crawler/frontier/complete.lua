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
local TURNS = ADDRESS_BYTES + 1

-- The end of a lease whose URL has its outcome, on its address's record as it is. False where anything else is to be done,
-- and then nothing was changed.
local function plain_end(packed, key, op, latency)
  local address = plain[key]
  if not address then return false end
  local number, _, band = unpacked('<I4BH', packed, 5)
  local run = run_names[number]
  if not run or needs_queue(band, op) or op.w or op.u then return false end
  local next_slot, blocked, hot, rate, slow, known, floor, conc, inflight, turn, slowed, stands, more_p, p, more_i, i =
    unpacked(ADDRESS, address)
  if latency >= 0 then
    slow, known, floor = after_answer(slow, known, floor, latency)
    local now_slowed = slow > 1.001 and 1 or 0
    if now_slowed ~= slowed then
      call(now_slowed == 1 and 'SADD' or 'SREM', P .. 'slow', key)
      slowed = now_slowed
    end
  end
  settle_plain(key, false, next_slot, blocked, hot, rate, slow, known, floor, conc, max(inflight - 1, 0), turn, slowed,
    stands, more_p, p, more_i, i, sub(address, TURNS))
  emit(run, op)
  if op.o == 'done' then
    fetched[run] = (fetched[run] or 0) + 1
  else
    outcome(run, op, (unpacked('<I4', packed)), sub(packed, LEASE_BYTES + 1 + #key))
  end
  ends[run] = (ends[run] or 0) + 1
  return true
end

-- Read everything first: leases, then their addresses, then the queues that something goes back to.
local leases, refs, latencies, keys, ids, total, n = {}, {}, {}, {}, {}, 0, 0
for at = 2, #order, 4 do
  local found = in_parts(order[at + 1], 'HMGET', P .. 'lease:' .. order[at])
  local which, took = order[at + 2], order[at + 3]
  for i = 1, #found do
    total = total + 1
    local packed = found[i]
    refs[total], latencies[total], leases[total], keys[total] = which[i], took[i], packed, false
    if packed and #packed > LEASE_BYTES and IN[sub(packed, 9, 9)] then
      keys[total] = sub(packed, LEASE_BYTES + 1, LEASE_BYTES + byte(packed, LEASE_BYTES))
      if needs_queue((unpacked('<H', packed, 10)), ops[which[i]]) then
        n = n + 1
        ids[n] = sub(packed, 1, 4)
      end
    end
  end
end
load_whole(plain, keys, 'addr', whole_address)
load_whole(plain_queues, ids, 'queue', whole_queue)
local done = {}
for i = 1, total do
  local packed, key, op = leases[i], keys[i], ops[refs[i]]
  local held = packed and ((key and plain_end(packed, key, op, latencies[i])) or rare().finish(packed, op, latencies[i]))
  done[i] = held and '1' or '0'
end
for run, times_ended in pairs(ends) do
  count(run, 'leased', -times_ended)
  count(run, 'fetched', fetched[run] or 0)
end
for at = 2, #order, 4 do
  local batch = P .. 'lease:' .. order[at]
  in_parts(order[at + 1], 'HDEL', batch)
  if call('EXISTS', batch) == 0 then call('ZREM', P .. 'expiry', order[at]) end
end
count_tallies()
save()
return table.concat(done)
