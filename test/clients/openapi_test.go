package clients

import (
	"encoding/json"
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

// TestTheCLIImportsWhatItExported imports a document with the AWS CLI, and what is exported of the API, whose own export is the same then.
func TestTheCLIImportsWhatItExported(t *testing.T) {
	program, err := filepath.Abs(filepath.Join("..", "..", ".venv", "bin", "aws"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("the pinned clients are missing (%v); run: make clients", err)
	}
	s, dir := start(t), t.TempDir()
	aws := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+s.URL(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if err := os.WriteFile(filepath.Join(dir, "pets.json"), []byte(petsDocument), 0o600); err != nil {
		t.Fatal(err)
	}
	// trip imports a file and exports the API to another. It returns what was exported, without what belongs to the one API.
	trip := func(from, to string) map[string]any {
		id := aws("apigateway", "import-rest-api", "--fail-on-warnings", "--body", "fileb://"+from, "--query", "id", "--output", "text")
		aws("apigateway", "create-deployment", "--rest-api-id", id, "--stage-name", "live")
		aws("apigateway", "get-export", "--rest-api-id", id, "--stage-name", "live", "--export-type", "oas30", "--parameters", "extensions=integrations", to)
		text, err := os.ReadFile(filepath.Join(dir, to))
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), id, "ID")), &doc); err != nil {
			t.Fatal(err)
		}
		delete(doc["info"].(map[string]any), "version") // the time of the deployment
		return doc
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
