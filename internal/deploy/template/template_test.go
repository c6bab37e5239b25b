package template

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestScalarsFollowYAML11(t *testing.T) {
	for text, want := range map[string]any{
		"yes": true, "Off": false, "true": true, "~": nil, "": nil, "y": "y",
		"2012-10-17": "2012-10-17", "2001-12-14t21:59:43.10-05:00": "2001-12-14t21:59:43.10-05:00",
		"12": int64(12), "-7": int64(-7), "010": int64(8), "0x1F": int64(31), "0b101": int64(5), "1_000": int64(1000), "1:30": int64(90),
		"012345678901": "012345678901", "123456789012": int64(123456789012), "1.0": 1.0, "1e3": "1e3", "1.5e+3": 1500.0, ".inf": math.Inf(1),
		"3.0.1": "3.0.1", "+": "+", "-": "-", "0": int64(0), "1:75": "1:75", "99999999999999999999": "99999999999999999999",
	} {
		if got := scalar(text, false); got != want {
			t.Errorf("%q is %#v, want %#v", text, got, want)
		}
	}
	if got := scalar("yes", true); got != "yes" {
		t.Errorf("quoted yes is %#v", got)
	}
}

const sample = `
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Env: {Type: String, Default: dev, AllowedValues: [dev, prod]}
  Names: {Type: CommaDelimitedList, Default: "a, b"}
Mappings:
  Sizes: {dev: {n: 1}, prod: {n: 3}}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  NotProd: !Not [!Condition IsProd]
Resources:
  A:
    Type: Test::Thing
    Properties:
      Join: !Join ["-", [x, !Ref "AWS::Region", !Ref Env]]
      Sub: !Sub ["${A1}.${AWS::AccountId}.${!Literal}.${Env}", {A1: one}]
      If: !If [IsProd, 1, !Ref AWS::NoValue]
      Map: !FindInMap [Sizes, !Ref Env, n]
      Default: !FindInMap [Sizes, nowhere, n, {DefaultValue: 9}]
      Select: !Select [1, !Ref Names]
      Split: !Split [",", "p,q"]
      B64: !Base64 hi
      Zones: !GetAZs ""
      Cidr: !Cidr [10.0.0.0/16, 2, 8]
      Policy: {Version: 2012-10-17, Condition: {StringEquals: {a: b}}}
      Long: {"Fn::Sub": "${Env}"}
      Length: !Length [1, 2, 3]
      JSON: !ToJsonString {a: [1, "<"]}
  B:
    Type: Test::Thing
    Condition: NotProd
    Properties: {Ref: !Ref A, Att: !GetAtt A.Nested.Name, Waits: !Sub "x-${A.Arn}"}
`

func sampleEnv(t *testing.T, text string) *Env {
	t.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := Decode(d)
	if err != nil {
		t.Fatal(err)
	}
	values, err := tpl.Values(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Env{Template: tpl, Parameters: values, Account: "123456789012", Region: "eu-west-1", StackName: "s"}
}

func TestExpressions(t *testing.T) {
	e := sampleEnv(t, sample)
	got, err := e.Resolve(e.Template.Resources["A"].Properties)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"Join": "x-eu-west-1-dev", "Sub": "one.123456789012.${Literal}.dev", "Map": int64(1), "Default": int64(9), "Select": "b", "Split": []any{"p", "q"},
		"B64": "aGk=", "Zones": []any{"eu-west-1a", "eu-west-1b", "eu-west-1c"}, "Cidr": []any{"10.0.0.0/24", "10.0.1.0/24"},
		"Policy": map[string]any{"Version": "2012-10-17", "Condition": map[string]any{"StringEquals": map[string]any{"a": "b"}}},
		"Long":   "dev", "Length": int64(3), "JSON": `{"a":[1,"<"]}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatDependsOnAResourceIsUnknownBeforeTheDeploy(t *testing.T) {
	e := sampleEnv(t, sample)
	e.Resource = func(id, attribute string) (any, error) { return Unknown{id, attribute}, nil }
	got, err := e.Resolve(e.Template.Resources["B"].Properties)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"Ref": Unknown{"A", ""}, "Att": Unknown{"A", "Nested.Name"}, "Waits": Unknown{"A", "Arn"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestJSONAndYAMLReadTheSame(t *testing.T) {
	y, err := Parse([]byte("A: {B: [1, 1.5, true, null, \"x\"]}"))
	if err != nil {
		t.Fatal(err)
	}
	j, err := Parse([]byte(`{"A": {"B": [1, 1.5, true, null, "x"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(y.Root, j.Root); diff != "" {
		t.Error(diff)
	}
}

// many writes a line once for each number below n.
func many(n int, line string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, line, i)
	}
	return b.String()
}

func TestErrorsNameTheLine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Resources:\n  A:\n    Type: X::Y\n    Typo: 1\n", "Invalid template resource property 'Typo' (line 2)"},
		{"Resources:\n  A: {Type: X::Y}\n  A: {Type: X::Y}\n", "duplicate key \"A\". (line 3)"},
		{"Resources: !Nope x\n", "unknown tag !Nope. (line 1)"},
		{"Resources: {A: {Type: X::Y, Properties: {P: !If [C, 1, 2]}}}", "Template error: unresolved condition dependency C in Fn::If (line 1)"},
		{"Resources: {A: {Type: X::Y, Properties: {P: !Select [1, [a]]}}}", "Fn::Select requires a list argument with two elements: an integer index and a list (line 1)"},
		{"Mappings: {M: {K: {A: {B: c}}}}\nResources: {A: {Type: X::Y}}", "Every Mappings attribute must be a String or a List. (line 1)"},
		{"Mappings: {M: {K: a}}\nResources: {A: {Type: X::Y}}", "Every Mappings member K must be a map (line 1)"},
		{"Resources: {A: {Type: X::Y, Condition: C}}", "Unresolved condition dependency C in the Conditions block of the template (line 1)"},
		{"Resources: {A: {Type: X::Y, Properties: {B: !GetAtt C.D}}}", "instance of Fn::GetAtt references undefined resource C"},
		{"Rules: {R: {}}\nResources: {A: {Type: X::Y}}", "the rule R needs a list of Assertions. (line 1)"},
		{"Parameters: {A: {Type: String}}\nResources:\n  A: {Type: X::Y}", "A is the name of a parameter and of a resource. Names must be unique in a template (line 3)"},
		{"Resources: {A: {Type: X::Y, UpdatePolicy: {Nope: {}}}}", "Unrecognized UpdatePolicy Nope for resource A (line 1)"},
		{"Foo: {}\nResources: {A: {Type: X::Y}}", "Invalid template property or properties [Foo]"},
		{"Parameters: {P: {Type: \"AWS::SSM::Parameter::Value<Nope>\"}}\nResources: {A: {Type: X::Y}}", "Unrecognized parameter type: Nope"},
		{"Resources:\n" + many(501, "  R%d: {Type: X::Y}\n"), "Number of resources, 501, is greater than maximum allowed, 500"},
		{"Resources: {A: {Type: X::Y}}\nMappings:\n" + many(201, "  M%d: {a: {b: c}}\n"), "Number of mappings, 201, is greater than maximum allowed, 200"},
		{"Resources: {A: {Type: X::Y}}\nParameters:\n" + many(201, "  P%d: {Type: String}\n"), "Number of parameters, 201, is greater than maximum allowed, 200"},
		{"Resources: {A: {Type: X::Y}}\nOutputs:\n" + many(201, "  O%d: {Value: x}\n"), "Number of outputs, 201, is greater than maximum allowed, 200"},
		{"- a", "unsupported structure"},
		{"", "the template is empty"},
		{`{"Resources": `, "JSON not well-formed"},
		{"a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d]\nf: [*e, *e, *e, *e, *e, *e, *e, *e]", "more than 200000 values"},
		{strings.Repeat("[", 200) + strings.Repeat("]", 200), "nested more than 100 levels"},
	} {
		d, err := Parse([]byte(c.text))
		if err == nil {
			_, err = Decode(d)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: got %v, want %s", c.text, err, c.want)
		}
	}
}

func TestParameterConstraints(t *testing.T) {
	for _, c := range []struct{ parameter, value, want string }{
		{"Type: String, AllowedValues: [a, b]", "c", "Parameter 'P' must be one of AllowedValues"},
		{"Type: String, AllowedPattern: '[a-z]+'", "A", "Parameter 'P' must match pattern [a-z]+"},
		{"Type: String, MinLength: 3", "ab", "Parameter 'P' must contain at least 3 characters"},
		{"Type: String, MaxLength: 1, ConstraintDescription: short", "ab", "Parameter P failed to satisfy constraint: short"},
		{"Type: Number", "x", "Parameter 'P' must be a number."},
		{"Type: Number, MinValue: 2", "1", "Parameter 'P' must be a number not less than 2"},
		{"Type: List<Number>", "1,x", "Parameter 'P' must be a number."},
		{"Type: \"AWS::EC2::VPC::Id\"", "vpc-1", ""},
	} {
		d, err := Parse([]byte("Parameters: {P: {" + c.parameter + "}}\nResources: {A: {Type: X::Y}}"))
		if err != nil {
			t.Fatal(err)
		}
		tpl, err := Decode(d)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tpl.Values(map[string]string{"P": c.value}, nil)
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s = %s: got %v, want %s", c.parameter, c.value, err, c.want)
		}
	}
}

func TestConditionsCompareTexts(t *testing.T) {
	for _, compared := range []string{"[!Ref 'AWS::NoValue', a]", "[{k: [1]}, 0]"} {
		d, err := Parse([]byte("Conditions: {C: !Equals " + compared + "}\nResources: {A: {Type: X::Y}}"))
		if err != nil {
			t.Fatal(err)
		}
		tpl, err := Decode(d)
		if err != nil {
			t.Fatal(err)
		}
		const want = "Template error: every Fn::Equals object requires a list of 2 string parameters"
		if _, err := (&Env{Template: tpl}).Condition("C"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", compared, err, want)
		}
	}
}

func TestCircularConditionsAreRefused(t *testing.T) {
	for _, conditions := range []string{
		"{A: !Not [!Condition B], B: !Not [!Condition A]}", "{A: !And [!Equals [a, b], !Condition B], B: !Not [!Condition A]}", "{A: !Or [!Equals [a, a], !Condition A]}",
	} {
		d, err := Parse([]byte("Conditions: " + conditions + "\nResources: {R: {Type: X::Y}}"))
		if err != nil {
			t.Fatal(err)
		}
		tpl, err := Decode(d)
		if err != nil {
			t.Fatal(err)
		}
		e := &Env{Template: tpl}
		if _, err := e.Condition("A"); err == nil || !strings.Contains(err.Error(), "circular condition dependency") {
			t.Errorf("%s: got %v", conditions, err)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		sample, `{"Resources": {"A": {"Type": "X::Y", "Properties": {"B": {"Fn::Sub": "${AWS::Region}"}}}}}`, "a: &a [*a]", "x: !GetAtt a", "<<: {a: 1}",
		"Resources: {A: {Type: X::Y, Properties: {C: !Cidr [::/0, 256, 128], S: !Select [0, []], J: !Join [1, 2]}}}", "{{resolve:ssm:x}}", "1:59:59",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse([]byte(text))
		if err != nil {
			return
		}
		tpl, err := Decode(d)
		if err != nil {
			if !errors.As(err, new(*Error)) {
				t.Errorf("error of type %T: %v", err, err)
			}
			return
		}
		values, err := tpl.Values(nil, nil)
		if err != nil {
			return
		}
		e := &Env{Template: tpl, Parameters: values, Region: "r", Resource: func(id, attribute string) (any, error) { return Unknown{id, attribute}, nil }}
		for name := range tpl.Conditions {
			_, _ = e.Condition(name)
		}
		for _, r := range tpl.Resources {
			_, _ = e.Resolve(r.Properties)
		}
	})
}
