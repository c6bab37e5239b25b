package deploy

import (
	"context"
	"strings"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
)

// StubTag is the tag of a stack, with the value "true", whose resources of types that this version does not have are recorded as stubs. It is not passed on to resources.
const StubTag = "lambent:stub-unknown"

// StubPrefix begins the type's name of a stub; the name of the type that the template asks for follows.
const StubPrefix = "Lambent::Stub::"

// stubType stands for every type whose name begins with [StubPrefix].
const stubType = "Lambent::Stub"

// stubProperties are whatever the template says.
type stubProperties struct {
	Rest map[string]any `cfn:"*"`
}

// StubType returns the type of stubs. They make nothing, and say so after every deploy.
func StubType() service.ResourceType {
	update := func(_ context.Context, c service.ResourceCall, _ *stubProperties) (service.Resource, error) {
		id := c.PhysicalID
		if id == "" {
			id = "stub-" + c.Name(100, nil)
		}
		return service.Resource{PhysicalID: id}, nil
	}
	return service.NewResourceType(stubType, service.ResourceSpec[stubProperties]{
		Attributes: []string{"*"},
		Create:     update,
		Update: func(ctx context.Context, c service.ResourceCall, _, p *stubProperties) (service.Resource, error) {
			return update(ctx, c, p)
		},
		Delete: func(context.Context, service.ResourceCall, *stubProperties) error { return nil },
		Warnings: func(_ context.Context, c service.ResourceCall) ([]string, error) {
			return []string{"this is a stub, and does nothing: Lambent does not have the type " + strings.TrimPrefix(c.Type, StubPrefix) + ". The values of its Ref and Fn::GetAtt are made up."}, nil
		},
	})
}

// stubbed returns the name under which a resource of an unknown type is recorded, when the stack asks for stubs and there is such a type on AWS.
func (t *Target) stubbed(name string) (string, bool) {
	if t.stack.Stub == nil {
		return "", false
	}
	_, ok := t.stack.Stub(name)
	return StubPrefix + name, ok
}

// attributes are the names that Fn::GetAtt accepts for a type.
func (t *Target) attributes(name string) []string {
	if wanted, is := strings.CutPrefix(name, StubPrefix); is && t.stack.Stub != nil {
		list, _ := t.stack.Stub(wanted)
		return list
	}
	typ, _ := t.types.Of(name)
	return typ.Attributes
}

// value returns the Ref (attribute "") or an attribute. Those of stubs are made up from the physical id, in the form that their names suggest.
func (r *Resource) value(stack Stack, attribute string) (any, bool) {
	if attribute == "" || !strings.HasPrefix(r.Type, StubPrefix) {
		return r.Snapshot.value(attribute)
	}
	last := strings.ToLower(attribute[strings.LastIndexByte(attribute, '.')+1:])
	host := strings.ToLower(r.PhysicalID) + ".invalid" // a name that never resolves, RFC 2606 section 2
	switch {
	case strings.HasSuffix(last, "arn"):
		of, _ := arn.Parse(stack.ID)
		return arn.New("stub", of.Region, of.Account, r.PhysicalID+"/"+attribute).String(), true
	case strings.HasSuffix(last, "url"), strings.HasSuffix(last, "uri"):
		return "https://" + host + "/", true
	case strings.HasSuffix(last, "endpoint"), strings.HasSuffix(last, "domainname"), strings.HasSuffix(last, "address"):
		return host, true
	}
	return r.PhysicalID + "." + attribute, true
}
