-- Before reserve.lua and forget.lua: the numbers of what a run has seen.
--
-- They lie in intsets that grow by linear hashing: `fill` numbers a bucket on average, one bucket split when an insertion
-- overflows that. Numbers are decimal strings below 2^63, of which Lua's doubles hold the last 15 digits exactly; 10^15 is a
-- multiple of 2^15, which bounds the number of buckets.
local FILL, MOST = 256, 15
-- Buckets without a number that may lie between others, where the shape has to be found again.
local MOST_HOLES = 16

-- What was written with a seal is told from what was damaged since: its body, or nil.
local SEAL = 8
local function seal_of(body) return sub(redis.sha1hex(body), 1, SEAL) end
local function sealed(body) return seal_of(body) .. body end
local function unsealed(value)
  local body = value and sub(value, SEAL + 1)
  return body and seal_of(body) == sub(value, 1, SEAL) and body or nil
end

local function bucket_of(low, shape)
  local b = low % shape.size
  return b < shape.split and low % (2 * shape.size) or b
end

-- The shape that the buckets themselves have. With another one every number would be looked for in the wrong bucket, and
-- whatever was seen would be new.
local function shape_of_buckets(base)
  local buckets, n, at, holes = 0, 0, 0, 0
  while holes < MOST_HOLES do
    local here = call('SCARD', base .. format('%d', at))
    at, n, holes = at + 1, n + here, here == 0 and holes + 1 or 0
    if here > 0 then buckets = at end
  end
  local size = 1
  while 2 * size <= buckets do size = 2 * size end
  return {size = size, split = max(buckets - size, 0), n = n, gone = 0}
end

-- {size, split: buckets, as linear hashing has them; n: numbers; gone: buckets that forget.lua removed}; nil when the run
-- has seen nothing.
local function shape_of(run)
  local base = P .. 'seen:' .. run .. ':'
  local packed = call('GET', base .. 'shape')
  local size, split, n, gone = string.match(unsealed(packed) or '', '^(%d+) (%d+) (%d+) (%d+)$')
  if size then return {size = tonumber(size), split = tonumber(split), n = tonumber(n), gone = tonumber(gone)} end
  if not packed and call('EXISTS', base .. '0') == 0 then return nil end
  count(run, 't:corrupt-record', 1)
  return shape_of_buckets(base)
end

local function write_shape(run, shape, keep)
  local packed = sealed(format('%d %d %d %d', shape.size, shape.split, shape.n, shape.gone))
  call('SET', P .. 'seen:' .. run .. ':shape', packed, 'EX', keep)
end
