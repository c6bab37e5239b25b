package ec2

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/test/fake"
	"lambent.dev/lambent/test/recorded"
)

// Call answers for the one bucket that there is, beside the service's own calls.
func (h *harness) Call(ctx context.Context, api, operation string, in any) (any, error) {
	if head, ok := in.(*s3.HeadBucketInput); ok {
		if head.Bucket != "logs" {
			return nil, service.Errorf("NotFound", "There is no such bucket.")
		}
		return &s3.HeadBucketOutput{}, nil
	}
	return h.Door.Call(ctx, api, operation, in)
}

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
func (r *replayed) Call(name, operation, input string) (string, *recorded.Failure, error) {
	region := "us-east-1"
	if _, other, ok := strings.Cut(name, "@"); ok {
		region = other
	}
	out, f, err := recorded.Invoke(fake.Root(r.t.Context(), "000000000000", region), &r.Services[0], operation, input, nil)
	if f != nil && f.Status == 0 {
		f.Status = 400 // what the wire makes of an error without one
	}
	return out, f, err
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	recorded.Replay(t, "testdata/recorded.txtar", "testdata/recorded_expected.txt", func(t *testing.T) recorded.Platform {
		h := newHarness(t)
		return &replayed{harness: h, began: h.clock.Now()}
	})
}
