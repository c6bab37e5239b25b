package optimistic

import "sync"

const (
	// maxRows bounds the rows of each of the two generations, maxRow their size in bytes.
	maxRows = 256
	maxRow  = 2 << 10
)

// rows keeps what updates read again and again, such as the record of a queue or a counter. A commit replaces what it writes before it is applied, so a
// row that is kept is what the store has at every version from its own to the last.
//
// There are two generations. What is read comes into the young one; when that is full it becomes the old one, whose rows go with the next change
// unless they are read before.
type rows struct {
	mu         sync.RWMutex // guards the fields below
	young, old map[string]row
	// version is that of the last commit that was noted.
	version uint64
}

// row is a value that is shared and not changed, and the first version that is known to have it.
type row struct {
	value   []byte
	version uint64
}

// get returns what the store has at k at version, if it is kept.
func (c *rows) get(k string, version uint64) ([]byte, bool) {
	c.mu.RLock()
	r, found := c.young[k]
	aged := false
	if !found {
		r, aged = c.old[k]
	}
	c.mu.RUnlock()
	if aged {
		c.rejuvenate(k)
	}
	return r.value, (found || aged) && r.version <= version
}

// rejuvenate moves a row of the old generation into the young one.
func (c *rows) rejuvenate(k string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok := c.old[k]; ok {
		delete(c.old, k)
		c.addLocked(k, r)
	}
}

// keep takes in what the store had at k at version, unless there was a commit since.
func (c *rows) keep(k string, value []byte, version uint64) {
	if len(value) > maxRow {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version == version {
		c.addLocked(k, row{value, version})
	}
}

func (c *rows) addLocked(k string, r row) {
	if len(c.young) >= maxRows {
		c.old, c.young = c.young, nil
	}
	if c.young == nil {
		c.young = map[string]row{}
	}
	c.young[k] = r
}

// note replaces what t writes as version. It is called before t is applied.
func (c *rows) note(t *txn, version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version = version
	if len(t.deleted) > 0 {
		c.young, c.old = nil, nil
	}
	if t.writes == nil || len(c.young)+len(c.old) == 0 {
		return
	}
	t.writes.Scan(func(w write) bool {
		for _, in := range [...]map[string]row{c.young, c.old} {
			if _, ok := in[w.key]; !ok {
				continue
			}
			if delete(in, w.key); !w.delete && len(w.value) <= maxRow {
				in[w.key] = row{w.value, version}
			}
		}
		return true
	})
}
