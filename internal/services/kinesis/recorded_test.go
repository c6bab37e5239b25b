package kinesis

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
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
	r.clock.Advance(since - r.clock.Now().Sub(r.began))
	synctest.Wait()
}

// Call implements [recorded.Platform].
func (r *replayed) Call(_, operation, input string) (string, *recorded.Failure, error) {
	if operation == "SubscribeToShard" {
		return r.subscribe(input)
	}
	unnamed := false
	out, failure, err := recorded.Invoke(r.ctx, &r.service, operation, input, func(in any) {
		create, ok := in.(*api.CreateStreamInput)
		unnamed = ok && create.StreamName == ""
	})
	if unnamed {
		failure = &recorded.Failure{Code: codeValidation} // package wire's check of the model
	}
	if failure != nil {
		failure.Status = 400
	}
	return out, failure, err
}

// subscribe answers with the first event of a subscription.
func (r *replayed) subscribe(input string) (string, *recorded.Failure, error) {
	var in api.SubscribeToShardInput
	if err := json.Unmarshal([]byte(input), &in); err != nil {
		return "", nil, err
	}
	out, err := r.impl.subscribeToShard(r.ctx, &in)
	if err != nil {
		return "", nil, err
	}
	var events []*api.SubscribeToShardEvent
	enough := errors.New("enough")
	if err := out.EventStream(r.ctx, func(e *api.SubscribeToShardEventStream) error {
		events = append(events, e.SubscribeToShardEvent)
		return enough
	}); !errors.Is(err, enough) {
		return "", nil, err
	}
	text, err := json.Marshal(map[string]any{"Events": events})
	return string(text), nil, err
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	recorded.Replay(t, "testdata/recorded.txtar", "testdata/recorded_expected.txt", func(t *testing.T) recorded.Platform {
		h := newHarness(t)
		return &replayed{harness: h, began: h.clock.Now()}
	})
}
