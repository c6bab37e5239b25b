package template

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// extended carries out the transform on a template, whose parameters have their defaults.
func extended(t *testing.T, text string) (*Document, error) {
	t.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := Values(d)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	for name, p := range tpl.Parameters {
		if p.Default != nil {
			values[name] = *p.Default
		}
	}
	return Extend(d, &Env{Template: tpl, Parameters: values})
}

const values = `
Parameters: {Which: {Type: String, Default: A}, Part: {Type: String, Default: Arn}, None: {Type: String, Default: ""}}
Mappings: {Sizes: {A: {Small: 1}}}
Conditions: {Never: !Equals [a, b], Always: !Equals [a, a]}
`

func TestExtensions(t *testing.T) {
	for _, c := range []struct{ name, resources, want string }{
		{"names of resources are expressions", `
  A: {Type: X::Y}
  B: {Type: X::Y, Properties: {Ref: {Ref: !Ref Which}, Att: !GetAtt [!Ref Which, !Ref Part], Sub: !Sub "${A.Arn}"}}`, `
  A: {Type: X::Y}
  B: {Type: X::Y, Properties: {Ref: {Ref: A}, Att: {"Fn::GetAtt": [A, Arn]}, Sub: {"Fn::Sub": "${A.Arn}"}}}`},
		{"loops in properties leave out what has no value", `
  Fn::ForEach::All: [Name, [A, B], {"${Name}": {Type: X::Y, Properties: {"Fn::ForEach::Of": [Size, [Small, Big], {"${Size}": !FindInMap [Sizes, !Ref Name, !Ref Size, {DefaultValue: !Ref "AWS::NoValue"}]}]}}}]`, `
  A: {Type: X::Y, Properties: {Small: 1}}
  B: {Type: X::Y, Properties: {}}`},
		{"what a condition drops may miss its mapping", `
  A: {Type: X::Y, Condition: Never, Properties: {P: !FindInMap [Sizes, A, Big]}}
  B: {Type: X::Y, Condition: Always, Properties: {P: !FindInMap [Sizes, A, Small]}}`, `
  A: {Type: X::Y, Condition: Never, Properties: {P: {"Fn::FindInMap": [Sizes, A, Big]}}}
  B: {Type: X::Y, Condition: Always, Properties: {P: 1}}`},
		{"names of loops need no characters that logical ids cannot have", `
  Fn::ForEach::All: [Name, [a-b], {"&{Name}": {Type: X::Y, Properties: {P: !Ref Name}}}]`, `
  ab: {Type: X::Y, Properties: {P: a-b}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := extended(t, values+"Resources:"+c.resources)
			if err != nil {
				t.Fatal(err)
			}
			want, err := Parse([]byte(values + "Resources:" + c.want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.Root["Resources"], got.Root["Resources"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExtensionsRefuse(t *testing.T) {
	const loop = `{"X${N}": {Type: X::Y}}`
	for _, c := range []struct{ resources, want string }{
		{`{"Fn::ForEach::Which": [N, [a], ` + loop + `]}`, "the name of Fn::ForEach::Which is that of something else"},
		{`{"Fn::ForEach::All": [N, [a], ` + loop + `], All: {Type: X::Y}}`, "the name of Fn::ForEach::All is that of something else"},
		{`{"Fn::ForEach::All": [N, [a], {"Fn::ForEach::All": [M, [b], ` + loop + `]}]}`, "the name of Fn::ForEach::All is that of something else"},
		{`{"Fn::ForEach::All": [N, [a], ` + loop + `], "Fn::ForEach::N": [M, [b], ` + loop + `]}`, "the name of Fn::ForEach::N is that of something else"},
		{`{"Fn::ForEach::All": [Which, [a], ` + loop + `]}`, "the identifier Which of Fn::ForEach::All is the name of something else"},
		{`{"Fn::ForEach::All": [N, [a-b], ` + loop + `]}`, "OutputKey 'Xa-b' should be alphanumeric."},
		{`{"Fn::ForEach::All": [N, !Ref AWS::NoValue, ` + loop + `]}`, "is not a list"},
		{`{A: {Type: X::Y, Properties: {P: !FindInMap [Sizes, A, Big]}}}`, "Unable to get mapping for Sizes::A::Big"},
		{`{A: {Type: X::Y}, B: {Type: X::Y, Properties: {P: !FindInMap [Sizes, !Ref A, Small, {DefaultValue: 1}]}}}`, "by A, which is no parameter"},
		{`{A: {Type: X::Y, Properties: {P: {"Fn::ToJsonString": text}}}}`, "takes an object or a list"},
		{`{A: {Type: X::Y, Properties: {P: {"Fn::ToJsonString": [!Ref "AWS::NotificationARNs"]}}}}`, "cannot use AWS::NotificationARNs"},
		{`{A: {Type: X::Y, Properties: {P: {Ref: !If [Never, Which, !Ref "AWS::NoValue"]}}}}`, "every Ref object must have a single String value"},
	} {
		if _, err := extended(t, values+"Resources: "+c.resources); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.resources, err, c.want)
		}
	}
}
