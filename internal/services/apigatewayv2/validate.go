package apigatewayv2

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schema is a compiled model.
type schema struct{ compiled *jsonschema.Schema }

// closed loads no schema from anywhere: a model stands for itself.
type closed struct{}

// Load implements [jsonschema.URLLoader].
func (closed) Load(url string) (any, error) {
	return nil, fmt.Errorf("the reference %s leads out of the model", url)
}

// compileSchema compiles a model, a schema in JSON Schema draft 4 (http://json-schema.org/draft-04/schema).
func compileSchema(name, text string) (*schema, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.UseLoader(closed{})
	url := "model:///" + name
	if err := c.AddResource(url, doc); err != nil {
		return nil, err
	}
	s, err := c.Compile(url)
	return &schema{s}, err
}

// check returns why a document does not satisfy the model.
func (s *schema) check(body []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return errors.New("the message is not JSON")
	}
	return s.compiled.Validate(doc)
}

// invalid says why a message does not satisfy the model of its route; empty when it does, or there is none.
func (r *socketRoute) invalid(m *message) string {
	if len(r.models) == 0 {
		return ""
	}
	s, ok := r.models[r.modelSelection.text(m.resolve)]
	if !ok {
		if s, ok = r.models[defaultRoute]; !ok {
			return ""
		}
	}
	if err := s.check(m.body); err != nil {
		return err.Error()
	}
	return ""
}
