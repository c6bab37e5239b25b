package plane

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
)

// beyondModels are the groups of the suite whose schemas refer to documents elsewhere, which models of an API cannot: each is refused, and so are its tests.
func beyondModels() map[string]bool {
	return map[string]bool{
		"remote ref": true, "fragment within remote ref": true, "ref within remote ref": true, "base URI change": true, "base URI change - change folder": true,
		"base URI change - change folder in subschema": true, "root ref in remote ref": true, "Location-independent identifier in remote ref": true,
	}
}

// TestModelsAreDraft4 runs the required tests of draft 4 of the JSON Schema Test Suite, as models of an API: what they call valid is a good body of a request.
func TestModelsAreDraft4(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "jsonschema", "draft4.json"))
	if err != nil {
		t.Fatal(err)
	}
	var suite map[string][]struct {
		Description string
		Schema      json.RawMessage
		Tests       []struct {
			Description string
			Data        json.RawMessage
			Valid       bool
		}
	}
	if err := json.Unmarshal(text, &suite); err != nil {
		t.Fatal(err)
	}
	ran, beyond := 0, beyondModels()
	for file, groups := range suite {
		for _, g := range groups {
			schema := string(g.Schema)
			s, err := (&models{from: map[string]*aws.Model{"m": {Schema: &schema}}}).schema("m")
			if file == "refRemote" && beyond[g.Description] {
				if err == nil || !strings.Contains(err.Error(), "is no model of this API") {
					t.Errorf("%s, %s: %v", file, g.Description, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, %s: %v", file, g.Description, err)
				continue
			}
			for _, c := range g.Tests {
				doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.Data))
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Validate(doc); (err == nil) != c.Valid {
					t.Errorf("%s, %s, %s: %v, and the suite says valid: %v", file, g.Description, c.Description, err, c.Valid)
				}
				ran++
			}
		}
	}
	t.Logf("%d tests", ran)
}
