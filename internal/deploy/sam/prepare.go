package sam

import (
	"errors"
	"strings"

	"lambent.dev/lambent/internal/deploy/template"
)

// prepare makes the template ready for expanding resource by resource: it checks its sections, gives APIs a definition, adds the implicit APIs, merges the
// globals, and turns connectors inside of resources into resources.
func (t *transform) prepare() error {
	if err := t.checkSections(); err != nil {
		return err
	}
	t.markHashed()
	t.readValues()
	if err := t.locateApplications(); err != nil {
		return err
	}
	t.defaultDefinitions()
	for _, implicit := range []implicitAPI{implicitREST, implicitHTTP} {
		if err := t.addImplicit(implicit); err != nil {
			return err
		}
	}
	if err := t.mergeGlobals(); err != nil {
		return err
	}
	return t.embeddedConnectors()
}

func (t *transform) checkSections() error {
	t.resources = t.template.dict("Resources")
	if t.resources.len() == 0 {
		return invalidDocument("'Resources' section is required")
	}
	for _, r := range t.resources.all() {
		if _, ok := r.(*dict); !ok {
			return invalidDocument("All 'Resources' must be Objects. If you're using YAML, this may be an indentation issue.")
		}
	}
	for id, v := range t.resources.all() {
		r := v.(*dict)
		if c := r.get("Condition"); truthy(c) && !aText.fits(c) {
			return invalidDocument("Every Condition member must be a string.")
		}
		if mergeable(r) && r.has("Properties") && r.dict("Properties") == nil {
			return documentOf(asProblem(invalid(id, "%s", wrongType("attribute", "Properties", "map"))))
		}
	}
	if t.template.has("Mappings") && t.template.dict("Mappings") == nil {
		return invalidDocument("'Mappings' or 'Parameters' is either null or not a valid dictionary.")
	}
	return nil
}

func asProblem(err error) *problem {
	var p *problem
	errors.As(err, &p)
	return p
}

// mergeable tells whether a resource has properties that plugins of SAM look at before it is expanded.
func mergeable(r *dict) bool {
	return is(r.get("Type"), typeAPI, typeFunction, typeTable, typeApplication, typeLayer, typeHTTPAPI, typeWebSocketAPI, typeStateMachine, typeCapacity)
}

// markHashed converts what a deployment id of a REST API depends on, if the template has one.
func (t *transform) markHashed() {
	for _, v := range t.resources.all() {
		t.hashed = t.hashed || usesRESTAPI(v.(*dict))
	}
	if !t.hashed {
		return
	}
	if g := t.template.dict("Globals"); g.has("Api") {
		g.set("Api", hashed(g.get("Api")))
	}
	if parameters := t.template.dict("Parameters"); parameters != nil {
		for _, v := range parameters.all() {
			if p, ok := v.(*dict); ok && p.has("Default") {
				p.set("Default", hashed(p.get("Default")))
			}
		}
		t.template.set("Parameters", rehash(parameters))
	}
	for _, v := range t.resources.all() {
		r := v.(*dict)
		properties := r.dict("Properties")
		switch {
		case properties == nil:
		case is(r.get("Type"), typeAPI, typeHTTPAPI):
			r.set("Properties", hashed(properties))
		case is(r.get("Type"), typeFunction, typeStateMachine):
			if r.has("Condition") {
				r.set("Condition", hashed(r.get("Condition")))
			}
			for _, k := range []string{"FunctionName", "Events"} {
				if properties.has(k) {
					properties.set(k, hashed(properties.get(k)))
				}
			}
		}
	}
	t.resources = rehash(t.resources)
	t.template.set("Resources", t.resources)
}

// rehash puts the keys of a mapping into the order of Python 2 and leaves its values.
func rehash(d *dict) *dict {
	out := newHashed()
	for k, v := range d.all() {
		out.put(name{k, true}, v)
	}
	return out
}

func usesRESTAPI(r *dict) bool {
	if is(r.get("Type"), typeAPI) {
		return true
	}
	if !is(r.get("Type"), typeFunction, typeStateMachine) {
		return false
	}
	for _, e := range r.dict("Properties").dict("Events").all() {
		if d, ok := e.(*dict); ok && is(d.get("Type"), "Api") {
			return true
		}
	}
	return false
}

// readValues takes the values of parameters: those that were given before the defaults of the template.
func (t *transform) readValues() {
	t.values = map[string]any{}
	for k, v := range t.Parameters {
		if v = (&reader{document: &template.Document{}}).value(v); t.hashed {
			v = hashed(v)
		}
		t.values[k] = v
	}
	for k, v := range t.template.dict("Parameters").all() {
		p, _ := v.(*dict)
		if _, has := t.values[k]; has || !p.has("Default") {
			continue
		}
		// A mapping is no value of a parameter; it could refer to itself.
		if _, isMap := p.get("Default").(*dict); !isMap {
			t.values[k] = p.get("Default")
		}
	}
	for k, v := range map[string]any{"AWS::Region": t.Region, "AWS::Partition": t.partition()} {
		if _, has := t.values[k]; !has {
			t.values[k] = v
		}
	}
	t.mappings = t.template.dict("Mappings")
}

// defaultDefinitions gives APIs without a definition an empty one, which SAM may then add to.
func (t *transform) defaultDefinitions() {
	for _, typ := range []string{typeAPI, typeHTTPAPI} {
		for _, v := range t.resources.all() {
			r := v.(*dict)
			if !is(r.get("Type"), typ) {
				continue
			}
			if !r.has("Properties") {
				// An API without any properties is refused later: its stage is missing.
				if typ == typeAPI {
					continue
				}
				r.set("Properties", newDict())
			}
			p := r.dict("Properties")
			if truthy(p.get("DefinitionBody")) || truthy(p.get("DefinitionUri")) {
				continue
			}
			p.set("DefinitionBody", emptySwagger())
			if typ == typeHTTPAPI {
				p.set("DefinitionBody", emptyOpenAPI())
			}
			p.set(managed, true)
		}
	}
}

// managed is the property that marks APIs whose definition is SAM's own.
const managed = "__MANAGE_SWAGGER"

func emptySwagger() *dict {
	return hashedOf("swagger", "2.0", "info", hashedOf("version", "1.0", "title", ref("AWS::StackName")), "paths", newHashed())
}

func emptyOpenAPI() *dict {
	return hashedOf("openapi", "3.0.1", "info", hashedOf("version", "1.0", "title", ref("AWS::StackName")), "paths", newHashed())
}

// beforeResource does what comes before a resource is checked: it expands policy templates and finds applications.
func (t *transform) beforeResource(s *source) error {
	switch s.typ {
	case typeFunction, typeStateMachine:
		return s.expandPolicyTemplates()
	case typeApplication:
		return t.findApplication(s)
	}
	return nil
}

// pathID is a path as a part of a logical id of a condition.
func pathID(path string) string {
	return strings.NewReplacer("/", "SLASH", "{", "OB", "}", "CB").Replace(path)
}
