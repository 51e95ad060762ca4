/**
 * What instances keep in Redis about who is online, and the scripts that change it atomically. The keys share a hash
 * tag, so that a script may touch them all.
 *
 * `…:deadlines`   sorted set: each instance, and until when it is alive without another heartbeat
 * `…:seen`        hash: when each instance last gave a heartbeat; absent once it has said goodbye
 * `…:on:<id>`     set: the users who are on an instance
 *
 * Every script gets the deadlines key as KEYS[1] and the calling instance's id as ARGV[1].
 */
export const DEADLINES_KEY = '{parley:presence}:deadlines';

const COMMON = `
local deadlines = KEYS[1]
local seen = '{parley:presence}:seen'
local own = ARGV[1]
local function on(instance) return '{parley:presence}:on:' .. instance end
local instances = redis.call('ZRANGE', deadlines, 0, -1)
local function is_elsewhere(user, here)
  for _, instance in ipairs(instances) do
    if instance ~= here and redis.call('SISMEMBER', on(instance), user) == 1 then return true end
  end
  return false
end
`;

/**
 * ARGV: id, how many arrived, those who arrived, those who departed.
 * Answers [who is online now, who is offline now], or nil if the instance is not registered.
 */
export const MOVE = `${COMMON}
if not redis.call('ZSCORE', deadlines, own) then return nil end
local arrivals = tonumber(ARGV[2])
local online, offline = {}, {}
for i = 3, #ARGV do
  local user = ARGV[i]
  if i < 3 + arrivals then
    if redis.call('SADD', on(own), user) == 1 and not is_elsewhere(user, own) then online[#online + 1] = user end
  elseif redis.call('SREM', on(own), user) == 1 and not is_elsewhere(user, own) then
    offline[#offline + 1] = user
  end
end
return { online, offline }
`;

/**
 * Registers an instance with exactly these users, whatever stood there before.
 * ARGV: id, now, deadline, its users. Answers [who is online now, who is offline now].
 */
export const REPLACE = `${COMMON}
local before, now_here = {}, {}
for _, user in ipairs(redis.call('SMEMBERS', on(own))) do before[user] = true end
redis.call('ZADD', deadlines, ARGV[3], own)
redis.call('HSET', seen, own, ARGV[2])
redis.call('DEL', on(own))
local online, offline = {}, {}
for i = 4, #ARGV do
  local user = ARGV[i]
  now_here[user] = true
  redis.call('SADD', on(own), user)
  if not before[user] and not is_elsewhere(user, own) then online[#online + 1] = user end
end
for user in pairs(before) do
  if not now_here[user] and not is_elsewhere(user, own) then offline[#offline + 1] = user end
end
return { online, offline }
`;

/**
 * A heartbeat, which also buries the instances that gave none in time: only the first to notice gets their users.
 * ARGV: id, now, deadline. Answers a flat list of user, time (empty: written down already) of who is offline now,
 * or nil if the instance is not registered, because others took it for dead or Redis was emptied.
 */
export const BEAT = `${COMMON}
if not redis.call('ZSCORE', deadlines, own) then return nil end
redis.call('ZADD', deadlines, ARGV[3], own)
redis.call('HSET', seen, own, ARGV[2])
local offline = {}
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', deadlines, '-inf', ARGV[2])) do
  local at = redis.call('HGET', seen, dead) or ''
  local users = redis.call('SMEMBERS', on(dead))
  redis.call('ZREM', deadlines, dead)
  redis.call('HDEL', seen, dead)
  redis.call('DEL', on(dead))
  for _, user in ipairs(users) do
    if not is_elsewhere(user, dead) then
      offline[#offline + 1] = user
      offline[#offline + 1] = at
    end
  end
end
return offline
`;

/** ARGV: id, deadline. Gives the instance that long, and answers its users who are on no other one. */
export const GOODBYE = `${COMMON}
if not redis.call('ZSCORE', deadlines, own) then return {} end
redis.call('ZADD', deadlines, ARGV[2], own)
redis.call('HDEL', seen, own)
local alone = {}
for _, user in ipairs(redis.call('SMEMBERS', on(own))) do
  if not is_elsewhere(user, own) then alone[#alone + 1] = user end
end
return alone
`;

/** ARGV: id, users. Answers those who are on another instance. */
export const ELSEWHERE = `${COMMON}
local online = {}
for i = 2, #ARGV do
  if is_elsewhere(ARGV[i], own) then online[#online + 1] = ARGV[i] end
end
return online
`;
