package sam

import (
	"slices"
	"strings"
)

// invokeConfig says what becomes of asynchronous invocations. It returns the resources that are made, and the inline policies that the function's role needs.
func (f *aFunction) invokeConfig() (made []*resource, policies []any, err error) {
	given := f.properties.dict("EventInvokeConfig")
	if given.len() == 0 {
		return nil, nil, nil
	}
	if _, err := f.resolve(given); err != nil {
		return nil, nil, err
	}
	id := f.id + "EventInvokeConfig"
	config := newDict()
	if v := given.get("DestinationConfig"); truthy(v) {
		destinations, err := inResource(f.id, "EventInvokeConfig.DestinationConfig").dict(v)
		if err != nil {
			return nil, nil, err
		}
		for _, k := range []string{"OnSuccess", "OnFailure"} {
			if destinations.get(k) == nil {
				continue
			}
			d, err := inResource(f.id, "EventInvokeConfig.DestinationConfig."+k).dict(destinations.get(k))
			if err != nil {
				return nil, nil, err
			}
			r, to, policy, err := f.destination(d, id, k)
			if err != nil {
				return nil, nil, err
			}
			config.set(k, dictOf("Destination", to))
			d.set("Destination", to)
			if r != nil {
				made = append(made, r)
			}
			policies = append(policies, policy)
		}
	}
	qualifier := any("$LATEST")
	if f.alias != nil {
		qualifier = f.alias.get("Name")
	}
	r := newResource("AWS::Lambda::EventInvokeConfig", id, f.attributes, dictOf("FunctionName", f.main.ref(), "Qualifier", qualifier, "DestinationConfig", config,
		"MaximumEventAgeInSeconds", given.get("MaximumEventAgeInSeconds"), "MaximumRetryAttempts", given.get("MaximumRetryAttempts")))
	if f.alias != nil {
		r.dependsOn = []any{f.alias.id}
	}
	return append(made, r), policies, nil
}

// destination is where the outcome of an invocation goes. A queue or a topic is made if the template names none.
func (f *aFunction) destination(d *dict, config, event string) (made *resource, to any, policy *dict, err error) {
	typ, _ := text(d.get("Type"))
	if !slices.Contains([]string{"SQS", "SNS", "EventBridge", "Lambda", "S3Bucket"}, typ) {
		return nil, nil, nil, invalid(f.id, "'Type: %s' must be one of %s", python(d.get("Type")), texts("SQS", "SNS", "EventBridge", "Lambda", "S3Bucket"))
	}
	id := config + event
	to = d.get("Destination")
	condition, otherwise, err := f.withoutDestination(to, config)
	if err != nil {
		return nil, nil, nil, err
	}
	if to != nil && condition == "" {
		return nil, to, destinationPolicy(typ, id, to), nil
	}
	switch typ {
	case "SQS":
		made = f.beside("AWS::SQS::Queue", id+"Queue", newDict())
		to = made.arn()
	case "SNS":
		made = f.beside("AWS::SNS::Topic", id+"Topic", newDict())
		to = made.ref()
	default:
		return nil, nil, nil, invalid(f.id, "Destination is required if Type is not %s", texts("SQS", "SNS"))
	}
	if condition != "" {
		own, _ := text(f.attributes.get("Condition"))
		made.attributes.set("Condition", f.both(own, condition))
		to = when(condition, to, otherwise)
	}
	return made, to, destinationPolicy(typ, id, to), nil
}

// withoutDestination returns the condition under which a destination that depends on one is missing, and what it is if not; "" if it is never.
func (f *aFunction) withoutDestination(v any, id string) (string, any, error) {
	arguments, ok, err := asIf(v)
	if err != nil {
		return "", nil, invalid(id, "Malformed 'Destination' property: %v.", err)
	}
	if !ok || isNoValue(arguments[1]) == isNoValue(arguments[2]) {
		return "", nil, nil
	}
	condition, _ := text(arguments[0])
	if isNoValue(arguments[1]) {
		return condition, arguments[2], nil
	}
	other := conditionName("NOT"+condition, id)
	f.conditions.set(other, not(condition))
	return other, arguments[1], nil
}

// both returns the name of a condition that holds when two do.
func (f *aFunction) both(a, b string) string {
	if a == "" {
		return b
	}
	both := conditionName(a+"AND"+b, f.id)
	f.conditions.set(both, combine("Fn::And", any(dictOf("Condition", a)), any(dictOf("Condition", b))))
	return both
}

// longestCondition is how long the names of conditions are.
const longestCondition = 255

func conditionName(name, of string) string {
	name += logicalID("", of)
	return name[:min(len(name), longestCondition)]
}

// destinationPolicy lets the function's role send to a destination.
func destinationPolicy(typ, id string, to any) *dict {
	switch typ {
	case "SQS":
		return inlinePolicy(id+"SQSPolicy", allow("sqs:SendMessage", to))
	case "SNS":
		return inlinePolicy(id+"SNSPolicy", allow("sns:publish", to))
	case "EventBridge":
		return inlinePolicy(id+"EventBridgePolicy", allow("events:PutEvents", to))
	case "Lambda":
		return inlinePolicy(id+"LambdaPolicy", allow("lambda:InvokeFunction", to))
	}
	return s3Policy(id, to)
}

func s3Policy(id string, to any) *dict {
	return inlinePolicy(id+"S3Policy", allow("s3:PutObject", dictOf("Fn::Join", []any{"/", []any{to, "*"}})), allow("s3:ListBucket", to))
}

// inlinePolicy is a policy of a role.
func inlinePolicy(name string, statements ...any) *dict {
	return dictOf("PolicyName", name, "PolicyDocument", dictOf("Statement", statements))
}

func allow(action, resource any) *dict {
	d := dictOf("Action", action, "Effect", "Allow")
	d.set("Resource", resource)
	return d
}

// assumeRole is the policy by which a service may use a role.
func assumeRole(service string) *dict {
	return dictOf("Version", "2012-10-17", "Statement", []any{dictOf("Action", []any{"sts:AssumeRole"}, "Effect", "Allow", "Principal", dictOf("Service", []any{service}))})
}

// managedARN is the ARN of a policy that AWS manages; name begins with its path.
func (t *transform) managedARN(name string) string {
	return "arn:" + t.partition() + ":iam::aws:policy/" + strings.TrimPrefix(name, "/")
}
