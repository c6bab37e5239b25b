package meter

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// maxStripes bounds how many processors count into one meter without waiting for each other.
const maxStripes = 8

// Series says what a meter counts. It must not change.
type Series struct {
	Account, Region, Namespace string
	// Sets are the dimensions under which everything is counted; a set may be empty.
	Sets [][]Dimension
	// Measures are what [Meter.Record] takes values of, in its order.
	Measures []Measure
}

// Dimension is a name and a value that tell metrics of one name apart.
type Dimension struct{ Name, Value string }

// Measure is the name of a metric and its unit, as CloudWatch has them: "Count", "Milliseconds", "Bytes".
type Measure struct{ Name, Unit string }

// Skip as a value adds no sample to its measure.
var Skip = math.NaN()

// One is the value of something that happened, or did not.
func One(happened bool) float64 {
	if happened {
		return 1
	}
	return 0
}

// Milliseconds is the value of a duration.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Meter counts. Make one with [Registry.Meter]; a nil meter counts nothing.
type Meter struct {
	series   Series
	registry *Registry
	stripes  [maxStripes]atomic.Pointer[stripe]
}

// stripe is what some of the processors counted.
type stripe struct {
	mu sync.Mutex // guards the fields below
	// minute is that of cells, in minutes since 1970; cells are by measure and empty where nothing was counted.
	minute  int64
	counted bool
	cells   []cell
	closed  []minute // that came before
}

// minute is what was counted in a minute.
type minute struct {
	at    int64
	cells []cell
}

// cell is the samples of one measure. Zeros and ones, of which there are most, are no buckets of their own.
type cell struct {
	count, zeros, ones uint64
	sum, min, max      float64
	spread             map[int32]uint64
}

// Record adds a sample to each measure for which there is a value that is not [Skip]. It is safe for concurrent use.
func (m *Meter) Record(at time.Time, values ...float64) {
	if m == nil {
		return
	}
	s := m.lock()
	now := at.Unix() / 60
	if s.counted && s.minute != now {
		s.closed = append(s.closed, minute{s.minute, s.cells})
		s.counted, s.cells = false, nil
	}
	first := !s.counted && len(s.closed) == 0
	s.counted, s.minute = true, now
	if s.cells == nil {
		s.cells = make([]cell, len(m.series.Measures))
	}
	for i, v := range values {
		if v == v { //nolint:staticcheck // what is not itself is not a number
			s.cells[i].add(v)
		}
	}
	if first {
		m.registry.counted(m)
	}
	s.mu.Unlock()
}

// lock returns a stripe, locked: the first that nobody counts into, and the first of all when all are busy.
func (m *Meter) lock() *stripe {
	for i := range m.stripes {
		s := m.stripes[i].Load()
		if s == nil {
			s = &stripe{}
			if !m.stripes[i].CompareAndSwap(nil, s) {
				s = m.stripes[i].Load()
			}
		}
		if s.mu.TryLock() {
			return s
		}
	}
	s := m.stripes[0].Load()
	s.mu.Lock()
	return s
}

func (c *cell) add(v float64) {
	if c.count == 0 {
		c.min, c.max = v, v
	}
	c.count++
	c.sum += v
	c.min, c.max = min(c.min, v), max(c.max, v)
	switch v {
	case 0:
		c.zeros++
	case 1:
		c.ones++
	default:
		if c.spread == nil {
			c.spread = map[int32]uint64{}
		}
		c.spread[Bucket(v)]++
	}
}

// samples are the cell's, for whoever keeps them.
func (c *cell) samples() Samples {
	s := Samples{Count: float64(c.count), Sum: c.sum, Min: c.min, Max: c.max, Spread: make(map[int32]float64, len(c.spread)+2)}
	if c.zeros > 0 {
		s.Spread[Bucket(0)] = float64(c.zeros)
	}
	if c.ones > 0 {
		s.Spread[Bucket(1)] = float64(c.ones)
	}
	for b, n := range c.spread {
		s.Spread[b] = float64(n)
	}
	return s
}

// take empties the meter.
func (m *Meter) take() (out []minute) {
	for i := range m.stripes {
		s := m.stripes[i].Load()
		if s == nil {
			continue
		}
		s.mu.Lock()
		out = append(out, s.closed...)
		if s.counted {
			out = append(out, minute{s.minute, s.cells})
		}
		s.closed, s.counted, s.cells = nil, false, nil
		s.mu.Unlock()
	}
	return out
}
