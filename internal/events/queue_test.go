package events_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBroken = errors.New("broken")

// seen collects what handlers were called with.
type seen struct {
	mu   sync.Mutex // guards the fields below
	list []string
}

func (s *seen) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, fmt.Sprintf(format, args...))
}

// want waits until nothing moves and compares.
func (s *seen) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := cmp.Diff(want, s.list); d != "" {
		t.Errorf("handlers saw (-want +got):\n%s", d)
	}
	s.list = nil
}

func newQueue(s store.Store, kinds ...events.Kind) *events.Queue {
	q := events.New(s, clock.System{}, slog.New(slog.DiscardHandler))
	if err := q.Register(kinds...); err != nil {
		panic(err)
	}
	return q
}

func start(t *testing.T, s store.Store, kinds ...events.Kind) *events.Queue {
	t.Helper()
	q := newQueue(s, kinds...)
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return q
}

func enqueue(t *testing.T, s store.Store, jobs ...events.Job) {
	t.Helper()
	err := s.Update(t.Context(), func(tx store.Txn) error {
		for _, j := range jobs {
			if err := events.Enqueue(tx, j); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// bubble runs fn with a store in virtual time.
func bubble(t *testing.T, fn func(t *testing.T, s store.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := mem.New()
		fn(t, s)
		err := s.View(t.Context(), func(r store.Reader) error {
			for p, err := range r.Range(store.Span{}) {
				if err != nil {
					return err
				}
				t.Errorf("left in the store: %q", p.Key)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func closeQueue(t *testing.T, q *events.Queue) {
	t.Helper()
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}

func TestJobRunsOnceAfterItsCommitOnly(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var got seen
		q := start(t, s, events.Kind{Name: "k", Handle: func(_ context.Context, j events.Job) error {
			got.add("%s try %d", j.Payload, j.Attempt)
			return nil
		}})
		defer closeQueue(t, q)
		enqueue(t, s, events.Job{Kind: "k", Payload: []byte("a")})
		err := s.Update(t.Context(), func(tx store.Txn) error {
			if err := events.Enqueue(tx, events.Job{Kind: "k", Payload: []byte("never")}); err != nil {
				return err
			}
			return errBroken
		})
		if !errors.Is(err, errBroken) {
			t.Errorf("Update = %v", err)
		}
		got.want(t, "a try 1")
	})
}

func TestFailedJobIsTriedAgainAfterItsBackoff(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var got seen
		begin := time.Now()
		q := start(t, s, events.Kind{Name: "k", Handle: func(_ context.Context, j events.Job) error {
			got.add("try %d at %s", j.Attempt, time.Since(begin))
			if j.Attempt < 4 {
				return errBroken
			}
			return nil
		}})
		defer closeQueue(t, q)
		enqueue(t, s, events.Job{Kind: "k"})
		time.Sleep(time.Minute)
		got.want(t, "try 1 at 0s", "try 2 at 1s", "try 3 at 3s", "try 4 at 7s")
	})
}

func TestAttemptsSurviveARestart(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var got seen
		kind := events.Kind{Name: "k", MaxAttempts: 3, Handle: func(_ context.Context, j events.Job) error {
			got.add("%s try %d", j.ID, j.Attempt)
			return errBroken
		}, Exhausted: func(_ context.Context, _ store.Txn, j events.Job, cause error) error {
			got.add("%s exhausted: %v", j.ID, cause)
			return nil
		}}
		q := start(t, s, kind)
		enqueue(t, s, events.Job{Kind: "k"})
		id := "00000000000000010000"
		got.want(t, id+" try 1")
		closeQueue(t, q)
		q = start(t, s, kind)
		defer closeQueue(t, q)
		time.Sleep(time.Minute)
		got.want(t, id+" try 2", id+" try 3", id+" exhausted: broken")
	})
}

func TestPermanentErrorEndsAJob(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var got seen
		q := start(t, s, events.Kind{Name: "k", Handle: func(context.Context, events.Job) error {
			return events.Permanent(errBroken)
		}, Exhausted: func(_ context.Context, tx store.Txn, j events.Job, cause error) error {
			got.add("exhausted after %d: %v", j.Attempt, cause)
			return nil
		}})
		defer closeQueue(t, q)
		enqueue(t, s, events.Job{Kind: "k"})
		got.want(t, "exhausted after 1: broken")
	})
}

func TestJobEndsTogetherWithWhatItWrites(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var got seen
		q := start(t, s, events.Kind{Name: "k", Handle: func(_ context.Context, j events.Job) error {
			got.add("%s", j.Payload)
			if string(j.Payload) == "second" {
				return nil
			}
			return fmt.Errorf("first: %w", events.Done(func(_ context.Context, tx store.Txn) error {
				return events.Enqueue(tx, events.Job{Kind: "k", Payload: []byte("second"), NotBefore: time.Now().Add(time.Minute)})
			}))
		}})
		defer closeQueue(t, q)
		enqueue(t, s, events.Job{Kind: "k", Payload: []byte("first")})
		got.want(t, "first")
		time.Sleep(time.Minute)
		got.want(t, "second")
	})
}

func TestOldJobIsNotTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var got seen
		q := start(t, s, events.Kind{Name: "k", MaxAge: 5 * time.Second, Handle: func(_ context.Context, j events.Job) error {
			got.add("try %d", j.Attempt)
			return errBroken
		}})
		defer closeQueue(t, q)
		enqueue(t, s, events.Job{Kind: "k"})
		time.Sleep(time.Hour)
		got.want(t, "try 1", "try 2", "try 3")
	})
}

func TestTimerWaitsForItsTime(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var got seen
		q := start(t, s, events.Kind{Name: "k", Handle: func(_ context.Context, j events.Job) error {
			got.add("%s", j.Payload)
			return nil
		}})
		defer closeQueue(t, q)
		enqueue(t, s,
			events.Job{Kind: "k", Payload: []byte("hour"), NotBefore: time.Now().Add(time.Hour)},
			events.Job{Kind: "k", Payload: []byte("minute"), NotBefore: time.Now().Add(time.Minute)},
			events.Job{Kind: "k", Payload: []byte("past"), NotBefore: time.Now().Add(-time.Minute)})
		got.want(t, "past")
		time.Sleep(time.Minute)
		got.want(t, "minute")
		time.Sleep(59*time.Minute - time.Second)
		got.want(t)
		time.Sleep(time.Second)
		got.want(t, "hour")
	})
}

func TestNamedJobIsReplacedAndCancelled(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var got seen
		q := start(t, s, events.Kind{Name: "k", Handle: func(_ context.Context, j events.Job) error {
			got.add("%s", j.Payload)
			return nil
		}})
		defer closeQueue(t, q)
		job := func(payload string, in time.Duration) events.Job {
			return events.Job{Kind: "k", Name: "n", Payload: []byte(payload), NotBefore: time.Now().Add(in)}
		}
		enqueue(t, s, job("first", time.Minute))
		enqueue(t, s, job("second", 2*time.Minute))
		time.Sleep(time.Hour)
		got.want(t, "second")
		enqueue(t, s, job("third", time.Minute))
		if err := s.Update(t.Context(), func(tx store.Txn) error { return events.Cancel(tx, "k", "n") }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		got.want(t)
	})
}

func TestReplacingARunningJobKeepsTheNewOne(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var got seen
		release := make(chan struct{})
		q := start(t, s, events.Kind{Name: "k", Concurrency: 2, Handle: func(_ context.Context, j events.Job) error {
			got.add("%s", j.Payload)
			if string(j.Payload) == "old" {
				<-release
			}
			return nil
		}})
		defer closeQueue(t, q)
		enqueue(t, s, events.Job{Kind: "k", Name: "n", Payload: []byte("old")})
		got.want(t, "old")
		enqueue(t, s, events.Job{Kind: "k", Name: "n", Payload: []byte("new"), NotBefore: time.Now().Add(time.Minute)})
		close(release)
		time.Sleep(time.Hour)
		got.want(t, "new")
	})
}

func TestGroupRunsOneAtATimeInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var got seen
		q := start(t, s, events.Kind{Name: "k", Handle: func(_ context.Context, j events.Job) error {
			got.add("%s%s try %d", j.Group, j.Payload, j.Attempt)
			if string(j.Payload) == "1" && j.Attempt == 1 {
				return errBroken
			}
			return nil
		}})
		defer closeQueue(t, q)
		for i := range 3 {
			enqueue(t, s, events.Job{Kind: "k", Group: "a", Payload: fmt.Append(nil, i)})
		}
		got.want(t, "a0 try 1", "a1 try 1")
		enqueue(t, s, events.Job{Kind: "k", Group: "b", Payload: []byte("0")})
		got.want(t, "b0 try 1")
		time.Sleep(time.Second)
		got.want(t, "a1 try 2", "a2 try 1")
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var mu sync.Mutex
		running, most, done := 0, 0, 0
		q := start(t, s, events.Kind{Name: "k", Concurrency: 3, Handle: func(context.Context, events.Job) error {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			done++
			mu.Unlock()
			return nil
		}})
		defer closeQueue(t, q)
		for range 20 {
			enqueue(t, s, events.Job{Kind: "k"})
		}
		synctest.Wait()
		d, err := q.Depths(t.Context())
		if diff := cmp.Diff([]events.Depth{{Kind: "k", Running: 3, Waiting: 20}}, d); diff != "" || err != nil {
			t.Errorf("Depths (-want +got): %v\n%s", err, diff)
		}
		time.Sleep(7 * time.Second)
		synctest.Wait()
		if most != 3 || done != 20 {
			t.Errorf("%d jobs done, at most %d at a time; want 20 and 3", done, most)
		}
	})
}

func TestCloseWaitsAndLeavesTheRest(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var got seen
		kind := events.Kind{Name: "k", Concurrency: 1, Handle: func(ctx context.Context, j events.Job) error {
			time.Sleep(time.Second)
			got.add("%s %v", j.Payload, ctx.Err())
			return nil
		}}
		q := start(t, s, kind)
		enqueue(t, s, events.Job{Kind: "k", Payload: []byte("a")}, events.Job{Kind: "k", Payload: []byte("b")})
		synctest.Wait()
		closeQueue(t, q)
		closeQueue(t, q)
		got.want(t, "a <nil>")
		q = start(t, s, kind)
		defer closeQueue(t, q)
		time.Sleep(2 * time.Second)
		got.want(t, "b <nil>")
	})
}

func TestCloseEndsAHandlerThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var got seen
		hang := true
		kind := events.Kind{Name: "k", Handle: func(ctx context.Context, j events.Job) error {
			if hang {
				<-ctx.Done()
				return ctx.Err()
			}
			got.add("try %d", j.Attempt)
			return nil
		}}
		q := start(t, s, kind)
		enqueue(t, s, events.Job{Kind: "k"})
		synctest.Wait()
		closeQueue(t, q)
		hang = false
		q = start(t, s, kind)
		defer closeQueue(t, q)
		got.want(t, "try 1")
	})
}

func TestPanicCountsAsAFailure(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var got seen
		q := start(t, s, events.Kind{Name: "k", Handle: func(_ context.Context, j events.Job) error {
			got.add("try %d", j.Attempt)
			if j.Attempt == 1 {
				panic("handler bug")
			}
			return nil
		}})
		defer closeQueue(t, q)
		enqueue(t, s, events.Job{Kind: "k"})
		time.Sleep(time.Minute)
		got.want(t, "try 1", "try 2")
	})
}

func TestEnqueueRefusesBadJobs(t *testing.T) {
	s := mem.New()
	for name, j := range map[string]events.Job{
		"no kind":        {},
		"name and group": {Kind: "k", Name: "n", Group: "g"},
		"large":          {Kind: "k", Payload: make([]byte, events.MaxPayload+1)},
	} {
		if err := s.Update(t.Context(), func(tx store.Txn) error { return events.Enqueue(tx, j) }); err == nil {
			t.Errorf("%s: enqueued", name)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
