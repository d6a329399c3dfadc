-- An entry of the ledger, in one step: Redis runs a script alone, and writes what it changed to its log as one.
--
-- KEYS[1]  the account: a hash with `spent`, an `h` and a digest for what each holder holds, and an `e` and a digest for the
--          answer to each entry
-- ARGV     the digests of the entry and its holder; when the window opens, closes and is forgotten; `grant`, the limit and
--          what is wanted, or `return` and the amount
--
-- Numbers are whole and up to 2^53, which Lua's doubles hold exactly; `%.0f` writes all their digits.
local entry, holder = 'e' .. ARGV[1], 'h' .. ARGV[2]

local before = redis.call('HGET', KEYS[1], entry)
if before then
    return before
end

-- The clock of Redis: one for all instances, and the one that forgets.
local now = redis.call('TIME')[1]
if tonumber(now) < tonumber(ARGV[3]) or tonumber(now) > tonumber(ARGV[4]) then
    return 'now ' .. now
end

local found = redis.call('HMGET', KEYS[1], 'spent', holder)
local spent, held = tonumber(found[1] or 0), tonumber(found[2] or 0)
local answer
if ARGV[6] == 'grant' then
    local limit, want = tonumber(ARGV[7]), tonumber(ARGV[8])
    local granted = math.min(want, math.max(0, limit - spent))
    spent, held = spent + granted, held + granted
    answer = string.format('granted %.0f %.0f', granted, math.max(0, limit - spent))
else
    local returned = math.min(tonumber(ARGV[7]), held, spent)
    spent, held = spent - returned, held - returned
    answer = string.format('returned %.0f', returned)
end
redis.call('HSET', KEYS[1], 'spent', string.format('%.0f', spent), holder, string.format('%.0f', held), entry, answer)
redis.call('EXPIREAT', KEYS[1], ARGV[5])
return answer
