package cloudformation

import (
	"context"
	"encoding/hex"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// eventTime returns a time for the next event of a stack that is later than that of the one before: clients sort events by their times, in milliseconds.
func (s *Service) eventTime(r store.Reader, p place, stackID string) (time.Time, error) {
	now := s.Clock.Now().Truncate(time.Millisecond)
	span := p.events(stackID).Span()
	span.Reverse, span.Limit = true, 1
	last, err := record.List[eventRecord](r, span)
	if err == nil && len(last) > 0 && !now.After(last[0].Time) {
		now = last[0].Time.Add(time.Millisecond)
	}
	return now, err
}

// addStackEvent writes the stack's own event with its present status, at the given time.
func (s *Service) addStackEvent(tx store.Txn, p place, st *stackRecord, reason, token string, at time.Time) error {
	id, err := s.uuid()
	if err != nil {
		return err
	}
	e := eventRecord{ID: id, LogicalID: st.Name, PhysicalID: st.ID, Type: nestedStack, Status: st.Status, Reason: reason, Token: token, Time: at, Operation: st.Last}
	if err := st.Notify.tell(tx, p, st.ID, &e); err != nil {
		return err
	}
	return record.Append(tx, p.events(st.ID), e)
}

// eventPage is the number of events in one answer.
const eventPage = 100

func (s *Service) describeStackEvents(ctx context.Context, in *cloudformation.DescribeStackEventsInput) (*cloudformation.DescribeStackEventsOutput, error) {
	p := placeOf(ctx)
	out := &cloudformation.DescribeStackEventsOutput{}
	err := s.Store.View(ctx, func(r store.Reader) error {
		st, err := lookup(r, p, in.StackName)
		if err != nil {
			if isMissing(err) {
				err = invalid("Stack [%s] does not exist", in.StackName)
			}
			return err
		}
		page, next, err := eventsOf(r, p, st.ID, deref(in.NextToken), nil)
		out.StackEvents, out.NextToken = []cloudformation.StackEvent{}, next
		for _, e := range page {
			out.StackEvents = append(out.StackEvents, eventShape(st, e))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// eventsOf returns a page of the events of a stack, the newest first, and the token of the page after it; keep, when not nil, tells which count.
func eventsOf(r store.Reader, p place, stackID, token string, keep func(e *eventRecord) bool) (page []eventRecord, next *string, err error) {
	span := p.events(stackID).Span()
	span.Reverse = true
	if token != "" {
		stamp, err := hex.DecodeString(token)
		if err != nil || len(stamp) != store.StampSize {
			return nil, nil, invalid("NextToken is not one that this operation returned")
		}
		span.Hi = p.events(stackID).Raw(stamp)
	}
	var last []byte
	for row, err := range record.Range[eventRecord](r, span) {
		if err != nil {
			return nil, nil, err
		}
		if keep != nil && !keep(&row.Value) {
			continue
		}
		if len(page) == eventPage {
			return page, ptr(hex.EncodeToString(last)), nil
		}
		last = append(last[:0], row.Key[len(row.Key)-store.StampSize:]...)
		page = append(page, row.Value)
	}
	return page, nil, nil
}

func eventShape(st *stackRecord, e eventRecord) cloudformation.StackEvent {
	out := cloudformation.StackEvent{
		StackId: st.ID, StackName: st.Name, EventId: e.ID, LogicalResourceId: ptr(e.LogicalID), PhysicalResourceId: ptr(e.PhysicalID), ResourceType: ptr(e.Type),
		Timestamp: e.Time, ResourceStatus: e.Status, ResourceStatusReason: optional(e.Reason), ResourceProperties: optional(e.Properties), ClientRequestToken: optional(e.Token),
	}
	if h := e.Hook; h != nil {
		out.HookType, out.HookStatus, out.HookStatusReason, out.HookFailureMode = &h.Type, h.Status, optional(h.Reason), h.Mode
		out.HookInvocationPoint, out.HookInvocationId = cloudformation.HookInvocationPointPreProvision, &h.ID
	}
	return out
}
