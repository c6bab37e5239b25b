package scheduler

import (
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
	return recorded.Invoke(r.ctx, &r.desc, operation, input, nil)
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	recorded.Replay(t, "testdata/recorded.txtar", "testdata/recorded_expected.txt", func(t *testing.T) recorded.Platform {
		h := newHarness(t)
		service.RequestFrom(h.ctx).Account, service.RequestFrom(h.ctx).Region = "000000000000", "us-east-1"
		return &replayed{harness: h, began: h.clock.Now()}
	})
}
