package portal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const petsDocument = `{"openapi": "3.0.1", "info": {"title": "Pets", "version": "1"}, "paths": {
	"/pets/{id}": {
		"put": {
			"parameters": [{"name": "verbose", "in": "query", "schema": {"type": "string"}}, {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
			"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
			"responses": {"404": {"description": "404 response", "content": {}}, "200": {"description": "200 response", "headers": {"ETag": {"schema": {"type": "string"}}}}},
			"security": [{"api_key": []}]
		},
		"x-amazon-apigateway-any-method": {"responses": {"default": {"description": "Default response"}}}
	}
}, "components": {"schemas": {"Pet": {"type": "object"}}},
"x-amazon-apigateway-documentation": {"documentationParts": [
	{"location": {"type": "API"}, "properties": {"description": "Of the API"}},
	{"location": {"type": "RESOURCE", "path": "/pets"}, "properties": {"description": "Pets have names."}},
	{"location": {"type": "METHOD", "path": "/pets/{id}", "method": "PUT"}, "properties": {"summary": "Change", "description": "Changes a pet."}},
	{"location": {"type": "PATH_PARAMETER", "path": "/", "method": "*", "name": "id"}, "properties": {"description": "Which pet"}},
	{"location": {"type": "RESPONSE", "path": "/pets", "method": "*", "statusCode": "404"}, "properties": {"description": "No such pet"}}
]}}`

func TestOperationsSayWhatTheirDocumentsSay(t *testing.T) {
	d, err := readDocument([]byte(petsDocument))
	if err != nil {
		t.Fatal(err)
	}
	put := d.operation("/pets/{id}", "PUT")
	want := &operation{
		document: d, path: "/pets/{id}", member: "put", body: "Change\n\nChanges a pet.",
		parameters: []parameter{{"id", "path", "Which pet", true}, {"verbose", "query", "", false}},
		contents:   []content{{"application/json", "{\n  \"type\": \"object\"\n}"}},
		responses:  []response{{"200", "200 response", []string{"ETag"}, nil}, {"404", "No such pet", nil, nil}},
		schemes:    []string{"api_key"},
	}
	if diff := cmp.Diff(want, put, cmp.AllowUnexported(operation{}, parameter{}, content{}, response{}, document{}, part{}, location{})); diff != "" {
		t.Errorf("PUT (-want +got):\n%s", diff)
	}
	get := d.operation("/pets/{id}", "GET")
	if get == nil || get.member != anyMethod || get.body != "Pets have names." || len(get.parameters) != 1 || get.parameters[0].Name != "id" {
		t.Errorf("GET is served by ANY: %+v", get)
	}
	if got := d.operation("/pets", "GET"); got != nil {
		t.Errorf("a path that is not there has %+v", got)
	}
	raw, err := put.raw()
	if err != nil || !strings.Contains(*raw, `"put"`) || strings.Contains(*raw, anyMethod) {
		t.Errorf("the document of an operation is %s, %v", *raw, err)
	}
}

func TestPartsSaySummaryAndDescriptionOnce(t *testing.T) {
	for _, c := range []struct{ summary, description, want string }{{"a", "b", "a\n\nb"}, {"a", "", "a"}, {"", "b", "b"}, {"a", "a", "a"}, {"", "", ""}} {
		var p part
		p.Properties.Summary, p.Properties.Description = c.summary, c.description
		if got := p.text(); got != c.want {
			t.Errorf("summary %q and description %q are %q, want %q", c.summary, c.description, got, c.want)
		}
	}
}

func TestLongSchemasAreCut(t *testing.T) {
	d := &document{}
	long := d.schema([]byte(`"` + strings.Repeat("ü", maxSchema) + `"`))
	if len(long) > maxSchema+len("\n…") || !strings.HasSuffix(long, "ü\n…") {
		t.Errorf("a schema of %d bytes ends with %q", len(long), long[len(long)-8:])
	}
}
