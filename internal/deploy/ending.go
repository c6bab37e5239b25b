package deploy

import (
	"context"
	"errors"
)

// ErrEnded is the failure of a step that stopped waiting because its operation was ended, in CloudFormation's words.
var ErrEnded = errors.New("Resource creation cancelled")

// errNotBegun tells that a step did not begin because the operation was ended.
var errNotBegun = errors.Join(errStep, errors.New("not begun"))

type endingKey struct{}

// Ending returns a channel that is closed when the operation whose step has ctx shall end early. Resource types that wait for somebody stop then, with
// [ErrEnded]. Outside of an operation it is nil.
func Ending(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(endingKey{}).(<-chan struct{})
	return c
}

func (r *Run) ended() bool {
	if r.op.Phase != Forward {
		return false
	}
	select {
	case <-r.Ended:
		return true
	default:
		return false
	}
}

// endEarly turns back from an operation that was ended.
func (r *Run) endEarly(ctx context.Context) error {
	why := r.EndReason()
	if r.op.Kind == Update {
		return r.next(ctx, Rollback, "UPDATE_ROLLBACK_IN_PROGRESS", why, Save{})
	}
	return r.failed(ctx, why+r.failures())
}
