package store

import "strconv"

// command says how the embedded store treats a Redis command.
type command struct {
	access access
	// keys returns the keys that the command writes or whose expiry it reads,
	// none when the arguments are wrong. Nil for commands without such keys.
	keys func(args []string) []string
	// script commands write, among their keys, those that the script names.
	script bool
	// rounds is set for commands that answer in seconds, which Redis rounds and miniredis cuts off.
	rounds bool
}

// access is what a command needs of the store.
type access int

const (
	// reads goes straight to miniredis: it sees values and who exists.
	reads access = iota
	// connects concerns the connection's state.
	connects
	// readsClock sees expiries or the time.
	readsClock
	// writes changes keys.
	writes
)

// commands returns every command that the embedded store offers.
func commands() map[string]command {
	table := map[string]command{
		"MULTI": {access: connects}, "EXEC": {access: writes}, "DISCARD": {access: connects},
		"AUTH": {access: connects}, "HELLO": {access: connects}, "SELECT": {access: connects},

		"TIME": {access: readsClock},
		"TTL":  {access: readsClock, keys: first, rounds: true}, "EXPIRETIME": {access: readsClock, keys: first, rounds: true},
		"PTTL": {access: readsClock, keys: first}, "PEXPIRETIME": {access: readsClock, keys: first},

		"EVAL": {access: writes, keys: scriptKeys, script: true}, "EVALSHA": {access: writes, keys: scriptKeys, script: true},
		"EVAL_RO": {access: readsClock, keys: scriptKeys}, "EVALSHA_RO": {access: readsClock, keys: scriptKeys},
	}
	for _, name := range []string{
		"CLIENT", "COMMAND", "DBSIZE", "ECHO", "INFO", "MEMORY", "PING", "QUIT", "SCRIPT",
		"PUBLISH", "PUBSUB", "SUBSCRIBE", "PSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE",
		"EXISTS", "KEYS", "RANDOMKEY", "SCAN", "TOUCH", "TYPE",
		"BITCOUNT", "BITPOS", "GET", "GETBIT", "GETRANGE", "MGET", "STRLEN",
		"HEXISTS", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "HRANDFIELD", "HSCAN", "HSTRLEN", "HVALS",
		"LINDEX", "LLEN", "LPOS", "LRANGE",
		"SCARD", "SDIFF", "SINTER", "SINTERCARD", "SISMEMBER", "SMEMBERS", "SMISMEMBER", "SRANDMEMBER", "SSCAN", "SUNION",
		"ZCARD", "ZCOUNT", "ZINTER", "ZLEXCOUNT", "ZMSCORE", "ZRANDMEMBER", "ZRANGE", "ZRANGEBYLEX", "ZRANGEBYSCORE", "ZRANK",
		"ZREVRANGE", "ZREVRANGEBYLEX", "ZREVRANGEBYSCORE", "ZREVRANK", "ZSCAN", "ZSCORE", "ZUNION",
	} {
		table[name] = command{access: reads}
	}
	for _, group := range []struct {
		keys  func([]string) []string
		names []string
	}{
		{first, []string{
			"APPEND", "DECR", "DECRBY", "DELEX", "GETDEL", "GETEX", "GETSET", "INCR", "INCRBY", "INCRBYFLOAT",
			"PSETEX", "SET", "SETBIT", "SETEX", "SETNX", "SETRANGE",
			"EXPIRE", "EXPIREAT", "PERSIST", "PEXPIRE", "PEXPIREAT",
			"HDEL", "HINCRBY", "HINCRBYFLOAT", "HMSET", "HSET", "HSETNX",
			"LINSERT", "LPOP", "LPUSH", "LPUSHX", "LREM", "LSET", "LTRIM", "RPOP", "RPUSH", "RPUSHX",
			"SADD", "SDIFFSTORE", "SINTERSTORE", "SPOP", "SREM", "SUNIONSTORE",
			"ZADD", "ZINCRBY", "ZINTERSTORE", "ZPOPMAX", "ZPOPMIN", "ZREM", "ZREMRANGEBYLEX", "ZREMRANGEBYRANK",
			"ZREMRANGEBYSCORE", "ZUNIONSTORE",
		}},
		{firstTwo, []string{"LMOVE", "RENAME", "RENAMENX", "RPOPLPUSH", "SMOVE"}},
		{all, []string{"DEL", "UNLINK"}},
		{everySecond, []string{"MSET", "MSETNX"}},
		{second, []string{"BITOP"}},
		{countedKeys, []string{"LMPOP", "ZMPOP"}},
	} {
		for _, name := range group.names {
			table[name] = command{access: writes, keys: group.keys}
		}
	}
	return table
}

func first(args []string) []string {
	return args[:min(1, len(args))]
}

func firstTwo(args []string) []string {
	return args[:min(2, len(args))]
}

func all(args []string) []string {
	return args
}

func second(args []string) []string {
	return first(args[min(1, len(args)):])
}

func everySecond(args []string) []string {
	var keys []string
	for i := 0; i < len(args); i += 2 {
		keys = append(keys, args[i])
	}
	return keys
}

// countedKeys reads "numkeys key [key ...]".
func countedKeys(args []string) []string {
	if len(args) == 0 {
		return nil
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 0 || n > len(args)-1 {
		return nil
	}
	return args[1 : 1+n]
}

// scriptKeys reads "script numkeys [key ...]".
func scriptKeys(args []string) []string {
	return countedKeys(args[min(1, len(args)):])
}
