package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/service"
)

// world is a pretend platform: things by physical id, and the record of a stack in JSON as a store keeps it.
type world struct {
	mu     sync.Mutex
	things map[string]string
	rows   map[string]string
	op     Operation
	status string
	// saves counts; the run dies after the save of that number when dieAt is not 0.
	saves, dieAt int
	refuse       string
	imports      map[string]service.Identifier // of an import
	tokens       map[string]bool
	surprise     string // the logical id of a create that was repeated without saying so
	events       []string
	kinds        Types // instead of those of the method types
	reads        int   // of resources
	// held is told of each refusal to delete a thing that another names; release, when it is not nil, is waited for before a thing that names another is deleted.
	held    func()
	release chan struct{}
	// hooks, when it is not nil, has how often the hooks of each step were asked; they are asked while the step's events are saved, which is where a process may die.
	hooks map[string]int
}

// names begins the value of a thing that names another by its value, which cannot be deleted before it.
const names = "names "

var errDied = errors.New("the process died")

func newWorld() *world {
	return &world{things: map[string]string{}, rows: map[string]string{}, tokens: map[string]bool{}}
}

func (w *world) Save(_ context.Context, s Save) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.saves++
	if w.dieAt != 0 && w.saves >= w.dieAt {
		return errDied
	}
	for _, r := range s.Put {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		w.rows[r.LogicalID] = string(b)
	}
	for _, id := range s.Remove {
		delete(w.rows, id)
	}
	for _, e := range s.Events {
		w.events = append(w.events, e.LogicalID+" "+e.Status)
	}
	if s.Operation != nil {
		w.op, w.status = *s.Operation, s.Status
	}
	return nil
}

func (w *world) load(t *testing.T) map[string]*Resource {
	t.Helper()
	rows := map[string]*Resource{}
	for id, text := range w.rows {
		var r Resource
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		rows[id] = &r
	}
	return rows
}

type thingProperties struct {
	Name  string                `cfn:"Name,createOnly"`
	Value string                `cfn:"Value,required"`
	List  []string              `cfn:"List"`
	Count *int64                `cfn:"Count"`
	Tags  []service.TagProperty `cfn:"Tags"`
}

func (w *world) resourceTypes() Types {
	if w.kinds != nil {
		return w.kinds
	}
	return w.types()
}

func (w *world) types() Types {
	put := func(id string, p *thingProperties) (service.Resource, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.refuse != "" && p.Value == w.refuse {
			return service.Resource{}, service.Errorf("Refused", "no %s", p.Value)
		}
		w.things[id] = p.Value
		return service.Resource{PhysicalID: id, Attributes: map[string]any{"Arn": "arn:" + id}}, nil
	}
	return NewTypes(service.NewResourceType("Test::Thing", service.ResourceSpec[thingProperties]{
		Attributes: []string{"Arn"},
		Identifier: []string{"Name"},
		Read: func(_ context.Context, id service.Identifier) (*thingProperties, service.Resource, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			value, ok := w.things[id[0]]
			if !ok {
				return nil, service.Resource{}, service.ErrGone
			}
			return &thingProperties{Name: id[0], Value: value}, service.Resource{PhysicalID: id[0]}, nil
		},
		Create: func(_ context.Context, c service.ResourceCall, p *thingProperties) (service.Resource, error) {
			w.mu.Lock()
			if w.tokens[c.Token] && !c.Retry {
				w.surprise = c.LogicalID
			}
			w.tokens[c.Token] = true
			w.mu.Unlock()
			return put(c.NameSeed, p)
		},
		Update: func(_ context.Context, c service.ResourceCall, _, p *thingProperties) (service.Resource, error) {
			return put(c.PhysicalID, p)
		},
		Delete: func(_ context.Context, c service.ResourceCall, p *thingProperties) error {
			if strings.HasPrefix(p.Value, names) && w.release != nil {
				<-w.release
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, v := range w.things {
				if v == names+p.Value {
					if w.held != nil {
						w.held()
					}
					return service.Errorf("ConflictException", "%s is named", p.Value)
				}
			}
			delete(w.things, c.PhysicalID)
			return nil
		},
	}))
}

func (w *world) target(t *testing.T, text string) *Target {
	t.Helper()
	d, err := template.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := template.Decode(d)
	if err != nil {
		t.Fatal(err)
	}
	target, err := NewTarget(template.Env{Template: tpl, StackName: "s", StackID: "id"}, w.resourceTypes(), Stack{ID: "id", Name: "s"})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// run carries an operation out, and again after each death of the process, with what the journal holds then.
func (w *world) run(t *testing.T, kind, id, text string, dieAt int) {
	t.Helper()
	w.op, w.saves, w.dieAt = Operation{ID: id, Kind: kind, Phase: Forward, Imports: w.imports}, 0, dieAt
	for range 100 {
		r := &Run{Stack: Stack{ID: "id", Name: "s"}, Types: w.resourceTypes(), Journal: w}
		if w.hooks != nil {
			r.Hooks = w.askHooks
		}
		if kind != Delete {
			r.Target = w.target(t, text)
		}
		err := r.Do(t.Context(), w.op, w.load(t))
		if err == nil {
			return
		}
		if !errors.Is(err, errDied) {
			t.Fatal(err)
		}
		w.dieAt = 0
	}
	t.Fatal("the operation did not end")
}

// askHooks is a hook that allows everything.
func (w *world) askHooks(ctx context.Context, h HookTarget) (int, []string, error) {
	e := Event{LogicalID: h.LogicalID, Type: h.Type, Status: h.Status, Hook: &Hook{Type: "My::Own::Hook", ID: h.Token}}
	if err := w.Save(ctx, Save{Events: []Event{e}}); err != nil {
		return 0, nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks[h.Action+" "+h.LogicalID+" "+h.Token]++
	return 1, nil, nil
}

func (w *world) values() []string { return slices.Sorted(maps.Values(w.things)) }

const before = `
Resources:
  A: {Type: Test::Thing, Properties: {Value: a}}
  B: {Type: Test::Thing, Properties: {Value: !Sub "b-${A}"}}
  C: {Type: Test::Thing, Properties: {Value: c}, DependsOn: B}
  D: {Type: Test::Thing, Properties: {Value: d, List: [!Ref C]}}
`

// after replaces A, which touches B; changes C, removes D and adds E.
const after = `
Resources:
  A: {Type: Test::Thing, Properties: {Value: a2, Name: other}}
  B: {Type: Test::Thing, Properties: {Value: !Sub "b-${A}"}}
  C: {Type: Test::Thing, Properties: {Value: c2}, DependsOn: B}
  E: {Type: Test::Thing, Properties: {Value: e, List: [!Ref C]}}
`

func TestOperationsSurviveADeathAtAnySave(t *testing.T) {
	for _, c := range []struct {
		name, kind, text, refuse, status string
	}{
		{"update", Update, after, "", "UPDATE_COMPLETE"},
		{"failed update", Update, after, "e", "UPDATE_ROLLBACK_COMPLETE"},
		{"delete", Delete, "", "", "DELETE_COMPLETE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			calm := newWorld()
			calm.run(t, Create, "op1", before, 0)
			calm.refuse = c.refuse
			calm.run(t, c.kind, "op2", c.text, 0)
			if calm.status != c.status {
				t.Fatalf("status is %s, want %s", calm.status, c.status)
			}
			for dieAt := 1; dieAt <= calm.saves; dieAt++ {
				w := newWorld()
				w.run(t, Create, "op1", before, 0)
				w.refuse = c.refuse
				w.run(t, c.kind, "op2", c.text, dieAt)
				if w.status != c.status {
					t.Errorf("death at save %d: status is %s, want %s", dieAt, w.status, c.status)
				}
				if w.surprise != "" {
					t.Errorf("death at save %d: the repeated create of %s did not say so", dieAt, w.surprise)
				}
				if diff := cmp.Diff(calm.values(), w.values()); diff != "" {
					t.Errorf("death at save %d: %s", dieAt, diff)
				}
			}
		})
	}
}

// TestHooksAreAskedWhereverTheProcessDies checks that no step is taken whose hooks were not asked, and that a repeated question is the same.
func TestHooksAreAskedWhereverTheProcessDies(t *testing.T) {
	for _, c := range []struct {
		kind, text string
		want       []string
	}{
		{Update, after, []string{"CREATE E", "UPDATE A", "UPDATE B", "UPDATE C"}},
		{Delete, "", []string{"DELETE A", "DELETE B", "DELETE C", "DELETE D"}},
	} {
		run := func(dieAt int) *world {
			w := newWorld()
			w.run(t, Create, "op1", before, 0)
			w.hooks = map[string]int{}
			w.run(t, c.kind, "op2", c.text, dieAt)
			return w
		}
		calm := run(0)
		for dieAt := 0; dieAt <= calm.saves; dieAt++ {
			w := run(dieAt)
			var asked []string
			for _, step := range slices.Sorted(maps.Keys(w.hooks)) {
				asked = append(asked, step[:strings.LastIndexByte(step, ' ')])
				if w.hooks[step] > 2 {
					t.Errorf("death at save %d: the hooks of %s were asked %d times", dieAt, step, w.hooks[step])
				}
			}
			if diff := cmp.Diff(c.want, asked); diff != "" {
				t.Errorf("%s, death at save %d: %s", c.kind, dieAt, diff)
			}
			if diff := cmp.Diff(calm.values(), w.values()); diff != "" {
				t.Errorf("%s, death at save %d: %s", c.kind, dieAt, diff)
			}
		}
	}
}

// found has a thing that is made and two that are there already, the second of which needs the first.
const found = `
Resources:
  A: {Type: Test::Thing, Properties: {Name: old, Value: wanted, Tags: [{Key: k, Value: v}]}}
  B: {Type: Test::Thing, Properties: {Name: older, Value: !Ref A}}
`

func TestAnImportSurvivesADeathAtAnySave(t *testing.T) {
	for _, c := range []struct {
		name, older, status string
		rows                []string
	}{
		{"import", "as it was", "IMPORT_COMPLETE", []string{"A", "B"}},
		{"failed import", "", "IMPORT_ROLLBACK_COMPLETE", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			attempt := func(dieAt int) (saves int) {
				w := newWorld()
				w.things["old"] = "as it is"
				if c.older != "" {
					w.things["older"] = c.older
				}
				w.imports = map[string]service.Identifier{"A": {"old"}, "B": {"older"}}
				calm := maps.Clone(w.things)
				w.run(t, Import, "op1", found, dieAt)
				if rows := slices.Sorted(maps.Keys(w.rows)); w.status != c.status || !slices.Equal(rows, c.rows) {
					t.Errorf("death at save %d: %s, rows %v\n%s", dieAt, w.status, rows, strings.Join(w.events, "\n"))
				}
				if diff := cmp.Diff(calm, w.things); diff != "" { // the rollback drops rows and touches no resource
					t.Errorf("death at save %d: %s", dieAt, diff)
				}
				if completed := strings.Count(strings.Join(w.events, "\n"), "A IMPORT_COMPLETE"); completed != 1 {
					t.Errorf("death at save %d: A was imported %d times", dieAt, completed)
				}
				return w.saves
			}
			total := attempt(0)
			for dieAt := 1; dieAt <= total; dieAt++ {
				attempt(dieAt)
			}
		})
	}
}

func TestFailedCreateLeavesNothingWhereverTheProcessDies(t *testing.T) {
	for dieAt := range 40 {
		w := newWorld()
		w.refuse = "c"
		w.run(t, Create, "op1", before, dieAt)
		if w.status != "ROLLBACK_COMPLETE" || len(w.things) != 0 || len(w.rows) != 0 {
			t.Errorf("death at save %d: %s, things %v, rows %v", dieAt, w.status, w.things, w.rows)
		}
	}
}

// naming has two resources that name others in ways that a template does not show.
const naming = `
Resources:
  Api: {Type: Test::Thing, Properties: {Value: api}}
  Model: {Type: Test::Thing, Properties: {Value: model}, DependsOn: Api}
  Route: {Type: Test::Thing, Properties: {Value: names model}, DependsOn: Api}
`

// namingWorld returns a world in which the first deletion of the model comes before that of the route.
func namingWorld(t *testing.T) (w *world, refusals *int) {
	t.Helper()
	w, refusals = newWorld(), new(int)
	w.run(t, Create, "op1", naming, 0)
	w.events, w.release = nil, make(chan struct{})
	w.held = func() {
		if *refusals++; *refusals == 1 {
			close(w.release)
		}
	}
	return w, refusals
}

func TestDeletionWaitsForWhatNamesTheResource(t *testing.T) {
	for _, c := range []struct {
		name, kind, text, status string
		events                   []string
	}{
		{"delete", Delete, "", "DELETE_COMPLETE", []string{"Api DELETE_COMPLETE", "Api DELETE_IN_PROGRESS", "Model DELETE_COMPLETE", "Model DELETE_IN_PROGRESS", "Route DELETE_COMPLETE", "Route DELETE_IN_PROGRESS"}},
		{
			"removal by an update", Update, `Resources: {Api: {Type: Test::Thing, Properties: {Value: api}}}`, "UPDATE_COMPLETE",
			[]string{"Model DELETE_COMPLETE", "Model DELETE_IN_PROGRESS", "Route DELETE_COMPLETE", "Route DELETE_IN_PROGRESS"},
		},
		{
			"replacement by an update", Update, strings.ReplaceAll(strings.ReplaceAll(naming, "model}", "model, Name: new}"), "names model", "names other"), "UPDATE_COMPLETE",
			[]string{"Model DELETE_COMPLETE", "Model DELETE_IN_PROGRESS", "Model UPDATE_COMPLETE", "Model UPDATE_IN_PROGRESS", "Route DELETE_COMPLETE", "Route DELETE_IN_PROGRESS", "Route UPDATE_COMPLETE", "Route UPDATE_IN_PROGRESS"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, refusals := namingWorld(t)
			w.run(t, c.kind, "op2", c.text, 0)
			slices.Sort(w.events)
			if diff := cmp.Diff(c.events, w.events); diff != "" {
				t.Errorf("events: %s", diff)
			}
			if w.status != c.status || *refusals != 1 {
				t.Errorf("status is %s after %d refusals, want %s after 1", w.status, *refusals, c.status)
			}
		})
	}
}

func TestDeletionIsRefusedWhenNothingElseCanGo(t *testing.T) {
	w, refusals := namingWorld(t)
	w.things["outside"] = names + "model"
	w.run(t, Delete, "op2", "", 0)
	if diff := cmp.Diff([]string{"api", "model", "names model"}, w.values()); diff != "" {
		t.Error(diff)
	}
	if w.status != "DELETE_FAILED" || *refusals != 3 || !slices.Contains(w.events, "Model DELETE_FAILED") {
		t.Errorf("status is %s after %d refusals, events %v; want DELETE_FAILED after 3", w.status, *refusals, w.events)
	}
	delete(w.things, "outside")
	w.run(t, Delete, "op3", "", 0)
	if w.status != "DELETE_COMPLETE" || len(w.things) != 0 {
		t.Errorf("the second deletion: %s, things %v", w.status, w.things)
	}
}

func TestHeldDeletionSurvivesADeathAtAnySave(t *testing.T) {
	for dieAt := range 20 {
		w := newWorld()
		w.run(t, Create, "op1", naming, 0)
		w.run(t, Delete, "op2", "", dieAt)
		if w.status != "DELETE_COMPLETE" || len(w.things) != 0 || len(w.rows) != 0 {
			t.Errorf("death at save %d: %s, things %v, rows %v", dieAt, w.status, w.things, w.rows)
		}
	}
}

func TestRetainedResourcesStay(t *testing.T) {
	w := newWorld()
	w.run(t, Create, "op1", `Resources: {A: {Type: Test::Thing, DeletionPolicy: Retain, Properties: {Value: a}}, B: {Type: Test::Thing, Properties: {Value: b}}}`, 0)
	w.run(t, Delete, "op2", "", 0)
	if diff := cmp.Diff([]string{"a"}, w.values()); diff != "" {
		t.Error(diff)
	}
}

func TestPlanSaysWhatForcesAReplacement(t *testing.T) {
	w := newWorld()
	w.run(t, Create, "op1", before, 0)
	plan, err := w.target(t, after).Plan(w.load(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range plan.Changes {
		line := fmt.Sprintf("%s %s %s %v", c.Action, c.LogicalID, c.Replacement, c.Scope)
		var lineSb238 strings.Builder
		for _, d := range c.Differences {
			lineSb238.WriteString(fmt.Sprintf(" %s replaces=%v maybe=%v", d.Path, d.Replaces, d.Maybe))
		}
		line += lineSb238.String()
		got = append(got, line)
	}
	want := []string{
		"Modify A True [Properties] Name replaces=true maybe=false Value replaces=false maybe=false",
		"Modify B False [Properties] Value replaces=false maybe=true",
		"Modify C False [Properties] Value replaces=false maybe=false",
		"Add E False []", "Remove D False []",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	same, err := w.target(t, before).Plan(w.load(t), nil)
	if err != nil || len(same.Changes) != 0 {
		t.Errorf("the same template again: %+v, %v", same, err)
	}
}

func TestScalarsAreBroughtToTheTypeOfTheirProperty(t *testing.T) {
	w := newWorld()
	w.run(t, Create, "op1", `Resources: {A: {Type: Test::Thing, Properties: {Value: 5, Count: "7"}}}`, 0)
	plan, err := w.target(t, `Resources: {A: {Type: Test::Thing, Properties: {Value: "5", Count: 7}}}`).Plan(w.load(t), nil)
	if err != nil || len(plan.Changes) != 0 {
		t.Errorf("plan is %+v, %v", plan, err)
	}
	_, err = w.target(t, `Resources: {A: {Type: Test::Thing, Properties: {Count: many, Colour: red}}}`).Plan(nil, nil)
	if err == nil || !strings.Contains(err.Error(), "unsupported property Colour") || !strings.Contains(err.Error(), "Property Value cannot be empty") || !strings.Contains(err.Error(), "Count must be of type Integer") {
		t.Errorf("all faults are named: %v", err)
	}
}

func BenchmarkCreateThirty(b *testing.B) {
	var text strings.Builder
	text.WriteString("Resources:\n")
	for i := range 30 {
		fmt.Fprintf(&text, "  R%d: {Type: Test::Thing, Properties: {Value: v%d}}\n", i, i)
	}
	for b.Loop() {
		w := newWorld()
		d, err := template.Parse([]byte(text.String()))
		if err != nil {
			b.Fatal(err)
		}
		tpl, err := template.Decode(d)
		if err != nil {
			b.Fatal(err)
		}
		target, err := NewTarget(template.Env{Template: tpl}, w.resourceTypes(), Stack{ID: "id", Name: "s"})
		if err != nil {
			b.Fatal(err)
		}
		r := &Run{Stack: Stack{ID: "id", Name: "s"}, Types: w.types(), Target: target, Journal: w}
		if err := r.Do(b.Context(), Operation{ID: "op", Kind: Create, Phase: Forward}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
