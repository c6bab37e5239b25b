package clients

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// petsDocument is an API with a path parameter, a model and an integration.
const petsDocument = `{"openapi":"3.0.1","info":{"title":"pets","version":"1.0"},"paths":{"/pets/{id}":{"get":{
	"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],
	"responses":{"200":{"description":"200 response","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Pet"}}}}},
	"x-amazon-apigateway-integration":{"type":"mock","passthroughBehavior":"when_no_match","requestTemplates":{"application/json":"{\"statusCode\":200}"},"responses":{"default":{"statusCode":"200"}}}}}},
	"components":{"schemas":{"Pet":{"type":"object","properties":{"name":{"type":"string"}}}}}}`

// terminal is a folder in which somebody uses the AWS CLI with a Lambent.
type terminal struct {
	*testing.T

	program, folder, url string
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	program, err := filepath.Abs(filepath.Join("..", "..", ".venv", "bin", "aws"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("the pinned clients are missing (%v); run: make clients", err)
	}
	return &terminal{t, program, t.TempDir(), start(t).URL()}
}

// aws runs the AWS CLI and returns what it writes.
func (c *terminal) aws(args ...string) string {
	c.Helper()
	cmd := exec.CommandContext(c.Context(), c.program, args...)
	cmd.Dir = c.folder
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+c.url, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.Fatalf("%v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (c *terminal) write(name, text string) {
	c.Helper()
	if err := os.WriteFile(filepath.Join(c.folder, name), []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
}

// document reads an exported document without what belongs to the one API: its id and its version, the time of a deployment or of the export.
func (c *terminal) document(name, id string) map[string]any {
	c.Helper()
	text, err := os.ReadFile(filepath.Join(c.folder, name))
	if err != nil {
		c.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), id, "ID")), &doc); err != nil {
		c.Fatal(err)
	}
	delete(doc["info"].(map[string]any), "version")
	return doc
}

// TestTheCLIImportsWhatItExported imports a document with the AWS CLI, and what is exported of the API, whose own export is the same then.
func TestTheCLIImportsWhatItExported(t *testing.T) {
	c := newTerminal(t)
	c.write("pets.json", petsDocument)
	// trip imports a file and exports the API to another.
	trip := func(from, to string) map[string]any {
		id := c.aws("apigateway", "import-rest-api", "--fail-on-warnings", "--body", "fileb://"+from, "--query", "id", "--output", "text")
		c.aws("apigateway", "create-deployment", "--rest-api-id", id, "--stage-name", "live")
		c.aws("apigateway", "get-export", "--rest-api-id", id, "--stage-name", "live", "--export-type", "oas30", "--parameters", "extensions=integrations", to)
		return c.document(to, id)
	}
	first := trip("pets.json", "one.json")
	if d := cmp.Diff(first, trip("one.json", "two.json")); d != "" {
		t.Errorf("-first +second:\n%s", d)
	}
	get := first["paths"].(map[string]any)["/pets/{id}"].(map[string]any)["get"].(map[string]any)
	if i, ok := get["x-amazon-apigateway-integration"].(map[string]any); !ok || i["type"] != "mock" {
		t.Errorf("the integration is not exported: %v", get)
	}
}

// boardsDocument is an HTTP API with parameters, CORS, a JWT authorizer and mappings in front of BACKEND.
const boardsDocument = `{"openapi":"3.0.1","info":{"title":"boards","version":"1.0"},
	"x-amazon-apigateway-cors":{"allowOrigins":["https://app.example"],"allowMethods":["GET"],"maxAge":60},
	"components":{"securitySchemes":{"jwt":{"type":"oauth2","flows":{},"x-amazon-apigateway-authorizer":{
		"type":"jwt","identitySource":"$request.header.Authorization","jwtConfiguration":{"issuer":"https://issuer.example","audience":["app"]}}}}},
	"paths":{
	"/boards/{id}":{"get":{"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],"responses":{"default":{"description":"Default response"}},
		"x-amazon-apigateway-integration":{"type":"http_proxy","httpMethod":"GET","payloadFormatVersion":"1.0","timeoutInMillis":5000,"uri":"BACKEND/b/{id}",
			"requestParameters":{"append:header.x-added":"$context.routeKey"},"responseParameters":{"200":{"overwrite:statuscode":"203"}}}}},
	"/mine":{"get":{"security":[{"jwt":["read"]}],"responses":{"default":{"description":"Default response"}},
		"x-amazon-apigateway-integration":{"type":"http_proxy","httpMethod":"GET","payloadFormatVersion":"1.0","uri":"BACKEND/mine"}}}}}`

// TestTheCLIImportsHTTPAPIsThatItExported imports a document, then what is exported of that API into a new one and over another one: all answer alike and are exported alike.
func TestTheCLIImportsHTTPAPIsThatItExported(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Path+" "+r.Header.Get("X-Added"))
	}))
	t.Cleanup(backend.Close)
	c := newTerminal(t)
	c.write("boards.json", strings.ReplaceAll(boardsDocument, "BACKEND", backend.URL))
	export := func(id, to string) map[string]any {
		c.aws("apigatewayv2", "export-api", "--api-id", id, "--output-type", "JSON", "--specification", "OAS30", "--include-extensions", to)
		return c.document(to, id)
	}
	load := func(from string) string {
		return c.aws("apigatewayv2", "import-api", "--fail-on-warnings", "--body", "file://"+from, "--query", "ApiId", "--output", "text")
	}
	first := load("boards.json")
	exported := export(first, "one.json")
	second := load("one.json")
	third := c.aws("apigatewayv2", "create-api", "--name", "other", "--protocol-type", "HTTP", "--target", backend.URL, "--query", "ApiId", "--output", "text")
	c.aws("apigatewayv2", "reimport-api", "--api-id", third, "--fail-on-warnings", "--body", "file://one.json")
	for i, id := range []string{first, second, third} {
		if id != third { // quick create made its stage
			c.aws("apigatewayv2", "create-stage", "--api-id", id, "--stage-name", "$default", "--auto-deploy")
		}
		if d := cmp.Diff(exported, export(id, "again.json")); d != "" {
			t.Errorf("api %d: -first +again:\n%s", i+1, d)
		}
		base := c.url + "/_aws/execute-api/" + id
		if status, body := get(t, base+"/boards/7"); status != 203 || body != "/b/7 GET /boards/{id}" {
			t.Errorf("api %d: a board is %d %q", i+1, status, body)
		}
		if status, body := get(t, base+"/mine"); status != 401 {
			t.Errorf("api %d: what needs a token is %d %q", i+1, status, body)
		}
		if status, body := get(t, base+"/none"); status != 404 {
			t.Errorf("api %d: what is not there is %d %q", i+1, status, body)
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(body)
}
