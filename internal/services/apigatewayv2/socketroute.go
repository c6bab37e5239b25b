package apigatewayv2

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/lib/vtl"
)

// socketTable is what a stage of a WebSocket API serves, compiled.
type socketTable struct {
	selection expression
	routes    map[string]*socketRoute
}

// socketRoute is a route of a WebSocket API, ready to be run.
type socketRoute struct {
	route

	integration *socketIntegration // nil when the route has none
	authorizer  *api.Authorizer    // nil without one
	// answers tells that the integration's answer goes back to the client.
	answers bool
	// models are the schemas of messages by what the model selection expression says.
	models         map[string]*schema
	modelSelection expression
}

// socketIntegration is an integration of a WebSocket API, ready to be called.
type socketIntegration struct {
	integration

	function  string // ARN, for functions
	timeout   time.Duration
	selection expression // of the template
	templates map[string]*vtl.Template
	mappings  map[string]expression // of request parameters
	responses []socketResponse      // $default is the last
}

// socketResponse is one integration response.
type socketResponse struct {
	pattern   *regexp.Regexp // nil for $default
	selection expression
	templates map[string]*vtl.Template
}

// anyReference is for expressions whose references were checked when they were stored, or are none that must be refused.
func anyReference(string) bool { return true }

// compileSocket compiles the configuration of a WebSocket API.
func compileSocket(c *config) (*socketTable, error) {
	t := &socketTable{routes: make(map[string]*socketRoute, len(c.Routes))}
	var err error
	if t.selection, err = parseExpression(c.Selection, anyReference); err != nil {
		return nil, err
	}
	for i := range c.Routes {
		r := &socketRoute{route: c.Routes[i], answers: value(c.Routes[i].RouteResponseSelectionExpression) == defaultRoute && len(c.Routes[i].Responses) > 0}
		if id := r.route.integration(); id != "" {
			found, err := c.integration(id)
			if err != nil {
				return nil, err
			}
			if r.integration, err = compileIntegration(found); err != nil {
				return nil, err
			}
		}
		if id := value(r.AuthorizerId); id != "" && r.AuthorizationType == authCustom {
			if r.authorizer, err = c.authorizer(id); err != nil {
				return nil, err
			}
		}
		if !c.NoValidation {
			if err := r.compileModels(c); err != nil {
				return nil, err
			}
		}
		t.routes[r.RouteKey] = r
	}
	return t, nil
}

// compileModels compiles the schemas that messages of the route have to satisfy.
func (r *socketRoute) compileModels(c *config) error {
	var err error
	if r.modelSelection, err = parseExpression(value(r.ModelSelectionExpression), anyReference); err != nil {
		return err
	}
	r.models = make(map[string]*schema, len(r.RequestModels))
	for key, name := range r.RequestModels {
		for i := range c.Models {
			if c.Models[i].Name == name {
				if r.models[key], err = compileSchema(name, value(c.Models[i].Schema)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func compileIntegration(i *integration) (*socketIntegration, error) {
	out := &socketIntegration{integration: *i, timeout: time.Duration(value(i.TimeoutInMillis)) * time.Millisecond, mappings: map[string]expression{}}
	out.function, _ = functionOf(value(i.IntegrationUri)) // empty for a URI that is no function's
	var errs []error
	var err error
	out.selection, err = parseExpression(strings.TrimPrefix(value(i.TemplateSelectionExpression), `\`), anyReference)
	errs = append(errs, err)
	out.templates, err = compileTemplates(i.RequestTemplates)
	errs = append(errs, err)
	for key, text := range i.RequestParameters {
		if quoted, ok := strings.CutPrefix(text, "'"); ok {
			out.mappings[key] = expression{pieces: []piece{{text: strings.TrimSuffix(quoted, "'")}}}
			continue
		}
		out.mappings[key] = expression{pieces: []piece{{reference: text}}}
	}
	for _, r := range order.Sorted(i.Responses, func(a, b api.IntegrationResponse) int {
		return rank(a.IntegrationResponseKey == defaultRoute) - rank(b.IntegrationResponseKey == defaultRoute)
	}) {
		s := socketResponse{}
		if r.IntegrationResponseKey != defaultRoute {
			s.pattern, err = regexp.Compile(`^(?:` + strings.Trim(r.IntegrationResponseKey, "/") + `)$`)
			errs = append(errs, err)
		}
		s.selection, err = parseExpression(strings.TrimPrefix(value(r.TemplateSelectionExpression), `\`), anyReference)
		errs = append(errs, err)
		s.templates, err = compileTemplates(r.ResponseTemplates)
		errs = append(errs, err)
		out.responses = append(out.responses, s)
	}
	return out, errors.Join(errs...)
}

func compileTemplates(texts map[string]string) (map[string]*vtl.Template, error) {
	out := make(map[string]*vtl.Template, len(texts))
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		t, err := vtl.Parse(texts[name])
		if err != nil {
			return nil, err
		}
		out[strings.TrimPrefix(name, `\`)] = t
	}
	return out, nil
}

// template returns the template that an expression selects, or that of $default; nil for none.
func template(templates map[string]*vtl.Template, selected string) *vtl.Template {
	if t, ok := templates[selected]; ok {
		return t
	}
	return templates[defaultRoute]
}

// find returns the route of a message, or nil.
func (t *socketTable) find(key string) *socketRoute {
	if r, ok := t.routes[key]; ok && key != connectRoute && key != disconnectRoute {
		return r
	}
	return t.routes[defaultRoute]
}
