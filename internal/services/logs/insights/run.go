package insights

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxKept bounds what a run keeps, in bytes: the messages of rows, and the values of aggregates.
const maxKept = 64 << 20

// rowSize is about what a row takes beside its message, in bytes.
const rowSize = 256

// ErrTooLarge is the failure of a query that keeps too much.
var ErrTooLarge = fmt.Errorf("the query keeps more than %d MiB or %d groups: narrow its time range, or filter more", maxKept>>20, maxRows)

// errEnough tells that no later row matters.
var errEnough = errors.New("enough")

// Run is a query on its way.
type Run struct {
	query *Query
	first sink
	keep  *keeper
	out   *collector
}

// keeper counts what a run keeps, and the events that its filters let through.
type keeper struct{ bytes, matched int }

func (k *keeper) take(n int) error {
	if k.bytes += n; k.bytes > maxKept {
		return ErrTooLarge
	}
	return nil
}

// sink takes rows.
type sink interface {
	push(r *row) error
	// flush passes on what waits for the last row.
	flush() error
}

// Field is a value of a result.
type Field struct{ Name, Value string }

// collector takes the rows of the result.
type collector struct {
	limit int
	rows  []*row
}

func (c *collector) push(r *row) error {
	if len(c.rows) == c.limit {
		return errEnough
	}
	c.rows = append(c.rows, r)
	return nil
}

func (*collector) flush() error { return nil }

// Start begins a run whose result has at most limit rows.
func (q *Query) Start(limit int) *Run {
	r := &Run{query: q, keep: &keeper{}, out: &collector{limit: min(limit, maxRows)}}
	r.first = r.out
	for _, c := range slices.Backward(q.commands) {
		r.first = c(r.keep, r.first)
	}
	return r
}

// Add gives the run the next event. It tells whether more may matter, and fails with [ErrTooLarge].
func (r *Run) Add(e *Event) (more bool, err error) {
	switch err := r.first.push(&row{event: e}); {
	case errors.Is(err, errEnough):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}

// Matched returns how many events the filters have let through to the first command that looks at several rows.
func (r *Run) Matched() int { return r.keep.matched }

// Result ends the run, and returns the fields of its rows: those that have a value. What is an event has @ptr as its last one.
func (r *Run) Result() ([][]Field, error) {
	if err := r.first.flush(); err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	out := make([][]Field, len(r.out.rows))
	for i, x := range r.out.rows {
		for _, name := range r.query.columns {
			if v := x.get(name); v != nil {
				isTime, made := r.query.times[name]
				out[i] = append(out[i], Field{name, shown(v, isTime || !made && timed(name))})
			}
		}
		if x.event != nil {
			out[i] = append(out[i], Field{"@ptr", x.event.Pointer})
		}
	}
	return out, nil
}

// each is a command that changes rows one by one, and keeps those for which it returns true.
func each(f func(r *row) bool) command {
	return func(_ *keeper, next sink) sink { return &mapped{next, f} }
}

type mapped struct {
	sink

	f func(r *row) bool
}

func (m *mapped) push(r *row) error {
	if !m.f(r) {
		return nil
	}
	return m.sink.push(r)
}

// limitTo passes on the first rows.
func limitTo(n int) command {
	return func(_ *keeper, next sink) sink {
		left := n
		return &mapped{next, func(*row) bool { left--; return left >= 0 }}
	}
}

// distinctBy passes on the first row of each combination of values.
func distinctBy(keys []column) command {
	return func(k *keeper, next sink) sink { return &deduped{next, k, keys, map[string]bool{}} }
}

type deduped struct {
	sink

	keep *keeper
	keys []column
	seen map[string]bool
}

func (d *deduped) push(r *row) error {
	key := keyOf(d.keys, r)
	if d.seen[key] {
		return nil
	}
	d.seen[key] = true
	if err := d.keep.take(len(key) + rowSize); err != nil {
		return err
	}
	return d.sink.push(r)
}

// keyOf returns a text that is the same for rows with the same values.
func keyOf(columns []column, r *row) string {
	var b strings.Builder
	for _, c := range columns {
		v := c.value(r)
		fmt.Fprintf(&b, "%t%q,", v != nil, shown(v, false))
	}
	return b.String()
}

// sortBy sorts rows, of which it keeps the first [maxRows].
func sortBy(keys []sortKey) command {
	return func(k *keeper, next sink) sink { return &sorted{next, k, keys, nil} }
}

type sorted struct {
	sink

	keep *keeper
	keys []sortKey
	rows []keyed
}

// keyed is a row and the values by which it is sorted.
type keyed struct {
	row    *row
	values []any
}

func (x *keyed) size() int {
	if x.row.event == nil {
		return rowSize
	}
	return rowSize + len(x.row.event.Message)
}

func (s *sorted) push(r *row) error {
	x := keyed{r, make([]any, len(s.keys))}
	for i, k := range s.keys {
		x.values[i] = k.of.value(r)
	}
	s.rows = append(s.rows, x)
	err := s.keep.take(x.size())
	if len(s.rows) >= 2*maxRows || err != nil && len(s.rows) > maxRows {
		s.trim()
		err = s.keep.take(0)
	}
	return err
}

// trim sorts the rows, and forgets those behind the first [maxRows].
func (s *sorted) trim() {
	slices.SortStableFunc(s.rows, func(a, b keyed) int {
		for i, k := range s.keys {
			c := compare(a.values[i], b.values[i])
			if k.down && a.values[i] != nil && b.values[i] != nil {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	for i := maxRows; i < len(s.rows); i++ {
		s.keep.bytes -= s.rows[i].size()
	}
	if len(s.rows) > maxRows {
		clear(s.rows[maxRows:])
		s.rows = s.rows[:maxRows]
	}
}

func (s *sorted) flush() error {
	s.trim()
	for _, x := range s.rows {
		if err := s.sink.push(x.row); err != nil {
			return err
		}
	}
	return s.sink.flush()
}

// groupBy makes a row of the rows with the same values.
func groupBy(by, made []column, aggregates []aggregate) command {
	return func(k *keeper, next sink) sink {
		return &groups{sink: next, keep: k, by: by, made: made, aggregates: aggregates, byKey: map[string]*group{}}
	}
}

type groups struct {
	sink

	keep       *keeper
	by, made   []column
	aggregates []aggregate
	byKey      map[string]*group
	order      []*group
}

type group struct {
	values []any
	parts  []aggregator
}

func (g *groups) push(r *row) error {
	key := keyOf(g.by, r)
	x := g.byKey[key]
	if x == nil {
		if len(g.order) == maxRows {
			return ErrTooLarge
		}
		x = &group{}
		for _, c := range g.by {
			x.values = append(x.values, c.value(r))
		}
		for _, a := range g.aggregates {
			x.parts = append(x.parts, a.make())
		}
		g.byKey[key], g.order = x, append(g.order, x)
		if err := g.keep.take(len(key) + rowSize*(1+len(x.parts))); err != nil {
			return err
		}
	}
	for i, a := range g.aggregates {
		v := a.of.value(r)
		if v == nil && !a.every {
			continue
		}
		if err := g.keep.take(x.parts[i].add(v, r)); err != nil {
			return err
		}
	}
	return nil
}

func (g *groups) flush() error {
	if len(g.order) == 0 && len(g.by) == 0 { // of nothing, all is counted as well
		x := &group{}
		for _, a := range g.aggregates {
			x.parts = append(x.parts, a.make())
		}
		g.order = append(g.order, x)
	}
	for _, x := range g.order {
		r := &row{vars: map[string]any{}}
		for i, c := range g.by {
			if x.values[i] != nil {
				r.vars[c.name] = x.values[i]
			}
		}
		for i, a := range g.aggregates {
			r.vars[a.name(i)] = x.parts[i].result()
		}
		for _, c := range g.made {
			if v := c.value(r); v != nil {
				r.vars[c.name] = v
			}
		}
		if err := g.sink.push(r); err != nil {
			return err
		}
	}
	return g.sink.flush()
}
