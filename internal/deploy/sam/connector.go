package sam

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"lambent.dev/lambent/internal/deploy/template"
)

// connectorSchema are the properties of AWS::Serverless::Connector, see
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-connector.html.
var connectorSchema = schema{
	{"Source", mapOf(anything), required}, {"Destination", oneOf(mapOf(anything), listOf(mapOf(anything))), required}, {"Permissions", listOf(aText), required},
}

//go:embed connectors.json
var connectorData []byte

// connectorProfiles has what connections between resources need, by the types of both, and what resources are referred to by.
var connectorProfiles = sync.OnceValues(func() (*dict, error) {
	d, err := template.Parse(connectorData)
	if err != nil {
		return nil, err
	}
	return read(d), nil
})

// end is one end of a connection.
type end struct {
	// id is the logical id; "" if the template describes the resource instead.
	id, typ                                              string
	arn, roleName, queueURL, resourceID, name, qualifier any
}

// connection is one AWS::Serverless::Connector while it is expanded, for one destination.
type connection struct {
	*transform
	*source
	from, to end
	// suffix ends the logical ids for a destination of a list.
	suffix  string
	profile *dict
	allowed []any
}

// connector expands AWS::Serverless::Connector into the policies and permissions that its source needs to use its destinations.
func (t *transform) connector(s *source) ([]*resource, error) {
	destinations, many := s.get("Destination").([]any)
	if !many {
		destinations = []any{s.get("Destination")}
	}
	given := s.properties.dict("Source")
	var made []*resource
	for i, v := range destinations {
		destination, _ := v.(*dict)
		to, err := t.end(s, destination, given)
		if err != nil {
			return nil, err
		}
		from, err := t.end(s, given, destination)
		if err != nil {
			return nil, err
		}
		c := &connection{transform: t, source: s, from: from, to: to, allowed: asList(s.get("Permissions"))}
		if many {
			c.suffix = "Destination" + python(int64(i))
		}
		more, err := c.connect()
		if err != nil {
			return nil, err
		}
		c.describe(more)
		made = append(made, more...)
	}
	t.waitForConnector(s.id, made)
	if len(made) == 0 {
		return nil, invalid(s.id, "'Destination' is an empty list")
	}
	return made, nil
}

// plainTypes are the types that serverless resources become.
var plainTypes = map[string]string{
	typeFunction: "AWS::Lambda::Function", typeStateMachine: "AWS::StepFunctions::StateMachine", typeAPI: "AWS::ApiGateway::RestApi", typeHTTPAPI: "AWS::ApiGatewayV2::Api", typeTable: "AWS::DynamoDB::Table",
}

// end reads one end of a connection; other is the other one.
func (t *transform) end(s *source, given, other *dict) (end, error) {
	described := 0
	for k := range given.all() {
		if k != "Id" && k != "Qualifier" {
			described++
		}
	}
	if given.has("Id") == (described > 0) {
		return end{}, invalid(s.id, "Must provide 'Id' (with optional 'Qualifier') or a supported combination of other properties.")
	}
	if !truthy(given.get("Id")) {
		typ, _ := text(given.get("Type"))
		if typ == "" {
			return end{}, invalid(s.id, "'Type' is missing or not a string.")
		}
		if plain := plainTypes[typ]; plain != "" {
			typ = plain
		}
		return end{
			typ: typ, arn: given.get("Arn"), roleName: given.get("RoleName"), queueURL: given.get("QueueUrl"), resourceID: given.get("ResourceId"), name: given.get("Name"), qualifier: given.get("Qualifier"),
		}, nil
	}
	id, ok := text(given.get("Id"))
	if !ok {
		return end{}, invalid(s.id, "'Id' is missing or not a string.")
	}
	r := t.made.dict(id)
	if r.len() == 0 {
		return end{}, invalid(s.id, "Unable to find resource with logical ID '%s'.", id)
	}
	typ, _ := text(r.get("Type"))
	if typ == "" {
		return end{}, invalid(s.id, "'Type' is missing or not a string.")
	}
	profiles, err := connectorProfiles()
	if err != nil {
		return end{}, err
	}
	v, err := fill(profiles.dict("Resources").get(typ), []variable{{"logicalId", id}})
	if err != nil {
		return end{}, err
	}
	known, _ := v.(*dict)
	out := known.dict("Outputs")
	e := end{id: id, typ: typ, arn: out.get("Arn"), queueURL: out.get("Url"), resourceID: out.get("Id"), name: out.get("Name"), qualifier: out.get("Qualifier")}
	if given.has("Qualifier") {
		e.qualifier = given.get("Qualifier")
	}
	if role := target(roleProperty(known.dict("Inputs").get("Role"), r.dict("Properties"), other)); role != "" {
		e.roleName = ref(role)
	}
	return e, nil
}

// roleProperty is the role of a resource: that of a property, or of the target of a rule.
func roleProperty(how any, properties, other *dict) any {
	if s, ok := text(how); ok {
		return properties.get(s)
	}
	if d, ok := how.(*dict); !ok || !is(d.get("Function"), "GetEventsRuleRole") {
		return nil
	}
	for _, v := range asList(properties.get("Targets")) {
		d, _ := v.(*dict)
		id := target(d.get("Arn"))
		if id != "" && is(other.get("Id"), id) || truthy(other.get("Arn")) && equal(other.get("Arn"), d.get("Arn")) {
			return d.get("RoleArn")
		}
	}
	return nil
}

func (c *connection) connect() ([]*resource, error) {
	profiles, err := connectorProfiles()
	if err != nil {
		return nil, err
	}
	profile := profiles.dict("Permissions").dict(c.from.typ).dict(c.to.typ)
	if profile == nil {
		return nil, invalid(c.id, "Unable to create connector from %s to %s; it's not supported or the template is invalid.", c.from.typ, c.to.typ)
	}
	if err := c.checkPermissions(profile.dict("Properties")); err != nil {
		return nil, err
	}
	v, err := fill(profile.get("Properties"), []variable{
		{"Source.Arn", c.from.arn},
		{"Destination.Arn", c.to.arn},
		{"Source.ResourceId", c.from.resourceID},
		{"Destination.ResourceId", c.to.resourceID},
		{"Source.Name", c.from.name},
		{"Destination.Name", c.to.name},
		{"Source.Qualifier", c.from.qualifier},
		{"Destination.Qualifier", c.to.qualifier},
	})
	if err != nil {
		return nil, invalid(c.id, "%v", err)
	}
	c.profile, _ = v.(*dict)
	switch typ, _ := text(profile.get("Type")); typ {
	case "AWS_IAM_ROLE_MANAGED_POLICY":
		return c.rolePolicy()
	case "AWS_SQS_QUEUE_POLICY":
		return c.resourcePolicy("AWS::SQS::QueuePolicy", "QueuePolicy", "Queues", "SQS queue URL", func(e end) any { return e.queueURL })
	case "AWS_SNS_TOPIC_POLICY":
		return c.resourcePolicy("AWS::SNS::TopicPolicy", "TopicPolicy", "Topics", "SNS topic ARN", func(e end) any { return e.arn })
	}
	return c.functionPermissions()
}

func (c *connection) checkPermissions(profile *dict) error {
	var known []string
	for k := range profile.dict("AccessCategories").all() {
		known = append(known, k)
	}
	var given []string
	for _, v := range c.allowed {
		s, _ := text(v)
		given = append(given, s)
	}
	unsupported := func(format string, args ...any) error {
		return invalid(c.id, "Unsupported 'Permissions' provided for connector from "+c.from.typ+" to "+c.to.typ+"; "+format, args...)
	}
	if len(given) == 0 {
		return invalid(c.id, "'Permissions' cannot be empty; valid values are: %s.", strings.Join(known, ", "))
	}
	for _, p := range given {
		if !slices.Contains(known, p) {
			return unsupported("valid values are: %s.", strings.Join(known, ", "))
		}
	}
	slices.Sort(given)
	given = slices.Compact(given)
	var combinations []string
	for _, v := range asList(profile.get("ValidAccessCategories")) {
		var combination []string
		for _, p := range asList(v) {
			s, _ := text(p)
			combination = append(combination, s)
		}
		slices.Sort(combination)
		if slices.Equal(combination, given) {
			return nil
		}
		combinations = append(combinations, strings.Join(combination, " + "))
	}
	if combinations != nil {
		return unsupported("valid combinations are: %s.", strings.Join(combinations, ", "))
	}
	return nil
}
