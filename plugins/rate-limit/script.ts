/** The clock of Redis itself, so that gateways need not agree on the time. */
export const REDIS_TIME = "local time = redis.call('TIME')\nlocal now = time[1] * 1000000 + time[2]"

/** How many arguments each limit has. */
export const ARGUMENTS = 7

/**
 * Decides about all limits of a request and charges them, in one step that nothing comes between: all or none. It
 * counts as `gcra.ts` and `sliding-window.ts` do, with the same numbers; a test compares them step by step.
 *
 * Arguments: the time after which nobody waits for the answer (0: none), then for each key the kind of its algorithm
 * (0 GCRA, 1 sliding window), whether it only tries itself out, the cost, and the algorithm's four parameters.
 * Answers with 1 (allowed), 0 (refused) or -1 (too late, nothing was charged), the time, and for each key whether it
 * fits, what remains, wait (-1: for ever) and reset.
 * @param clock sets `now`, in microseconds
 */
export function limitScript(clock: string = REDIS_TIME): string {
  return `${clock}
local deadline = tonumber(ARGV[1])
if deadline > 0 and now > deadline then return {-1, now} end

local function numbers(key)
  local found = {}
  for number in string.gmatch(redis.call('GET', key) or '', '%d+') do found[#found + 1] = tonumber(number) end
  return found
end

local gcra = {}
function gcra.load(one, tick, cell, drain, full)
  local old = numbers(one.key)
  one.tick, one.cell, one.drain, one.full = tick, cell, drain, full
  one.at = math.floor(now / tick)
  local passed = one.at - (old[2] or one.at)
  one.turned = passed < 0
  one.level = math.max(0, (old[1] or 0) - math.max(0, passed) * drain)
end
function gcra.look(one, cost)
  local over = one.level + cost * one.cell - one.full
  one.remaining = math.floor((one.full - one.level) / one.cell)
  one.reset = math.ceil(one.level / one.drain) * one.tick
  one.wait = 0
  if over <= 0 then return true end
  if cost * one.cell > one.full then one.wait = -1
  else one.wait = (one.at + math.ceil(over / one.drain)) * one.tick - now end
  return false
end
function gcra.charge(one, cost)
  one.level = one.level + cost * one.cell
  local ttl = math.ceil(one.level / one.drain) * one.tick
  return string.format('%.0f:%.0f', one.level, one.at), ttl
end

local window = {}
function window.load(one, part, max)
  local old = numbers(one.key)
  one.part, one.max = part, max
  one.at = math.floor(now / part)
  local passed = one.at - (old[1] or one.at)
  one.turned = passed < 0
  passed = math.max(0, passed)
  one.counts = {}
  for i = 1, 17 do one.counts[i] = i > passed and old[1 + i - passed] or 0 end
end
function window.look(one, cost)
  local total, newest = 0, nil
  for i, count in ipairs(one.counts) do
    total = total + count
    if count > 0 and not newest then newest = i end
  end
  one.remaining = math.max(0, one.max - total)
  one.reset = newest and (one.at + 18 - newest) * one.part - now or 0
  one.wait = 0
  if cost == 0 or total + cost <= one.max then return true end
  if cost > one.max then one.wait = -1
  else
    local parts = 0
    while total + cost > one.max do
      total = total - one.counts[17 - parts]
      parts = parts + 1
    end
    one.wait = (one.at + parts) * one.part - now
  end
  return false
end
function window.charge(one, cost)
  one.counts[1] = one.counts[1] + cost
  local value = string.format('%.0f', one.at)
  for _, count in ipairs(one.counts) do value = value .. string.format(':%.0f', count) end
  return value, 17 * one.part
end

local all, allowed = {}, 1
for i, key in ipairs(KEYS) do
  local first = 2 + (i - 1) * ${ARGUMENTS}
  local arg = {}
  for j = 0, ${ARGUMENTS - 1} do arg[j + 1] = tonumber(ARGV[first + j]) end
  local kind = arg[1] == 0 and gcra or window
  local one = {key = key, kind = kind, cost = arg[3]}
  kind.load(one, arg[4], arg[5], arg[6], arg[7])
  one.fits = kind.look(one, one.cost)
  if not one.fits and arg[2] == 0 then allowed = 0 end
  all[i] = one
end

local reply = {allowed, now}
for _, one in ipairs(all) do
  local charged = allowed == 1 and one.fits and one.cost > 0
  -- If the clock has gone back, it counts on from there, whether or not there is room.
  if charged or one.turned then
    local value, ttl = one.kind.charge(one, charged and one.cost or 0)
    redis.call('SET', one.key, value, 'PX', string.format('%.0f', math.ceil(ttl / 1000) + 1000))
  end
  if charged then one.kind.look(one, 1) end
  reply[#reply + 1] = one.fits and 1 or 0
  reply[#reply + 1] = one.remaining
  reply[#reply + 1] = one.wait
  reply[#reply + 1] = one.reset
end
return reply
`
}
