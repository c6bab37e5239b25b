package sam

import (
	"fmt"
	"slices"
)

// makeRole makes the function's execution role, unless the template names one. A name that depends on a condition may need both.
func (f *aFunction) makeRole(destinations []any) ([]*resource, error) {
	managed := []any{f.managedARN("service-role/AWSLambdaBasicExecutionRole")}
	if truthy(f.get("DurableConfig")) {
		managed[0] = f.managedARN("service-role/AWSLambdaBasicDurableExecutionRolePolicy")
	}
	traced, err := f.traced()
	if err != nil {
		return nil, err
	}
	if traced {
		managed = append(managed, f.managedARN(f.tracingPolicy()))
	}
	if truthy(f.get("VpcConfig")) {
		managed = append(managed, f.managedARN("service-role/AWSLambdaVPCAccessExecutionRole"))
	}
	var inline []any
	if q := f.properties.dict("DeadLetterQueue"); q.len() > 0 {
		action := "sqs:SendMessage"
		if is(q.get("Type"), "SNS") {
			action = "sns:Publish"
		}
		inline = append(inline, dictOf("PolicyName", "DeadLetterQueuePolicy", "PolicyDocument", dictOf("Version", "2012-10-17", "Statement", []any{allow(action, q.get("TargetArn"))})))
	}
	trust := f.get("AssumeRolePolicyDocument")
	if trust == nil {
		trust = assumeRole("lambda.amazonaws.com")
	}
	tags, err := f.markedTags(nil)
	if err != nil {
		return nil, err
	}
	f.role, err = f.roleFor(f.source, roleParts{trust: trust, managed: managed, inline: append(inline, destinations...), tags: tags, policies: f.get("Policies")})
	if err != nil {
		return nil, err
	}
	if f.main.get("Role") == nil {
		f.main.set("Role", f.role.arn())
		return []*resource{f.role}, nil
	}
	return f.roleOnCondition()
}

// roleOnCondition makes the role for the case in which the template names none.
func (f *aFunction) roleOnCondition() ([]*resource, error) {
	given := f.main.get("Role")
	if k, _, ok := intrinsic(given); !ok || k != "Fn::If" {
		return nil, nil
	}
	resolved, err := f.resolve(given)
	if err != nil {
		return nil, err
	}
	arguments, ok, err := asIf(resolved)
	if err != nil {
		return nil, invalid(f.id, "Malformed 'Role' property: %v.", err)
	}
	if !ok {
		return nil, nil
	}
	condition, _ := text(arguments[0])
	switch then, otherwise := isNoValue(arguments[1]), isNoValue(arguments[2]); {
	case then && otherwise:
		f.main.set("Role", f.role.arn())
	case then:
		f.main.set("Role", when(condition, f.role.arn(), arguments[2]))
		f.role.attributes.set("Condition", condition)
	case otherwise:
		f.main.set("Role", when(condition, arguments[1], f.role.arn()))
		f.role.attributes.set("Condition", "NOT"+condition)
		f.conditions.set("NOT"+condition, not(condition))
	default:
		return nil, nil
	}
	return []*resource{f.role}, nil
}

// tracingPolicy is the managed policy for sending traces.
func (t *transform) tracingPolicy() string {
	if t.partition() == "aws" {
		return "AWSXrayWriteOnlyAccess"
	}
	return "AWSXRayDaemonWriteAccess"
}

// roleParts are what an execution role consists of, before the policies of the template.
type roleParts struct {
	trust           any
	managed, inline []any
	tags            []any
	policies        any
}

// roleFor makes the execution role of a function or a state machine.
func (t *transform) roleFor(s *source, parts roleParts) (*resource, error) {
	id := s.id + "Role"
	entries, err := policiesOf(parts.policies, nil)
	if err != nil {
		return nil, err
	}
	managed, inline := parts.managed, parts.inline
	if managed == nil {
		managed = []any{}
	}
	for i, p := range entries {
		switch p.kind {
		case policyDocument:
			inline = append(inline, convertBranches(p.v, func(v any) any {
				return dictOf("PolicyName", fmt.Sprintf("%sPolicy%d", id, i), "PolicyDocument", v)
			}))
		case policyManaged:
			v := p.v
			if _, isText := text(v); isText || isIf(v) {
				v = convertBranches(v, func(v any) any {
					if name, ok := text(v); ok {
						return t.policyARN(name)
					}
					return v
				})
			}
			if !contains(managed, v) {
				managed = append(managed, v)
			}
		default:
			return nil, invalid(s.id, "Policy at index %d in the 'Policies' property is not valid", i)
		}
	}
	p := dictOf("AssumeRolePolicyDocument", parts.trust, "ManagedPolicyArns", managed, "Tags", parts.tags)
	if len(inline) > 0 {
		p.set("Policies", inline)
	}
	if v := s.get("RolePath"); v != nil {
		p.set("Path", v)
	}
	s.copyTo(p, "PermissionsBoundary")
	return s.beside("AWS::IAM::Role", id, p), nil
}

func isIf(v any) bool {
	k, _, ok := intrinsic(v)
	return ok && k == "Fn::If"
}

// convertBranches converts a value, or the values that it may have.
func convertBranches(v any, convert func(any) any) any {
	if !isIf(v) {
		return convert(v)
	}
	list := slices.Clone(asList(v.(*dict).get("Fn::If")))
	for i := 1; i < len(list); i++ {
		if !isNoValue(list[i]) {
			list[i] = convert(list[i])
		}
	}
	return dictOf("Fn::If", list)
}
