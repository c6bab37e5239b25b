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
	e := eventRecord{ID: id, LogicalID: st.Name, PhysicalID: st.ID, Type: "AWS::CloudFormation::Stack", Status: st.Status, Reason: reason, Token: token, Time: at}
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
		out.StackEvents, out.NextToken = []cloudformation.StackEvent{}, nil
		st, err := lookup(r, p, in.StackName)
		if err != nil {
			if isMissing(err) {
				err = invalid("Stack [%s] does not exist", in.StackName)
			}
			return err
		}
		span := p.events(st.ID).Span()
		span.Reverse, span.Limit = true, eventPage+1
		if token := deref(in.NextToken); token != "" {
			stamp, err := hex.DecodeString(token)
			if err != nil || len(stamp) != store.StampSize {
				return invalid("NextToken is not one that DescribeStackEvents returned")
			}
			span.Hi = p.events(st.ID).Raw(stamp)
		}
		var last []byte
		for row, err := range record.Range[eventRecord](r, span) {
			if err != nil {
				return err
			}
			if len(out.StackEvents) == eventPage {
				out.NextToken = ptr(hex.EncodeToString(last))
				break
			}
			last = append(last[:0], row.Key[len(row.Key)-store.StampSize:]...)
			out.StackEvents = append(out.StackEvents, eventShape(st, row.Value))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func eventShape(st *stackRecord, e eventRecord) cloudformation.StackEvent {
	return cloudformation.StackEvent{
		StackId: st.ID, StackName: st.Name, EventId: e.ID, LogicalResourceId: ptr(e.LogicalID), PhysicalResourceId: ptr(e.PhysicalID), ResourceType: ptr(e.Type),
		Timestamp: e.Time, ResourceStatus: e.Status, ResourceStatusReason: optional(e.Reason), ResourceProperties: optional(e.Properties), ClientRequestToken: optional(e.Token),
	}
}
