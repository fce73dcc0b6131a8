-- Decide, in the partition of the hosts, which URLs are new; count them, and hold them against the host's budget.
-- ARGV[1]: msgpack list of entries {m marker, r run, c campaign, n {{host, domain}, …}, for each URL u number, w the last 20
-- bits of its magnitude, h which of those; by place, for those that have it, s skip reason or 'later', l URLs of the budgets
-- that it may not use; b and d budgets per host and per domain, k URLs of a host kept above its budget, p place, v 1 when they
-- are known already and only judged for a new place}; ARGV[2]: seconds that seen numbers and markers are kept.
-- Returns msgpack of {flags, place} per entry; flags has a character per URL: '0' seen before, '1' admitted, '2' counted as
-- skipped, '3' counted as skipped and to be kept for the next run, '4' to come back later.
-- Flags and place (where the hosts lie, opaque here) stand under the entry's marker, so that a second delivery gets those of
-- the first, whatever has become of names and scope meanwhile.
local entries = cmsgpack.unpack(ARGV[1])
local keep = ARGV[2]
for _, entry in ipairs(entries) do
  assert(type(entry.m) == 'string' and type(entry.r) == 'string' and type(entry.u) == 'table', 'malformed entry')
end

-- Split a bucket. What does not belong there is no number of a URL any more, and goes; what it was may be asked for again.
local function grow(run, base, meta)
  local size, from, parts, leaving, damage = meta.size, base .. format('%d', meta.split), {{}, {}, {}}, {}, 0
  for _, number in ipairs(call('SMEMBERS', from)) do
    local low = low_of(number, 4 * size)
    if low ~= meta.split then
      leaving[#leaving + 1] = number
      local part = low and parts[(low - meta.split) / size]
      if part then part[#part + 1] = number else damage = damage + 1 end
    end
  end
  in_parts(leaving, 'SREM', from)
  for i, part in ipairs(parts) do
    local to = base .. format('%d', meta.split + i * size)
    in_parts(part, 'SADD', to)
    call('EXPIRE', to, keep)
  end
  meta.n = meta.n - damage
  if damage > 0 then count(run, 't:corrupt-record', damage) end
  meta.split = meta.split + 1
  if meta.split == size then meta.split, meta.size = 0, 4 * size end
end

-- A bucket's life is prolonged at every sixteenth number of the run: it is of weeks, and one command less for the others. Not
-- by bits of the number, which are the same for all of a bucket. Of a run that is being forgotten buckets may be new.
local function remember(run, base, meta, number, low)
  local bucket = base .. format('%d', bucket_of(low, meta))
  if call('SADD', bucket, number) == 0 then return false end
  if meta.n % 16 == 0 or meta.gone > 0 then call('EXPIRE', bucket, keep) end
  meta.n = meta.n + 1
  if meta.n > START * meta.size + STEP * meta.split and meta.size < 2 ^ BITS then grow(run, base, meta) end
  return true
end

-- What is known of a run: the shape of its seen set and its hosts' counts, read once and written once.
local runs = {}
local function state_of_run(run)
  if not runs[run] then
    runs[run] = {meta = shape_of(run) or {size = 1, split = 0, n = 0, gone = 0}, counts = {}}
  end
  return runs[run]
end

-- Counts of the hosts of those that nothing speaks against: by their names, of domains with a "." before it.
local function read_counts(run, counts, entry)
  local wanted, asked = {}, {}
  for i, which in ipairs(entry.h) do
    if not entry.s[i] and not asked[which] then
      asked[which] = true
      for _, name in ipairs(entry.n[which]) do
        if not counts[name] and not asked[name] then
          asked[name] = true
          wanted[#wanted + 1] = name
        end
      end
    end
  end
  for i, n in ipairs(in_parts(wanted, 'HMGET', P .. 'host:' .. run)) do
    local known = n and tonumber(string.match(n, '^%d+$'))
    if n and not known then count(run, 't:corrupt-record', 1) end
    counts[wanted[i]] = known or 0
  end
end

-- By how much hits have lifted a budget.
local function lifted(run, name) return tonumber(call('HGET', P .. 'lift:' .. run, name)) or 0 end

-- Note that something of a host is left out; where its numbers are kept. With nothing left of the last round a new one begins.
local function left_out(entry, host, over)
  local cover, kept = P .. 'cover:' .. entry.c, P .. 'carried:' .. entry.c .. ':' .. host
  local record, known = cover_record(call('HGET', cover, host), entry.r)
  if over and record[3] ~= entry.r then
    record[1] = call('EXISTS', kept) == 1 and record[1] + entry.b or entry.b
    record[3] = entry.r
  elseif known then
    return kept
  end
  call('HSET', cover, host, cmsgpack.pack(record))
  call('EXPIRE', cover, keep)
  return kept
end

local function keep_for_later(entry, host, number, reason)
  local kept = left_out(entry, host, reason == 'host-budget')
  if call('SCARD', kept) >= entry.k or call('SADD', kept, number) == 0 then return false end
  call('EXPIRE', kept, keep)
  return true
end

-- Which budget one more URL of a host is above, and then it counts against neither; nil for none.
local function budget_reason(entry, counts, host, all, held_back)
  local of_host, of_all = counts[host] + held_back, counts[all] + held_back
  if of_host >= entry.b and of_host >= entry.b + lifted(entry.r, host) then return 'host-budget' end
  if of_all >= entry.d and of_all >= entry.d + lifted(entry.r, all) then return 'domain-budget' end
  counts[host], counts[all] = counts[host] + 1, counts[all] + 1
end

local function write_runs()
  for run, state in pairs(runs) do
    local budget, values = P .. 'host:' .. run, {}
    write_shape(run, state.meta, keep)
    for name, n in pairs(state.counts) do
      values[#values + 1] = name
      values[#values + 1] = format('%d', n)
    end
    in_parts(values, 'HSET', budget)
    call('EXPIRE', budget, keep)
  end
end

-- URLs of a host that moved: each was counted when it was new, and is so no more.
local function judge_moved(entry)
  local flags = {}
  for i = 1, #entry.u do
    local skip = entry.s[i]
    flags[i] = skip == 'later' and '4' or skip and '2' or '1'
    if flags[i] == '2' then count(entry.r, 's:' .. skip, 1) end
  end
  return table.concat(flags)
end

local function judge(entry)
  local run = state_of_run(entry.r)
  local base, counts, meta = P .. 'seen:' .. entry.r .. ':', run.counts, run.meta
  for _, name in ipairs(entry.n) do name[2] = '.' .. name[2] end
  read_counts(entry.r, counts, entry)
  local flags, fresh = {}, 0
  for i, number in ipairs(entry.u) do
    local skip, flag = entry.s[i], '1'
    if skip == 'later' then
      flags[i] = '4'
    elseif not remember(entry.r, base, meta, number, entry.w[i]) then
      flags[i] = '0'
    else
      fresh = fresh + 1
      if skip then
        flag = '2'
      else
        local name = entry.n[entry.h[i]]
        skip = budget_reason(entry, counts, name[1], name[2], entry.l[i] or 0)
        if skip then flag = keep_for_later(entry, name[1], number, skip) and '3' or '2' end
      end
      flags[i] = flag
      if skip then count(entry.r, 's:' .. skip, 1) end
    end
  end
  count(entry.r, 'discovered', fresh)
  return table.concat(flags)
end

local out = {}
for i, entry in ipairs(entries) do
  out[i] = answer_of(entry)
  if out[i] then
    -- A copy that was damaged is good again.
    keep_answer(entry, out[i], keep)
  elseif is_done(entry.m) then
    -- Somebody else admitted and acknowledged it meanwhile: nothing in it is new.
    out[i] = {string.rep('0', #entry.u), entry.p}
  else
    out[i] = {(entry.v == 1 and judge_moved or judge)(entry), entry.p}
    keep_answer(entry, out[i], keep)
  end
end
write_runs()
save()
return cmsgpack.pack(out)
