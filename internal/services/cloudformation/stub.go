package cloudformation

import (
	"regexp"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/registry"
)

// publicType is the form of the names of AWS's types, see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html.
var publicType = regexp.MustCompile(`^AWS::[A-Za-z0-9]{2,64}::[A-Za-z0-9]{2,64}$`)

// deployStack is a stack as the engine knows it, with the tags that its resources get.
func (s *Service) deployStack(id, name string, tags map[string]string) (deploy.Stack, error) {
	stack := deploy.Stack{ID: id, Name: name}
	for k, v := range tags {
		if k == deploy.StubTag {
			continue
		}
		if stack.Tags == nil {
			stack.Tags = map[string]string{}
		}
		stack.Tags[k] = v
	}
	switch v, asked := tags[deploy.StubTag]; {
	case !asked:
		return stack, nil
	case v != "true":
		return stack, invalid("The tag %s must have the value true, which records resources of unknown types as stubs, and has %q.", deploy.StubTag, v)
	}
	known, err := s.registry()
	if err != nil {
		return stack, err
	}
	stack.Stub = func(typ string) ([]string, bool) { return stubAttributes(known, typ) }
	return stack, nil
}

// stubAttributes tells whether AWS has a type, and the names that Fn::GetAtt takes for it. Of a service whose types the registry does not have any name of a type is taken for one, with any attributes.
func stubAttributes(known registry.Registry, typ string) ([]string, bool) {
	if !publicType.MatchString(typ) {
		return nil, false
	}
	if t := known[typ]; t != nil {
		var names []string
		for _, pointer := range t.ReadOnly {
			names = append(names, strings.ReplaceAll(strings.TrimPrefix(pointer, "/properties/"), "/", "."))
		}
		return names, true
	}
	service := typ[:strings.LastIndex(typ, "::")+2]
	if slices.ContainsFunc(known.Names(), func(name string) bool { return strings.HasPrefix(name, service) }) {
		return nil, false // a mistake in the name
	}
	return []string{"*"}, true
}
