package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
	"unsafe"

	"github.com/alicebob/miniredis/v2"
)

// engine is miniredis' one database, seen as entries.
type engine struct {
	redis *miniredis.Miniredis
	db    *miniredis.RedisDB
	// miniredis counts the versions of every key that ever was, for WATCH, and
	// may keep the last use of deleted ones: both are cleared here when a key
	// goes, or single-use keys would fill the memory.
	versions map[string]uint
	lastUse  map[string]time.Time
}

// errEngine says that miniredis is not the version this package was written for.
var errEngine = errors.New("miniredis has other internals than expected")

func newEngine() (*engine, error) {
	e := &engine{redis: miniredis.NewMiniRedis()}
	e.db = e.redis.DB(0)
	if err := privateField(e.db, "keyVersion", &e.versions); err != nil {
		return nil, err
	}
	return e, privateField(e.db, "lru", &e.lastUse)
}

// privateField copies a struct's unexported field, which must have target's type.
func privateField[T any](object any, name string, target *T) error {
	field := reflect.ValueOf(object).Elem().FieldByName(name)
	if !field.IsValid() || field.Type() != reflect.TypeFor[T]() {
		return fmt.Errorf("%w: RedisDB.%s", errEngine, name)
	}
	*target = *(*T)(unsafe.Pointer(field.UnsafeAddr()))
	return nil
}

// forget drops what miniredis keeps of a deleted key.
func (e *engine) forget(key string) {
	e.redis.Lock()
	defer e.redis.Unlock()
	delete(e.versions, key)
	delete(e.lastUse, key)
}

// remove deletes a key.
func (e *engine) remove(key string) {
	e.db.Del(key)
	e.forget(key)
}

// state returns the key's entry without its deadline. A key that does not exist
// is a deleted one. Nobody may change the key meanwhile.
func (e *engine) state(key string) entry {
	s := entry{key: key}
	switch t := e.db.Type(key); t {
	case "":
	case "string":
		s.kind = kindString
		s.values = make([]string, 1)
		s.values[0], _ = e.db.Get(key)
	case "list":
		s.kind = kindList
		s.values, _ = e.db.List(key)
	case "set":
		s.kind = kindSet
		s.values, _ = e.db.Members(key)
	case "hash":
		s.kind = kindHash
		fields, _ := e.db.HKeys(key)
		for _, f := range fields {
			s.values = append(s.values, f, e.db.HGet(key, f))
		}
	case "zset":
		s.kind = kindZSet
		scores, _ := e.db.SortedSet(key)
		for member, score := range scores {
			bits := binary.BigEndian.AppendUint64(nil, math.Float64bits(score))
			s.values = append(s.values, member, string(bits))
		}
	default: // no command that makes one is offered
		panic("store: no way to store a " + t)
	}
	return s
}

// restore creates a key that does not exist yet. The entry must be sound.
func (e *engine) restore(s entry) error {
	var err error
	switch s.kind {
	case kindString:
		err = e.db.Set(s.key, s.values[0])
	case kindList:
		_, err = e.db.Push(s.key, s.values...)
	case kindSet:
		_, err = e.db.SetAdd(s.key, s.values...)
	case kindHash:
		e.db.HSet(s.key, s.values...)
	case kindZSet:
		for i := 0; i < len(s.values) && err == nil; i += 2 {
			score := math.Float64frombits(binary.BigEndian.Uint64([]byte(s.values[i+1])))
			_, err = e.db.ZAdd(s.key, score, s.values[i])
		}
	case kindDeleted:
	}
	return err
}
