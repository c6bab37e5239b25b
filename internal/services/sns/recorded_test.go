package sns

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	queueapi "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/test/recorded"
)

// step is how far the clock moves at a time.
const step = 250 * time.Millisecond

// replayed is a harness on which recorded cases run.
type replayed struct {
	*harness
	began time.Time
}

// Advance implements [recorded.Platform].
func (r *replayed) Advance(since time.Duration) {
	synctest.Wait()
	// Work in the background goes on in steps.
	for left := since - r.clock.Now().Sub(r.began); left > 0; left -= step {
		r.clock.Advance(min(left, step))
		synctest.Wait()
	}
}

// Call implements [recorded.Platform]. A receiver does not wait: the time of its answer has come.
func (r *replayed) Call(name, operation, input string) (string, *recorded.Failure, error) {
	of := &r.topics
	if name == "sqs" {
		of = &r.queues
	}
	output, failure, err := recorded.Invoke(r.ctx, of, operation, input, func(in any) {
		if receive, ok := in.(*queueapi.ReceiveMessageInput); ok {
			receive.WaitTimeSeconds = new(int32(0))
		}
	})
	if failure != nil {
		failure.Code = strings.TrimSuffix(failure.Code, "Exception") // SNS's names on the wire have no such end
	}
	return output, failure, err
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	// Making a key takes long; the cases share one.
	maker := newHarness(t, nil)
	key, err := maker.impl.signer(maker.ctx)
	if err != nil {
		t.Fatal(err)
	}
	recorded.Replay(t, "testdata/recorded.txtar", "testdata/recorded_expected.txt", func(t *testing.T) recorded.Platform {
		h := newHarness(t, &endpoint{status: http.StatusOK})
		service.RequestFrom(h.ctx).Principal.ARN = "arn:aws:iam::000000000000:user/ann" // the recordings were made by a user
		h.impl.signers.one = key
		synctest.Wait()
		return &replayed{harness: h, began: h.clock.Now()}
	})
}
