package deploy

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/service"
)

// eventLog is a journal that keeps the reasons of events.
type eventLog struct {
	*world

	reasons []string
}

func (l *eventLog) Save(ctx context.Context, s Save) error {
	for _, e := range s.Events {
		if e.Reason != "" && e.Type == "Test::Thing" && e.Status == "CREATE_COMPLETE" {
			l.reasons = append(l.reasons, e.LogicalID+" "+e.Reason)
		}
	}
	return l.world.Save(ctx, s)
}

func TestDeploysEndWithTheWarningsOfTheirResources(t *testing.T) {
	w := newWorld()
	log := &eventLog{world: w}
	types := w.types()
	thing := types["Test::Thing"]
	thing.Warnings = func(_ context.Context, c service.ResourceCall) ([]string, error) {
		switch c.LogicalID {
		case "A":
			return []string{w.things[c.PhysicalID] + " will not work", "nor will this"}, nil
		case "B":
			return nil, errors.New("nobody knows")
		}
		return nil, nil
	}
	types["Test::Thing"] = thing
	w.op = Operation{ID: "op1", Kind: Create, Phase: Forward}
	r := &Run{Stack: Stack{ID: "id", Name: "s"}, Types: types, Journal: log, Target: w.target(t, before)}
	if err := r.Do(t.Context(), w.op, nil); err != nil {
		t.Fatal(err)
	}
	if w.status != "CREATE_COMPLETE" {
		t.Errorf("status %s", w.status)
	}
	want := []string{"A Warning: a will not work", "A Warning: nor will this", "B Warning: it could not be checked: nobody knows"}
	if diff := cmp.Diff(want, log.reasons); diff != "" {
		t.Error(diff)
	}
}
