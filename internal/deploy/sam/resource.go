package sam

import "slices"

// source is one serverless resource of the template.
type source struct {
	// id is the logical id; expanding a layer changes it.
	id         string
	typ        string
	properties *dict
	dependsOn  any
	// attributes are those that the main resource gets; see [source.handedDown] for what the others get.
	attributes *dict
}

// keptAttributes are the attributes of a serverless resource that its main resource keeps; DependsOn is apart.
var keptAttributes = []string{"DeletionPolicy", "UpdatePolicy", "Condition", "UpdateReplacePolicy", "Metadata"}

// source reads one resource and checks its properties.
func (t *transform) source(id string, entry *dict, known schema) (*source, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	typ, _ := text(entry.get("Type"))
	s := &source{id: id, typ: typ, properties: newDict(), attributes: newDict()}
	if entry.has("Properties") {
		if s.properties = entry.dict("Properties"); s.properties == nil {
			return nil, invalid(id, "Properties of a resource must be an object.")
		}
	}
	if err := t.beforeResource(s); err != nil {
		return nil, err
	}
	s.dependsOn = entry.get("DependsOn")
	for _, k := range keptAttributes {
		if entry.has(k) {
			s.attributes.set(k, entry.get(k))
		}
	}
	return s, known.check(id, typ, s.properties)
}

func (s *source) get(property string) any { return s.properties.get(property) }

// handedDown are the attributes that SAM gives to what it makes beside the main resource.
func (s *source) handedDown() *dict {
	out := newDict()
	for _, k := range []string{"Condition", "DeletionPolicy", "UpdateReplacePolicy"} {
		if s.attributes.has(k) {
			out.set(k, s.attributes.get(k))
		}
	}
	return out
}

// main returns the resource that a serverless resource becomes.
func (s *source) main(typ string, properties *dict) *resource {
	r := newResource(typ, s.id, s.attributes, properties)
	r.dependsOn = s.dependsOn
	return r
}

// beside returns a resource that is made beside the main one.
func (s *source) beside(typ, id string, properties *dict) *resource {
	return newResource(typ, id, s.handedDown(), properties)
}

// copyTo copies properties that pass unchanged.
func (s *source) copyTo(to *dict, names ...string) {
	for _, n := range names {
		if v := s.get(n); v != nil {
			to.set(n, v)
		}
	}
}

// resource is one plain resource of the result.
type resource struct {
	typ, id                string
	dependsOn              any
	attributes, properties *dict
}

func newResource(typ, id string, attributes, properties *dict) *resource {
	return &resource{typ: typ, id: id, attributes: attributes.copy(), properties: properties}
}

// entry is the resource as it stands in a template.
func (r *resource) entry() *dict {
	out := dictOf("Type", r.typ)
	if truthy(r.dependsOn) {
		out.set("DependsOn", r.dependsOn)
	}
	out.update(r.attributes)
	out.set("Properties", r.properties)
	return out
}

func (r *resource) ref() *dict             { return ref(r.id) }
func (r *resource) arn() any               { return getAtt(r.id, "Arn") }
func (r *resource) condition() any         { return r.attributes.get("Condition") }
func (r *resource) get(name string) any    { return r.properties.get(name) }
func (r *resource) set(name string, v any) { r.properties.set(name, v) }

// tagList turns SAM's map of tags into CloudFormation's list.
func tagList(tags *dict) []any {
	out := []any{}
	for k, v := range tags.all() {
		if v == nil {
			v = ""
		}
		out = append(out, dictOf("Key", k, "Value", v))
	}
	return out
}

// The types whose tags are a list, and those whose tags are a map.
var (
	typesWithTagList = []string{
		"AWS::IAM::Role", "AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::StepFunctions::StateMachine", "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage",
		"AWS::ApiGateway::DomainName", "AWS::ApiGateway::DomainNameV2", "AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::ApiKey", "AWS::ApiGateway::DomainNameAccessAssociation",
		"AWS::S3::Bucket", "AWS::IoT::TopicRule",
	}
	typesWithTagMap = []string{"AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::DomainName"}
)

// propagateTags gives the tags of a serverless resource to all that is made of it.
func propagateTags(made []*resource, s *source) {
	if truthy(s.get("PropagateTags")) {
		giveTags(made, s.properties.dict("Tags"))
	}
}

func giveTags(made []*resource, tags *dict) {
	if tags.len() == 0 {
		return
	}
	for _, r := range made {
		switch {
		case slices.Contains(typesWithTagList, r.typ):
			r.set("Tags", tagList(tags))
		case slices.Contains(typesWithTagMap, r.typ), r.typ == "AWS::ApiGatewayV2::Api" && r.get("ProtocolType") != nil:
			r.set("Tags", tags)
		}
	}
}

// createdBy marks the resources of functions, and what belongs to them.
const createdBy = "lambda:createdBy"

// markedTags are the tags of a resource behind the mark of SAM, and other tags of SAM.
func (s *source) markedTags(more *dict) ([]any, error) {
	tags := s.properties.dict("Tags")
	for _, reserved := range []string{createdBy, "serverlessrepo:applicationId", "serverlessrepo:semanticVersion"} {
		if tags.has(reserved) {
			return nil, invalid(s.id, "%s is a reserved Tag key name and cannot be set on your resource. Please change the tag key in the input.", reserved)
		}
	}
	out := tagList(dictOf(createdBy, "SAM"))
	return append(append(out, tagList(more)...), tagList(tags)...), nil
}
