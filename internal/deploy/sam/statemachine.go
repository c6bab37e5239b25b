package sam

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// stateMachineSchema are the properties of AWS::Serverless::StateMachine, see
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-statemachine.html.
var stateMachineSchema = schema{
	{"Definition", aMap, 0},
	{"DefinitionUri", textOrMap, 0},
	{"Logging", aMap, 0},
	{"Role", aText, 0},
	{"RolePath", anything, 0},
	{"DefinitionSubstitutions", aMap, 0},
	{"Events", mapOfMaps, 0},
	{"Name", aText, 0},
	{"Type", aText, 0},
	{"Tags", aMap, 0},
	{"PropagateTags", aBool, 0},
	{"Policies", oneOf(aText, textsOrMaps), 0},
	{"Tracing", aMap, 0},
	{"PermissionsBoundary", aText, 0},
	{"AutoPublishAlias", anything, 0},
	{"DeploymentPreference", anything, 0},
	{"UseAliasAsEventTarget", aBool, literal},
}

func stateMachineEvents() map[string]eventType {
	rules := schema{
		{"EventBusName", aText, 0},
		{"RuleName", aText, 0},
		{"Pattern", aMap, 0},
		{"Input", aText, 0},
		{"InputPath", aText, 0},
		{"DeadLetterConfig", aMap, 0},
		{"RetryPolicy", aMap, 0},
		{"State", aText, 0},
		{"Target", aMap, literal},
		{"InputTransformer", aMap, 0},
	}
	return map[string]eventType{
		"Schedule": {schema{
			{"Schedule", aText, required},
			{"Input", aText, 0},
			{"Enabled", aBool, 0},
			{"State", aText, 0},
			{"Name", aText, 0},
			{"Description", aText, 0},
			{"DeadLetterConfig", aMap, 0},
			{"RetryPolicy", aMap, 0},
			{"Target", aMap, literal},
			{"RoleArn", aText, literal},
		}, nil, (*event).startOnSchedule},
		"ScheduleV2":      {scheduleV2Schema, nil, (*event).scheduleV2},
		"CloudWatchEvent": {rules, nil, (*event).startOnEvent},
		"EventBridgeRule": {rules, nil, (*event).startOnEvent},
		"Api": {schema{
			{"Path", aText, required}, {"Method", aText, required}, {"RestApiId", aText, required}, {"Stage", aText, 0}, {"Auth", aMap, 0}, {"UnescapeMappingTemplate", aBool, literal},
		}, (*event).linkAPI, (*event).startOnCall},
	}
}

const stateMachineMark = "stateMachine:createdBy"

// machine is one AWS::Serverless::StateMachine while it is expanded.
type machine struct {
	*transform
	*source
	main *resource
}

// stateMachine expands AWS::Serverless::StateMachine into a state machine, its role, and what its events need.
func (t *transform) stateMachine(s *source) ([]*resource, error) {
	links, err := t.linkEvents(s, stateMachineEvents())
	if err != nil {
		return nil, within(s.id, err)
	}
	tags := append(tagList(dictOf(stateMachineMark, "SAM")), tagList(s.properties.dict("Tags"))...)
	m := &machine{t, s, s.main("AWS::StepFunctions::StateMachine", dictOf("Tags", tags, "StateMachineName", s.get("Name"), "StateMachineType", s.get("Type"),
		"LoggingConfiguration", s.get("Logging"), "TracingConfiguration", s.get("Tracing")))}
	if err := m.define(); err != nil {
		return nil, err
	}
	made := []*resource{m.main}
	role, err := m.role(tags)
	if err != nil {
		return nil, err
	}
	made = append(made, role...)
	alias, published, err := m.publish()
	if err != nil {
		return nil, err
	}
	made = append(made, published...)
	types := stateMachineEvents()
	for name, v := range s.properties.dict("Events").all() {
		e, typ, err := t.parseEvent(s, name, v, types)
		if err != nil {
			return nil, err
		}
		e.target = m.main
		if alias != nil && truthy(s.get("UseAliasAsEventTarget")) {
			e.target = alias
		}
		more, err := typ.expand(e, links[name])
		if err != nil {
			return nil, err
		}
		made = append(made, more...)
	}
	propagateTags(made, s)
	return made, nil
}

// define writes the definition. Functions in it become substitutions, since CloudFormation does not look into the text.
func (m *machine) define() error {
	given, uri := m.get("Definition"), m.get("DefinitionUri")
	substitutions := m.properties.dict("DefinitionSubstitutions")
	if substitutions.len() > 0 {
		m.main.set("DefinitionSubstitutions", substitutions)
	}
	switch {
	case truthy(given) && truthy(uri):
		return invalid(m.id, "Specify either 'Definition' or 'DefinitionUri' property and not both.")
	case truthy(given):
		definition := clone(given)
		dynamic := newDict()
		replaceDynamic(definition, dynamic)
		if dynamic.len() > 0 {
			if substitutions.len() == 0 {
				substitutions = newDict()
				m.main.set("DefinitionSubstitutions", substitutions)
			}
			substitutions.update(dynamic)
		}
		m.main.set("DefinitionString", dictOf("Fn::Join", []any{"\n", anyList(strings.Split(indentedJSON.format(definition), "\n"))}))
		return nil
	case truthy(uri):
		location, err := definitionLocation(m.id, uri)
		if err != nil {
			return err
		}
		m.main.set("DefinitionS3Location", location)
		return nil
	}
	return invalid(m.id, "Either 'Definition' or 'DefinitionUri' property must be specified.")
}

var dynamicValue = regexp.MustCompile(`^{{resolve:([a-z-]+):(.+)}}$`)

// replaceDynamic replaces functions and dynamic references in a definition by substitutions, which it adds to out.
func replaceDynamic(v any, out *dict) {
	replace := func(e any, set func(any)) {
		s, _ := text(e)
		if !isIntrinsic(e) && !dynamicValue.MatchString(s) {
			replaceDynamic(e, out)
			return
		}
		key := "definition_substitution_" + strconv.Itoa(out.len()+1)
		out.set(key, e)
		set("${" + key + "}")
	}
	switch x := v.(type) {
	case *dict:
		for _, k := range slices.Sorted(maps.Keys(x.values)) {
			replace(x.values[k], func(to any) { x.values[k] = to })
		}
	case []any:
		for i := range x {
			replace(x[i], func(to any) { x[i] = to })
		}
	}
}

// role makes the execution role, unless the template names one.
func (m *machine) role(tags []any) ([]*resource, error) {
	given, policies := m.get("Role"), m.get("Policies")
	if truthy(given) && truthy(policies) {
		return nil, invalid(m.id, "Specify either 'Role' or 'Policies' (but not both at the same time) or neither of them")
	}
	if truthy(given) {
		m.main.set("RoleArn", given)
		return nil, nil
	}
	list, ok := policies.([]any)
	if !ok && truthy(policies) {
		list = []any{policies}
	}
	list = slices.Clone(list)
	if m.properties.dict("Tracing").get("Enabled") == true {
		list = append(list, m.tracingPolicy())
	}
	r, err := m.roleFor(m.source, roleParts{trust: assumeRole("states.amazonaws.com"), tags: tags, policies: list})
	if err != nil {
		return nil, err
	}
	m.main.set("RoleArn", r.arn())
	return []*resource{r}, nil
}

// publish makes a version of the state machine and the alias that points to it.
func (m *machine) publish() (alias *resource, made []*resource, err error) {
	given, preference := m.get("AutoPublishAlias"), m.get("DeploymentPreference")
	if !truthy(given) {
		for _, p := range []string{"UseAliasAsEventTarget", "DeploymentPreference"} {
			if truthy(m.get(p)) {
				return nil, nil, invalid(m.id, "'%s' requires 'AutoPublishAlias' property to be specified.", p)
			}
		}
		return nil, nil, nil
	}
	attributes := m.handedDown()
	for _, k := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
		attributes.setDefault(name{k, false}, "Retain")
	}
	version := newResource("AWS::StepFunctions::StateMachineVersion", m.id+"Version", attributes,
		dictOf("StateMachineArn", m.main.ref(), "StateMachineRevisionId", getAtt(m.id, "StateMachineRevisionId")))
	config, ok := preference.(*dict)
	if !ok || config.len() == 0 {
		config = dictOf("Type", "ALL_AT_ONCE")
	}
	config.set("StateMachineVersionArn", version.ref())
	alias = m.beside("AWS::StepFunctions::StateMachineAlias", m.id+"Alias"+python(given), dictOf("Name", given, "DeploymentPreference", config))
	return alias, []*resource{version, alias}, nil
}

// startRole is the role by which a service starts the state machine.
func (e *event) startRole(service string) *resource {
	id := e.id + "Role"
	p := dictOf("AssumeRolePolicyDocument", assumeRole(service), "Policies", []any{startPolicy(id, e.target.ref())})
	if v := e.source.get("PermissionsBoundary"); truthy(v) {
		p.set("PermissionsBoundary", v)
	}
	return e.beside("AWS::IAM::Role", id, p)
}

func (e *event) startOnSchedule(*link) ([]*resource, error) {
	p := dictOf("ScheduleExpression", e.get("Schedule"), "Name", e.get("Name"), "Description", e.get("Description"))
	return e.startByRule(p, e.get("RoleArn"))
}

func (e *event) startOnEvent(*link) ([]*resource, error) {
	return e.startByRule(dictOf("EventBusName", e.get("EventBusName"), "EventPattern", e.get("Pattern"), "Name", e.get("RuleName")), nil)
}

// startByRule starts the state machine by a rule.
func (e *event) startByRule(p *dict, role any) ([]*resource, error) {
	rule := e.beside("AWS::Events::Rule", e.id, p)
	made := []*resource{rule}
	if err := e.state(p); err != nil {
		return nil, err
	}
	if role == nil {
		r := e.startRole("events.amazonaws.com")
		made = append(made, r)
		role = r.arn()
	}
	queue, more, err := e.deadLetters(rule.arn())
	if err != nil {
		return nil, err
	}
	t := e.ruleTarget("StepFunctionsTarget", queue)
	t.set("RoleArn", role)
	p.set("Targets", []any{t})
	return append(made, more...), nil
}

// startOnCall adds a method to a REST API that starts the state machine.
func (e *event) startOnCall(l *link) ([]*resource, error) {
	role := e.startRole("apigateway.amazonaws.com")
	body := l.resource.get("DefinitionBody")
	if !truthy(l.resource.get(managed)) || body == nil {
		return []*resource{role}, nil
	}
	editor, err := openSwagger(body)
	if err != nil {
		return nil, err
	}
	method, plain := e.method()
	has, err := editor.integrated(e.path(), plain)
	if err != nil {
		return nil, err
	}
	if has {
		return nil, e.fail("API method \"%s\" defined multiple times for path \"%s\".", plain, e.path())
	}
	uri := any(sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:states:action/StartExecution"))
	condition := e.target.condition()
	if truthy(condition) {
		uri = when(condition, uri, nil)
	}
	err = editor.integrate(e.get("Path"), method, condition, func(o *dict) {
		responses := hashedOf("200", hashedOf("statusCode", "200"), "400", hashedOf("statusCode", "400"))
		i := hashedOf("type", "aws", "httpMethod", "POST", "uri", uri, "responses", responses, "credentials", role.arn())
		o.set(keyIntegration, i)
		o.setDefault(name{"responses", false}, hashedOf("200", hashedOf("description", "OK"), "400", hashedOf("description", "Bad Request")))
		i.update(dictOf("requestTemplates", dictOf("application/json", sub(e.startRequest()))))
	})
	if err != nil {
		return nil, err
	}
	if err := e.addEventAuth(editor, &link{id: l.id, resource: l.resource, stage: e.get("Stage")}); err != nil {
		return nil, err
	}
	l.resource.set("DefinitionBody", editor.close())
	return []*resource{role}, nil
}

// startRequest is the mapping template that makes a start of a call: the body becomes the input.
func (e *event) startRequest() string {
	machine := "${" + e.target.id + "}"
	if truthy(e.get("UnescapeMappingTemplate")) {
		return `{"input": "$util.escapeJavaScript($input.json('$')).replaceAll("\\'","'")", "stateMachineArn": "` + machine + `"}`
	}
	return plainJSON.format(dictOf("input", "$util.escapeJavaScript($input.json('$'))", "stateMachineArn", machine))
}
