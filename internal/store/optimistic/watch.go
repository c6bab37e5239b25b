package optimistic

import (
	"maps"
	"slices"
	"sync"

	"lambent.dev/lambent/internal/store"
)

// hub wakes the watchers of the prefixes that a commit wrote.
type hub struct {
	mu       sync.RWMutex // guards the fields below
	byPrefix map[string][]*store.Watcher
	// counted is how many watchers have a prefix of a length, lengths are these in order.
	counted map[int]int
	lengths []int
}

func newHub() *hub {
	return &hub{byPrefix: map[string][]*store.Watcher{}, counted: map[int]int{}}
}

func (h *hub) watch(prefix string) *store.Watcher {
	var w *store.Watcher
	stop := sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		left := slices.DeleteFunc(slices.Clone(h.byPrefix[prefix]), func(o *store.Watcher) bool { return o == w })
		if h.byPrefix[prefix] = left; len(left) == 0 {
			delete(h.byPrefix, prefix)
		}
		if h.counted[len(prefix)]--; h.counted[len(prefix)] == 0 {
			delete(h.counted, len(prefix))
			h.lengths = slices.Sorted(maps.Keys(h.counted))
		}
	})
	w = store.NewWatcher(stop)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.byPrefix[prefix] = append(h.byPrefix[prefix], w)
	if h.counted[len(prefix)]++; h.counted[len(prefix)] == 1 {
		h.lengths = slices.Sorted(maps.Keys(h.counted))
	}
	return w
}

// notify wakes the watchers that c concerns, each prefix once: neighbours among the sorted keys mostly begin alike.
func (h *hub) notify(c *commit) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	last, same := "", -1
	for _, k := range c.keys {
		if last != "" {
			same = common(last, k)
		}
		for _, n := range slices.Backward(h.lengths) {
			if n <= same {
				break
			}
			if n <= len(k) {
				wake(h.byPrefix[k[:n]])
			}
		}
		last = k
	}
	if len(c.ranges) == 0 {
		return
	}
	for prefix, ws := range h.byPrefix {
		if slices.ContainsFunc(c.ranges, prefixInterval(prefix).meets) {
			wake(ws)
		}
	}
}

// common returns how many bytes a and b begin with alike.
func common(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func wake(ws []*store.Watcher) {
	for _, w := range ws {
		w.Wake()
	}
}

// prefixInterval is the keys that begin with p.
func prefixInterval(p string) interval {
	end := store.PrefixEnd([]byte(p))
	if end == nil {
		return interval{p, reserved}
	}
	return interval{p, string(end)}
}
