package meter

import (
	"slices"
	"sync"
	"time"
)

// Registry knows the meters that counted. The zero value is ready; a nil registry makes meters that count nothing.
type Registry struct {
	mu     sync.Mutex // guards the fields below
	active map[*Meter]struct{}
}

// Count is what one metric saw in one minute.
type Count struct {
	Account, Region, Namespace string
	Dimensions                 []Dimension
	Measure                    Measure
	// Minute is the beginning of the minute.
	Minute  time.Time
	Samples Samples
}

// Meter returns a meter. Two of the same series may exist; what they count is added up.
func (r *Registry) Meter(s Series) *Meter {
	if r == nil {
		return nil
	}
	return &Meter{series: s, registry: r}
}

// counted remembers a meter until the next drain.
func (r *Registry) counted(m *Meter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.active == nil {
		r.active = map[*Meter]struct{}{}
	}
	r.active[m] = struct{}{}
}

// Drain takes what was counted since the last drain. Each count is under each set of its dimensions; a metric and minute may be in it more than once.
func (r *Registry) Drain() (out []Count) {
	r.mu.Lock()
	active := r.active
	r.active = nil
	r.mu.Unlock()
	for m := range active {
		out = m.series.counts(out, m.take())
	}
	return out
}

// counts appends what was counted in some minutes.
func (s *Series) counts(out []Count, minutes []minute) []Count {
	for _, mi := range minutes {
		for i := range mi.cells {
			c := &mi.cells[i]
			if c.count == 0 {
				continue
			}
			for _, set := range s.Sets {
				out = append(out, Count{
					Account: s.Account, Region: s.Region, Namespace: s.Namespace, Dimensions: slices.Clone(set), Measure: s.Measures[i],
					Minute: time.Unix(mi.at*60, 0).UTC(), Samples: c.samples(),
				})
			}
		}
	}
	return out
}
