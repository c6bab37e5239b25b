package cloudformation

import (
	"context"
	"fmt"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// signalRecord is one signal for a resource that waits for some, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_SignalResource.html. Of several with the same unique id the first counts.
type signalRecord struct {
	UniqueID, Status string
	At               time.Time
}

// signalResource takes a signal for a resource that is being made.
func (s *Service) signalResource(ctx context.Context, in *cloudformation.SignalResourceInput) (*cloudformation.SignalResourceOutput, error) {
	p := placeOf(ctx)
	return &cloudformation.SignalResourceOutput{}, s.Store.Update(ctx, func(tx store.Txn) error {
		st, err := lookup(tx, p, in.StackName)
		if err != nil {
			return err
		}
		if st.Status != "CREATE_IN_PROGRESS" && st.Status != "UPDATE_IN_PROGRESS" {
			return invalid("Stack %s is in %s state and cannot be signaled", st.ID, st.Status)
		}
		row, found, err := record.Get[deploy.Resource](tx, p.resource(st.ID, in.LogicalResourceId))
		switch {
		case err != nil:
			return err
		case !found:
			return invalid("Resource %s does not exist for stack %s", in.LogicalResourceId, in.StackName)
		case row.Step == "":
			return invalid("Resource %s is in %s state and cannot be signaled", in.LogicalResourceId, row.Status)
		}
		at := p.signals(row.Operation, row.LogicalID)
		if have, err := record.Has(tx, at.Str(in.UniqueId)); err != nil || have {
			return err
		}
		tx.OnCommit(func() { s.board.tell(signalled(row.Operation, row.LogicalID)) })
		return record.Set(tx, at.Str(in.UniqueId), signalRecord{in.UniqueId, in.Status, s.Clock.Now()})
	})
}

// signalled is the name by which the board knows the signals for a resource.
func signalled(operation, logicalID string) string { return "signal " + operation + " " + logicalID }

// awaitSignals waits for the signals that the creation policy of a resource asks for. The time begins with the first call; the rows outlive the process, and the
// wait goes on after a restart.
func (s *Service) awaitSignals(ctx context.Context, row *deploy.Resource, want template.Signals, heard func(uniqueID, status string) error) error {
	p := placeOf(ctx)
	told, stop := s.board.watch(signalled(row.Operation, row.LogicalID))
	defer stop()
	since, err := s.waitingSince(ctx, row)
	if err != nil {
		return err
	}
	timer := s.Clock.NewTimer(want.Timeout - s.Clock.Now().Sub(since))
	defer timer.Stop()
	for {
		var list []signalRecord
		if err := s.Store.View(ctx, func(r store.Reader) (err error) {
			list, err = record.List[signalRecord](r, p.signals(row.Operation, row.LogicalID).Span())
			return err
		}); err != nil {
			return err
		}
		successes := 0
		for _, g := range list {
			if err := heard(g.UniqueID, g.Status); err != nil {
				return err
			}
			if g.Status != "SUCCESS" {
				return fmt.Errorf("Received %s signal with UniqueId %s", g.Status, g.UniqueID)
			}
			successes++
		}
		if successes >= want.Count {
			return nil
		}
		select {
		case <-told:
		case <-timer.C():
			return fmt.Errorf("Failed to receive %d resource signal(s) within the specified duration", want.Count-successes)
		case <-deploy.Ending(ctx):
			return deploy.ErrEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// waitingSince returns when the wait for the signals of a resource began, and notes it when that is now.
func (s *Service) waitingSince(ctx context.Context, row *deploy.Resource) (since time.Time, err error) {
	at := placeOf(ctx).waiting(row.Operation, row.LogicalID)
	err = s.Store.Update(ctx, func(tx store.Txn) error {
		have, found, err := record.Get[time.Time](tx, at)
		if err != nil || found {
			since = have
			return err
		}
		since = s.Clock.Now()
		return record.Set(tx, at, since)
	})
	return since, err
}

// dropSignals forgets the signals of an operation that has ended.
func dropSignals(tx store.Txn, p place, operation string) {
	for _, span := range []store.Span{p.base("signal").Str(operation).Span(), p.base("waiting").Str(operation).Span()} {
		tx.DeleteRange(span.Lo, span.Hi)
	}
}
