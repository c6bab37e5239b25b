package sam

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"lambent.dev/lambent/internal/deploy/template"
)

// TestHostileValues puts values of all kinds in the place of each value of the sample templates: whatever stands there, the transform ends with a result or an error.
func TestHostileValues(t *testing.T) {
	inputs, err := filepath.Glob(filepath.Join("testdata", "translator", "*.yaml"))
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	turn := 0
	for _, in := range inputs {
		text, err := os.ReadFile(in)
		if err != nil {
			t.Fatal(err)
		}
		d, err := template.Parse(text)
		if err != nil {
			continue
		}
		places := replaceEach(d.Root, func() {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("%s, value %d: %v", filepath.Base(in), turn, r)
				}
			}()
			_, _ = Transform(d, Options{Region: "us-east-1"})
		}, &turn)
		if places == 0 {
			t.Errorf("%s has no values", in)
		}
	}
}

// replaceEach calls f with each value inside of v replaced by another, in turn by values of all kinds, and returns how many there are.
func replaceEach(v any, f func(), turn *int) int {
	others := func() any {
		*turn++
		return []any{nil, "x", "", int64(7), true, []any{}, []any{"x"}, map[string]any{}, map[string]any{"Ref": "X"}, map[string]any{"Fn::If": "x"}, map[string]any{"Fn::If": []any{"C", "a", "b"}}, map[string]any{"a": nil}}[*turn%12]
	}
	n := 0
	switch x := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(x) {
			e := x[k]
			x[k] = others()
			f()
			x[k] = e
			n += 1 + replaceEach(e, f, turn)
		}
	case []any:
		for i, e := range x {
			x[i] = others()
			f()
			x[i] = e
			n += 1 + replaceEach(e, f, turn)
		}
	}
	return n
}

// ExampleTransform shows what becomes of a table.
func ExampleTransform() {
	d, err := template.Parse([]byte("{Resources: {A: {Type: AWS::Serverless::SimpleTable}}}"))
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := Transform(d, Options{Region: "us-east-1"})
	fmt.Println(asJSON(out.Root["Resources"]), err)
	// Output: {"A":{"Properties":{"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]},"Type":"AWS::DynamoDB::Table"}} <nil>
}
