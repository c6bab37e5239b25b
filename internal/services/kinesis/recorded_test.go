package kinesis

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/test/recorded"
)

// replayed is a harness on which recorded cases run.
type replayed struct {
	*harness
	t     *testing.T
	began time.Time
}

// Advance implements [recorded.Platform].
func (r *replayed) Advance(since time.Duration) {
	synctest.Wait()
	r.clock.Advance(since - r.clock.Now().Sub(r.began))
	synctest.Wait()
}

// Call implements [recorded.Platform]. The answer of a subscription is its first event.
func (r *replayed) Call(_, operation, input string) (string, *recorded.Failure, error) {
	var in any
	for _, b := range r.service.Operations {
		if b.Name == operation {
			in = b.New()
		}
	}
	if err := json.Unmarshal([]byte(input), in); err != nil {
		return "", nil, err
	}
	if create, ok := in.(*api.CreateStreamInput); ok && create.StreamName == "" {
		return "", &recorded.Failure{Code: codeValidation, Status: 400}, nil // package wire's check of the model
	}
	out, err := r.harness.Call(r.ctx, "kinesis", operation, in)
	var known *service.Error
	if errors.As(err, &known) {
		return "", &recorded.Failure{Code: known.Code, Message: known.Message, Status: 400}, nil
	}
	if err != nil {
		return "", nil, err
	}
	if pushed, ok := out.(*api.SubscribeToShardOutput); ok {
		events := []*api.SubscribeToShardEvent{}
		ctx, cancel := context.WithCancel(r.ctx)
		defer cancel()
		enough := errors.New("enough")
		if err := pushed.EventStream(ctx, func(e *api.SubscribeToShardEventStream) error {
			events = append(events, e.SubscribeToShardEvent)
			return enough
		}); !errors.Is(err, enough) {
			return "", nil, err
		}
		out = map[string]any{"Events": events}
	}
	text, err := json.Marshal(out)
	return string(text), nil, err
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	recorded.Replay(t, "testdata/recorded.txtar", "testdata/recorded_expected.txt", func(t *testing.T) recorded.Platform {
		h := newHarness(t)
		return &replayed{harness: h, t: t, began: h.clock.Now()}
	})
}
