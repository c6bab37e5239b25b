package sam

import (
	"slices"
	"strings"
)

// implicitAPI is the API that SAM adds for events that name none.
type implicitAPI struct {
	typ, id, condition string
	// event is the type of the events, and property the one that names their API.
	event, property string
}

var (
	implicitREST = implicitAPI{typeAPI, "ServerlessRestApi", "ServerlessRestApiCondition", "Api", "RestApiId"}
	implicitHTTP = implicitAPI{typeHTTPAPI, "ServerlessHttpApi", "ServerlessHttpApiCondition", "HttpApi", "ApiId"}
)

// resource is the API as if it stood in the template.
func (i implicitAPI) resource() *dict {
	if i.typ == typeHTTPAPI {
		return dictOf("Type", typeHTTPAPI, "Properties", dictOf("DefinitionBody", emptyOpenAPI(), managed, true))
	}
	return dictOf("Type", typeAPI, "Properties", dictOf("StageName", "Prod", "DefinitionBody", emptySwagger(), managed, true))
}

// route is where an event is reached, with the attributes of the resource that has the event.
type route struct {
	path, method                             string
	condition, deletionPolicy, updateReplace any
}

// routes are the routes of events by the logical id of their API.
type routes map[string][]route

// addImplicit completes the events of one kind of API, adds their paths to the APIs that SAM defines, and adds the implicit API if an event uses it.
func (t *transform) addImplicit(i implicitAPI) error {
	existing := t.resources.get(i.id)
	t.resources.set(i.id, i.resource())
	found := routes{}
	var faults []*problem
	for id, v := range t.resources.all() {
		r := v.(*dict)
		if !is(r.get("Type"), typeFunction, typeStateMachine) {
			continue
		}
		if err := t.routeEvents(i, r, found); err != nil {
			p := asProblem(err)
			switch {
			case p == nil:
				return err
			case !p.event:
				return documentOf(p)
			}
			faults = append(faults, asProblem(within(id, err)))
		}
	}
	t.inheritAttributes(i, found[i.id])
	if err := t.conditionPaths(i, found); err != nil {
		return err
	}
	if api := t.resources.dict(i.id); api.dict("Properties").dict("DefinitionBody").dict("paths").len() == 0 {
		t.resources.remove(i.id)
		if existing != nil {
			t.resources.set(i.id, existing)
		}
	}
	if len(faults) > 0 {
		return documentOf(faults...)
	}
	return nil
}

// routeEvents goes through the events of one resource.
func (t *transform) routeEvents(i implicitAPI, r *dict, found routes) error {
	properties := r.dict("Properties")
	events := properties.dict("Events")
	mine := newHashed()
	for _, k := range events.names() {
		if e, ok := events.values[k.text].(*dict); ok && is(e.get("Type"), i.event) {
			mine.put(k, e)
		}
	}
	if mine.len() == 0 {
		return nil
	}
	for id, v := range mine.all() {
		e := v.(*dict)
		if err := t.routeEvent(i, id, e, r, found); err != nil {
			return err
		}
	}
	events.update(mine)
	return nil
}

func (t *transform) routeEvent(i implicitAPI, id string, e, r *dict, found routes) error {
	given := e.get("Properties")
	if !e.has("Properties") {
		given = newDict()
	}
	if i.typ == typeAPI && !truthy(given) {
		return nil
	}
	p, ok := given.(*dict)
	if !ok {
		return invalidEvent(id, "Properties should be a map.")
	}
	if p.len() == 0 {
		e.set("Properties", p)
	}
	if !p.has(i.property) {
		t.tagImplicit(i, r)
		p.set(i.property, ref(i.id))
	}
	if i.typ == typeHTTPAPI && !truthy(p.get("Path")) && !truthy(p.get("Method")) {
		p.set("Path", defaultPath)
		p.set("Method", anyMethod)
	}
	api, err := checkRoute(i, id, p)
	if err != nil {
		return err
	}
	path, _ := text(p.get("Path"))
	method, _ := text(p.get("Method"))
	found[api] = append(found[api], route{path, method, r.get("Condition"), r.get("DeletionPolicy"), r.get("UpdateReplacePolicy")})
	if err := t.addRoute(i, id, p); err != nil {
		return err
	}
	if i.typ == typeHTTPAPI && p.has("RouteSettings") {
		return t.addRouteSettings(id, p, r.get("Condition"))
	}
	return nil
}

// checkRoute returns the logical id of the API that an event names.
func checkRoute(i implicitAPI, id string, p *dict) (string, error) {
	for _, k := range []string{"Path", "Method"} {
		if err := inEvent(id, k).present(p.get(k)); err != nil {
			return "", err
		}
	}
	api, err := inEvent(id, i.property).text(apiID(p.get(i.property)))
	if err != nil {
		return "", err
	}
	for _, k := range []string{"Path", "Method"} {
		if _, err := inEvent(id, k).text(p.get(k)); err != nil {
			return "", err
		}
	}
	return api, nil
}

// apiID is what a reference to an API stands for: the logical id in a Ref, or the value.
func apiID(v any) any {
	if d, ok := v.(*dict); ok && d.has("Ref") {
		return d.get("Ref")
	}
	return v
}

// tagImplicit gives the implicit API the tags of a resource that propagates them.
func (t *transform) tagImplicit(i implicitAPI, r *dict) {
	typ, _ := text(r.get("Type"))
	globals := t.template.dict("Globals").dict(strings.TrimPrefix(typ, "AWS::Serverless::"))
	either := func(k string) any {
		if v := r.dict("Properties").get(k); truthy(v) {
			return v
		}
		return globals.get(k)
	}
	tags, ok := either("Tags").(*dict)
	if api := t.resources.dict(i.id).dict("Properties"); api != nil && ok && tags.len() > 0 && truthy(either("PropagateTags")) {
		api.setDefault(name{"Tags", false}, newDict()).(*dict).update(tags)
		api.set("PropagateTags", true)
	}
}

// addRoute adds the path of an event to an API that SAM defines.
func (t *transform) addRoute(i implicitAPI, id string, p *dict) error {
	api, ok := text(apiID(p.get(i.property)))
	r := t.resources.dict(api)
	if !ok || r == nil || is(r.get("Type"), typeHTTPAPI) && i.typ != typeHTTPAPI {
		return invalidEvent(id, "%s must be a valid reference to an '%s' resource in same template.", i.property, i.typ)
	}
	properties := r.dict("Properties")
	body := properties.get("DefinitionBody")
	if i.typ == typeAPI && !validSwagger(body) || i.typ == typeHTTPAPI && !validOpenAPI(body) || !truthy(properties.get(managed)) {
		return nil
	}
	if i.typ == typeHTTPAPI {
		e, err := openOpenAPI(body)
		if err != nil {
			return err
		}
		if err := e.addPath(p.get("Path"), p.get("Method")); err != nil {
			return err
		}
		properties.set("DefinitionBody", e.close())
		return nil
	}
	e, err := openSwagger(body)
	if err != nil {
		return err
	}
	if err := e.addPath(p.get("Path"), p.get("Method")); err != nil {
		return err
	}
	properties.set("DefinitionBody", e.close())
	return nil
}

// addRouteSettings adds the settings of an event's route to its API.
func (t *transform) addRouteSettings(id string, p *dict, condition any) error {
	api, _ := text(apiID(p.get("ApiId")))
	properties := t.resources.dict(api).dict("Properties")
	if properties == nil {
		properties = newDict()
		t.resources.dict(api).set("Properties", properties)
	}
	path, _ := text(p.get("Path"))
	method, _ := text(p.get("Method"))
	key := strings.ToUpper(method) + " " + path
	if method == anyMethod {
		key = path
	}
	all := newDict()
	if properties.has("RouteSettings") {
		var err error
		if all, err = inResource(api, "RouteSettings").dict(properties.get("RouteSettings")); err != nil {
			return err
		}
	}
	settings, ok := p.get("RouteSettings").(*dict)
	if truthy(condition) {
		settings, ok = when(condition, p.get("RouteSettings"), nil), true
	}
	if !ok {
		return inEvent(id, "RouteSettings").wrong("map")
	}
	if to, ok := all.setDefault(name{key, false}, newDict()).(*dict); ok {
		to.update(settings)
	}
	properties.set("RouteSettings", all)
	return nil
}

// inheritAttributes gives the implicit API the condition and the policies of the resources whose events use it.
func (t *transform) inheritAttributes(i implicitAPI, uses []route) {
	if len(uses) == 0 {
		return
	}
	api := t.resources.dict(i.id)
	if c := t.shared(uses, i.condition); c != nil {
		api.set("Condition", c)
	}
	for _, policy := range []struct {
		attribute string
		of        func(route) any
		strongest []string
	}{
		{"DeletionPolicy", func(r route) any { return r.deletionPolicy }, []string{"Retain", "Delete"}},
		{"UpdateReplacePolicy", func(r route) any { return r.updateReplace }, []string{"Retain", "Snapshot", "Delete"}},
	} {
		for _, v := range policy.strongest {
			if slices.ContainsFunc(uses, func(r route) bool { return is(policy.of(r), v) }) {
				api.set(policy.attribute, v)
				break
			}
		}
	}
}

// shared returns the condition under which at least one of the routes exists: nil if one always does. Of several conditions it makes one with the given name.
func (t *transform) shared(uses []route, combined string) any {
	// The condition of a method is that of its last event.
	last := map[[2]string]any{}
	for _, r := range uses {
		last[[2]string{r.path, r.method}] = r.condition
	}
	var distinct []any
	for _, c := range last {
		if c == nil {
			return nil
		}
		if !contains(distinct, c) {
			distinct = append(distinct, c)
		}
	}
	if len(distinct) < 2 {
		return distinct[0]
	}
	slices.SortFunc(distinct, func(a, b any) int { return strings.Compare(python(a), python(b)) })
	conditions := t.template.setDefault(name{"Conditions", false}, newDict())
	if c, ok := conditions.(*dict); ok {
		c.update(orConditions(distinct, combined))
	}
	return combined
}

// conditionPaths lets the paths of the APIs that SAM defines exist only when a resource behind them does.
func (t *transform) conditionPaths(i implicitAPI, found routes) error {
	for id, v := range t.resources.all() {
		r := v.(*dict)
		properties := r.dict("Properties")
		if !is(r.get("Type"), i.typ) || !truthy(properties.get(managed)) {
			continue
		}
		condition := func(d *definition) {
			for path := range d.paths.all() {
				uses := slices.DeleteFunc(slices.Clone(found[id]), func(r route) bool { return r.path != path })
				if len(uses) == 0 {
					continue
				}
				if c := t.shared(uses, id+pathID(path)+"PathCondition"); c != nil {
					d.makeConditional(path, c)
				}
			}
		}
		if i.typ == typeHTTPAPI {
			e, err := openOpenAPI(properties.get("DefinitionBody"))
			if err != nil {
				return err
			}
			condition(&e.definition)
			properties.set("DefinitionBody", e.close())
			continue
		}
		e, err := openSwagger(properties.get("DefinitionBody"))
		if err != nil {
			return err
		}
		condition(&e.definition)
		properties.set("DefinitionBody", e.close())
	}
	return nil
}
