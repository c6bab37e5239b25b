package sam

// table is the order of the keys of a mapping of Python 2.7: that of its hash table, with open addressing. SAM's deployment ids are digests of
// definitions printed in that order, and AWS keeps the ids. The rules are those of CPython 2.7's Objects/dictobject.c.
type table struct {
	slots []slot
	// used counts the keys, filled also the places of keys that were removed.
	used, filled int
}

type slot struct {
	key   name
	state slotState
}

type slotState byte

const (
	slotFree slotState = iota
	slotUsed
	slotRemoved
)

const (
	smallestTable = 8
	perturbShift  = 5
	// A table of more keys grows by two, a smaller one by four.
	largeTable = 50_000
)

func newTable() *table { return &table{slots: make([]slot, smallestTable)} }

// hash27 is the hash of a text in Python 2.7 on 64-bit machines.
func hash27(s string) uint64 {
	var h, length uint64
	for _, c := range s {
		if length == 0 {
			h = uint64(c) << 7
		}
		h = 1000003*h ^ uint64(c)
		length++
	}
	return h ^ length
}

// find returns the slot of a key, or the one where it would be written.
func (t *table) find(key string) int {
	mask := uint64(len(t.slots) - 1)
	hash := hash27(key)
	i := hash & mask
	free := -1
	for walker, perturb := i, hash; ; perturb >>= perturbShift {
		s := &t.slots[i]
		switch {
		case s.state == slotFree && free >= 0:
			return free
		case s.state == slotFree || s.state == slotUsed && s.key.text == key:
			return int(i)
		case s.state == slotRemoved && free < 0:
			free = int(i)
		}
		walker = 5*walker + perturb + 1
		i = walker & mask
	}
}

func (t *table) add(key name) {
	s := &t.slots[t.find(key.text)]
	switch s.state {
	case slotUsed:
		return
	case slotFree:
		t.filled++
	}
	*s = slot{key, slotUsed}
	t.used++
	if t.filled*3 >= len(t.slots)*2 {
		factor := 4
		if t.used > largeTable {
			factor = 2
		}
		t.resize(t.used * factor)
	}
}

func (t *table) remove(key string) {
	if s := &t.slots[t.find(key)]; s.state == slotUsed {
		*s = slot{state: slotRemoved}
		t.used--
	}
}

// reserve makes room for n more keys that are to be written at once.
func (t *table) reserve(n int) {
	if n > 0 && (t.filled+n)*3 >= len(t.slots)*2 {
		t.resize((t.used + n) * 2)
	}
}

func (t *table) resize(atLeast int) {
	size := smallestTable
	for size <= atLeast {
		size *= 2
	}
	old := t.slots
	*t = table{slots: make([]slot, size)}
	for _, s := range old {
		if s.state == slotUsed {
			t.add(s.key)
		}
	}
}

func (t *table) keys() []name {
	out := make([]name, 0, t.used)
	for _, s := range t.slots {
		if s.state == slotUsed {
			out = append(out, s.key)
		}
	}
	return out
}
