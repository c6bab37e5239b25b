package sam

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/deploy/template"
)

// Name is the transform's name in templates.
const Name = "AWS::Serverless-2016-10-31"

// Options are what a transform takes from around the template.
type Options struct {
	// Parameters are the values of the template's parameters, which a few properties are resolved with. Defaults of the template need not be among them.
	Parameters map[string]any
	// Region is the region of the stack; it decides the partition in ARNs.
	Region string
	// Now is the time that APIs with AlwaysDeploy get a new deployment for.
	Now time.Time
	// Application returns the URL of the template of an application of the Serverless Application Repository, or the reason why there is none. Nil means that there
	// is no such repository.
	Application func(id, version string) (url string, err error)
	// KeepMetadata gives the metadata of a serverless resource to all that is made of it, not just to its main resource.
	KeepMetadata bool
	// NormalizeOpenAPI takes the version of OpenAPI that a definition states before the one of the property OpenApiVersion.
	NormalizeOpenAPI bool
}

// Transform expands the serverless resources of a template. The error about a template that AWS's transform refuses has the message that AWS has behind
// "Transform AWS::Serverless-2016-10-31 failed with: ".
func Transform(d *template.Document, o Options) (*template.Document, error) {
	t := &transform{Options: o, template: read(d), renamed: map[string]string{}, references: map[string]map[string]string{}, recordSets: map[string]*resource{}, functionNames: map[string]string{}}
	err := t.run()
	var faults *document
	if errors.As(err, &faults) {
		first := slices.MinFunc(faults.problems, func(a, b *problem) int { return cmp.Compare(a.about, b.about) })
		return nil, d.Locate(template.Errorf("%s", faults.Error()), "Resources", first.about)
	}
	if err != nil {
		return nil, err
	}
	root, _ := write(t.out).(map[string]any)
	return d.WithRoot(root), nil
}

// transform is the state of one transform.
type transform struct {
	Options
	// template is what the author wrote, with the globals merged in and the implicit APIs added; resources are its resources. Events add to the APIs, buckets
	// and user pools among them.
	template, resources *dict
	// out is the template that results; made are its resources, and conditions its conditions.
	out, made, conditions *dict
	// values are those of parameters and pseudo parameters, mappings those of the template.
	values   map[string]any
	mappings *dict
	// hashed tells that the template has a REST API, whose deployment ids depend on the order of keys in Python 2.
	hashed bool
	// renamed has the new logical ids of serverless resources that changed theirs.
	renamed map[string]string
	// references has the logical ids that MyApi.Stage and the like stand for, by logical id and property.
	references map[string]map[string]string
	// applications has the template URLs of applications, or the errors about them.
	applications map[applicationKey]application
	// recordSets are the groups of DNS records by logical id: APIs in one zone share one.
	recordSets map[string]*resource
	// functionNames has the names of the functions behind an API, one after the other, by the logical id of the API.
	functionNames map[string]string
	deployments   deployments
	usagePlan     sharedUsagePlan
	problems      []*problem
}

func (t *transform) run() error {
	if err := t.prepare(); err != nil {
		return err
	}
	t.out = t.template.clone()
	t.made = t.out.dict("Resources")
	if t.conditions = t.out.dict("Conditions"); t.conditions == nil {
		t.conditions = newDict()
	}
	for _, id := range t.order() {
		if err := t.collect(t.expand(id)); err != nil {
			return err
		}
	}
	if err := t.deployWithCodeDeploy(); err != nil {
		return err
	}
	t.out.remove("Transform")
	if t.conditions.len() > 0 && t.out.dict("Conditions") == nil {
		t.out.set("Conditions", t.conditions)
	}
	if len(t.problems) > 0 {
		return documentOf(t.problems...)
	}
	return t.follow(t.out)
}

// collect keeps a fault of one resource, so that those of others are found too.
func (t *transform) collect(err error) error {
	var p *problem
	if errors.As(err, &p) {
		t.problems = append(t.problems, p)
		return nil
	}
	return err
}

// expanders make resources of serverless ones, by type and in the order of work: events of functions and state machines add to the APIs, and connectors need the
// roles and mappings that the others make.
type expander struct {
	group  int
	schema schema
	expand func(t *transform, s *source) ([]*resource, error)
	// referable are the properties by which a template refers to what was made, with the types that they stand for.
	referable map[string]string
}

func (t *transform) expanders() map[string]expander {
	return map[string]expander{
		typeFunction:     {0, functionSchema, (*transform).function, functionReferable},
		typeStateMachine: {1, stateMachineSchema, (*transform).stateMachine, nil},
		typeAPI:          {2, apiSchema, (*transform).api, apiReferable},
		typeHTTPAPI:      {2, httpAPISchema, (*transform).httpAPI, httpAPIReferable},
		typeWebSocketAPI: {2, webSocketSchema, (*transform).webSocketAPI, httpAPIReferable},
		typeTable:        {3, tableSchema, (*transform).table, nil},
		typeApplication:  {3, applicationSchema, (*transform).application, nil},
		typeLayer:        {3, layerSchema, (*transform).layer, nil},
		typeGraphQL:      {3, graphQLSchema, (*transform).graphQL, nil},
		typeCapacity:     {3, capacitySchema, (*transform).capacityProvider, nil},
		typeConnector:    {4, connectorSchema, (*transform).connector, nil},
	}
}

const (
	typeFunction     = "AWS::Serverless::Function"
	typeStateMachine = "AWS::Serverless::StateMachine"
	typeAPI          = "AWS::Serverless::Api"
	typeHTTPAPI      = "AWS::Serverless::HttpApi"
	typeWebSocketAPI = "AWS::Serverless::WebSocketApi"
	typeTable        = "AWS::Serverless::SimpleTable"
	typeApplication  = "AWS::Serverless::Application"
	typeLayer        = "AWS::Serverless::LayerVersion"
	typeGraphQL      = "AWS::Serverless::GraphQLApi"
	typeCapacity     = "AWS::Serverless::CapacityProvider"
	typeConnector    = "AWS::Serverless::Connector"
)

// order returns the logical ids of the serverless resources in the order of work.
func (t *transform) order() []string {
	known := t.expanders()
	var ids []string
	groups := map[string]int{}
	for id, r := range t.resources.all() {
		typ, _ := text(r.(*dict).get("Type"))
		if e, ok := known[typ]; ok {
			ids = append(ids, id)
			groups[id] = e.group
		}
	}
	slices.SortStableFunc(ids, func(a, b string) int { return groups[a] - groups[b] })
	return ids
}

// expand replaces one serverless resource by what it stands for.
func (t *transform) expand(id string) error {
	entry := t.resources.dict(id)
	typ, _ := text(entry.get("Type"))
	e := t.expanders()[typ]
	s, err := t.source(id, entry, e.schema)
	if err != nil {
		return err
	}
	made, err := e.expand(t, s)
	if err != nil {
		return err
	}
	for property, of := range e.referable {
		for _, r := range made {
			if r.typ == of {
				if t.references[id] == nil {
					t.references[id] = map[string]string{}
				}
				t.references[id][property] = r.id
			}
		}
	}
	if s.id != id {
		t.renamed[id] = s.id
	}
	t.made.remove(id)
	for _, r := range made {
		if err := t.emit(id, entry, r); err != nil {
			return err
		}
	}
	return nil
}

// emit writes a resource into the result.
func (t *transform) emit(from string, entry *dict, r *resource) error {
	if err := checkID(r.id); err != nil {
		return err
	}
	if other := t.resources.dict(r.id); t.resources.has(r.id) {
		if typ, _ := text(other.get("Type")); !replaces(r.typ, typ) {
			m := "Transforming resource with id [" + from + "] attempts to create a new resource with id [" + r.id + "] and type \"" + r.typ +
				"\". A resource with that id already exists within this template. Please use a different id for that resource."
			t.problems = append(t.problems, &problem{about: from, message: m})
			return nil
		}
	}
	out := r.entry()
	if m := entry.get("Metadata"); t.KeepMetadata && truthy(m) && !t.made.has(r.id) {
		out.set("Metadata", m)
	}
	t.made.set(r.id, out)
	return nil
}

// replaces tells whether a resource of a type may take the logical id of one that the template has.
func replaces(typ, existing string) bool {
	return slices.Contains(map[string][]string{
		"AWS::Lambda::Function": {typeFunction}, "AWS::Lambda::LayerVersion": {typeLayer}, "AWS::Lambda::CapacityProvider": {typeCapacity},
		"AWS::ApiGateway::RestApi": {typeAPI}, "AWS::ApiGatewayV2::Api": {typeHTTPAPI, typeWebSocketAPI}, "AWS::DynamoDB::Table": {typeTable},
		"AWS::CloudFormation::Stack": {typeApplication}, "AWS::StepFunctions::StateMachine": {typeStateMachine}, "AWS::AppSync::GraphQLApi": {typeGraphQL},
		"AWS::S3::Bucket": {"AWS::S3::Bucket"}, "AWS::SNS::Topic": {"AWS::SNS::Topic"}, "AWS::Cognito::UserPool": {"AWS::Cognito::UserPool"},
		"AWS::ApiGateway::DomainName": {"AWS::ApiGateway::DomainName"}, "AWS::ApiGateway::BasePathMapping": {"AWS::ApiGateway::BasePathMapping"},
		"AWS::ApiGateway::DomainNameV2": {"AWS::ApiGateway::DomainNameV2"}, "AWS::ApiGateway::BasePathMappingV2": {"AWS::ApiGateway::BasePathMappingV2"},
	}[typ], existing)
}

var validID = regexp.MustCompile(`^[A-Za-z0-9]+$`)

func checkID(id string) error {
	if !validID.MatchString(id) {
		return invalid(id, "Logical ids must be alphanumeric.")
	}
	return nil
}

// partition is the partition of the region.
func (t *transform) partition() string {
	for _, p := range [][2]string{
		{"cn-", "aws-cn"}, {"us-isob", "aws-iso-b"}, {"us-iso-", "aws-iso"}, {"us-gov", "aws-us-gov"}, {"eu-isoe", "aws-iso-e"}, {"us-isof", "aws-iso-f"}, {"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(strings.ToLower(t.Region), p[0]) {
			return p[1]
		}
	}
	return "aws"
}

// arn is the text for Fn::Sub of an ARN in the stack's account and region.
func arn(partition, service, resource string) string {
	return "arn:" + partition + ":" + service + ":${AWS::Region}:${AWS::AccountId}:" + resource
}
