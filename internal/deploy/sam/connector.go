package sam

import (
	_ "embed"
	"regexp"
	"slices"
	"strings"
	"sync"
	gounicode "unicode"

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

// side is the end whose policy is written.
func (c *connection) side() (end, string) {
	if truthy(c.profile.get("SourcePolicy")) {
		return c.from, "Source"
	}
	return c.to, "Destination"
}

func (c *connection) resource(typ, id string, p *dict) *resource {
	r := newResource(typ, id, c.attributes, p)
	r.dependsOn = c.dependsOn
	return r
}

// document has the statements of the permissions that are wanted.
func (c *connection) document() *dict {
	list := []any{}
	for k, v := range c.profile.dict("AccessCategories").all() {
		if d, ok := v.(*dict); ok && contains(c.allowed, k) {
			list = append(list, asList(d.get("Statement"))...)
		}
	}
	return dictOf("Version", "2012-10-17", "Statement", list)
}

func (c *connection) rolePolicy() ([]*resource, error) {
	e, side := c.side()
	if !truthy(e.roleName) {
		return nil, invalid(c.id, "Unable to get IAM role name from '%s' resource.", side)
	}
	policy := c.resource("AWS::IAM::ManagedPolicy", c.id+"Policy"+c.suffix, dictOf("PolicyDocument", c.document(), "Roles", []any{e.roleName}))
	switch by := c.profile.get("DependedBy"); {
	case is(by, "DESTINATION_EVENT_SOURCE_MAPPING") && c.from.id != "" && c.to.id != "":
		if ids := c.mappingsBetween(); len(ids) == 1 {
			c.addDependency(ids[0], policy.id)
		}
	case is(by, "SOURCE") && c.from.id != "":
		c.addDependency(c.from.id, policy.id)
	}
	return []*resource{policy}, nil
}

// mappingsBetween are the event source mappings by which the destination reads the source.
func (c *connection) mappingsBetween() []string {
	var out []string
	for id, v := range c.made.all() {
		r, _ := v.(*dict)
		p := r.dict("Properties")
		if is(r.get("Type"), "AWS::Lambda::EventSourceMapping") && target(p.get("FunctionName")) == c.to.id && target(p.get("EventSourceArn")) == c.from.id {
			out = append(out, id)
		}
	}
	return out
}

func dependencies(r *dict) []any {
	switch v := r.get("DependsOn").(type) {
	case nil:
		return []any{}
	case []any:
		return slices.Clone(v)
	default:
		return []any{v}
	}
}

func (t *transform) addDependency(id, on string) {
	r := t.made.dict(id)
	if r == nil {
		return
	}
	list := dependencies(r)
	if !contains(list, on) {
		list = append(list, on)
	}
	r.set("DependsOn", list)
}

// waitForConnector lets what depends on a connector depend on what was made of it.
func (t *transform) waitForConnector(id string, made []*resource) {
	for _, v := range t.made.all() {
		r, _ := v.(*dict)
		list := dependencies(r)
		i := slices.IndexFunc(list, func(v any) bool { return is(v, id) })
		if i < 0 {
			continue
		}
		list = slices.Delete(list, i, i+1)
		for _, m := range made {
			if !contains(list, m.id) {
				list = append(list, m.id)
			}
		}
		r.set("DependsOn", list)
	}
}

func (c *connection) resourcePolicy(typ, suffix, list, what string, of func(end) any) ([]*resource, error) {
	e, side := c.side()
	v := of(e)
	if !truthy(v) {
		return nil, invalid(c.id, "Unable to get %s from '%s' resource.", what, side)
	}
	return []*resource{c.resource(typ, c.id+suffix+c.suffix, dictOf("PolicyDocument", c.document(), list, []any{v}))}, nil
}

func (c *connection) functionPermissions() ([]*resource, error) {
	e, side := c.side()
	if !truthy(e.arn) {
		return nil, invalid(c.id, "Unable to get Lambda function ARN from '%s' resource.", side)
	}
	var made []*resource
	for k, v := range c.profile.dict("AccessCategories").all() {
		if !contains(c.allowed, k) {
			continue
		}
		d, _ := v.(*dict)
		made = append(made, c.resource("AWS::Lambda::Permission", c.id+k+"LambdaPermission"+c.suffix, dictOf("Action", d.get("Action"), "FunctionName", e.arn, "Principal", d.get("Principal"),
			"SourceArn", d.get("SourceArn"), "SourceAccount", d.get("SourceAccount"))))
	}
	return made, nil
}

// describe tells in the metadata of what was made which types are connected.
func (c *connection) describe(made []*resource) {
	typ := func(e end) any {
		if t := c.resources.dict(e.id).get("Type"); truthy(t) {
			return t
		}
		return e.typ
	}
	for _, r := range made {
		metadata := newDict()
		if old, ok := r.attributes.get("Metadata").(*dict); ok {
			metadata.update(old)
		}
		metadata.set("aws:sam:connectors", dictOf(c.id, dictOf("Source", dictOf("Type", typ(c.from)), "Destination", dictOf("Type", typ(c.to)))))
		r.attributes.set("Metadata", metadata)
	}
}

// variable is a part of a connector profile that is filled in.
type variable struct {
	name string
	v    any
}

type missingError string

func (m missingError) Error() string { return string(m) + " is missing." }

var substitutable = regexp.MustCompile(`\$\{.+\}`)

// fill copies a part of a profile with its variables, %{Source.Arn} and the like, filled in.
func fill(v any, variables []variable) (any, error) {
	switch x := v.(type) {
	case *dict:
		out := newDict()
		for k, e := range x.all() {
			filled, err := fill(e, variables)
			if err != nil {
				return nil, err
			}
			out.set(k, filled)
		}
		return out, nil
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			var err error
			if out[i], err = fill(e, variables); err != nil {
				return nil, err
			}
		}
		return out, nil
	case string:
		return fillText(x, variables)
	}
	return v, nil
}

func fillText(s string, variables []variable) (any, error) {
	values := newDict()
	for _, v := range variables {
		mark := "%{" + v.name + "}"
		if !strings.Contains(s, mark) {
			continue
		}
		if v.v == nil {
			return nil, missingError(v.name)
		}
		if s == mark {
			return v.v, nil
		}
		plain := strings.Map(func(c rune) rune {
			if gounicode.IsLetter(c) || gounicode.IsNumber(c) {
				return c
			}
			return -1
		}, v.name)
		s = strings.ReplaceAll(s, mark, "${"+plain+"}")
		values.set(plain, v.v)
	}
	switch {
	case !substitutable.MatchString(s):
		return s, nil
	case values.len() == 0:
		return sub(s), nil
	}
	return dictOf("Fn::Sub", []any{s, values}), nil
}

// embeddedConnectors turns the attribute Connectors of resources into resources.
func (t *transform) embeddedConnectors() error {
	all := newDict()
	for id, v := range t.resources.all() {
		r := v.(*dict)
		if !r.has("Connectors") {
			continue
		}
		connectors := r.dict("Connectors")
		if connectors == nil {
			if err := t.collect(invalid(id, "%s", wrongType("attribute", id+".Connectors", "map"))); err != nil {
				return err
			}
			continue
		}
		for key, v := range connectors.all() {
			made, err := t.embedded(id, key, v)
			if err == nil {
				all.set(id+key, made)
			} else if err := t.collect(err); err != nil {
				return err
			}
		}
	}
	t.resources.update(all)
	for _, v := range t.resources.all() {
		v.(*dict).remove("Connectors")
	}
	return nil
}

func (t *transform) embedded(id, key string, v any) (*dict, error) {
	full := id + key
	given, ok := v.(*dict)
	if !ok {
		return nil, invalid(full, "%s.%s should be a map.", id, full)
	}
	path := "Connectors." + key + ".Properties"
	p, ok := clone(given.get("Properties")).(*dict)
	if !ok {
		return nil, invalid(id, "%s", wrongType("attribute", path, "map"))
	}
	from := dictOf("Id", id)
	if p.has("SourceReference") {
		reference, err := inResource(id, path+".SourceReference").dict(p.get("SourceReference"))
		if err != nil {
			return nil, err
		}
		if reference.has("Id") {
			return nil, invalid(key, "'Id' shouldn't be defined in 'SourceReference'.")
		}
		from.update(reference)
		p.remove("SourceReference")
	}
	p.set("Source", from)
	if err := checkID(full); err != nil {
		return nil, err
	}
	if err := connectorSchema.check(full, typeConnector, p); err != nil {
		return nil, err
	}
	if t.resources.has(full) {
		return nil, &problem{about: id, message: "Transforming resource with id [" + id + "] attempts to create a new resource with id [" + full + "] and type \"" + typeConnector +
			"\". A resource with that id already exists within this template. Please use a different id for that resource."}
	}
	out := dictOf("Type", typeConnector)
	for _, k := range append([]string{"DependsOn"}, keptAttributes...) {
		if given.has(k) {
			out.set(k, clone(given.get(k)))
		}
	}
	out.set("Properties", p)
	return out, nil
}
