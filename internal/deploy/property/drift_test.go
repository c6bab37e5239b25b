package property

import (
	"fmt"
	"testing"
)

type driftProperties struct {
	Name   string   `cfn:"Name"`
	Size   *int64   `cfn:"Size"`
	Secret string   `cfn:"Secret,writeOnly"`
	Order  []string `cfn:"Order"`
	Set    []string `cfn:"Set,unordered"`
	Policy any      `cfn:"Policy"`
	Tags   []struct {
		Key   string `cfn:"Key"`
		Value string `cfn:"Value"`
	} `cfn:"Tags"`
	Env *struct {
		Variables map[string]string `cfn:"Variables"`
		Other     string            `cfn:"Other"`
	} `cfn:"Env"`
}

func TestDrift(t *testing.T) {
	shape, err := Of(new(driftProperties))
	if err != nil {
		t.Fatal(err)
	}
	m := func(kv ...any) map[string]any {
		out := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			out[kv[i].(string)] = kv[i+1]
		}
		return out
	}
	list := func(v ...any) []any { return v }
	for _, tc := range []struct {
		name             string
		expected, actual map[string]any
		want             string
	}{
		{"equal", m("Name", "a", "Size", int64(5)), m("Name", "a", "Size", 5.0), "[]"},
		{"a number as text", m("Policy", m("maxReceiveCount", "5")), m("Policy", m("maxReceiveCount", 5.0)), "[]"},
		{"what the template leaves out", m("Name", "a"), m("Name", "a", "Size", int64(5)), "[]"},
		{"what can only be written", m("Secret", "a"), m(), "[]"},
		{"changed", m("Name", "a"), m("Name", "b"), "[{/Name NOT_EQUAL a b}]"},
		{"gone", m("Name", "a"), m(), "[{/Name REMOVE a <nil>}]"},
		{"nothing and nothing", m("Order", list(), "Env", m()), m(), "[]"},
		{"order that says something", m("Order", list("a", "b")), m("Order", list("b", "a")), "[{/Order/0 NOT_EQUAL a b} {/Order/1 NOT_EQUAL b a}]"},
		{"order that does not", m("Set", list("a", "b")), m("Set", list("b", "a")), "[]"},
		{"a set with another element", m("Set", list("a", "b")), m("Set", list("c", "a")), "[{/Set/1 REMOVE b <nil>} {/Set/0 ADD <nil> c}]"},
		{"the same element twice", m("Set", list("a", "a")), m("Set", list("a")), "[{/Set/1 REMOVE a <nil>}]"},
		{"an element more", m("Order", list("a")), m("Order", list("a", "b")), "[{/Order/1 ADD <nil> b}]"},
		{"a key more in a map", m("Env", m("Variables", m("A", "1"))), m("Env", m("Variables", m("A", "1", "B", "2"), "Other", "x")), "[{/Env/Variables/B ADD <nil> 2}]"},
		{"a document as text", m("Policy", `{"a":1}`), m("Policy", m("a", 1.0)), "[]"},
		{"a list of one", m("Policy", m("Action", "s3:*")), m("Policy", m("Action", list("s3:*"))), "[]"},
		{"a name and its ARN", m("Name", "arn:aws:lambda:us-east-1:1:function:f"), m("Name", "f"), "[]"},
		{"tags in another order", m("Tags", list(m("Key", "a", "Value", "1"), m("Key", "b", "Value", "2"))), m("Tags", list(m("Key", "b", "Value", "2"), m("Key", "a", "Value", "1"))), "[]"},
	} {
		if got := fmt.Sprint(shape.Drift(tc.expected, tc.actual)); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestEncodeIsTheFormOfATemplate(t *testing.T) {
	shape, err := Of(new(driftProperties))
	if err != nil {
		t.Fatal(err)
	}
	p := &driftProperties{Name: "a", Secret: "s", Size: new(int64(3)), Set: []string{"x"}, Policy: map[string]any{"b": 1.0}}
	if got, want := fmt.Sprint(shape.Encode(p)), "map[Name:a Policy:map[b:1] Set:[x] Size:3]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestCheckModel(t *testing.T) {
	shape, err := Of(new(struct {
		Name string `cfn:"Name,required"`
		Code string `cfn:"Code,required,writeOnly"`
	}))
	if err != nil {
		t.Fatal(err)
	}
	model := map[string]any{"Name": true, "Colour": "red"}
	want := "[#: extraneous key [Colour] is not permitted #/Name: expected type: String, found: Boolean #: required key [Code] not found]"
	if got := fmt.Sprint(shape.CheckModel(model, true)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := shape.CheckModel(map[string]any{"Name": "a"}, false); got != nil {
		t.Errorf("a model that was read back: %v", got)
	}
}
