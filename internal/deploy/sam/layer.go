package sam

import "strings"

// layerSchema are the properties of AWS::Serverless::LayerVersion, see
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-layerversion.html.
var layerSchema = schema{
	{"LayerName", textOrMap, 0},
	{"Description", aText, 0},
	{"PublishLambdaVersion", aBool, 0},
	{"ContentUri", textOrMap, required},
	{"CompatibleArchitectures", textsOrMaps, 0},
	{"CompatibleRuntimes", textsOrMaps, 0},
	{"LicenseInfo", aText, 0},
	{"RetentionPolicy", aText, 0},
}

// layer expands AWS::Serverless::LayerVersion into a version of a layer. Its logical id is made from all that it says, so that a change makes a new version; old ones stay.
func (t *transform) layer(s *source) ([]*resource, error) {
	for _, k := range []string{"LayerName", "LicenseInfo", "Description", "RetentionPolicy"} {
		if err := t.resolveText(s, k); err != nil {
			return nil, err
		}
	}
	policy, err := s.retention()
	if err != nil {
		return nil, err
	}
	attributes := s.handedDown()
	if policy != nil {
		attributes.set("DeletionPolicy", policy)
	}
	given := s.id
	s.id = logicalID(given, dictOf(given, s.identity()))
	content, err := s3Location(s.id, "ContentUri", s.get("ContentUri"))
	if err != nil {
		return nil, err
	}
	p := dictOf("LayerName", given, "Content", content)
	s.copyTo(p, "Description", "CompatibleArchitectures", "CompatibleRuntimes", "LicenseInfo")
	if v := s.get("LayerName"); truthy(v) {
		p.set("LayerName", v)
	}
	for _, v := range asList(p.get("CompatibleArchitectures")) {
		if !isIntrinsic(v) && !is(v, "arm64", "x86_64") {
			return nil, invalid(s.id, "CompatibleArchitectures needs to be a list of 'x86_64' or 'arm64'")
		}
	}
	r := newResource("AWS::Lambda::LayerVersion", s.id, attributes, p)
	r.dependsOn = s.dependsOn
	return []*resource{r}, nil
}

// resolveText replaces references in a property to parameters, which must be texts.
func (t *transform) resolveText(s *source, property string) error {
	given := s.get(property)
	if !truthy(given) {
		return nil
	}
	v, err := t.resolve(given)
	if err != nil {
		return err
	}
	if !textOrMap.fits(v) {
		return invalid(s.id, "Could not resolve parameter for '%s' or parameter is not a String.", property)
	}
	s.properties.set(property, v)
	return nil
}

// retention is the deletion policy that a layer asks for.
func (s *source) retention() (any, error) {
	v := s.get("RetentionPolicy")
	options := texts("Retain", "Delete")
	word, isText := text(v)
	switch {
	case v == nil:
		if !s.attributes.has("DeletionPolicy") {
			return "Retain", nil
		}
		return nil, nil
	case isIntrinsic(v):
		return nil, invalid(s.id, "'RetentionPolicy' does not accept intrinsic functions, please use one of the following options: %s", options)
	case !isText:
		return nil, invalid(s.id, "Invalid 'RetentionPolicy' type, please use one of the following options: %s", options)
	}
	for _, option := range []string{"Retain", "Delete"} {
		if strings.EqualFold(word, option) {
			return option, nil
		}
	}
	return nil, invalid(s.id, "'RetentionPolicy' must be one of the following options: %s.", options)
}

// identity is what tells versions of a layer apart.
func (s *source) identity() *dict {
	out := dictOf("Type", s.typ)
	if truthy(s.dependsOn) {
		out.set("DependsOn", s.dependsOn)
	}
	for k, v := range s.attributes.all() {
		if k != "DeletionPolicy" && k != "UpdateReplacePolicy" && k != "Metadata" {
			out.set(k, v)
		}
	}
	p := newDict()
	for k, v := range s.properties.all() {
		if v != nil {
			p.set(k, v)
		}
	}
	out.set("Properties", p)
	return out
}
