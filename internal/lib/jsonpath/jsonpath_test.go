package jsonpath

import (
	"reflect"
	"testing"
)

const document = `{"detail-type": "x", "detail": {"list": [1, {"a": "b", "a": "c"}, [true]], "o": {"k.k": null}}, "n": 1.50}`

func TestPathsLeadToPiecesOfTheText(t *testing.T) {
	for _, tc := range []struct {
		path, want string
		found      bool
	}{
		{"$", document, true},
		{"$.detail-type", `"x"`, true},
		{"$.n", `1.50`, true},
		{"$.detail.list[0]", `1`, true},
		{"$.detail.list[1].a", `"c"`, true},
		{"$.detail.list[2][0]", `true`, true},
		{"$['detail']['o'][\"k.k\"]", `null`, true},
		{"$.detail.o", `{"k.k": null}`, true},
		{"$.detail.list[*].a", `["c"]`, true},
		{"$.detail.list[*]", `[1,{"a": "b", "a": "c"},[true]]`, true},
		{"$.detail.o.*", `[null]`, true},
		{"$.missing", ``, false},
		{"$.detail.list[7]", ``, false},
		{"$.detail.list.a", ``, false},
		{"$.detail[0]", ``, false},
		{"$.n.x", ``, false},
	} {
		p, err := Parse(tc.path)
		if err != nil {
			t.Errorf("%s: %v", tc.path, err)
			continue
		}
		got, found := p.Get([]byte(document))
		if string(got) != tc.want || found != tc.found {
			t.Errorf("%s leads to %s, %t; want %s, %t", p, got, found, tc.want, tc.found)
		}
	}
}

// object and array are decoded documents with one thing in them.
type object struct {
	name  string
	value any
}

func (o object) Member(name string) (any, bool) { return o.value, name == o.name }
func (o object) Children() []any                { return []any{o.value} }

type array []any

func (a array) Element(i int) (any, bool) {
	if i >= len(a) {
		return nil, false
	}
	return a[i], true
}
func (a array) Children() []any { return a }

func TestPathsLeadIntoDecodedDocuments(t *testing.T) {
	root := object{"list", array{1, object{"a", "b"}, nil}}
	for _, tc := range []struct {
		path string
		want any
		ok   bool
	}{
		{"$.list[0]", 1, true},
		{"$.list[1].a", "b", true},
		{"$.list[2]", nil, true},
		{"$.list[3]", nil, false},
		{"$.list.a", nil, false},
		{"$[0]", nil, false},
		{"$.list[*].a", []any{"b"}, true},
		{"$.*[0]", []any{1}, true},
		{"$.list[0].*", []any(nil), true},
	} {
		p, err := Parse(tc.path)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.Find(root); !reflect.DeepEqual(got, tc.want) || ok != tc.ok {
			t.Errorf("%s leads to %v, %t; want %v, %t", p, got, ok, tc.want, tc.ok)
		}
	}
}

func TestWhatIsNoPathIsRefused(t *testing.T) {
	for _, text := range []string{"", "detail", "$detail", "$.", "$..a", "$.a.", "$[", "$[]", "$[-1]", "$[x]", "$['a", "$['']", "$.a[0"} {
		if p, err := Parse(text); err == nil {
			t.Errorf("%q is accepted: %+v", text, p)
		}
	}
}

func FuzzGet(f *testing.F) {
	f.Add("$.detail.list[*].a", document)
	f.Add("$['a'][0]", `{"a":[1]}`)
	f.Fuzz(func(t *testing.T, path, doc string) {
		p, err := Parse(path)
		if err != nil {
			return
		}
		if got, found := p.Get([]byte(doc)); !found && got != nil {
			t.Errorf("%q in %q: found nothing, and got %q", path, doc, got)
		}
	})
}
