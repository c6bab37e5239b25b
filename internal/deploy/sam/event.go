package sam

import (
	"slices"
	"strings"
)

// event is one event of a function or a state machine.
type event struct {
	*transform
	*source
	// name is the event's name in the template, and id the beginning of the logical ids of what it makes.
	name, id, typ string
	properties    *dict
	// target is what the event starts: the function, the state machine, or its alias.
	target *resource
	// role is the function's execution role, which events that Lambda reads itself add to.
	role *resource
}

// link is what an event refers to in the template.
type link struct {
	id       string
	resource *dict
	// stage ends the logical ids of permissions for an API.
	stage any
}

// eventType is what SAM makes of the events of a type.
type eventType struct {
	schema schema
	link   func(e *event) (*link, error)
	expand func(e *event, l *link) ([]*resource, error)
}

// functionEvents are the types of events of functions, see
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-eventsource.html.
func functionEvents() map[string]eventType {
	types := map[string]eventType{
		"Api":             {apiEventSchema, (*event).linkAPI, (*event).api},
		"HttpApi":         {httpAPIEventSchema, (*event).linkHTTPAPI, (*event).httpAPI},
		"S3":              {s3EventSchema, (*event).linkBucket, (*event).s3},
		"SNS":             {snsEventSchema, nil, (*event).sns},
		"Schedule":        {scheduleSchema, nil, (*event).schedule},
		"ScheduleV2":      {scheduleV2Schema, nil, (*event).scheduleV2},
		"CloudWatchEvent": {ruleSchema, nil, (*event).rule},
		"EventBridgeRule": {ruleSchema, nil, (*event).rule},
		"CloudWatchLogs":  {logsEventSchema, nil, (*event).logs},
		"AlexaSkill":      {schema{{"SkillId", aText, 0}}, nil, (*event).alexa},
		"IoTRule":         {schema{{"Sql", aText, required}, {"AwsIotSqlVersion", aText, 0}}, nil, (*event).iot},
		"Cognito":         {cognitoEventSchema, (*event).linkUserPool, (*event).cognito},
	}
	for typ, p := range pulledSources() {
		types[typ] = eventType{p.schema(), nil, p.expand}
	}
	return types
}

// parseEvent reads one event and checks its properties.
func (t *transform) parseEvent(s *source, name string, v any, types map[string]eventType) (*event, eventType, error) {
	d, ok := v.(*dict)
	if !ok {
		return nil, eventType{}, invalidEvent(name, "'%s' object has no attribute 'get'", pythonType(v))
	}
	typ, _ := text(d.get("Type"))
	e, known := types[typ]
	if !known {
		return nil, e, invalidEvent(name, "Resource dict has missing or invalid value for key Type. Event Type is: %s.", python(d.get("Type")))
	}
	id := s.id + name
	if err := checkID(id); err != nil {
		return nil, e, err
	}
	p := newDict()
	if d.has("Properties") {
		if p = d.dict("Properties"); p == nil {
			return nil, e, invalid(id, "Properties of a resource must be an object.")
		}
	}
	return &event{transform: t, source: s, name: name, id: id, typ: typ, properties: p}, e, e.schema.check(id, typ, p)
}

// linkEvents finds what the events of a resource refer to.
func (t *transform) linkEvents(s *source, types map[string]eventType) (map[string]*link, error) {
	out := map[string]*link{}
	for name, v := range s.properties.dict("Events").all() {
		e, typ, err := t.parseEvent(s, name, v, types)
		if err != nil {
			return nil, err
		}
		if typ.link == nil {
			continue
		}
		if out[name], err = typ.link(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f *aFunction) linkEvents() (map[string]*link, error) {
	return f.transform.linkEvents(f.source, functionEvents())
}

// expandEvents makes what the function's events need: those with a path in the order of the paths, so that the default route comes first.
func (f *aFunction) expandEvents(links map[string]*link) ([]*resource, error) {
	events := f.source.properties.dict("Events")
	names := make([]string, 0, events.len())
	order := map[string]string{}
	for name, v := range events.all() {
		names = append(names, name)
		d, _ := v.(*dict)
		order[name] = name
		if path, ok := text(d.dict("Properties").get("Path")); ok {
			order[name] = path
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return strings.Compare(order[a], order[b]) })
	types := functionEvents()
	var made []*resource
	for _, name := range names {
		e, typ, err := f.parseEvent(f.source, name, events.get(name), types)
		if err != nil {
			return nil, err
		}
		e.role, e.target = f.role, f.main
		if f.alias != nil {
			e.target = f.alias
		}
		more, err := typ.expand(e, links[name])
		if err != nil {
			return nil, err
		}
		made = append(made, more...)
	}
	return made, nil
}

func (e *event) get(property string) any { return e.properties.get(property) }

func (e *event) fail(format string, args ...any) error { return invalidEvent(e.name, format, args...) }

// failID is fail with the event's logical id in the place of its name, which is what AWS shows in some errors.
func (e *event) failID(format string, args ...any) error { return invalidEvent(e.id, format, args...) }

// copyTo copies properties that pass unchanged.
func (e *event) copyTo(to *dict, names ...string) {
	for _, n := range names {
		if v := e.get(n); v != nil {
			to.set(n, v)
		}
	}
}

// targetARN is the ARN of what the event starts.
func (e *event) targetARN() any {
	if e.target.typ == "AWS::Lambda::Function" {
		return e.target.arn()
	}
	return e.target.ref()
}

// permission lets a service invoke the function.
func (e *event) permission(principal string, more *dict) *resource {
	return e.permissionAs(e.id+"Permission", principal, more)
}

func (e *event) permissionAs(id, principal string, more *dict) *resource {
	p := dictOf("Action", "lambda:InvokeFunction", "FunctionName", e.target.ref(), "Principal", principal)
	p.update(more)
	return e.beside("AWS::Lambda::Permission", id, p)
}

// state is the state of a rule: the property State, or what Enabled says.
func (e *event) state(rule *dict) error {
	state, enabled := e.get("State"), e.get("Enabled")
	if truthy(state) && enabled != nil {
		return e.fail("State and Enabled Properties cannot both be specified.")
	}
	switch {
	case truthy(state):
		rule.set("State", state)
	case truthy(enabled):
		rule.set("State", "ENABLED")
	case enabled != nil:
		rule.set("State", "DISABLED")
	}
	return nil
}

// longestTargetID is how long the ids of the targets of rules are.
const longestTargetID = 64

func targetID(id, suffix string) string {
	return id[:min(len(id), longestTargetID-len(suffix))] + suffix
}

// deadLetters returns the ARN of the queue that takes what could not be delivered, and what is made for it; nil if there is none. source is what sends to it; nil means
// that the queue needs no policy.
func (e *event) deadLetters(from any) (arn any, made []*resource, err error) {
	config := e.properties.dict("DeadLetterConfig")
	if config == nil {
		return nil, nil, nil
	}
	switch hasARN, hasType := config.has("Arn"), config.has("Type"); {
	case hasARN && hasType:
		return nil, nil, e.failID("You can either define 'Arn' or 'Type' property of DeadLetterConfig.")
	case hasType && !is(config.get("Type"), "SQS"):
		return nil, nil, e.failID("The only valid value for 'Type' property of DeadLetterConfig is 'SQS'.")
	case !hasARN && !hasType:
		return nil, nil, e.failID("No 'Arn' or 'Type' property provided for DeadLetterConfig.")
	}
	if v := config.get("Arn"); v != nil {
		return v, nil, nil
	}
	id := e.id + "Queue"
	if v := config.get("QueueLogicalId"); v != nil {
		s, ok := text(v)
		if !ok {
			return nil, nil, e.failID("QueueLogicalId must be a string")
		}
		if s != "" {
			id = s
		}
	}
	queue := e.beside("AWS::SQS::Queue", id, newDict())
	if from == nil {
		return queue.arn(), []*resource{queue}, nil
	}
	return queue.arn(), []*resource{queue, e.queuePolicy(e.id+"QueuePolicy", dictOf("Service", "events.amazonaws.com"), queue.arn(), queue.ref(), from)}, nil
}

// queuePolicy lets a service or a topic send to a queue.
func (e *event) queuePolicy(id string, principal, queueARN, queueURL, from any) *resource {
	return e.beside("AWS::SQS::QueuePolicy", id, dictOf("PolicyDocument", dictOf("Version", "2012-10-17", "Statement", []any{
		dictOf("Action", "sqs:SendMessage", "Effect", "Allow", "Principal", principal, "Resource", queueARN, "Condition", dictOf("ArnEquals", dictOf("aws:SourceArn", from))),
	}), "Queues", []any{queueURL}))
}
