package patch

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
)

// thing is a resource with all kinds of members.
type thing struct {
	Name  *string
	Map   map[string]string
	Flags map[string]bool
	List  []string
	Count *int32
	Path  string
}

func ptr[T any](v T) *T { return &v }

var things = Table[thing]{Wording: Terse, Paths: []Path[thing]{
	{Pattern: "/name", Ops: "replace", Apply: Text(func(t *thing) **string { return &t.Name })},
	{Pattern: "/map/{}", Ops: "add,remove,replace", Apply: Map(func(t *thing) *map[string]string { return &t.Map }, "missing")},
	{Pattern: "/flags/{}", Ops: "add,remove,replace", Apply: Flags(func(t *thing) *map[string]bool { return &t.Flags }, "missing")},
	{Pattern: "/list", Ops: "add,remove", Apply: Set(func(t *thing) *[]string { return &t.List })},
	{Pattern: "/list/{}", Ops: "add,remove,replace", Apply: Set(func(t *thing) *[]string { return &t.List })},
	{Pattern: "/count", Ops: "replace,remove", Apply: Int(func(t *thing) **int32 { return &t.Count }, 0, 10, "not 0 to 10")},
	{Pattern: "/deep/{+}/end", Ops: "replace", Apply: func(t *thing, e Edit) error { t.Path = e.Args[0]; return nil }},
}}

// ops reads operations written as "op path value", one a line.
func ops(text string) []aws.PatchOperation {
	var out []aws.PatchOperation
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		f := strings.Fields(line)
		o := aws.PatchOperation{Op: f[0], Path: &f[1]}
		if len(f) > 2 {
			o.Value = &f[2]
		}
		out = append(out, o)
	}
	return out
}

func TestPatchesChangeWhatTheirPathsName(t *testing.T) {
	for _, c := range []struct {
		name, ops string
		want      thing
	}{
		{"text", "replace /name a", thing{Name: ptr("a")}},
		{"text without a value", "replace /name a\nreplace /name", thing{}},
		{"entries of maps", "add /map/application~1json x\nadd /map/b y\nremove /map/b", thing{Map: map[string]string{"application/json": "x"}}},
		{"the last entry", "add /map/b y\nremove /map/b", thing{}},
		{"booleans", "add /flags/a true\nadd /flags/b whatever", thing{Flags: map[string]bool{"a": true, "b": false}}},
		{"elements by path and by value", "add /list/image~1png\nadd /list b\nadd /list b\nreplace /list/image~1png c", thing{List: []string{"b", "c"}}},
		{"numbers", "replace /count 7", thing{Count: ptr(int32(7))}},
		{"paths in paths", "replace /deep/a~1b/c/end", thing{Path: "a/b/c"}},
		{"a short path in a path", "replace /deep/a/end", thing{Path: "a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got thing
			if err := things.Apply(&got, ops(c.ops)); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got, cmp.AllowUnexported(thing{})); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestPatchesAreRefused(t *testing.T) {
	for _, c := range []struct{ ops, want string }{
		{"add /name a", "Invalid patch operation specified. Must be one of: [replace]"},
		{"replace /other a", "Invalid patch path /other"},
		{"replace /map a", "Invalid patch path /map"},
		{"replace /map/ a", "Invalid patch path /map/"},
		{"remove /map/a", "missing"},
		{"replace /count 11", "not 0 to 10"},
		{"replace /deep/end", "Invalid patch path /deep/end"},
	} {
		var got thing
		if err := things.Apply(&got, ops(c.ops)); err == nil || !strings.HasSuffix(err.Error(), ": "+c.want) {
			t.Errorf("%s: %v, want %s", c.ops, err, c.want)
		}
	}
	if err := things.Apply(&thing{}, []aws.PatchOperation{{Op: "add"}}); err == nil || !strings.Contains(err.Error(), "null") {
		t.Errorf("an operation without a path: %v", err)
	}
}

func FuzzPatch(f *testing.F) {
	f.Add("replace", "/map/a~1b", "v")
	f.Add("add", "/deep//end", "")
	f.Add("remove", "/list/~01", "x")
	f.Fuzz(func(t *testing.T, op, path, value string) {
		got := thing{Map: map[string]string{"a": "b"}, List: []string{"x"}}
		if err := things.Apply(&got, []aws.PatchOperation{{Op: op, Path: &path, Value: &value}}); err == nil && op != "add" && op != "remove" && op != "replace" {
			t.Errorf("the operation %q is taken", op)
		}
		if Unescape(Escape(value)) != value {
			t.Errorf("%q does not survive escaping", value)
		}
	})
}
