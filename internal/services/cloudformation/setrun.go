package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Why a stack was left out of its operation.
const (
	cancelledByFailures = "Cancelled since failure tolerance has exceeded"
	cancelledByUser     = "Cancelled since user has stopped the operation"
)

// setRun carries out one operation on a stack set.
type setRun struct {
	s   *Service
	p   place
	set stackSetRecord
	op  setOperationRecord
	// exceeded tells that more stacks of a region failed than may.
	exceeded atomic.Bool
}

// operateSet carries out the operation that a job names, from where it stands.
func (s *Service) operateSet(ctx context.Context, j events.Job) error {
	var w job
	if err := json.Unmarshal(j.Payload, &w); err != nil {
		return events.Permanent(fmt.Errorf("decode job: %w", err))
	}
	ctx = service.WithRequest(ctx, &service.Request{ID: w.OperationID, API: "cloudformation", Operation: "UpdateStackSet", Account: w.Account, Region: w.Region, Time: s.Clock.Now(), Secure: true})
	run := &setRun{s: s, p: placeOf(ctx)}
	var results []setResultRecord
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		if run.set, _, err = record.Get[stackSetRecord](r, run.p.set(w.StackID)); err != nil {
			return err
		}
		if run.op, _, err = record.Get[setOperationRecord](r, run.p.setOperation(w.StackID, w.OperationID)); err != nil {
			return err
		}
		results, err = record.List[setResultRecord](r, run.p.setResults(w.StackID, w.OperationID).Span())
		return err
	})
	if err != nil || run.op.ID == "" || !run.op.active() {
		return err
	}
	if err := run.begin(ctx); err != nil {
		return err
	}
	if err := run.regions(ctx, results); err != nil {
		return err
	}
	return run.end(ctx)
}

// begin takes an operation out of the queue.
func (run *setRun) begin(ctx context.Context) error {
	return run.s.Store.Update(ctx, func(tx store.Txn) error {
		op, _, err := record.Get[setOperationRecord](tx, run.p.setOperation(run.set.ID, run.op.ID))
		if err != nil || op.Status != cloudformation.StackSetOperationStatusQueued {
			return err
		}
		op.Status = cloudformation.StackSetOperationStatusRunning
		return record.Set(tx, run.p.setOperation(run.set.ID, op.ID), op)
	})
}

// regions works on one region after the other, or on all at a time when the preferences say so.
func (run *setRun) regions(ctx context.Context, results []setResultRecord) error {
	parallel := run.op.Preferences != nil && run.op.Preferences.RegionConcurrencyType == cloudformation.RegionConcurrencyTypeParallel
	var group sync.WaitGroup
	errs := make([]error, len(run.op.Regions))
	for n, region := range run.op.Regions {
		var those []setResultRecord
		for _, r := range results {
			if r.Region == region {
				those = append(those, r)
			}
		}
		if !parallel {
			if err := run.region(ctx, those, run.exceeded.Load()); err != nil {
				return err
			}
			continue
		}
		group.Go(func() { errs[n] = run.region(ctx, those, false) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// region works on the stacks of one region, as many at a time as the preferences allow. over tells that too many failed elsewhere.
func (run *setRun) region(ctx context.Context, results []setResultRecord, over bool) error {
	tolerated, atOnce := limits(run.op.Preferences, len(results))
	var failed atomic.Int32
	var group sync.WaitGroup
	slots, errs := make(chan struct{}, atOnce), make([]error, len(results))
	exceeds := func() bool { return int(failed.Load()) > tolerated }
	for n, result := range results {
		slots <- struct{}{}
		stop := over || exceeds()
		group.Go(func() {
			defer func() { <-slots }()
			status, err := run.target(ctx, result, stop)
			if errs[n] = err; status == cloudformation.StackSetOperationResultStatusFailed {
				failed.Add(1)
			}
		})
	}
	group.Wait()
	if exceeds() {
		run.exceeded.Store(true)
	}
	return errors.Join(errs...)
}

// limits returns how many stacks of a region with so many may fail, and how many are worked on at a time, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackSetOperationPreferences.html.
func limits(c *cloudformation.StackSetOperationPreferences, stacks int) (tolerated, atOnce int) {
	if c == nil {
		return 0, 1
	}
	tolerated = int(deref(c.FailureToleranceCount)) + stacks*int(deref(c.FailureTolerancePercentage))/100
	atOnce = max(1, int(deref(c.MaxConcurrentCount))+stacks*int(deref(c.MaxConcurrentPercentage))/100)
	if c.ConcurrencyMode != cloudformation.ConcurrencyModeSoftFailureTolerance {
		atOnce = min(atOnce, tolerated+1)
	}
	return tolerated, min(atOnce, max(1, stacks))
}

// target works on one stack and returns the status of its result; stop tells that too many failed. An error is one of this process, after which the operation is tried again.
func (run *setRun) target(ctx context.Context, r setResultRecord, stop bool) (string, error) {
	if r.Status != cloudformation.StackSetOperationResultStatusPending && r.Status != cloudformation.StackSetOperationResultStatusRunning {
		return r.Status, nil // done before a restart
	}
	i, why, err := run.claim(ctx, &r, stop)
	if err != nil {
		return r.Status, err
	}
	if why != "" {
		r.Status, r.Reason = cloudformation.StackSetOperationResultStatusCancelled, why
		i.Detailed, i.Reason = cloudformation.StackInstanceDetailedStatusCancelled, why
		return r.Status, run.save(ctx, r, &i)
	}
	gone, err := run.step(ctx, r, &i)
	var failure *stepError
	switch {
	case ctx.Err() != nil:
		return r.Status, ctx.Err()
	case errors.As(err, &failure):
		r.Status, r.Reason = cloudformation.StackSetOperationResultStatusFailed, failure.Error()
		i.fail(run.op.Action, r)
	case err != nil:
		return r.Status, err
	default:
		r.Status, r.Reason = cloudformation.StackSetOperationResultStatusSucceeded, ""
		i.Detailed = cloudformation.StackInstanceDetailedStatusSucceeded
	}
	if gone {
		return r.Status, run.save(ctx, r, nil)
	}
	return r.Status, run.save(ctx, r, &i)
}

// fail notes on an instance that its operation failed.
func (i *instanceRecord) fail(action string, r setResultRecord) {
	i.Detailed, i.Reason = cloudformation.StackInstanceDetailedStatusFailed, r.Reason
	switch {
	case action == cloudformation.StackSetOperationActionDelete:
		i.Status, i.Detailed = cloudformation.StackInstanceStatusInoperable, cloudformation.StackInstanceDetailedStatusInoperable
	case r.Import != "":
		i.Status, i.Detailed = cloudformation.StackInstanceStatusInoperable, cloudformation.StackInstanceDetailedStatusFailedImport
	}
}

// claim notes that the work on a stack begins, or returns why it must not.
func (run *setRun) claim(ctx context.Context, r *setResultRecord, stop bool) (i instanceRecord, why string, err error) {
	err = run.s.Store.Update(ctx, func(tx store.Txn) error {
		why = ""
		op, _, err := record.Get[setOperationRecord](tx, run.p.setOperation(run.set.ID, run.op.ID))
		if err != nil {
			return err
		}
		if i, _, err = record.Get[instanceRecord](tx, run.p.instance(run.set.ID, r.setTarget)); err != nil {
			return err
		}
		i.setTarget = r.setTarget
		switch begun := r.Status == cloudformation.StackSetOperationResultStatusRunning; {
		case begun: // before a restart
			return nil
		case op.Status == cloudformation.StackSetOperationStatusStopping:
			why = cancelledByUser
			return nil
		case stop:
			why = cancelledByFailures
			return nil
		}
		r.Status = cloudformation.StackSetOperationResultStatusRunning
		i.Detailed = cloudformation.StackInstanceDetailedStatusRunning
		return run.put(tx, *r, &i)
	})
	return i, why, err
}

// save makes the result of one stack durable; a nil instance is gone.
func (run *setRun) save(ctx context.Context, r setResultRecord, i *instanceRecord) error {
	return run.s.Store.Update(ctx, func(tx store.Txn) error { return run.put(tx, r, i) })
}

func (run *setRun) put(tx store.Txn, r setResultRecord, i *instanceRecord) error {
	if err := record.Set(tx, run.p.setResult(run.set.ID, run.op.ID, r.setTarget), r); err != nil {
		return err
	}
	if i == nil {
		tx.Delete(run.p.instance(run.set.ID, r.setTarget))
		return nil
	}
	return record.Set(tx, run.p.instance(run.set.ID, r.setTarget), i)
}

// end notes how the operation ended.
func (run *setRun) end(ctx context.Context) error {
	return run.s.Store.Update(ctx, func(tx store.Txn) error {
		op, _, err := record.Get[setOperationRecord](tx, run.p.setOperation(run.set.ID, run.op.ID))
		if err != nil {
			return err
		}
		results, err := record.List[setResultRecord](tx, run.p.setResults(run.set.ID, op.ID).Span())
		if err != nil {
			return err
		}
		op.Failed = 0
		for _, r := range results {
			if r.Status == cloudformation.StackSetOperationResultStatusFailed {
				op.Failed++
			}
		}
		switch {
		case op.Status == cloudformation.StackSetOperationStatusStopping:
			op.Status = cloudformation.StackSetOperationStatusStopped
		case run.exceeded.Load():
			op.Status = cloudformation.StackSetOperationStatusFailed
		default:
			op.Status = cloudformation.StackSetOperationStatusSucceeded
		}
		op.Ended = run.s.Clock.Now()
		tx.OnCommit(func() { run.s.board.tell(op.ID) })
		if op.Action == cloudformation.StackSetOperationActionDetectDrift {
			if err := run.drifted(tx, &op); err != nil {
				return err
			}
		}
		return record.Set(tx, run.p.setOperation(run.set.ID, op.ID), op)
	})
}
