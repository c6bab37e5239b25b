package auth

import (
	"sync"
	"time"

	"lambent.dev/lambent/internal/auth/iam"
)

// Record is one decision.
type Record struct {
	RequestID      string
	Time           time.Time
	API, Operation string
	// Request is what was asked; it must not be changed.
	Request  *iam.Request
	Decision iam.Decision
	// Trace tells what every statement said; it is kept for denials only.
	Trace []iam.Trace
}

// Journal keeps the last decisions in memory. Make one with [NewJournal]. It is safe for
// concurrent use.
type Journal struct {
	mu sync.Mutex // guards the fields below
	// ring holds the records; next is where the next one goes.
	ring []Record
	next int
}

// NewJournal returns a journal of the last n decisions.
func NewJournal(n int) *Journal { return &Journal{ring: make([]Record, max(n, 1))} }

func (j *Journal) add(r *Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ring[j.next] = *r
	j.next = (j.next + 1) % len(j.ring)
}

// Find returns the decisions of a request, oldest first; none when they are forgotten.
func (j *Journal) Find(requestID string) []Record {
	if requestID == "" {
		return nil
	}
	return j.collect(func(r *Record) bool { return r.RequestID == requestID })
}

// Denials returns the last denials, oldest first.
func (j *Journal) Denials() []Record {
	return j.collect(func(r *Record) bool { return r.Request != nil && !r.Decision.Allowed })
}

func (j *Journal) collect(want func(*Record) bool) []Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Record
	for i := range j.ring {
		if r := &j.ring[(j.next+i)%len(j.ring)]; want(r) {
			out = append(out, *r)
		}
	}
	return out
}
