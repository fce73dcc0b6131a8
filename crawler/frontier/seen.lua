-- Before reserve.lua and forget.lua: the numbers of what a run has seen.
--
-- They lie in intsets that grow by linear hashing, docs/adr/0042: a round splits each bucket in four, one after the other. It
-- begins at START numbers a bucket on average and splits one for every STEP numbers from there on, so that none holds more than
-- 512, above which Redis keeps no intset. A number's bucket is told by the low bits of its magnitude, at most BITS of them.
local START, STEP, BITS = 290, 128, 20
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

-- A number's magnitude modulo a power of two: of its digits Lua's doubles hold 15 exactly, 10^15 is 2^15 times an odd number
-- that leaves 13 of 32. nil for what is no number.
local function low_of(number, modulus)
  local low = tonumber(sub(number, -15))
  if not low then return nil end
  low = math.abs(low)
  if modulus > 2 ^ 15 then low = low + 2 ^ 15 * (13 * math.abs(tonumber(sub(number, 1, -16)) or 0) % 32) end
  return low % modulus
end

local function bucket_of(low, shape)
  local b = low % shape.size
  return b < shape.split and low % (4 * shape.size) or b
end

-- How many buckets there are, and which is the one at a place (from 0) among them: behind the first `size` those that were
-- split from them, in three stretches.
local function buckets_of(shape) return shape.size + 3 * shape.split end
local function bucket_at(place, shape)
  local behind = place - shape.size
  if behind < 0 then return place end
  return shape.size * (1 + math.floor(behind / shape.split)) + behind % shape.split
end

-- How many buckets stand in a row, of at most so many, and how many numbers are in them.
local function standing_from(base, first, most)
  local buckets, n, at, holes = 0, 0, 0, 0
  while at < most and holes < MOST_HOLES do
    local here = call('SCARD', base .. format('%d', first + at))
    at, n, holes = at + 1, n + here, here == 0 and holes + 1 or 0
    if here > 0 then buckets = at end
  end
  return buckets, n
end

-- The shape that the buckets themselves have. With another one every number would be looked for in the wrong bucket, and
-- whatever was seen would be new.
local function shape_of_buckets(base)
  local size = 1
  local _, n = standing_from(base, 0, 1)
  while true do
    local split = 0
    for stretch = 1, 3 do
      local buckets, within = standing_from(base, stretch * size, size)
      split, n = max(split, buckets), n + within
    end
    if split < size then return {size = size, split = split, n = n, gone = 0} end
    size = 4 * size
  end
end

-- {size: buckets as the round began, split: how many of them were split since, n: numbers, gone: buckets that forget.lua
-- removed}; nil when the run has seen nothing.
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
