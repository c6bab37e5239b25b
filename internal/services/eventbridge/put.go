package eventbridge

import (
	"context"
	"strings"
	"unicode/utf8"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
)

// maxEntries is the size in bytes of all entries of a call: 1 MB since January 2026
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html).
const maxEntries = 1_000_000

// putEvents takes events. They are durable with all their deliveries when it returns.
func (s *Service) putEvents(ctx context.Context, in *api.PutEventsInput) (*api.PutEventsOutput, error) {
	size := 0
	for i := range in.Entries {
		size += sizeOf(&in.Entries[i])
	}
	if size > maxEntries {
		return nil, invalid("Total size of the entries in the request is over the limit.")
	}
	var homes []place // of a global endpoint
	if in.EndpointId != nil {
		var err error
		if homes, err = s.homesOf(ctx, *in.EndpointId); err != nil {
			return nil, err
		}
	}
	out := &api.PutEventsOutput{Entries: make([]api.PutEventsResultEntry, len(in.Entries)), FailedEntryCount: new(int32(0))}
	var plans []*plan
	for i := range in.Entries {
		e := &in.Entries[i]
		if code, message := check(ctx, e); code != "" {
			out.Entries[i] = api.PutEventsResultEntry{ErrorCode: &code, ErrorMessage: &message}
			*out.FailedEntryCount++
			continue
		}
		p, name := busNamed(ctx, e.EventBusName)
		if homes != nil {
			p = homes[0]
		}
		ev, err := s.newEvent(ctx, p, e)
		if err != nil {
			return nil, err
		}
		out.Entries[i] = api.PutEventsResultEntry{EventId: &ev.ID}
		one, err := s.plan(ctx, busKey{p, name}, ev, nil)
		if err != nil {
			return nil, err
		}
		if one != nil {
			plans = append(plans, one)
		}
		for _, q := range homes[min(1, len(homes)):] {
			copied := *ev
			copied.Region = q.region
			copied.seal(*e.Detail, "")
			if one, err = s.plan(ctx, busKey{q, name}, &copied, nil); err != nil {
				return nil, err
			}
			if one != nil {
				plans = append(plans, one)
			}
		}
	}
	return out, s.commit(ctx, plans)
}

// sizeOf returns the size of an entry as it is counted: 14 bytes for a time, and the bytes of the texts.
func sizeOf(e *api.PutEventsRequestEntry) int {
	n := len(opt.Value(e.Source)) + len(opt.Value(e.DetailType)) + len(opt.Value(e.Detail))
	if e.Time != nil {
		n += 14
	}
	for _, r := range e.Resources {
		n += len(r)
	}
	return n
}

// check returns what is wrong with an entry, or "".
func check(ctx context.Context, e *api.PutEventsRequestEntry) (code, message string) {
	for _, f := range []struct {
		name  string
		value *string
	}{{"Source", e.Source}, {"DetailType", e.DetailType}, {"Detail", e.Detail}} {
		if opt.Value(f.value) == "" {
			return "InvalidArgument", "Parameter " + f.name + " is not valid. Reason: " + f.name + " is a required argument."
		}
	}
	switch {
	case utf8.RuneCountInString(*e.DetailType) > 128:
		return "InvalidArgument", "Parameter DetailType is not valid. Reason: DetailType must have at most 128 characters."
	case utf8.RuneCountInString(*e.Source) > 256:
		return "InvalidArgument", "Parameter Source is not valid. Reason: Source must have at most 256 characters."
	case strings.HasPrefix(*e.Source, "aws.") && service.RequestFrom(ctx).Principal.Kind != service.ServicePrincipal:
		return "NotAuthorizedForSource", "Not authorized for the source."
	case !isObject([]byte(*e.Detail)):
		return "MalformedDetail", "Detail is malformed."
	}
	return "", ""
}

// newEvent returns the event of an entry that was checked.
func (s *Service) newEvent(ctx context.Context, p place, in *api.PutEventsRequestEntry) (*event, error) {
	id, err := uuid.New(s.deps.Random)
	if err != nil {
		return nil, err
	}
	r := service.RequestFrom(ctx)
	e := &event{
		ID: id, Source: *in.Source, DetailType: *in.DetailType, Account: r.Account, Region: p.region, Resources: in.Resources, Ingested: s.now(),
		Trace: opt.Value(in.TraceHeader),
	}
	if a := r.Principal.Account; a != "" {
		e.Account = a
	}
	if e.Trace == "" {
		e.Trace = r.Trace
	}
	e.Time = e.Ingested
	if in.Time != nil {
		e.Time = *in.Time
	}
	e.seal(*in.Detail, "")
	return e, nil
}
