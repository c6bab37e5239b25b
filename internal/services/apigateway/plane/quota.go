package plane

import (
	"context"
	"sync"
	"time"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

type (
	apiStage         = aws.ApiStage
	throttleSettings = aws.ThrottleSettings
)

const (
	// leases is by which part of a quota a lease is: a hundredth.
	leases = 100
	// maxLeases bounds the leases that are kept; one more gives them all back.
	maxLeases = 4096
)

// quotas takes requests from the quotas of usage plans. A lease is a number of requests that were taken in one transaction and are used from memory.
type quotas struct {
	store store.Store

	mu     sync.Mutex // guards the fields below
	leases map[leaseKey]*lease
}

type leaseKey struct {
	api.Scope
	plan, key string
}

// lease is what is left of a lease. mu is held while one is taken, so that one transaction serves all who wait.
type lease struct {
	mu     sync.Mutex // guards the fields below; the store is used under it
	left   int64
	period string
	limit  int32
	day    string // of the count of used requests
}

// take takes one request from a key's quota of a plan, and reports whether there was one.
func (q *quotas) take(ctx context.Context, s api.Scope, plan *api.UsagePlan, id string, now time.Time) (bool, error) {
	l := q.lease(leaseKey{s, deref(plan.Id), id})
	l.mu.Lock()
	defer l.mu.Unlock()
	period, day, limit := api.Period(plan.Quota, now), now.UTC().Format(time.DateOnly), *plan.Quota.Limit
	if l.left > 0 && l.period == period && l.day == day && l.limit == limit {
		l.left--
		return true, nil
	}
	// What is left of a lease of another day, or of a limit that was changed, goes back.
	unused := l.left
	if l.period != period {
		unused = 0
	}
	var granted int64
	err := q.store.Update(ctx, func(tx store.Txn) error {
		granted = 0
		at := s.Quota(deref(plan.Id), id)
		left, ok, err := record.Get[api.Quota](tx, at)
		if err != nil {
			return err
		}
		if !ok || left.Period != period {
			left = api.Quota{Period: period, Left: int64(limit)}
		}
		left.Left += unused
		granted = min(left.Left, max(1, int64(limit)/leases))
		if granted <= 0 {
			granted = 0
			return nil
		}
		left.Left -= granted
		if err := record.Set(tx, at, left); err != nil {
			return err
		}
		usage := s.UsageDay(deref(plan.Id), id, now)
		used, _, err := record.Get[api.UsageDay](tx, usage)
		if err != nil {
			return err
		}
		used.Used += granted
		if l.day == day && l.period == period {
			used.Used -= unused
		}
		used.Left = left.Left
		return record.Set(tx, usage, used)
	})
	if err != nil {
		return false, err
	}
	l.left, l.period, l.day, l.limit = granted, period, day, limit
	if granted == 0 {
		return false, nil
	}
	l.left--
	return true, nil
}

// lease returns the lease of a key.
func (q *quotas) lease(k leaseKey) *lease {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l := q.leases[k]; l != nil {
		return l
	}
	if q.leases == nil || len(q.leases) >= maxLeases {
		q.leases = map[leaseKey]*lease{}
	}
	l := &lease{}
	q.leases[k] = l
	return l
}

// giveBack returns what is left of the leases, so that an orderly end loses nothing.
func (q *quotas) giveBack(ctx context.Context) error {
	q.mu.Lock()
	all := q.leases
	q.leases = nil
	q.mu.Unlock()
	for k, l := range all {
		if err := q.giveBackOne(ctx, k, l); err != nil {
			return err
		}
	}
	return nil
}

func (q *quotas) giveBackOne(ctx context.Context, k leaseKey, l *lease) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left == 0 {
		return nil
	}
	day, err := time.Parse(time.DateOnly, l.day)
	if err != nil {
		return err
	}
	err = q.store.Update(ctx, func(tx store.Txn) error {
		left, ok, err := record.Get[api.Quota](tx, k.Quota(k.plan, k.key))
		if err != nil || !ok || left.Period != l.period {
			return err
		}
		left.Left += l.left
		if err := record.Set(tx, k.Quota(k.plan, k.key), left); err != nil {
			return err
		}
		used, ok, err := record.Get[api.UsageDay](tx, k.UsageDay(k.plan, k.key, day))
		if err != nil || !ok {
			return err
		}
		used.Used, used.Left = used.Used-l.left, left.Left
		return record.Set(tx, k.UsageDay(k.plan, k.key, day), used)
	})
	if err == nil {
		l.left = 0
	}
	return err
}
