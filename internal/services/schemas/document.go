package schemas

import (
	"encoding/json"
	"strings"
	"unicode"

	api "lambent.dev/lambent/internal/awsapi/schemas"
)

const draft4 = "http://json-schema.org/draft-04/schema#"

// eventSchema returns the schema of the events of a source and detail type, whose details have a shape, in the form that EventBridge gives to discovered schemas
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-schema.html).
func eventSchema(kind, source, detailType string, detail *shape) (string, error) {
	name := typeName(detailType)
	refs := "#/components/schemas/"
	if kind == api.TypeJSONSchemaDraft4 {
		refs = "#/definitions/"
	}
	text := map[string]any{"type": "string"}
	event := map[string]any{
		"type": "object", "required": []string{"detail-type", "resources", "detail", "id", "source", "time", "region", "version", "account"},
		"x-amazon-events-detail-type": detailType, "x-amazon-events-source": source,
		"properties": map[string]any{
			"detail": map[string]any{"$ref": refs + name}, "account": text, "detail-type": text, "id": text, "region": text,
			"resources": map[string]any{"type": "array", "items": map[string]any{"type": "string"}},
			"source":    text, "time": map[string]any{"type": "string", "format": "date-time"}, "version": text,
		},
	}
	if kind == api.TypeJSONSchemaDraft4 {
		event["$schema"], event["title"] = draft4, name
		event["definitions"] = map[string]any{name: detail.document(true)}
		return encode(event)
	}
	return openAPI(name, map[string]any{"AWSEvent": event, name: detail.document(false)})
}

// plainSchema returns the schema of documents that are no events of EventBridge.
func plainSchema(kind string, s *shape) (string, error) {
	if kind != api.TypeJSONSchemaDraft4 {
		return openAPI("Event", map[string]any{"Event": s.document(false)})
	}
	out := s.document(true)
	out["$schema"], out["title"] = draft4, "Event"
	return encode(out)
}

func openAPI(title string, schemas map[string]any) (string, error) {
	return encode(struct {
		OpenAPI    string         `json:"openapi"`
		Info       any            `json:"info"`
		Paths      struct{}       `json:"paths"`
		Components map[string]any `json:"components"`
	}{"3.0.0", map[string]string{"version": "1.0.0", "title": title}, struct{}{}, map[string]any{"schemas": schemas}})
}

func encode(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// typeName makes a name of a detail type: "Order placed" becomes OrderPlaced.
func typeName(detailType string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(detailType, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	switch name := b.String(); name {
	case "", "AWSEvent":
		return "Detail" + name
	default:
		return name
	}
}

// checkContent checks that a document is a schema of its type.
func checkContent(kind, content string) error {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal([]byte(content), &doc); err != nil {
		return invalid("The content of the schema is not a JSON object: %s.", err)
	}
	text := func(name string) (s string) {
		if json.Unmarshal(doc[name], &s) != nil {
			return ""
		}
		return s
	}
	switch kind {
	case api.TypeOpenApi3:
		var components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		}
		if !strings.HasPrefix(text("openapi"), "3.") {
			return invalid("The content of the schema is not of the type OpenApi3: openapi must be a version 3, such as 3.0.0.")
		}
		if doc["components"] != nil && json.Unmarshal(doc["components"], &components) != nil {
			return invalid("The content of the schema is not of the type OpenApi3: components.schemas must be an object.")
		}
	case api.TypeJSONSchemaDraft4:
		if at := strings.TrimSuffix(text("$schema"), "#"); at+"#" != draft4 {
			return invalid("The content of the schema is not of the type JSONSchemaDraft4: $schema must be %s.", draft4)
		}
	}
	return nil
}

// toDraft4 returns a schema of OpenAPI 3 as one of JSON Schema draft 4: its components are definitions, and the event, when there is one, is the root.
func toDraft4(name, content string) (string, error) {
	var doc struct {
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(content), &doc); err != nil {
		return "", err
	}
	definitions := map[string]any{}
	for name, s := range doc.Components.Schemas {
		definitions[name] = rewritten(s)
	}
	root := map[string]any{}
	if event, ok := definitions["AWSEvent"].(map[string]any); ok {
		root = event
		delete(definitions, "AWSEvent")
	}
	root["$schema"], root["title"], root["definitions"] = draft4, name, definitions
	return encode(root)
}

// rewritten returns a part of a schema with the references and the nullable values of draft 4.
func rewritten(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = rewritten(v[i])
		}
	case map[string]any:
		for k, e := range v {
			if ref, ok := e.(string); ok && k == "$ref" {
				v[k] = strings.Replace(ref, "#/components/schemas/", "#/definitions/", 1)
				continue
			}
			v[k] = rewritten(e)
		}
		if v["nullable"] == true {
			if kind, ok := v["type"].(string); ok {
				v["type"] = []any{kind, kindNull}
				delete(v, "nullable")
			}
		}
	}
	return v
}
