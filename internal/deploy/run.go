package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/service"
)

// maxParallel is how many resources are worked on at a time.
const maxParallel = 16

// Run carries out one operation on one stack.
type Run struct {
	// Stack names the stack; Types are all resource types.
	Stack Stack
	Types Types
	// Target is what to deploy; nil for a delete.
	Target *Target
	// Refused is why there is no target, such as the failure of a transform: the operation does nothing and is rolled back.
	Refused string
	// Journal keeps the rows.
	Journal Journal
	// Dynamic returns the value of a dynamic reference. Values are read when a resource type is called and are kept nowhere.
	Dynamic func(ctx context.Context, d template.Dynamic) (string, error)
	// Guard, when set, returns why the stack's policy denies an action on a resource, or nothing.
	Guard func(id, typ, action string) string
	// Hooks, when set, asks the hooks of a step. It returns how many it asked and the names of those that forbid the step, or [ErrEnded].
	Hooks func(ctx context.Context, t HookTarget) (asked int, against []string, err error)
	// Await waits until a resource that was just made has the signals of its creation policy; it returns why it failed when it does not get them. heard is
	// told of each signal that came, once each, and keeps it.
	Await func(ctx context.Context, row *Resource, want template.Signals, heard func(uniqueID, status string) error) error
	// Ended, when set, is closed when the operation shall end early, because somebody cancelled it or its time is over, and EndReason then says why, as
	// the beginning of the stack's reason: nothing new begins, what waits stops (see [Ending]), and the operation is rolled back.
	Ended     <-chan struct{}
	EndReason func() string
	// Monitor, when set, is called when every resource is made, and waits while the operation may still end early.
	Monitor func(ctx context.Context) error
	// CheckOutputs, when set, may refuse the outputs of a deploy, such as an export name that is taken.
	CheckOutputs func(ctx context.Context, outputs []OutputValue) error

	mu   sync.Mutex
	op   Operation
	rows map[string]*Resource

	deletions deletions
}

// Do runs the operation from its current phase to its end, with the rows that the journal holds. It returns an error only when it
// could not go on, in which case Do is called again later with the rows as they then are. The failure of a resource is not
// an error but an outcome, which the journal learns as the stack's status.
func (r *Run) Do(ctx context.Context, op Operation, rows map[string]*Resource) error {
	r.op, r.rows = op, maps.Clone(rows)
	if r.rows == nil {
		r.rows = map[string]*Resource{}
	}
	for r.op.Phase != Done {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.phase(ctx); err != nil {
			return fmt.Errorf("stack %s, operation %s, phase %s: %w", r.Stack.Name, r.op.ID, r.op.Phase, err)
		}
	}
	return nil
}

func (r *Run) phase(ctx context.Context) error {
	switch {
	case r.op.Kind == Delete:
		return r.deleteAll(ctx)
	case r.op.Phase == Forward:
		return r.forward(ctx)
	case r.op.Phase == Cleanup:
		return r.cleanup(ctx, r.removed(), Update+"_COMPLETE", "")
	case r.op.Phase == Rollback && r.op.Kind == Create:
		return r.unmake(ctx)
	case r.op.Phase == Rollback && r.op.Kind == Import:
		return r.release(ctx)
	case r.op.Phase == Rollback:
		return r.rollback(ctx)
	case r.op.Phase == Discard:
		return r.cleanup(ctx, r.made(), "UPDATE_ROLLBACK_COMPLETE", "")
	}
	return fmt.Errorf("unknown phase %q", r.op.Phase)
}

// next makes the change of phase durable together with the stack's status.
func (r *Run) next(ctx context.Context, phase, status, reason string, s Save) error {
	op := r.op
	op.Phase, op.Reason = phase, reason
	s.Operation, s.Status, s.Reason = &op, status, reason
	if err := r.Journal.Save(ctx, s); err != nil {
		return err
	}
	r.op = op
	return nil
}

// save makes a row and its events durable, then visible to the other steps.
func (r *Run) save(ctx context.Context, row *Resource, events ...Event) error {
	if err := r.Journal.Save(ctx, Save{Put: []*Resource{row}, Events: events}); err != nil {
		return err
	}
	r.mu.Lock()
	r.rows[row.LogicalID] = row
	r.mu.Unlock()
	return nil
}

func (r *Run) row(id string) *Resource {
	r.mu.Lock()
	defer r.mu.Unlock()
	if row := r.rows[id]; row != nil {
		return row.clone()
	}
	return nil
}

// lookup returns what gives expressions the values of resources as they are now.
func (r *Run) lookup(ctx context.Context) func(id, attribute string) (any, error) {
	return func(id, attribute string) (any, error) {
		row := r.row(id)
		if row == nil || row.PhysicalID == "" {
			return nil, template.Errorf("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", id)
		}
		if r.Types.changing(row.Type, attribute) {
			if err := r.refresh(ctx, row); err != nil {
				return nil, err
			}
		}
		v, ok := row.value(r.Stack, attribute)
		if !ok {
			return nil, template.Errorf("Template error: resource %s has no value for the attribute %s", id, attribute)
		}
		return v, nil
	}
}

func (r *Run) forward(ctx context.Context) error {
	if r.Refused != "" {
		return r.failed(ctx, r.Refused+". ")
	}
	if id, why := r.guardRemovals(); id != "" {
		row := r.row(id)
		if err := r.Journal.Save(ctx, Save{Events: []Event{event(row, "UPDATE_FAILED", why)}}); err != nil {
			return err
		}
		return r.failed(ctx, fmt.Sprintf("The following resource(s) failed to update: [%s]. ", id))
	}
	err := parallel(context.WithValue(ctx, endingKey{}, r.Ended), r.Target.deps, false, r.step)
	if errors.Is(err, errStep) && r.ended() {
		return r.endEarly(ctx)
	}
	if err != nil && !errors.Is(err, errStep) {
		return err
	}
	if err != nil {
		return r.failed(ctx, r.failures())
	}
	outputs, err := r.Target.outputs(r.Target.with(r.lookup(ctx)))
	if err == nil && r.CheckOutputs != nil {
		err = r.CheckOutputs(ctx, outputs)
	}
	if err != nil {
		var visible *template.Error
		var refused *service.Error
		switch {
		case errors.As(err, &visible):
			return r.failed(ctx, visible.Error())
		case errors.As(err, &refused):
			return r.failed(ctx, refused.Message)
		}
		return err
	}
	if r.Monitor != nil {
		if err := r.Monitor(ctx); err != nil {
			return err
		}
		if r.ended() {
			return r.endEarly(ctx)
		}
	}
	s := Save{Outputs: outputs, SetOutputs: true, Events: r.warnings(ctx)}
	if r.op.Kind == Create || r.op.Kind == Import {
		return r.next(ctx, Done, r.op.Kind+"_COMPLETE", "", s)
	}
	return r.next(ctx, Cleanup, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", s)
}

// failures names the resources that failed, as the stack's reason; nothing when none did.
func (r *Run) failures() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for id, row := range r.rows {
		if row.Operation == r.op.ID && row.Failed {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	slices.Sort(ids)
	return fmt.Sprintf("The following resource(s) failed to %s: [%s]. ", strings.ToLower(r.op.Kind), strings.Join(ids, ", "))
}

func (r *Run) failed(ctx context.Context, reason string) error {
	switch {
	case r.op.Kind == Import: // which there is no status to stay in
		return r.next(ctx, Rollback, "IMPORT_ROLLBACK_IN_PROGRESS", reason, Save{})
	case r.op.KeepOnFailure:
		return r.next(ctx, Done, r.op.Kind+"_FAILED", reason, Save{})
	case r.op.Kind == Create:
		return r.next(ctx, Rollback, "ROLLBACK_IN_PROGRESS", reason+"Rollback requested by user.", Save{})
	}
	return r.next(ctx, Rollback, "UPDATE_ROLLBACK_IN_PROGRESS", reason, Save{})
}

// call returns the call of a resource type for a row.
func (r *Run) call(row *Resource, physicalID, what string) service.ResourceCall {
	return service.ResourceCall{
		StackID: r.Stack.ID, StackName: r.Stack.Name, LogicalID: row.LogicalID, Type: row.Type, PhysicalID: physicalID,
		Token: digest(32, r.op.ID, row.LogicalID, what, physicalID), NameSeed: row.NameSeed, Tags: r.Stack.tags(row.LogicalID),
	}
}

// digest returns n hexadecimal digits that stand for parts.
func digest(n int, parts ...string) string {
	h := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(h[:])[:n]
}

// seed returns a name for a new resource; its end is new for every operation.
func (r *Run) seed(id string) string {
	h := sha256.Sum256([]byte(r.Stack.ID + "\x00" + id + "\x00" + r.op.ID))
	return r.Stack.Name + "-" + id + "-" + base32.StdEncoding.EncodeToString(h[:])[:12]
}

// typed decodes wanted properties for a resource type, with the values of their dynamic references.
func (r *Run) typed(ctx context.Context, typ string, properties map[string]any) (service.ResourceType, any, error) {
	return r.decode(ctx, typ, properties, r.Dynamic)
}

// former decodes the properties that a resource has. A dynamic reference whose value is gone stays as it is: that is no reason to keep the resource.
func (r *Run) former(ctx context.Context, typ string, properties map[string]any) (service.ResourceType, any, error) {
	return r.decode(ctx, typ, properties, func(ctx context.Context, d template.Dynamic) (string, error) {
		v, err := r.Dynamic(ctx, d)
		if err != nil && ctx.Err() == nil {
			return d.Text, nil
		}
		return v, err
	})
}

// lookUp returns the value of a dynamic reference.
type lookUp func(ctx context.Context, d template.Dynamic) (string, error)

func (r *Run) decode(ctx context.Context, typ string, properties map[string]any, value lookUp) (service.ResourceType, any, error) {
	t, ok := r.Types.Of(typ)
	if !ok {
		return t, nil, fmt.Errorf("the resource type %s is not part of this version of Lambent", typ)
	}
	into := t.NewProperties()
	shape, err := property.Of(into)
	if err != nil {
		return t, nil, err
	}
	if r.Dynamic == nil {
		value = nil
	}
	live, err := resolved(ctx, properties, value)
	if err != nil {
		return t, nil, err
	}
	m, _ := live.(map[string]any)
	return t, into, shape.Decode(m, into)
}

// resolved copies a value with its dynamic references replaced.
func resolved(ctx context.Context, v any, value lookUp) (any, error) {
	switch x := v.(type) {
	case string:
		if !template.HasDynamic(x) || value == nil {
			return x, nil
		}
		return template.ReplaceDynamic(x, func(d template.Dynamic) (string, error) { return value(ctx, d) })
	case []any:
		out := make([]any, len(x))
		for i := range x {
			var err error
			if out[i], err = resolved(ctx, x[i], value); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(x))
		for k := range x {
			var err error
			if out[k], err = resolved(ctx, x[k], value); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// reason returns the text of an error for a stack's events.
func reason(err error) string {
	var e *service.Error
	if errors.As(err, &e) {
		return fmt.Sprintf("%s (%s)", e.Message, e.Code)
	}
	return err.Error()
}

func event(row *Resource, status, why string) Event {
	return Event{LogicalID: row.LogicalID, PhysicalID: row.PhysicalID, Type: row.Type, Status: status, Reason: why}
}
