package sqs

import (
	"testing"
	"testing/synctest"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sqs"
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
		r.settle()
		synctest.Wait()
	}
}

// queryCodes are the names that clients see of modelled errors, where they differ from those of their shapes.
var queryCodes = map[string]string{
	codeNoQueue: "AWS.SimpleQueueService.NonExistentQueue", codeExists: "QueueAlreadyExists", codePurging: "AWS.SimpleQueueService.PurgeQueueInProgress",
	codeTooManyEntries: "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", codeBatchTooLong: "AWS.SimpleQueueService.BatchRequestTooLong",
	codeEntryID: "AWS.SimpleQueueService.InvalidBatchEntryId", codeEmptyBatch: "AWS.SimpleQueueService.EmptyBatchRequest",
	codeValue: queryCode(codeValue), codeMissing: queryCode(codeMissing), codeEntryIDsNotEqual: "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
}

// Call implements [recorded.Platform]. A receiver does not wait: the time of its answer has come.
func (r *replayed) Call(_, operation, input string) (string, *recorded.Failure, error) {
	output, f, err := recorded.Invoke(r.ctx, &r.service, operation, input, func(in any) {
		if receive, ok := in.(*api.ReceiveMessageInput); ok {
			if receive.WaitTimeSeconds == nil || *receive.WaitTimeSeconds > 0 && *receive.WaitTimeSeconds <= maxWait {
				receive.WaitTimeSeconds = new(int32(0))
			}
		}
	})
	if f == nil {
		return output, nil, err
	}
	switch {
	case f.Code == codePurging:
		f.Status = 403 // the model says so
	case f.Status == 0:
		f.Status = 400
	}
	if name, ok := queryCodes[f.Code]; ok {
		f.Code = name
	}
	return "", f, err
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	recorded.Replay(t, "testdata/recorded.txtar", "testdata/recorded_expected.txt", func(t *testing.T) recorded.Platform {
		h := newHarness(t)
		h.settle()
		return &replayed{harness: h, began: h.clock.Now()}
	})
}
