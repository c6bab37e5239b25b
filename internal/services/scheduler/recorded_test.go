package scheduler

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/test/recorded"
)

// replayed is a harness on which recorded cases run.
type replayed struct {
	*harness
	began time.Time
}

// Advance implements [recorded.Platform].
func (r *replayed) Advance(since time.Duration) {
	synctest.Wait()
	r.clock.Advance(max(since-r.clock.Now().Sub(r.began), 0))
	synctest.Wait()
}

// Call implements [recorded.Platform].
func (r *replayed) Call(_, operation, input string) (string, *recorded.Failure, error) {
	for _, b := range r.desc.Operations {
		if b.Name != operation || b.Call == nil {
			continue
		}
		in := b.New()
		if err := json.Unmarshal([]byte(input), in); err != nil {
			return "", nil, err
		}
		out, err := b.Call(r.ctx, in)
		if err != nil {
			var e *service.Error
			if !errors.As(err, &e) {
				return "", nil, err
			}
			return "", &recorded.Failure{Code: e.Code, Message: e.Message, Status: e.Status}, nil
		}
		text, err := json.Marshal(out)
		return string(text), nil, err
	}
	return "", nil, errors.New("no such operation")
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	recorded.Replay(t, "testdata/recorded.txtar", "testdata/recorded_expected.txt", func(t *testing.T) recorded.Platform {
		h := newHarness(t)
		service.RequestFrom(h.ctx).Account, service.RequestFrom(h.ctx).Region = "000000000000", "us-east-1"
		return &replayed{harness: h, began: h.clock.Now()}
	})
}
