package s3

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

const (
	lifecycleKind = "s3-lifecycle"
	// expiryPage is how many rows one view looks at, and expiryBatch how many objects and versions one transaction changes.
	expiryPage  = 2000
	expiryBatch = 200
)

// queueLifecycle queues the next run of a bucket's rules, in the place of the one that is queued already.
func (b *bucket) queueLifecycle(tx store.Txn, at time.Time) error {
	payload, err := json.Marshal(bucket{Name: b.Name, ID: b.ID})
	if err != nil {
		return fmt.Errorf("encode lifecycle job: %w", err)
	}
	return events.Enqueue(tx, events.Job{Kind: lifecycleKind, Name: b.ID, Payload: payload, NotBefore: at})
}

// expire runs the lifecycle rules of a bucket once, and queues the next run at midnight, UTC. It looks only below the prefixes of the rules, at the short
// rows of current versions where that is enough, and changes some objects at a time; a run that is cut short is done again from the start.
func (s *Service) expire(ctx context.Context, job events.Job) error {
	var named bucket
	if err := json.Unmarshal(job.Payload, &named); err != nil {
		return events.Permanent(fmt.Errorf("decode lifecycle job: %w", err))
	}
	run := &expiry{s: s, name: named.Name, id: named.ID, now: s.now()}
	err := s.view(ctx, named.Name, nil, func(r store.Reader, b *bucket) (err error) {
		run.b = b
		run.rules, err = s.rulesOf(r, b)
		return err
	})
	if service.Code(err) == "NoSuchBucket" || err == nil && (run.b.ID != named.ID || len(run.rules) == 0) {
		return nil // the bucket or its rules are gone
	}
	if err != nil {
		return fmt.Errorf("read lifecycle rules: %w", err)
	}
	ctx = service.WithRequest(ctx, &service.Request{
		ID: s.newID(), API: "s3", Account: run.b.Account, Region: run.b.Region, Time: run.now, Principal: service.ServiceCaller("s3.amazonaws.com", run.b.arn(), run.b.Account),
	})
	for _, phase := range []func(context.Context) error{run.current, run.noncurrent, run.uploads} {
		if err := phase(ctx); err != nil {
			return fmt.Errorf("apply lifecycle rules of %s: %w", named.Name, err)
		}
	}
	return s.update(ctx, named.Name, nil, func(tx store.Txn, b *bucket) error {
		if b.ID != named.ID || !b.Lifecycle {
			return nil
		}
		return b.queueLifecycle(tx, run.now.Truncate(day).Add(day))
	})
}

// expiry is one run of the rules of a bucket.
type expiry struct {
	s        *Service
	name, id string
	b        *bucket
	rules    []api.LifecycleRule
	now      time.Time
}

// prefixes returns the prefixes of the rules that pick, without those that others cover.
func (e *expiry) prefixes(pick func(r *api.LifecycleRule) bool) (out []string) {
	var all []string
	for i := range e.rules {
		if pick(&e.rules[i]) {
			all = append(all, matcherOf(&e.rules[i]).prefix)
		}
	}
	slices.Sort(all)
	for _, p := range all {
		if len(out) == 0 || !strings.HasPrefix(p, out[len(out)-1]) {
			out = append(out, p)
		}
	}
	return out
}

// walk calls look for each row of a sort in a bucket whose first element begins with prefix, in views of a bounded number of rows, and work after each view.
func (s *Service) walk(ctx context.Context, b *bucket, sort, prefix string, look func(name string, d *key.Decoder, value []byte) error, work func() error) error {
	base := b.row(sort)
	rows := within(base, prefix)
	for rows.Lo != nil {
		n := 0
		var last []byte
		err := s.store.View(ctx, func(r store.Reader) error {
			rows.Limit = expiryPage
			for p, err := range r.Range(rows) {
				if err != nil {
					return err
				}
				d := key.Decode(p.Key).Skip(base)
				name := d.Str()
				if err := look(name, d, p.Value); err != nil {
					return err
				}
				n++
				last = bytes.Clone(p.Key)
			}
			return nil
		})
		if err == nil {
			err = work()
		}
		if err != nil || n < expiryPage {
			return err
		}
		rows.Lo = append(last, 0)
	}
	return nil
}

// inBatches calls change for each of the items, some in one transaction, whose changes are bounded: change counts down what is left of them, and reports false
// to be called again. A bucket that was removed meanwhile ends the work.
func inBatches[T any](ctx context.Context, e *expiry, items []T, change func(ctx context.Context, tx store.Txn, b *bucket, item T, left *int) (bool, error)) error {
	for len(items) > 0 {
		n := 0
		err := e.s.update(ctx, e.name, nil, func(tx store.Txn, b *bucket) error {
			if b.ID != e.id {
				return noSuchBucket(e.name)
			}
			left := expiryBatch
			for n = 0; n < len(items) && left > 0; n++ {
				left--
				if done, err := change(ctx, tx, b, items[n], &left); err != nil || !done {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

// place is a version by its key and sequence number.
type place struct {
	name string
	seq  uint64
}

// current expires and moves current versions.
func (e *expiry) current(ctx context.Context) error {
	acts := func(r *api.LifecycleRule) bool {
		return len(r.Transitions) > 0 || r.Expiration != nil && (r.Expiration.Days != nil || r.Expiration.Date != nil)
	}
	for _, prefix := range e.prefixes(acts) {
		var found []place
		look := func(name string, _ *key.Decoder, value []byte) error {
			c, err := decodeCurrent(value)
			if err != nil {
				return err
			}
			made := time.Unix(c.Modified, 0)
			for i := range e.rules {
				r := &e.rules[i]
				at, ends := expires(r, made)
				moves := transitions(r, made, e.now)
				if matcherOf(r).matchesShort(name, c.Size) && (ends && !e.now.Before(at) || moves != "" && moves != c.Class) {
					found = append(found, place{name, c.Seq})
					break
				}
			}
			return nil
		}
		work := func() error {
			err := inBatches(ctx, e, found, e.expireCurrent)
			found = found[:0]
			return err
		}
		if err := e.s.walk(ctx, e.b, "cur", prefix, look, work); err != nil {
			return err
		}
	}
	return nil
}

// expireCurrent applies the rules to one current version, if it still is the one that was found.
func (e *expiry) expireCurrent(ctx context.Context, tx store.Txn, b *bucket, at place, _ *int) (bool, error) {
	return true, e.expireOne(ctx, tx, b, at)
}

func (e *expiry) expireOne(ctx context.Context, tx store.Txn, b *bucket, at place) error {
	v, ok, err := findVersion(tx, b, at.name)
	if err != nil || !ok || v.Seq != at.seq {
		return err
	}
	class := ""
	for i := range e.rules {
		r := &e.rules[i]
		if !matcherOf(r).matches(at.name, v) {
			continue
		}
		if when, ends := expires(r, v.Modified); ends && !e.now.Before(when) {
			gone, err := e.s.remove(ctx, tx, b, "", removal{key: at.name, event: "LifecycleExpiration:Delete"})
			operation := "S3.EXPIRE.OBJECT"
			if gone.marker {
				operation = "S3.CREATE.DELETEMARKER"
			}
			tx.OnCommit(e.s.recordExpiry(b, operation, at.name, deref(gone.id), v.Size))
			return err
		}
		if moved := transitions(r, v.Modified, e.now); moved != "" {
			class = moved
		}
	}
	if class == "" || class == v.Class {
		return nil
	}
	v.Class = class
	if err := putRow(tx, b, at.name, v); err != nil {
		return err
	}
	setCurrent(tx, b, at.name, v)
	return e.s.notify(ctx, tx, b, change{event: "LifecycleTransition", key: at.name, version: v})
}

// noncurrent expires and moves versions that are not the newest, and removes delete markers that hide nothing.
func (e *expiry) noncurrent(ctx context.Context) error {
	if e.b.Versioning == "" {
		return nil
	}
	acts := func(r *api.LifecycleRule) bool {
		return r.NoncurrentVersionExpiration != nil || len(r.NoncurrentVersionTransitions) > 0 || r.Expiration != nil
	}
	for _, prefix := range e.prefixes(acts) {
		var found []string
		look := func(name string, _ *key.Decoder, _ []byte) error {
			if n := len(found); n > 0 && found[n-1] == name {
				return nil
			}
			found = append(found, name)
			return nil
		}
		work := func() error {
			err := inBatches(ctx, e, found, e.expireHistory)
			found = found[:0]
			return err
		}
		if err := e.s.walk(ctx, e.b, "ver", prefix, look, work); err != nil {
			return err
		}
	}
	return nil
}

// expireHistory applies the rules to the versions of one key. The oldest go first, so that when a version became noncurrent is told by the one before
// it whenever the work is cut short.
func (e *expiry) expireHistory(ctx context.Context, tx store.Txn, b *bucket, name string, left *int) (done bool, err error) {
	var all []*version
	for p, err := range tx.Range(b.row("ver").Str(name).Span()) {
		if err != nil {
			return false, fmt.Errorf("read versions: %w", err)
		}
		v, err := decodeVersion(bytes.Clone(p.Value))
		if err != nil {
			return false, err
		}
		all = append(all, v)
	}
	kept := len(all)
	for i := len(all) - 1; i > 0; i-- {
		if *left <= 0 {
			return false, nil
		}
		changed, gone, err := e.expireOld(ctx, tx, b, name, all[i], all[i-1].Modified, int32(i-1))
		if err != nil {
			return false, err
		}
		if changed || gone {
			*left--
		}
		if gone {
			kept--
		}
	}
	if kept == 1 && all[0].Marker && e.dropsMarker(name, all[0]) {
		return true, e.drop(ctx, tx, b, name, all[0])
	}
	return true, nil
}

// expireOld removes or moves a version that became noncurrent at since, when newer versions stand between it and the newest.
func (e *expiry) expireOld(ctx context.Context, tx store.Txn, b *bucket, name string, v *version, since time.Time, newer int32) (changed, gone bool, err error) {
	class := ""
	for i := range e.rules {
		r := &e.rules[i]
		if !matcherOf(r).matches(name, v) {
			continue
		}
		if n := r.NoncurrentVersionExpiration; n != nil && !e.now.Before(due(since, *n.NoncurrentDays)) && newer >= deref(n.NewerNoncurrentVersions) {
			if e.s.mayRemove(ctx, b, "", name, v.Lock, false) != nil {
				return false, false, nil //nolint:nilerr // a lock keeps it
			}
			return false, true, e.drop(ctx, tx, b, name, v)
		}
		for _, t := range r.NoncurrentVersionTransitions {
			if !e.now.Before(due(since, *t.NoncurrentDays)) && newer >= deref(t.NewerNoncurrentVersions) {
				class = t.StorageClass
			}
		}
	}
	if class == "" || class == v.Class || v.Marker {
		return false, false, nil
	}
	v.Class = class
	return true, false, putRow(tx, b, name, v)
}

// dropsMarker tells whether a rule removes a delete marker that is all that is left of its key.
func (e *expiry) dropsMarker(name string, v *version) bool {
	return slices.ContainsFunc(e.rules, func(r api.LifecycleRule) bool {
		x := r.Expiration
		if x == nil || !matcherOf(&r).matches(name, v) {
			return false
		}
		at, ends := expires(&r, v.Modified)
		return deref(x.ExpiredObjectDeleteMarker) || ends && !e.now.Before(at)
	})
}

func (e *expiry) drop(ctx context.Context, tx store.Txn, b *bucket, name string, v *version) error {
	_, err := e.s.removeVersion(ctx, tx, b, "", removal{key: name, id: ptr(v.id()), event: "LifecycleExpiration:Delete"})
	tx.OnCommit(e.s.recordExpiry(b, "S3.EXPIRE.OBJECT", name, v.id(), v.Size))
	return err
}

// uploads aborts multipart uploads that were left.
func (e *expiry) uploads(ctx context.Context) error {
	acts := func(r *api.LifecycleRule) bool { return r.AbortIncompleteMultipartUpload != nil }
	for _, prefix := range e.prefixes(acts) {
		var found []uploadPlace
		look := func(name string, d *key.Decoder, value []byte) error {
			id := d.Str()
			var u upload
			if _, err := decodeRow(value, &u); err != nil {
				return err
			}
			for i := range e.rules {
				a := e.rules[i].AbortIncompleteMultipartUpload
				if a != nil && strings.HasPrefix(name, matcherOf(&e.rules[i]).prefix) && !e.now.Before(due(u.Initiated, *a.DaysAfterInitiation)) {
					found = append(found, uploadPlace{name, id})
					break
				}
			}
			return nil
		}
		work := func() error {
			err := inBatches(ctx, e, found, func(_ context.Context, tx store.Txn, b *bucket, at uploadPlace, left *int) (bool, error) {
				*left = 0 // it may have thousands of parts
				_, err := findUpload(tx, b, at.name, at.id)
				if service.Code(err) == "NoSuchUpload" {
					return true, nil
				}
				if err != nil {
					return false, err
				}
				return true, e.s.abort(tx, b, at.name, at.id)
			})
			found = found[:0]
			return err
		}
		if err := e.s.walk(ctx, e.b, "up", prefix, look, work); err != nil {
			return err
		}
	}
	return nil
}
