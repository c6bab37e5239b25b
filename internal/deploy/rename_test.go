package deploy

import (
	"context"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/service"
)

// named is what a resource with a name of its own is made from.
type named struct {
	Name  *string `cfn:"Name,createOnly"`
	Shape string  `cfn:"Shape,createOnly"`
}

func TestAReplacementNeedsAnotherName(t *testing.T) {
	for _, c := range []struct {
		before, after, status string
		made                  int
	}{
		{"{Name: a, Shape: round}", "{Name: a, Shape: square}", "UPDATE_ROLLBACK_COMPLETE", 1},
		{"{Name: a, Shape: round}", "{Name: b, Shape: square}", "UPDATE_COMPLETE", 2},
		{"{Shape: round}", "{Shape: square}", "UPDATE_COMPLETE", 2},
	} {
		w, made := newWorld(), 0
		build := func(call service.ResourceCall) (service.Resource, error) {
			if made++; made > 2 {
				return service.Resource{}, errDied
			}
			return service.Resource{PhysicalID: call.NameSeed}, nil
		}
		w.kinds = NewTypes(service.NewResourceType("Test::Named", service.ResourceSpec[named]{
			Identifier: []string{"Name"},
			Create: func(_ context.Context, call service.ResourceCall, _ *named) (service.Resource, error) {
				return build(call)
			},
			Update: func(_ context.Context, call service.ResourceCall, _, _ *named) (service.Resource, error) {
				return build(call)
			},
			Delete: func(context.Context, service.ResourceCall, *named) error { return nil },
		}))
		const head = "Resources: {A: {Type: Test::Named, Properties: "
		w.run(t, Create, "op1", head+c.before+"}}", 0)
		w.run(t, Update, "op2", head+c.after+"}}", 0)
		if w.status != c.status || made != c.made {
			t.Errorf("%s to %s: %s after %d were made, want %s after %d\n%s", c.before, c.after, w.status, made, c.status, c.made, strings.Join(w.events, "\n"))
		}
	}
}
