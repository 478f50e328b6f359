package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// inspect says what the settings of a real Redis put at risk. The master, or
// each master of a cluster, is asked with INFO and CONFIG GET; what the user
// may not ask is told as one more warning. The error is that of a Redis that does not answer.
func inspect(ctx context.Context, client redis.UniversalClient) ([]string, error) {
	if err := client.Ping(ctx).Err(); err != nil {
		return nil, err
	}
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return risks(readSettings(ctx, client)), nil
	}
	var mu sync.Mutex
	var all []string
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		found := risks(readSettings(ctx, master))
		mu.Lock()
		defer mu.Unlock()
		all = append(all, found...)
		return nil
	})
	slices.Sort(all)
	return slices.Compact(all), err
}

// settings holds what a Redis tells of itself; a missing name was not told.
type settings map[string]string

// readSettings asks one Redis. It is nil when nothing may be asked.
func readSettings(ctx context.Context, client redis.Cmdable) settings {
	s := settings{}
	for _, section := range []string{"memory", "persistence", "replication"} {
		text, err := client.Info(ctx, section).Result()
		if err == nil {
			s.addInfo(text)
		}
	}
	for _, name := range []string{"maxmemory", "maxmemory-policy", "appendonly", "appendfsync", "save", "min-replicas-to-write"} {
		values, err := client.ConfigGet(ctx, name).Result()
		if err == nil {
			for k, v := range values {
				s[k] = v
			}
		}
	}
	return s
}

// addInfo reads the lines of INFO, under the names that CONFIG GET uses where it has them.
func (s settings) addInfo(text string) {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), ":")
		switch {
		case !ok:
		case name == "maxmemory_policy":
			s["maxmemory-policy"] = value
		case name == "aof_enabled":
			s["appendonly"] = map[string]string{"1": "yes"}[value]
		default:
			s[name] = value
		}
	}
}

// risks returns a sentence for each setting that may lose keys.
func risks(s settings) []string {
	var found []string
	warn := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }

	policy, policyTold := s["maxmemory-policy"]
	limit, limitTold := s["maxmemory"]
	appendOnly, persistenceTold := s["appendonly"]
	if !policyTold || !limitTold || !persistenceTold {
		warn("redis: its user may run neither INFO nor CONFIG GET, so its eviction and persistence settings are unchecked: " +
			"it must have maxmemory-policy noeviction and appendonly yes")
	}
	if policyTold && policy != "noeviction" && limit != "0" {
		warn("redis: maxmemory-policy %s may evict keys and revocations: a revoked key could work again, and a valid key could stop working; set noeviction", policy)
	}
	fsync, fsyncTold := s["appendfsync"]
	save, saveTold := s["save"]
	switch {
	case !persistenceTold:
	case appendOnly == "yes" && fsyncTold && fsync != "always":
		warn("redis: appendfsync %s may lose the last writes when its machine stops: a key revoked just before could work again; "+
			"set always where that matters", fsync)
	case appendOnly != "yes" && saveTold && save == "":
		warn("redis: neither appendonly nor save is set: a restart loses every key and every revocation; set appendonly yes")
	case appendOnly != "yes":
		warn("redis: appendonly is off: a restart loses all writes since the last snapshot, so that a key revoked since could work again; set appendonly yes")
	}
	if replicas := s["connected_slaves"]; replicas != "" && replicas != "0" && s["min-replicas-to-write"] == "0" {
		warn("redis: min-replicas-to-write 0 lets a master go on writing alone: a failover loses those writes, so that a key revoked then could work again; set it to 1")
	}
	return found
}

// connect opens a client for a real Redis and inspects it.
func connect(ctx context.Context, config *Config) (redis.UniversalClient, []string, error) {
	options, err := config.options()
	if err != nil {
		return nil, nil, err
	}
	client := redis.NewUniversalClient(options)
	warnings, err := inspect(ctx, client)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("redis at %s: %w", strings.Join(options.Addrs, ", "), err), client.Close())
	}
	if config.UseSSL && config.SSLInsecureSkipVerify {
		warnings = append(warnings, "redis: ssl_insecure_skip_verify accepts any certificate: whoever is on the network between can read and change keys")
	}
	return client, warnings, nil
}
