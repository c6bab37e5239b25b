package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

// counter makes ids that are the same in every run.
func counter() func(n int) (string, error) {
	i := 0
	return func(n int) (string, error) { i++; return fmt.Sprintf("%0*d", n, i), nil }
}

func empty() *api.Tree {
	return &api.Tree{KeySource: "HEADER", Resources: map[string]*aws.Resource{"root": {Id: ptr("root"), Path: ptr("/")}}}
}

func read(t testing.TB, body string) (*api.Tree, *Result) {
	t.Helper()
	tree := empty()
	r, err := Import([]byte(body), tree, nil, Options{APIID: "api", NewID: counter()})
	if err != nil {
		t.Fatal(err)
	}
	return tree, r
}

// files are the documents in the recorded cases of the service.
func files(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.FromSlash("../testdata/openapi/*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	return names
}

// byName returns a tree in which everything is named by its path or name instead of its id.
func byName(t testing.TB, tree *api.Tree) string {
	t.Helper()
	authorizers, validators := map[string]string{}, map[string]string{}
	named := map[string]any{"media": tree.BinaryMediaTypes, "compression": tree.MinimumCompression, "key": tree.KeySource, "policy": tree.Policy, "responses": tree.Responses}
	for id, a := range tree.Authorizers {
		c := *a
		c.Id = nil
		named["authorizer "+*a.Name], authorizers[id] = c, *a.Name
	}
	for id, v := range tree.Validators {
		named["validator "+*v.Name], validators[id] = []any{v.ValidateRequestBody, v.ValidateRequestParameters}, *v.Name
	}
	for name, m := range tree.Models {
		named["model "+name] = parsed(*m.Schema)
	}
	for _, r := range tree.Resources {
		for method, m := range r.ResourceMethods {
			if m.AuthorizerId != nil {
				m.AuthorizerId = ptr(authorizers[*m.AuthorizerId])
			}
			if m.RequestValidatorId != nil {
				m.RequestValidatorId = ptr(validators[*m.RequestValidatorId])
			}
			if m.MethodIntegration != nil {
				n := *m.MethodIntegration
				n.CacheNamespace, m.MethodIntegration = nil, &n
			}
			named[method+" "+*r.Path] = m
		}
	}
	b, err := json.MarshalIndent(named, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWhatIsExportedIsImportedAgain(t *testing.T) {
	for _, name := range files(t) {
		for _, v3 := range []bool{false, true} {
			for _, format := range []string{"json", "yaml"} {
				t.Run(fmt.Sprintf("%s v3=%v %s", filepath.Base(name), v3, format), func(t *testing.T) {
					body, err := os.ReadFile(name)
					if err != nil {
						t.Fatal(err)
					}
					tree, r := read(t, string(body))
					e := &Export{
						API: &api.RestAPI{ID: "api", Name: r.Name, Description: r.Description, Version: r.Version, Created: time.Unix(0, 0)}, Tree: tree, Stage: "live",
						Host: "api.execute-api.us-east-1.amazonaws.com", V3: v3, Integrations: true, Authorizers: true, Gateway: true,
					}
					write := e.JSON
					if format == "yaml" {
						write = e.YAML
					}
					out, err := write()
					if err != nil {
						t.Fatal(err)
					}
					again, r2 := read(t, string(out))
					if len(r2.Warnings) > 0 {
						t.Errorf("its own document gives warnings: %s", r2.Warnings)
					}
					if d := cmp.Diff(byName(t, tree), byName(t, again)); d != "" {
						t.Errorf("%s\n%s", d, out)
					}
				})
			}
		}
	}
}

func TestMergeKeepsAndOverwriteKeepsIdsOnly(t *testing.T) {
	const first = `{"swagger": "2.0", "info": {"title": "a"}, "paths": {"/a": {"get": {}}, "/b": {"get": {}}}, "definitions": {"M": {"type": "object"}}}`
	const second = `{"swagger": "2.0", "info": {"title": "b"}, "paths": {"/a": {"put": {}}, "/c": {"get": {}}}, "definitions": {"M": {"type": "string"}}}`
	for _, overwrite := range []bool{false, true} {
		base, _ := read(t, first)
		ids := map[string]string{}
		for _, r := range base.Resources {
			ids[*r.Path] = *r.Id
		}
		tree, old := base, (*api.Tree)(nil)
		want := map[string]string{"/": "", "/a": "GET PUT", "/b": "GET", "/c": "GET"}
		if overwrite {
			tree, old = empty(), base
			want = map[string]string{"/": "", "/a": "PUT", "/c": "GET"}
		}
		model := *base.Models["M"].Id
		if _, err := Import([]byte(second), tree, old, Options{APIID: "api", NewID: counter()}); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, r := range tree.Resources {
			got[*r.Path] = strings.Join(sorted(r.ResourceMethods), " ")
			if id, ok := ids[*r.Path]; ok && id != *r.Id {
				t.Errorf("overwrite=%v: %s has the id %s instead of %s", overwrite, *r.Path, *r.Id, id)
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("overwrite=%v: %v, want %v", overwrite, got, want)
		}
		if m := tree.Models["M"]; *m.Id != model || !strings.Contains(*m.Schema, "string") {
			t.Errorf("overwrite=%v: the model is %s %s", overwrite, *m.Id, *m.Schema)
		}
	}
}

func TestWhatIsUnknownIsAWarning(t *testing.T) {
	_, r := read(t, `{
		"openapi": "3.0.1", "info": {"title": "a"}, "x-other": 1, "x-amazon-apigateway-surprise": 1,
		"paths": {"/a": {"trace": {}, "get": {
			"security": [{"nobody": []}],
			"parameters": [{"in": "cookie", "name": "c"}, {"$ref": "#/nowhere"}],
			"responses": {"default": {}, "2XX": {}, "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/None"}}}}}
		}}}
	}`)
	var found []string
	for _, w := range r.Warnings {
		found = append(found, strings.Fields(w)[0]+" "+strings.Fields(w)[1])
	}
	want := []string{"The security", "The parameter", "A parameter", "The reference", "The response", "trace of", "Unknown extension"}
	if d := cmp.Diff(want, found); d != "" {
		t.Errorf("%s\n%s", d, strings.Join(r.Warnings, "\n"))
	}
}

func TestWhatCannotBeIsListed(t *testing.T) {
	tree := empty()
	_, err := Import([]byte(`
openapi: 3.0.1
info: {title: a}
x-amazon-apigateway-request-validator: missing
paths:
  no-slash: {get: {}}
  /pets/{id}: {get: {}}
  /pets/{name}: {get: {}}
  /pets/{id}/x y: {get: {}}
  /i:
    get: {x-amazon-apigateway-integration: {type: carrier-pigeon}}
    put: {x-amazon-apigateway-integration: {type: http, httpMethod: GET, uri: nowhere}}
    post: {x-amazon-apigateway-integration: {type: mock, responses: {default: {}}}}
`), tree, nil, Options{NewID: counter()})
	var found *Error
	if !errors.As(err, &found) {
		t.Fatalf("it is imported: %v", err)
	}
	for _, want := range []string{
		"path 'no-slash'", "A sibling ({id}) of this resource", "path '/pets/{id}/x y'", "request validator 'missing'", `"carrier-pigeon"`, "Invalid HTTP endpoint", "has no statusCode",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said:\n%v", want, err)
		}
	}
}

func TestNoDocumentIsRefused(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a: &a [x,x,x,x,x,x,x,x,x,x]\n")
	for i := range 12 {
		aliases := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", 'a'+i), 8), ",")
		fmt.Fprintf(&bomb, "%c: &%c [%s]\n", 'b'+i, 'b'+i, aliases)
	}
	for name, body := range map[string]string{
		"nothing": "", "a list": "[1]", "text": "hello", "no version": `{"info": {}}`, "another version": `{"swagger": "1.2"}`, "broken JSON": "{'key:value}", "a bomb": bomb.String() + "openapi: 3.0.0\n",
		"deep": `{"openapi": "3.0.0", "x": ` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}", "a tab": "\t", "large": strings.Repeat(" ", maxBytes+1),
		"a cycle": "openapi: 3.0.0\na: &a\n  b: *a\n",
	} {
		if _, err := Import([]byte(body), empty(), nil, Options{NewID: counter()}); !IsNoDocument(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzImport(f *testing.F) {
	for _, name := range files(f) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("openapi: 3.0.0\npaths:\n  /{a}/{b+}: {get: {parameters: [{in: query, name: a}]}}\n"))
	f.Add([]byte(`{"swagger":"2.0","paths":{"/":{"$ref":"#/paths/~1"}},"definitions":{"A":{"$ref":"#/definitions/A"}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		tree := empty()
		r, err := Import(body, tree, nil, Options{APIID: "api", NewID: counter(), BasePath: "prepend"})
		if err != nil {
			return
		}
		e := &Export{API: &api.RestAPI{ID: "api", Name: r.Name, Version: r.Version}, Tree: tree, Stage: "s", V3: true, Integrations: true, Authorizers: true, Gateway: true}
		out, err := e.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Import(out, empty(), nil, Options{APIID: "api", NewID: counter()}); err != nil {
			t.Errorf("%s\nis exported as\n%s\nwhich is not imported: %v", body, out, err)
		}
	})
}

// TestExportedParametersAreInTheOrderOfAWS has the parameters of the recorded export of AWS's PetStore.
func TestExportedParametersAreInTheOrderOfAWS(t *testing.T) {
	got := hashed(map[string]bool{"method.request.querystring.page": false, "method.request.querystring.type": false})
	if want := []string{"method.request.querystring.type", "method.request.querystring.page"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
