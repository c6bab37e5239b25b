package dispatch

import (
	"context"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/service"
)

// kind says what a trail is told of an operation.
type kind uint8

const (
	dataCall  kind = iota // nothing: it works on what resources hold
	readCall              // that it only looks
	writeCall             // that it changes something
)

// readVerbs begin the names of operations that change nothing, as CloudTrail's readOnly has it.
var readVerbs = []string{
	"Assume", "BatchDescribe", "BatchGet", "Check", "Decode", "Describe", "Detect", "Estimate", "Export", "Filter", "Generate", "Get", "Head", "List", "Lookup", "Preview",
	"Search", "Select", "Simulate", "Test", "Validate",
}

func kindOf(s *service.Service, operation string) kind {
	switch {
	case slices.Contains(s.DataOperations, operation):
		return dataCall
	case slices.ContainsFunc(readVerbs, func(verb string) bool { return strings.HasPrefix(operation, verb) }):
		return readCall
	}
	return writeCall
}

// Watch gives the door a trail. It is called before the first call, if at all.
func (d *Door) Watch(t service.Trail) { d.trail = t }

// note tells the trail of a call that ran or was refused.
func (d *Door) note(ctx context.Context, op *operation, r *service.Request, in, out any, err error) {
	if op.kind == dataCall || d.trail == nil || r.Delivery || r.Principal.Kind == service.Anonymous {
		return
	}
	w := op.wire.Operation(op.binding.Name)
	d.trail.Note(context.WithoutCancel(ctx), &service.CallNote{
		Request: r, Service: op.wire.SigningName, URI: w.Schema.URI, ReadOnly: op.kind == readCall, Err: err,
		Members: func() (request, response []byte, _ error) { return w.Note(in, out) },
	})
}
