package apigatewayv2

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
)

// maxSampleDepth bounds how deep a sample template follows its schema.
const maxSampleDepth = 32

func (g *Gateway) getModelTemplate(ctx context.Context, in *api.GetModelTemplateInput) (*api.GetModelTemplateOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	m, err := a.Config.model(in.ModelId)
	if err != nil {
		return nil, err
	}
	var schema any
	if err := json.Unmarshal([]byte(value(m.Schema)), &schema); err != nil {
		return nil, badRequest("The schema of model %s is no JSON: %v", m.Name, err)
	}
	var b strings.Builder
	b.WriteString("#set($inputRoot = $input.path('$'))\n")
	sample(&b, schema, 0)
	return &api.GetModelTemplateOutput{Value: ptr(b.String())}, nil
}

// sample writes a mapping template that makes a document of a schema: each member with a value of its type.
func sample(b *strings.Builder, schema any, depth int) {
	s, _ := schema.(map[string]any)
	indent := strings.Repeat("  ", depth)
	kind, _ := s["type"].(string)
	if kind == "" && s["properties"] != nil {
		kind = "object"
	}
	if depth > maxSampleDepth {
		kind = ""
	}
	switch kind {
	case "object":
		properties, _ := s["properties"].(map[string]any)
		b.WriteString("{")
		for i, name := range slices.Sorted(maps.Keys(properties)) {
			if i > 0 {
				b.WriteString(",")
			}
			b.WriteString("\n" + indent + `  "` + name + `" : `)
			sample(b, properties[name], depth+1)
		}
		b.WriteString("\n" + indent + "}")
	case "array":
		b.WriteString("[\n" + indent + "  ")
		sample(b, s["items"], depth+1)
		b.WriteString("\n" + indent + "]")
	case "integer":
		b.WriteString("42")
	case "number":
		b.WriteString("42.0")
	case "boolean":
		b.WriteString("true")
	case "null":
		b.WriteString("null")
	default:
		b.WriteString(`"foo"`)
	}
}
