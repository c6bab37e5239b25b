package sqs

import "github.com/tidwall/btree"

// Fair queues (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html): on a standard queue the message group
// is a tenant. A tenant is noisy while it has more than a tenth of the messages in flight, and at least noisyFlight of them. Messages of others go first.
const (
	noisyFlight = 30
	noisyShare  = 10
	// maxTenants bounds the tenants that are counted; those beyond are treated as quiet.
	maxTenants = 10_000
)

// tenants counts what is in flight, and what each tenant of a standard queue has of it; live.mu guards it. It guides the order of delivery and the limit
// of messages in flight. Tenants start at nothing with the process; the total is read from the counters.
type tenants struct {
	inFlight map[string]int
	total    int
	seen     bool
}

// tenant returns the tenant that a group stands for: FIFO groups are none.
func (q *queue) tenant(group string) string {
	if q.fifo {
		return ""
	}
	return group
}

// crowded tells whether the queue has as many messages in flight as it may have.
func (l *live) crowded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tenants.total >= maxInFlight
}

// used tells whether the queue has had messages with a group.
func (t *tenants) used() bool { return t.seen }

func (t *tenants) clear() { t.inFlight, t.total = nil, 0 }

// started and ended count a message in and out of flight.
func (t *tenants) started(group string) {
	t.total++
	if group == "" {
		return
	}
	t.seen = true
	if t.inFlight == nil {
		t.inFlight = map[string]int{}
	}
	if _, known := t.inFlight[group]; known || len(t.inFlight) < maxTenants {
		t.inFlight[group]++
	}
}

func (t *tenants) ended(group string) {
	t.total = max(0, t.total-1)
	if n := t.inFlight[group]; n > 1 {
		t.inFlight[group] = n - 1
	} else if n == 1 {
		delete(t.inFlight, group)
	}
}

func (t *tenants) noisy(group string) bool {
	n := t.inFlight[group]
	return group != "" && n >= noisyFlight && n*noisyShare > t.total
}

// maxLook bounds the entries that one claim looks at.
const maxLook = 1000

// claim takes up to n entries: those of quiet tenants, then those that were set aside of quiet tenants, then the others.
func (t *tenants) claim(ready, aside *btree.BTreeG[entry], n int) []entry {
	out, noisy := t.sift(ready, n)
	for _, e := range out {
		ready.Delete(e)
	}
	if aside != nil && len(out) < n && len(noisy) > 0 {
		more, _ := t.sift(aside, n-len(out))
		for _, e := range more {
			aside.Delete(e)
		}
		out = append(out, more...)
	}
	for _, e := range noisy[:min(len(noisy), n-len(out))] {
		ready.Delete(e)
		out = append(out, e)
	}
	return out
}

// sift returns up to n entries of quiet tenants, and the noisy ones among those that it passed.
func (t *tenants) sift(from *btree.BTreeG[entry], n int) (quiet, noisy []entry) {
	looked := 0
	from.Scan(func(e entry) bool {
		if t.noisy(e.group) {
			noisy = append(noisy, e)
		} else {
			quiet = append(quiet, e)
		}
		looked++
		return len(quiet) < n && looked < maxLook
	})
	return quiet, noisy
}
