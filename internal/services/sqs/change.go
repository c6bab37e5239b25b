package sqs

import (
	"context"
	"errors"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
)

// handled is an entry of a batch on receipt handles.
type handled struct {
	entry, handle string
	// visibility is the new timeout in seconds; nil to delete.
	visibility *int32
}

func (s *Service) deleteMessage(ctx context.Context, in *api.DeleteMessageInput) (*api.DeleteMessageOutput, error) {
	failed, err := s.onHandles(ctx, in.QueueUrl, []handled{{handle: in.ReceiptHandle}})
	if err == nil {
		err = failed[0]
	}
	return &api.DeleteMessageOutput{}, err
}

func (s *Service) deleteMessageBatch(ctx context.Context, in *api.DeleteMessageBatchInput) (*api.DeleteMessageBatchOutput, error) {
	if err := checkBatch(in.Entries, func(e *api.DeleteMessageBatchRequestEntry) string { return e.Id }); err != nil {
		return nil, err
	}
	all := make([]handled, len(in.Entries))
	for i, e := range in.Entries {
		all[i] = handled{entry: e.Id, handle: e.ReceiptHandle}
	}
	failed, err := s.onHandles(ctx, in.QueueUrl, all)
	if err != nil {
		return nil, err
	}
	out := &api.DeleteMessageBatchOutput{}
	for i, e := range all {
		var refused *service.Error
		switch {
		case failed[i] == nil:
			out.Successful = append(out.Successful, api.DeleteMessageBatchResultEntry{Id: e.entry})
		case errors.As(failed[i], &refused):
			out.Failed = append(out.Failed, failedEntry(e.entry, refused))
		default:
			return nil, failed[i]
		}
	}
	return out, nil
}

func checkVisibility(seconds int32) error {
	if seconds < 0 || seconds > maxVisibility {
		return invalid(seconds, "VisibilityTimeout", "Must be between 0 and %d, if provided.", maxVisibility)
	}
	return nil
}

func (s *Service) changeMessageVisibility(ctx context.Context, in *api.ChangeMessageVisibilityInput) (*api.ChangeMessageVisibilityOutput, error) {
	if err := checkVisibility(in.VisibilityTimeout); err != nil {
		return nil, err
	}
	failed, err := s.onHandles(ctx, in.QueueUrl, []handled{{handle: in.ReceiptHandle, visibility: &in.VisibilityTimeout}})
	if err == nil {
		err = failed[0]
	}
	return &api.ChangeMessageVisibilityOutput{}, err
}

func (s *Service) changeMessageVisibilityBatch(ctx context.Context, in *api.ChangeMessageVisibilityBatchInput) (*api.ChangeMessageVisibilityBatchOutput, error) {
	if err := checkBatch(in.Entries, func(e *api.ChangeMessageVisibilityBatchRequestEntry) string { return e.Id }); err != nil {
		return nil, err
	}
	all := make([]handled, len(in.Entries))
	for i, e := range in.Entries {
		all[i] = handled{entry: e.Id, handle: e.ReceiptHandle, visibility: new(int32(0))}
		if e.VisibilityTimeout != nil {
			all[i].visibility = e.VisibilityTimeout
		}
	}
	failed, err := s.onHandles(ctx, in.QueueUrl, all)
	if err != nil {
		return nil, err
	}
	out := &api.ChangeMessageVisibilityBatchOutput{}
	for i, e := range all {
		var refused *service.Error
		switch {
		case failed[i] == nil:
			out.Successful = append(out.Successful, api.ChangeMessageVisibilityBatchResultEntry{Id: e.entry})
		case errors.As(failed[i], &refused):
			out.Failed = append(out.Failed, failedEntry(e.entry, refused))
		default:
			return nil, failed[i]
		}
	}
	return out, nil
}

// onHandles deletes messages or changes their visibility, in one transaction. It returns an error of the client's for each entry, nil where it succeeded.
func (s *Service) onHandles(ctx context.Context, url string, all []handled) ([]error, error) {
	p, name, err := resolve(ctx, url)
	if err != nil {
		return nil, err
	}
	receipts := make([]receipt, len(all))
	early := make([]error, len(all))
	for i, e := range all {
		if receipts[i], early[i] = s.openHandle(ctx, e.handle); early[i] == nil && e.visibility != nil {
			early[i] = checkVisibility(*e.visibility)
		}
		if early[i] != nil && !errors.As(early[i], new(*service.Error)) {
			return nil, early[i]
		}
	}
	var failed []error
	err = s.update(ctx, func(w *work) error {
		failed = append([]error(nil), early...)
		q, err := s.get(w.tx, p, name)
		if err != nil {
			return err
		}
		w.prefetch(q, receipts)
		changed, deleted := newGroups(q), 0
		for i, e := range all {
			if failed[i] != nil {
				continue
			}
			if receipts[i].queue != q.ID {
				failed[i] = badHandle(e.handle)
				continue
			}
			if failed[i], err = w.onHandle(q, e, receipts[i], changed); err != nil {
				return err
			}
			if failed[i] == nil && e.visibility == nil {
				deleted++
			}
		}
		w.tx.OnCommit(func() { q.live.countDeleted(w.s.clock.Now(), deleted) })
		return changed.refresh(w)
	})
	return failed, err
}

// prefetch reads the states of messages at once.
func (w *work) prefetch(q *queue, receipts []receipt) {
	keys := make([][]byte, 0, len(receipts))
	for _, r := range receipts {
		if r.queue == q.ID {
			keys = append(keys, q.stateKey(r.id))
		}
	}
	w.tx.Prefetch(keys...)
}

// onHandle does what one entry asks for. Its first result is the client's error, the second one of the store.
func (w *work) onHandle(q *queue, e handled, r receipt, changed *groups) (client, err error) {
	st, ok, err := q.state(w.tx, r.id)
	if err != nil {
		return nil, err
	}
	// A standard queue takes the handles of earlier receives too.
	current := ok && (st.received == r.received || !q.fifo && r.received < st.received)
	held := current && st.where == inFlight && st.due > w.now
	switch {
	case q.fifo && ok && !held:
		return invalid(e.handle, "ReceiptHandle", "The receipt handle has expired."), nil
	case e.visibility == nil && current:
		w.remove(q, r.id, st)
		changed.add(st.group)
	case e.visibility == nil:
		return nil, nil // deleted before
	case !ok:
		return invalid(e.handle, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change."), nil
	case held:
		return w.extend(q, r.id, &st, int64(*e.visibility), changed), nil
	}
	return nil, nil
}

// extend lets the visibility timeout of a message in flight begin anew.
func (w *work) extend(q *queue, id id, st *state, seconds int64, changed *groups) error {
	if seconds == 0 {
		w.show(q, id, st)
		changed.add(st.group)
		return nil
	}
	due := w.now + seconds*1000
	if due-st.first > maxVisibility*1000 {
		return invalid(seconds, "VisibilityTimeout", "Total VisibilityTimeout for the message is beyond the limit [%d seconds]", maxVisibility)
	}
	w.hide(q, id, st, due)
	return nil
}
