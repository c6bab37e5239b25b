package api

import (
	"encoding/json"
	"regexp"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
)

// ModelURL is how the schema of one model names another model of its API.
func ModelURL(id, name string) string {
	return "https://apigateway.amazonaws.com/restapis/" + id + "/models/" + name
}

// modelReference is how a schema names another model: https://apigateway.amazonaws.com/restapis/{api}/models/{name}.
var modelReference = regexp.MustCompile(`/restapis/[^/]+/models/([a-zA-Z0-9]+)$`)

// FlatSchema returns a model's schema with the models that it names as definitions within it.
func (t *Tree) FlatSchema(m *aws.Model) (*string, error) {
	definitions := map[string]any{}
	var inline func(v any) any
	inline = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				ref, isText := e.(string)
				if found := modelReference.FindStringSubmatch(ref); k == "$ref" && isText && found != nil {
					v[k] = "#/definitions/" + found[1]
					if other := t.Models[found[1]]; other != nil && definitions[found[1]] == nil {
						definitions[found[1]] = true // circular references end here
						var schema any
						if json.Unmarshal([]byte(text(other.Schema)), &schema) == nil {
							definitions[found[1]] = inline(schema)
						}
					}
					continue
				}
				v[k] = inline(e)
			}
		case []any:
			for i := range v {
				v[i] = inline(v[i])
			}
		}
		return v
	}
	var schema map[string]any
	if err := json.Unmarshal([]byte(text(m.Schema)), &schema); err != nil {
		return nil, BadRequest("The schema of model %s is no JSON object and cannot be flattened.", *m.Name)
	}
	inline(schema)
	if len(definitions) > 0 {
		schema["definitions"] = definitions
	}
	b, err := json.Marshal(schema)
	return ptr(string(b)), err
}
