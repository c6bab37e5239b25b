package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// callbackPath is where custom resources and wait conditions answer. The token behind it is the right to do so, as the signature of AWS's URLs is.
const callbackPath = "/_aws/cloudformation/callback/"

// Bounds of callbacks, see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html: the size of one answer in bytes, and how
// many signals a handle keeps.
const (
	maxAnswer  = 4096
	maxSignals = 1000
)

// callbackRecord is what answers a callback waits for and has.
type callbackRecord struct {
	// Many tells that every answer counts (a wait condition's handle); otherwise the first one does.
	Many    bool
	Answers []json.RawMessage
}

func callbackKey(token string) key.Key { return key.New("cloudformation", "callback").Str(token) }

// board wakes those who wait for something that another commit of this process brings: an answer or a stack's status.
type board struct {
	mu      sync.Mutex
	waiting map[string]map[chan struct{}]bool
}

// watch returns a channel that holds a value after each tell of name; stop ends that.
func (b *board) watch(name string) (told <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == nil {
		b.waiting = map[string]map[chan struct{}]bool{}
	}
	if b.waiting[name] == nil {
		b.waiting[name] = map[chan struct{}]bool{}
	}
	b.waiting[name][c] = true
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.waiting[name], c)
		if len(b.waiting[name]) == 0 {
			delete(b.waiting, name)
		}
	}
}

// tell wakes the watchers of name.
func (b *board) tell(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.waiting[name] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// openCallback makes a callback durable, unless it is there, and returns its URL.
func (s *Service) openCallback(ctx context.Context, token string, many bool) (string, error) {
	err := s.Store.Update(ctx, func(tx store.Txn) error {
		if have, err := record.Has(tx, callbackKey(token)); err != nil || have {
			return err
		}
		return record.Set(tx, callbackKey(token), callbackRecord{Many: many})
	})
	return s.BaseURL + callbackPath + token, err
}

func (s *Service) closeCallback(ctx context.Context, token string) error {
	return s.Store.Update(ctx, func(tx store.Txn) error {
		tx.Delete(callbackKey(token))
		return nil
	})
}

func (s *Service) answers(ctx context.Context, token string) (c callbackRecord, err error) {
	err = s.Store.View(ctx, func(r store.Reader) (err error) {
		c, _, err = record.Get[callbackRecord](r, callbackKey(token))
		return err
	})
	return c, err
}

// errTimeout tells that nothing more came in time.
var errTimeout = errors.New("timed out")

// await calls done with the answers of a callback, each time that there are more, until it returns true. failed, when not nil, ends the wait with the error that it yields.
func (s *Service) await(ctx context.Context, token string, limit time.Duration, failed <-chan error, done func(answers []json.RawMessage) (bool, error)) error {
	told, stop := s.board.watch(token)
	defer stop()
	timer := s.Clock.NewTimer(limit)
	defer timer.Stop()
	for {
		c, err := s.answers(ctx, token)
		if err != nil {
			return err
		}
		if ok, err := done(c.Answers); ok || err != nil {
			return err
		}
		select {
		case <-told:
		case err := <-failed:
			if err != nil {
				return err
			}
			failed = nil
		case <-timer.C():
			return errTimeout
		case <-deploy.Ending(ctx):
			return deploy.ErrEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// serveCallback takes the answer of a custom resource, or a signal for a wait condition.
func (s *Service) serveCallback(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(front.RoutePath(r), "/")
	if r.Method != http.MethodPut {
		http.Error(w, "Answer with PUT.", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	switch {
	case err != nil:
		http.Error(w, "The answer ended early.", http.StatusBadRequest)
		return
	case len(body) > maxAnswer:
		body, _ = json.Marshal(answer{Status: "FAILED", Reason: "Response object is too long."})
	case !json.Valid(body):
		body, _ = json.Marshal(answer{Status: "FAILED", Reason: "Response is not valid JSON"})
	}
	err = s.Store.Update(r.Context(), func(tx store.Txn) error {
		c, found, err := record.Get[callbackRecord](tx, callbackKey(token))
		switch {
		case err != nil:
			return err
		case !found:
			return store.ErrNotFound
		case !c.Many && len(c.Answers) > 0, len(c.Answers) >= maxSignals:
			return nil
		}
		c.Answers = append(c.Answers, body)
		tx.OnCommit(func() { s.board.tell(token) })
		return record.Set(tx, callbackKey(token), c)
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		http.Error(w, "Nobody waits for this answer: the resource has been answered for, or its time is over.", http.StatusForbidden)
	case err != nil:
		http.Error(w, "The answer cannot be stored now; try again.", http.StatusServiceUnavailable)
	}
}
