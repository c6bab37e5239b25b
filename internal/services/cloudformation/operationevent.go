package cloudformation

import (
	"context"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/store"
)

// describeEvents shows the events of a stack, or of one operation, with the operation that each belongs to, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html. A change set that was made has none: what is wrong with it is in its
// status.
func (s *Service) describeEvents(ctx context.Context, in *cloudformation.DescribeEventsInput) (*cloudformation.DescribeEventsOutput, error) {
	p := placeOf(ctx)
	out := &cloudformation.DescribeEventsOutput{OperationEvents: []cloudformation.OperationEvent{}}
	if name := deref(in.ChangeSetName); name != "" {
		_, err := s.findChangeSet(ctx, name, in.StackName)
		return out, err
	}
	failed := in.Filters != nil && deref(in.Filters.FailedEvents)
	err := s.Store.View(ctx, func(r store.Reader) error {
		st, err := eventsOwner(r, p, in)
		if err != nil {
			return err
		}
		page, next, err := eventsOf(r, p, st.ID, deref(in.NextToken), func(e *eventRecord) bool {
			return (deref(in.OperationId) == "" || e.Operation.ID == *in.OperationId) && (!failed || e.kind() == cloudformation.EventTypeProvisioningError || e.kind() == cloudformation.EventTypeHookInvocationError)
		})
		out.OperationEvents, out.NextToken = []cloudformation.OperationEvent{}, next
		for i := range page {
			out.OperationEvents = append(out.OperationEvents, operationEvent(st, &page[i]))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// eventsOwner returns the stack whose events a call asks for.
func eventsOwner(r store.Reader, p place, in *cloudformation.DescribeEventsInput) (*stackRecord, error) {
	switch {
	case deref(in.StackName) != "":
		st, err := lookup(r, p, *in.StackName)
		if isMissing(err) {
			err = invalid("Stack [%s] does not exist", *in.StackName)
		}
		return st, err
	case deref(in.OperationId) == "":
		return nil, invalid("One of StackName, ChangeSetName and OperationId must be specified.")
	}
	id, err := r.Get(p.ran(*in.OperationId))
	if err != nil {
		return nil, invalid("Operation [%s] does not exist", *in.OperationId)
	}
	return lookup(r, p, string(id))
}

// kind is the type of an event, in the words of DescribeEvents.
func (e *eventRecord) kind() string {
	switch {
	case e.Hook != nil && (e.Hook.Status == cloudformation.HookStatusHookCompleteFailed || e.Hook.Status == cloudformation.HookStatusHookFailed):
		return cloudformation.EventTypeHookInvocationError
	case e.Hook != nil:
		return cloudformation.EventTypeProgressEvent
	case e.Type == nestedStack && strings.HasPrefix(e.PhysicalID, "arn:") && strings.Contains(e.PhysicalID, ":stack/"+e.LogicalID+"/"):
		return cloudformation.EventTypeStackEvent
	case strings.HasSuffix(e.Status, "_FAILED"):
		return cloudformation.EventTypeProvisioningError
	}
	return cloudformation.EventTypeProgressEvent
}

func operationEvent(st *stackRecord, e *eventRecord) cloudformation.OperationEvent {
	out := cloudformation.OperationEvent{
		EventId: ptr(e.ID), StackId: ptr(st.ID), OperationId: optional(e.Operation.ID), OperationType: e.Operation.Type, EventType: e.kind(),
		LogicalResourceId: ptr(e.LogicalID), PhysicalResourceId: ptr(e.PhysicalID), ResourceType: ptr(e.Type), Timestamp: ptr(e.Time),
		ResourceStatus: e.Status, ResourceStatusReason: optional(e.Reason), ResourceProperties: optional(e.Properties), ClientRequestToken: optional(e.Token),
	}
	if h := e.Hook; h != nil {
		out.HookType, out.HookStatus, out.HookStatusReason, out.HookFailureMode, out.HookInvocationPoint = &h.Type, h.Status, optional(h.Reason), h.Mode, cloudformation.HookInvocationPointPreProvision
	}
	if out.EventType != cloudformation.EventTypeStackEvent {
		return out
	}
	switch {
	case strings.HasSuffix(e.Status, "_IN_PROGRESS"):
		out.OperationStatus, out.StartTime = cloudformation.BeaconStackOperationStatusInProgress, ptr(e.Time)
	case strings.HasSuffix(e.Status, "_FAILED"), e.Status == "ROLLBACK_COMPLETE", e.Status == "UPDATE_ROLLBACK_COMPLETE" && e.Operation.Type == cloudformation.OperationTypeUpdateStack:
		out.OperationStatus, out.EndTime = cloudformation.BeaconStackOperationStatusFailed, ptr(e.Time)
	default:
		out.OperationStatus, out.EndTime = cloudformation.BeaconStackOperationStatusSucceeded, ptr(e.Time)
	}
	return out
}
