package store

import (
	"container/heap"
	"math"
	"sync/atomic"
)

// keyIndex knows every live key and when it expires. It is not safe for
// concurrent use, except for [keyIndex.due].
type keyIndex struct {
	keys map[string]*liveKey
	heap deadlineHeap
	next atomic.Int64
}

// liveKey is one key. Its deadline is in Unix milliseconds, 0 for none.
type liveKey struct {
	name     string
	deadline int64
	position int // in the heap, -1 when the key has no deadline
}

func newKeyIndex() *keyIndex {
	x := &keyIndex{keys: map[string]*liveKey{}}
	x.next.Store(math.MaxInt64)
	return x
}

// set notes that the key lives until deadline, 0 for ever.
func (x *keyIndex) set(name string, deadline int64) {
	k, ok := x.keys[name]
	if !ok {
		k = &liveKey{name: name, position: -1}
		x.keys[name] = k
	}
	if k.deadline == deadline {
		return
	}
	k.deadline = deadline
	switch {
	case deadline == 0:
		heap.Remove(&x.heap, k.position)
	case k.position < 0:
		heap.Push(&x.heap, k)
	default:
		heap.Fix(&x.heap, k.position)
	}
	x.publish()
}

// remove forgets a key that is gone.
func (x *keyIndex) remove(name string) {
	k, ok := x.keys[name]
	if !ok {
		return
	}
	delete(x.keys, name)
	if k.position >= 0 {
		heap.Remove(&x.heap, k.position)
		x.publish()
	}
}

// deadline returns when the key expires, 0 for never or when it does not exist.
func (x *keyIndex) deadline(name string) int64 {
	if k, ok := x.keys[name]; ok {
		return k.deadline
	}
	return 0
}

// due says whether a key has expired at now. Safe for concurrent use.
func (x *keyIndex) due(now int64) bool {
	return x.next.Load() <= now
}

// first returns the key that expires first; it must exist.
func (x *keyIndex) first() string {
	return x.heap[0].name
}

// names returns all keys, in no order.
func (x *keyIndex) names() []string {
	names := make([]string, 0, len(x.keys))
	for name := range x.keys {
		names = append(names, name)
	}
	return names
}

func (x *keyIndex) publish() {
	next := int64(math.MaxInt64)
	if len(x.heap) > 0 {
		next = x.heap[0].deadline
	}
	x.next.Store(next)
}

// deadlineHeap is a heap.Interface with the earliest deadline first.
type deadlineHeap []*liveKey

func (h deadlineHeap) Len() int           { return len(h) }
func (h deadlineHeap) Less(i, j int) bool { return h[i].deadline < h[j].deadline }

func (h deadlineHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].position, h[j].position = i, j
}

func (h *deadlineHeap) Push(x any) {
	k := x.(*liveKey)
	k.position = len(*h)
	*h = append(*h, k)
}

func (h *deadlineHeap) Pop() any {
	last := len(*h) - 1
	k := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	k.position = -1
	return k
}
