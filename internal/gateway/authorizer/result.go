package authorizer

import (
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/lib/lru"
)

// Results keeps what authorizers answered for as long as each of them says. Make one with [NewResults]. It is safe for concurrent use.
type Results[V any] struct {
	entries *lru.Cache[ResultKey, kept[V]]
}

// ResultKey names a result.
type ResultKey struct {
	// Authorizer is the authorizer, in a form that is unique on this Lambent and begins with what is flushed together: API, stage, id.
	Authorizer string
	// Identity is made of the values of the identity sources with [Identity].
	Identity string
}

// kept is a result and when it ends.
type kept[V any] struct {
	value V
	until time.Time
}

// NewResults returns an empty store of at most n results.
func NewResults[V any](n int) *Results[V] {
	return &Results[V]{entries: lru.New[ResultKey, kept[V]](n)}
}

// Get returns a result that still holds.
func (r *Results[V]) Get(k ResultKey, now time.Time) (v V, ok bool) {
	e, ok := r.entries.Get(k)
	if !ok || !now.Before(e.until) {
		return v, false
	}
	return e.value, true
}

// Put keeps a result for a time; none or less keeps nothing.
func (r *Results[V]) Put(k ResultKey, v V, now time.Time, ttl time.Duration) {
	if ttl > 0 {
		r.entries.Put(k, kept[V]{v, now.Add(ttl)})
	}
}

// Flush forgets the results of all authorizers whose name begins with prefix.
func (r *Results[V]) Flush(prefix string) {
	r.entries.DeleteFunc(func(k ResultKey) bool { return strings.HasPrefix(k.Authorizer, prefix) })
}

// Identity makes one text of the values of identity sources, such that different values make different texts.
func Identity(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	var b strings.Builder
	for _, v := range values {
		b.WriteString(strconv.Itoa(len(v)))
		b.WriteByte(':')
		b.WriteString(v)
	}
	return b.String()
}
