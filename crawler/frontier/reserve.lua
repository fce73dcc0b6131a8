-- Decide, in the partition of the hosts, which URLs are new; count them, and hold them against the host's budget.
-- ARGV[1]: msgpack list of entries {m marker, r run, u {{number, host, skip reason or ''}, …}, b budget per host, p place};
-- ARGV[2]: seconds that seen numbers and markers are kept.
-- Returns {flags, place} per entry; flags has a character per URL: '0' seen before, '1' admitted, '2' counted as skipped.
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

local function remember(base, meta, number)
  local bucket = base .. bucket_of(number, meta.level, meta.split)
  if redis.call('SADD', bucket, number) == 0 then return false end
  redis.call('EXPIRE', bucket, keep)
  meta.n = meta.n + 1
  if meta.n > FILL * (2 ^ meta.level + meta.split) and meta.level < MOST then grow(base, meta) end
  return true
end

local function judge(entry)
  local base, budget = P .. 'seen:' .. entry.r .. ':', P .. 'host:' .. entry.r
  local state = redis.call('HMGET', base .. 'meta', 'level', 'split', 'n')
  local meta = {level = tonumber(state[1] or 0), split = tonumber(state[2] or 0), n = tonumber(state[3] or 0)}
  local flags = {}
  for i, url in ipairs(entry.u) do
    if not remember(base, meta, url[1]) then
      flags[i] = '0'
    else
      count(entry.r, 'discovered', 1)
      local skip = url[3]
      if skip == '' and redis.call('HINCRBY', budget, url[2], 1) > entry.b then skip = 'host-budget' end
      if skip == '' then
        flags[i] = '1'
      else
        flags[i] = '2'
        count(entry.r, 's:' .. skip, 1)
      end
    end
  end
  redis.call('HSET', base .. 'meta', 'level', meta.level, 'split', meta.split, 'n', meta.n)
  redis.call('EXPIRE', base .. 'meta', keep)
  redis.call('EXPIRE', budget, keep)
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
flush_counts()
return out
