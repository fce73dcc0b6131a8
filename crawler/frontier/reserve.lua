-- Decide, in the partition of the hosts, which URLs are new; count them, and hold them against the host's budget.
-- ARGV[1]: msgpack list of entries {m marker, r run, u {{number, host, skip reason or ''}, …}, b budget per host, p place};
-- ARGV[2]: seconds that seen numbers and markers are kept.
-- Returns msgpack of {flags, place} per entry; flags has a character per URL: '0' seen before, '1' admitted, '2' counted as skipped.
-- Flags and place (where the hosts lie, opaque here) stand under the entry's marker, so that a second delivery gets those of
-- the first, whatever has become of names and scope meanwhile.
local entries = cmsgpack.unpack(ARGV[1])
local keep = tonumber(ARGV[2])
for _, entry in ipairs(entries) do
  assert(type(entry.m) == 'string' and type(entry.r) == 'string' and type(entry.u) == 'table', 'malformed entry')
end

-- Seen numbers lie in intsets that grow by linear hashing: `fill` numbers a bucket on average, one bucket split when an
-- insertion overflows that. Numbers are decimal strings below 2^63, of which Lua's doubles hold the last 15 digits
-- exactly; 10^15 is a multiple of 2^15, which bounds the number of buckets.
local FILL, MOST = 256, 15
local function bucket_of(number, level, split)
  local low = tonumber(string.sub(number, -15))
  local b = low % (2 ^ level)
  if b < split then b = low % (2 ^ (level + 1)) end
  return string.format('%.0f', b)
end

local function grow(base, meta)
  local from = base .. string.format('%.0f', meta.split)
  local to = base .. string.format('%.0f', meta.split + 2 ^ meta.level)
  local moving = {}
  for _, number in ipairs(redis.call('SMEMBERS', from)) do
    if tonumber(string.sub(number, -15)) % (2 ^ (meta.level + 1)) ~= meta.split then moving[#moving + 1] = number end
  end
  for first = 1, #moving, 500 do
    local last = math.min(first + 499, #moving)
    redis.call('SREM', from, unpack(moving, first, last))
    redis.call('SADD', to, unpack(moving, first, last))
  end
  redis.call('EXPIRE', to, keep)
  meta.split = meta.split + 1
  if meta.split == 2 ^ meta.level then meta.split, meta.level = 0, meta.level + 1 end
end

-- A bucket's life is prolonged at every sixteenth number or so: it is of weeks, and one command less for the others.
local function remember(base, meta, number)
  local bucket = base .. bucket_of(number, meta.level, meta.split)
  if redis.call('SADD', bucket, number) == 0 then return false end
  if meta.n == 0 or tonumber(string.sub(number, -2)) % 16 == 0 then redis.call('EXPIRE', bucket, keep) end
  meta.n = meta.n + 1
  if meta.n > FILL * (2 ^ meta.level + meta.split) and meta.level < MOST then grow(base, meta) end
  return true
end

-- What is known of a run: the shape of its seen set and its hosts' counts, read once and written once.
local runs = {}
local function state_of_run(run)
  if not runs[run] then
    local state = redis.call('HMGET', P .. 'seen:' .. run .. ':meta', 'level', 'split', 'n')
    local meta = {level = tonumber(state[1] or 0), split = tonumber(state[2] or 0), n = tonumber(state[3] or 0)}
    runs[run] = {meta = meta, hosts = {}}
  end
  return runs[run]
end

local function read_hosts(run, hosts, urls)
  local wanted, asked = {}, {}
  for _, url in ipairs(urls) do
    local host = url[2]
    if url[3] == '' and not hosts[host] and not asked[host] then
      asked[host] = true
      wanted[#wanted + 1] = host
    end
  end
  for first = 1, #wanted, 1000 do
    local last = math.min(first + 999, #wanted)
    for i, n in ipairs(redis.call('HMGET', P .. 'host:' .. run, unpack(wanted, first, last))) do
      hosts[wanted[first + i - 1]] = tonumber(n or 0)
    end
  end
end

local function write_runs()
  for run, state in pairs(runs) do
    local seen, budget, counts = P .. 'seen:' .. run .. ':meta', P .. 'host:' .. run, {}
    redis.call('HSET', seen, 'level', state.meta.level, 'split', state.meta.split, 'n', state.meta.n)
    redis.call('EXPIRE', seen, keep)
    for host, n in pairs(state.hosts) do
      counts[#counts + 1] = host
      counts[#counts + 1] = n
    end
    call_in_parts(counts, 'HSET', budget)
    redis.call('EXPIRE', budget, keep)
  end
end

local function judge(entry)
  local run = state_of_run(entry.r)
  local base, hosts, meta = P .. 'seen:' .. entry.r .. ':', run.hosts, run.meta
  read_hosts(entry.r, hosts, entry.u)
  local flags, fresh = {}, 0
  for i, url in ipairs(entry.u) do
    if not remember(base, meta, url[1]) then
      flags[i] = '0'
    else
      fresh = fresh + 1
      local skip = url[3]
      if skip == '' then
        local n = hosts[url[2]] + 1
        hosts[url[2]] = n
        if n > entry.b then skip = 'host-budget' end
      end
      flags[i] = skip == '' and '1' or '2'
      if skip ~= '' then count(entry.r, 's:' .. skip, 1) end
    end
  end
  count(entry.r, 'discovered', fresh)
  return table.concat(flags)
end

local out = {}
for i, entry in ipairs(entries) do
  local marker = P .. 'mark:' .. entry.m
  local answer = redis.call('HMGET', marker, 'flags', 'place')
  if not answer[1] then
    answer = {judge(entry), entry.p}
    redis.call('HSET', marker, 'flags', answer[1], 'place', answer[2])
    redis.call('EXPIRE', marker, keep)
  end
  out[i] = answer
end
write_runs()
flush_counts()
return cmsgpack.pack(out)
