package secretsmanager

import (
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"lambent.dev/lambent/internal/lib/uuid"
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

// Call implements [recorded.Platform]. A token that the recording lacks is made up, as SDKs do.
func (r *replayed) Call(_, operation, input string) (string, *recorded.Failure, error) {
	return recorded.Invoke(r.ctx, &r.desc, operation, input, func(in any) {
		token := reflect.ValueOf(in).Elem().FieldByName("ClientRequestToken")
		if token.IsValid() && token.IsNil() {
			made, err := uuid.New(r.deps.Random)
			if err != nil {
				r.t.Fatal(err)
			}
			token.Set(reflect.ValueOf(&made))
		}
	})
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	recorded.Replay(t, "testdata/recorded.txtar", "testdata/recorded_expected.txt", func(t *testing.T) recorded.Platform {
		h := newHarness(t)
		return &replayed{harness: h, began: h.clock.Now()}
	})
}
