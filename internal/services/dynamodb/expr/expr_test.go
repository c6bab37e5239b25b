package expr

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"lambent.dev/lambent/internal/lib/attr"
)

// TestExpressions runs the files of testdata. A case is an expression; "names", "values" and "item" set what it runs with until the next one does.
func TestExpressions(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var names map[string]string
		var values, item attr.Map
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "names":
				names = map[string]string{}
				if err := json.Unmarshal([]byte(d.Input), &names); err != nil {
					t.Fatal(err)
				}
				return ""
			case "values":
				values = decode(t, d.Input)
				return ""
			case "item":
				item = decode(t, d.Input)
				return ""
			}
			p, err := NewPlaceholders(names, values)
			if err != nil {
				return err.Error() + "\n"
			}
			out, err := evaluate(d.Cmd, d.Input, p, item)
			if err == nil && d.HasArg("strict") {
				err = p.Unused()
			}
			if err != nil {
				return "error: " + err.Error() + "\n"
			}
			return out + "\n"
		})
	})
}

func decode(t *testing.T, src string) attr.Map {
	t.Helper()
	var m attr.Map
	if _, err := m.DecodeJSON([]byte(src)); err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return m
}

func evaluate(cmd, src string, p *Placeholders, item attr.Map) (string, error) {
	switch cmd {
	case "condition":
		c, err := ParseCondition("ConditionExpression", src, p)
		if err != nil {
			return "", err
		}
		return strconv.FormatBool(c.Match(item)), nil
	case "key":
		c, err := ParseCondition("KeyConditionExpression", src, p)
		if err != nil {
			return "", err
		}
		tests, err := c.KeyTests()
		if err != nil {
			return "", err
		}
		var b strings.Builder
		for _, k := range tests {
			fmt.Fprintf(&b, "%s %d %s %s\n", k.Name, k.Op, k.Low.Text(), k.High.Text())
		}
		return strings.TrimSpace(b.String()), nil
	case "project":
		pr, err := ParseProjection(src, p)
		if err != nil {
			return "", err
		}
		return text(pr.Apply(item)), nil
	case "update":
		u, err := ParseUpdate(src, p)
		if err != nil {
			return "", err
		}
		out, err := u.Apply(item)
		return text(out), err
	}
	return "unknown command", nil
}

func text(m attr.Map) string {
	b, _ := m.AppendJSON(nil)
	return string(b)
}

func TestReservedWordsAreSorted(t *testing.T) {
	words := reservedWords()
	if len(words) != 573 || !isReserved("status") || !isReserved("Zone") || !isReserved("ABORT") || isReserved("pk") {
		t.Errorf("%d words", len(words))
	}
}

func FuzzExpressions(f *testing.F) {
	for _, s := range []string{
		"a = :v AND NOT (b.c[1] <> #n OR size(d) BETWEEN :v AND :w)", "attribute_exists(a) or contains(#n, :v)", "a IN (:v, :w)",
		"SET a = if_not_exists(a, :w) + :w, b[3] = list_append(:l, b) REMOVE c ADD d :w DELETE e :s", "a, b[0].c, #n",
	} {
		f.Add(s)
	}
	values := attr.NewMap(attr.Field{Name: ":v", Value: attr.String("x")}, attr.Field{Name: ":w", Value: attr.Int(3)},
		attr.Field{Name: ":l", Value: attr.List(attr.Int(1))}, attr.Field{Name: ":s", Value: attr.StringSet("x", "y")})
	item := attr.NewMap(attr.Field{Name: "a", Value: attr.Int(1)}, attr.Field{Name: "b", Value: attr.List(attr.Int(1), attr.String("q"))},
		attr.Field{Name: "e", Value: attr.StringSet("x")})
	f.Fuzz(func(t *testing.T, src string) {
		p, err := NewPlaceholders(map[string]string{"#n": "name"}, values)
		if err != nil {
			t.Fatal(err)
		}
		for _, cmd := range []string{"condition", "key", "project", "update"} {
			_, _ = evaluate(cmd, src, p, item)
		}
	})
}

func BenchmarkCondition(b *testing.B) {
	values := attr.NewMap(attr.Field{Name: ":v", Value: attr.Int(1)})
	names := map[string]string{"#s": "status"}
	item := attr.NewMap(attr.Field{Name: "status", Value: attr.Int(1)})
	b.ReportAllocs()
	for b.Loop() {
		p, _ := NewPlaceholders(names, values)
		c, err := ParseCondition("ConditionExpression", "attribute_exists(pk) OR #s = :v", p)
		if err != nil || !c.Match(item) {
			b.Fatal(err)
		}
	}
}
