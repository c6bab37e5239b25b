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
	cache := NewCache()
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
			out := outcome(nil, d, p, item)
			for range 2 { // once to keep the expression, perhaps with other values than the last case had, and once as it is kept
				again, err := NewPlaceholders(names, values)
				if err != nil {
					t.Fatal(err)
				}
				if cached := outcome(cache, d, again, item); cached != out {
					t.Errorf("%s: a cache makes %q of what is %q", d.Pos, cached, out)
				}
			}
			return out
		})
	})
}

func outcome(c *Cache, d *datadriven.TestData, p *Placeholders, item attr.Map) string {
	out, err := evaluate(c, d.Cmd, d.Input, p, item)
	if err == nil && d.HasArg("strict") {
		err = p.Unused()
	}
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	return out + "\n"
}

func decode(t *testing.T, src string) attr.Map {
	t.Helper()
	var m attr.Map
	if _, err := m.DecodeJSON([]byte(src)); err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return m
}

func evaluate(cache *Cache, cmd, src string, p *Placeholders, item attr.Map) (string, error) {
	switch cmd {
	case "condition":
		c, err := cache.Condition("ConditionExpression", src, p)
		if err != nil {
			return "", err
		}
		return strconv.FormatBool(c.Match(item)), nil
	case "key":
		c, err := cache.Condition("KeyConditionExpression", src, p)
		if err != nil {
			return "", err
		}
		tests, err := c.KeyTests(nil)
		if err != nil {
			return "", err
		}
		var b strings.Builder
		for _, k := range tests {
			fmt.Fprintf(&b, "%s %d %s %s\n", k.Name, k.Op, k.Low.Text(), k.High.Text())
		}
		return strings.TrimSpace(b.String()), nil
	case "project":
		pr, err := cache.Projection(src, p)
		if err != nil {
			return "", err
		}
		return text(pr.Apply(item)), nil
	case "update":
		u, err := cache.Update(src, p)
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
	others := attr.NewMap(attr.Field{Name: ":v", Value: attr.Int(3)}, attr.Field{Name: ":w", Value: attr.String("NULL")},
		attr.Field{Name: ":l", Value: attr.StringSet("x", "y")}, attr.Field{Name: ":s", Value: attr.List(attr.Int(1))})
	item := attr.NewMap(attr.Field{Name: "a", Value: attr.Int(1)}, attr.Field{Name: "b", Value: attr.List(attr.Int(1), attr.String("q"))},
		attr.Field{Name: "e", Value: attr.StringSet("x")})
	cache := NewCache()
	f.Fuzz(func(t *testing.T, src string) {
		for _, cmd := range []string{"condition", "key", "project", "update"} {
			for _, v := range []attr.Map{values, others, values} {
				want, wantErr := evaluate(nil, cmd, src, placeholders(t, v), item)
				got, err := evaluate(cache, cmd, src, placeholders(t, v), item)
				if got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) {
					t.Fatalf("a cache makes %s, %v of what is %s, %v", got, err, want, wantErr)
				}
			}
		}
	})
}

func placeholders(t *testing.T, values attr.Map) *Placeholders {
	t.Helper()
	p, err := NewPlaceholders(map[string]string{"#n": "name"}, values)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestKnownExpressionsNeedNoMemory(t *testing.T) {
	values := attr.NewMap(attr.Field{Name: ":v", Value: attr.Int(1)}, attr.Field{Name: ":p", Value: attr.String("x")})
	names := map[string]string{"#s": "status"}
	item := attr.NewMap(attr.Field{Name: "status", Value: attr.Int(1)})
	cache := NewCache()
	p := &Placeholders{}
	tests := make([]KeyTest, 0, 2)
	allocated := testing.AllocsPerRun(100, func() {
		*p = Placeholders{}
		if err := p.Init(names, values); err != nil {
			t.Fatal(err)
		}
		key, err := cache.Condition("KeyConditionExpression", "pk = :p AND sk > :v", p)
		if err != nil {
			t.Fatal(err)
		}
		if tests, err = key.KeyTests(tests[:0]); err != nil || len(tests) != 2 {
			t.Fatal(tests, err)
		}
		filter, err := cache.Condition("FilterExpression", "attribute_exists(pk) OR #s = :v", p)
		if err != nil || !filter.Match(item) {
			t.Fatal(err)
		}
		if _, err = cache.Update("SET #s = :v REMOVE a", p); err != nil {
			t.Fatal(err)
		}
		if _, err = cache.Projection("#s, a.b[2]", p); err != nil {
			t.Fatal(err)
		}
		if err := p.Unused(); err != nil {
			t.Fatal(err)
		}
	})
	if allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}

func TestNamesOfOtherRequestsAreNotTaken(t *testing.T) {
	cache := NewCache()
	item := attr.NewMap(attr.Field{Name: "a", Value: attr.Int(1)}, attr.Field{Name: "b", Value: attr.Int(2)})
	for name, want := range map[string]bool{"a": true, "b": false, "c": false} {
		for n := range int64(3) {
			p, err := NewPlaceholders(map[string]string{"#0": name}, attr.NewMap(attr.Field{Name: ":0", Value: attr.Int(n)}))
			if err != nil {
				t.Fatal(err)
			}
			c, err := cache.Condition("ConditionExpression", "#0 = :0", p)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Match(item); got != (want && n == 1 || name == "b" && n == 2) {
				t.Errorf("%s = %d is %t", name, n, got)
			}
		}
	}
}

func TestLargeExpressionsAreNotKept(t *testing.T) {
	cache := NewCache()
	names := make([]string, maxParts+1)
	for i := range names {
		names[i] = "a" + strconv.Itoa(i)
	}
	p, err := NewPlaceholders(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Projection(strings.Join(names, ","), p); err != nil {
		t.Fatal(err)
	}
	if n := cache.kept.Len(); n != 0 {
		t.Errorf("%d expressions are kept", n)
	}
}

func BenchmarkCondition(b *testing.B) {
	values := attr.NewMap(attr.Field{Name: ":v", Value: attr.Int(1)})
	names := map[string]string{"#s": "status"}
	item := attr.NewMap(attr.Field{Name: "status", Value: attr.Int(1)})
	for name, cache := range map[string]*Cache{"new": nil, "known": NewCache()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p, _ := NewPlaceholders(names, values)
				c, err := cache.Condition("ConditionExpression", "attribute_exists(pk) OR #s = :v", p)
				if err != nil || !c.Match(item) {
					b.Fatal(err)
				}
			}
		})
	}
}
