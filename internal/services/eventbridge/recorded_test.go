package eventbridge

import (
	"testing"
	"testing/synctest"
	"time"

	queueapi "lambent.dev/lambent/internal/awsapi/sqs"
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

// Call implements [recorded.Platform]. A receiver does not wait: the time of its answer has come.
func (r *replayed) Call(name, operation, input string) (string, *recorded.Failure, error) {
	of := &r.buses
	if name == "sqs" {
		of = &r.queues
	}
	return recorded.Invoke(r.ctx, of, operation, input, func(in any) {
		if receive, ok := in.(*queueapi.ReceiveMessageInput); ok {
			receive.WaitTimeSeconds = new(int32(0))
		}
	})
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	recorded.Replay(t, "testdata/recorded.txtar", "testdata/recorded_expected.txt", func(t *testing.T) recorded.Platform {
		h := newHarness(t)
		service.RequestFrom(h.ctx).Account, service.RequestFrom(h.ctx).Region = "000000000000", "us-east-1"
		service.RequestFrom(h.ctx).Principal.Account = "000000000000"
		synctest.Wait()
		return &replayed{harness: h, began: h.clock.Now()}
	})
}
