package plane

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

// validator checks requests before they reach the integration.
type validator struct {
	// required are the parameters that must be there, by their place; nil when parameters are not checked.
	required []source
	// body tells that the body is checked; schemas are those of the models by media type, nil for a model without one.
	body    bool
	schemas map[string]*jsonschema.Schema
	broken  error
}

// compileValidator returns the checks of a method, or nil when it has none.
func compileValidator(from *api.Tree, models *models, m *aws.Method) *validator {
	v := from.Validators[deref(m.RequestValidatorId)]
	if v == nil {
		return nil
	}
	c := &validator{body: deref(v.ValidateRequestBody) && len(m.RequestModels) > 0}
	if deref(v.ValidateRequestParameters) {
		for _, name := range slices.Sorted(maps.Keys(m.RequestParameters)) {
			if s, ok := parseSource(name); ok && m.RequestParameters[name] {
				c.required = append(c.required, s)
			}
		}
	}
	if c.body {
		c.schemas = map[string]*jsonschema.Schema{}
		for kind, name := range m.RequestModels {
			s, err := models.schema(name)
			if err != nil {
				c.broken = fmt.Errorf("the model %s: %w", name, err)
				return c
			}
			c.schemas[mediaType(kind)] = s
		}
	}
	return c
}

// check returns nil when the request is good, and otherwise the gateway response that says what is missing.
func (v *validator) check(x *exchange) *failed {
	var missing []string
	for i := range v.required {
		if values := v.required[i].values(x); len(values) == 0 || v.required[i].kind != "header" && values[0] == "" && v.required[i].kind == "path" {
			missing = append(missing, v.required[i].name)
		}
	}
	if len(missing) > 0 {
		return &failed{kind: "BAD_REQUEST_PARAMETERS", message: "Missing required request parameters: [" + strings.Join(missing, ", ") + "]"}
	}
	if v.broken != nil {
		return &failed{kind: "API_CONFIGURATION_ERROR", message: "Internal server error", err: v.broken}
	}
	if !v.body {
		return nil
	}
	if err := v.checkBody(x); err != nil {
		return &failed{kind: "BAD_REQUEST_BODY", message: "Invalid request body", validation: err.Error()}
	}
	return nil
}

// checkBody checks the body against the model of its media type; a body of a type without a model is not checked.
func (v *validator) checkBody(x *exchange) error {
	kind := x.contentType()
	s, ok := v.schemas[kind]
	if !ok || s == nil {
		return nil
	}
	body := x.body
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return errors.New("[the body is not JSON]")
	}
	if err := s.Validate(doc); err != nil {
		return errors.New(validationText(err))
	}
	return nil
}

// validationText tells what a document lacks, in one line.
func validationText(err error) string {
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return "[" + err.Error() + "]"
	}
	var lines []string
	var walk func(v *jsonschema.ValidationError)
	walk = func(v *jsonschema.ValidationError) {
		if len(v.Causes) == 0 {
			text, _, _ := strings.Cut(v.Error(), "\n")
			if _, after, ok := strings.Cut(v.Error(), "\n- "); ok {
				text = after
			}
			lines = append(lines, text)
		}
		for _, c := range v.Causes {
			walk(c)
		}
	}
	walk(v)
	slices.Sort(lines) // the validator goes through members in no order
	return "[" + strings.Join(lines, ", ") + "]"
}

// models compiles the models of an API, each once.
type models struct {
	from     map[string]*aws.Model
	compiled map[string]*jsonschema.Schema
}

// modelURL is where models refer to each other, in the form in which they are resolved here; AWS writes https://apigateway.amazonaws.com/restapis/{id}/models/{name}.
const modelURL = "https://apigateway.amazonaws.com/restapis/api/models/"

// schema returns the compiled schema of a model; nil for one without a schema, as Empty is.
func (m *models) schema(name string) (*jsonschema.Schema, error) {
	if s, ok := m.compiled[name]; ok {
		return s, nil
	}
	model := m.from[name]
	if model == nil || strings.TrimSpace(deref(model.Schema)) == "" {
		return nil, nil
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.UseLoader(m)
	s, err := c.Compile(modelURL + name)
	if err != nil {
		return nil, err
	}
	if m.compiled == nil {
		m.compiled = map[string]*jsonschema.Schema{}
	}
	m.compiled[name] = s
	return s, nil
}

// Load implements [jsonschema.URLLoader]: models refer to other models of the API and to nothing else.
func (m *models) Load(url string) (any, error) {
	_, name, ok := strings.Cut(url, "/models/")
	model := m.from[name]
	if !ok || model == nil || !strings.HasPrefix(url, "https://apigateway.amazonaws.com/restapis/") {
		return nil, fmt.Errorf("%s is no model of this API", url)
	}
	return jsonschema.UnmarshalJSON(strings.NewReader(deref(model.Schema)))
}
