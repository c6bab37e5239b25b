package meter

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Registry knows the meters that counted. The zero value is ready; a nil registry makes meters that count nothing.
type Registry struct {
	mu     sync.Mutex // guards the fields below
	active map[*Meter]struct{}
	// samplers are called in their order; sampled is the minute of the last time, in minutes since 1970.
	samplers []func(ctx context.Context, now time.Time)
	sampled  int64
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

// Sample has fn called by the first drain of each minute, before it takes what was counted. It is for what is a state and no event, such as the
// length of a queue: fn records that into its meters. It is never called twice at a time.
func (r *Registry) Sample(fn func(ctx context.Context, now time.Time)) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samplers = append(r.samplers, fn)
}

// due returns the samplers that are to be called at now.
func (r *Registry) due(now time.Time) []func(ctx context.Context, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	minute := now.Unix() / 60
	if minute == r.sampled {
		return nil
	}
	r.sampled = minute
	return slices.Clone(r.samplers)
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

// Drain takes what was counted since the last drain. Each count is under each set of its dimensions; a metric and minute may be in it more than once. It is
// not to be called twice at a time.
func (r *Registry) Drain(ctx context.Context, now time.Time) (out []Count) {
	for _, sample := range r.due(now) {
		sample(ctx, now)
	}
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
