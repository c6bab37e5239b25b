package deploy

import (
	"slices"
	"testing"

	"lambent.dev/lambent/internal/deploy/template"
)

func TestAnotherDefaultIsAChangeOfTheTemplate(t *testing.T) {
	read := func(text string) *template.Template {
		d, err := template.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		tpl, err := template.Decode(d)
		if err != nil {
			t.Fatal(err)
		}
		return tpl
	}
	const head, tail = "Parameters: {P: {Type: String, Default: ", "}}\nResources: {A: {Type: Test::Thing, Properties: {Value: !Ref P}}}"
	current := map[string]*Resource{"A": {LogicalID: "A", Type: "Test::Thing", Snapshot: Snapshot{PhysicalID: "a", Properties: map[string]any{"Value": "old"}}}}
	before := &Past{Template: read(head + "old" + tail), Parameters: map[string]any{"P": "old"}}
	for _, c := range []struct {
		text, value string
		want        []string
	}{
		{"new", "new", []string{"DirectModification"}},
		{"old", "new", []string{"ParameterReference", "DirectModification"}},
		{"new", "given", []string{"ParameterReference", "DirectModification"}},
	} {
		env := template.Env{Template: read(head + c.text + tail), Parameters: map[string]any{"P": c.value}, StackName: "s", StackID: "id"}
		target, err := NewTarget(env, newWorld().resourceTypes(), Stack{ID: "id", Name: "s"})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := target.Plan(current, before)
		if err != nil || len(plan.Changes) != 1 {
			t.Fatalf("default %s, value %s: %+v, %v", c.text, c.value, plan, err)
		}
		var got []string
		for _, cause := range plan.Changes[0].Causes {
			got = append(got, cause.Source)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("default %s, value %s: the causes are %v, want %v", c.text, c.value, got, c.want)
		}
	}
}
