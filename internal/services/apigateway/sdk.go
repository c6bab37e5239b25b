package apigateway

import (
	"context"
	"encoding/json"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
)

// sdkTypes are the kinds of SDK that API Gateway knows. GetSdk has no handler: SDKs are generated from an exported definition by the generators of OpenAPI.
var sdkTypes = []aws.SdkType{
	{Id: ptr("android"), FriendlyName: ptr("Android")},
	{Id: ptr("java"), FriendlyName: ptr("Java SDK")},
	{Id: ptr("javascript"), FriendlyName: ptr("JavaScript")},
	{Id: ptr("objectivec"), FriendlyName: ptr("iOS (Objective-C)")},
	{Id: ptr("ruby"), FriendlyName: ptr("Ruby")},
	{Id: ptr("swift"), FriendlyName: ptr("iOS (Swift)")},
}

func (g *Gateway) getSDKTypes(_ context.Context, in *aws.GetSdkTypesInput) (out *aws.GetSdkTypesOutput, err error) {
	out = &aws.GetSdkTypesOutput{}
	out.Items, out.Position, err = page(append([]aws.SdkType(nil), sdkTypes...), func(t *aws.SdkType) string { return *t.Id }, in.Position, in.Limit)
	return out, err
}

func (g *Gateway) getSDKType(_ context.Context, in *aws.GetSdkTypeInput) (*aws.GetSdkTypeOutput, error) {
	for i := range sdkTypes {
		if *sdkTypes[i].Id == in.Id {
			return &sdkTypes[i], nil
		}
	}
	return nil, notFound("Invalid SDK type specified: %s", in.Id)
}

// getModelTemplate returns a mapping template that makes a document of a model's shape out of a request of that shape.
func (g *Gateway) getModelTemplate(ctx context.Context, in *aws.GetModelTemplateInput) (*aws.GetModelTemplateOutput, error) {
	m, _, err := g.findModel(ctx, in.RestApiId, in.ModelName)
	if err != nil {
		return nil, err
	}
	var schema templateSchema
	if err := json.Unmarshal([]byte(text(m.Schema)), &schema); err != nil {
		return nil, badRequest("The schema of model %s is no JSON object: %v", in.ModelName, err)
	}
	var b strings.Builder
	b.WriteString("#set($inputRoot = $input.path('$'))\n")
	schema.write(&b, "$inputRoot", "", 0)
	return &aws.GetModelTemplateOutput{Value: ptr(b.String())}, nil
}

// templateSchema is the part of a schema that decides the shape of documents.
type templateSchema struct {
	Type       string                     `json:"type"`
	Properties map[string]*templateSchema `json:"properties"`
	Items      *templateSchema            `json:"items"`
}

// maxTemplateDepth bounds the nesting of a generated template.
const maxTemplateDepth = 20

// write writes the template of a value that the expression from names.
func (s *templateSchema) write(b *strings.Builder, from, indent string, depth int) {
	if s == nil || depth > maxTemplateDepth {
		b.WriteString(`"` + from + `"`)
		return
	}
	inner := indent + "  "
	switch s.Type {
	case "object":
		b.WriteString("{\n")
		for i, name := range sortedKeys(s.Properties) {
			if i > 0 {
				b.WriteString(",\n")
			}
			b.WriteString(inner + `"` + name + `" : `)
			s.Properties[name].write(b, from+"."+name, inner, depth+1)
		}
		b.WriteString("\n" + indent + "}")
	case "array":
		b.WriteString("[\n#foreach($elem in " + from + ")\n" + inner)
		s.Items.write(b, "$elem", inner, depth+1)
		b.WriteString("#if($foreach.hasNext),#end\n#end\n" + indent + "]")
	case "integer", "number", "boolean":
		b.WriteString(from)
	default:
		b.WriteString(`"` + from + `"`)
	}
}
