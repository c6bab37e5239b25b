package openapi

import (
	"encoding/json"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

// Documentation reads the documentation parts of a document, without ids.
func Documentation(body []byte) ([]api.DocumentationPart, Warnings, error) {
	root, err := tree(body)
	if err != nil {
		return nil, nil, err
	}
	i := importer{document: &document{root: root}}
	extension := child(root, "x-amazon-apigateway-documentation")
	if extension == nil {
		extension = root
	}
	i.readDocumentation(extension)
	if len(i.problems) > 0 {
		return nil, nil, &Error{i.problems}
	}
	return i.result.Parts, i.result.Warnings, nil
}

func (i *importer) readDocumentation(extension object) {
	i.result.PartsVersion = text(extension["version"])
	for n, p := range list(extension["documentationParts"]) {
		o, _ := p.(object)
		l := child(o, "location")
		part := api.DocumentationPart{Location: aws.DocumentationPartLocation{
			Type: strings.ToUpper(text(l["type"])), Path: optional(text(l["path"])), Method: optional(text(l["method"])), StatusCode: optional(text(l["statusCode"])), Name: optional(text(l["name"])),
		}}
		switch v := o["properties"].(type) {
		case string:
			part.Properties = v
		default:
			b, err := json.Marshal(v)
			if err != nil {
				i.problem("Documentation part %d cannot be read: %v", n+1, err)
				continue
			}
			part.Properties = string(b)
		}
		i.result.Parts = append(i.result.Parts, part)
	}
}
