package sam

import (
	"fmt"
	"maps"
	"slices"
)

// destination is where the outcome of an asynchronous invocation goes.
type destination struct {
	typ string // SQS, SNS, EventBridge, Lambda or S3Bucket
	// id is the prefix of the logical ids that it makes, arn the place.
	id  string
	arn any
	// made is the resource that is made for it, under the logical id madeID; nil when the template names a place.
	made   object
	madeID string
}

// destinations reads the DestinationConfig of a function's EventInvokeConfig, by outcome. Without a Destination, a queue or a topic is made.
func (t *transform) destinations(s source) (map[string]destination, error) {
	config, _ := s.properties["EventInvokeConfig"].(object)
	outcomes, ok := config["DestinationConfig"].(object)
	if !ok {
		if config["DestinationConfig"] != nil {
			return nil, invalid(s.id, "Property 'EventInvokeConfig.DestinationConfig' should be a map.")
		}
		return nil, nil
	}
	out := map[string]destination{}
	for _, outcome := range []string{"OnSuccess", "OnFailure"} {
		v, has := outcomes[outcome]
		if !has {
			continue
		}
		m, ok := v.(object)
		if !ok {
			return nil, invalid(s.id, "Property 'EventInvokeConfig.DestinationConfig.%s' should be a map.", outcome)
		}
		d, err := t.newDestination(s, s.id+"EventInvokeConfig"+outcome, m)
		if err != nil {
			return nil, err
		}
		out[outcome] = d
	}
	return out, nil
}

func (t *transform) newDestination(s source, id string, m object) (destination, error) {
	typ, _ := m["Type"].(string)
	d := destination{typ: typ, id: id, arn: t.resolve(m["Destination"])}
	if !slices.Contains([]string{"SQS", "SNS", "EventBridge", "Lambda", "S3Bucket"}, typ) {
		return d, invalid(s.id, "'Type: %v' must be one of ['SQS', 'SNS', 'EventBridge', 'Lambda', 'S3Bucket']", m["Type"])
	}
	if name, _, _ := intrinsic(d.arn); name == "Fn::If" {
		return d, invalid(s.id, "Lambent does not support Fn::If in the Destination of EventInvokeConfig. Use two functions with conditions.")
	}
	if d.arn != nil {
		return d, nil
	}
	switch typ {
	case "SQS":
		d.madeID, d.made = id+"Queue", s.derived("AWS::SQS::Queue", object{})
		d.arn = getAtt(d.madeID, "Arn")
	case "SNS":
		d.madeID, d.made = id+"Topic", s.derived("AWS::SNS::Topic", object{})
		d.arn = ref(d.madeID)
	default:
		return d, invalid(s.id, "Destination is required if Type is not ['SQS', 'SNS']")
	}
	return d, nil
}

// invokeConfig expands EventInvokeConfig.
func (t *transform) invokeConfig(s source) error {
	v, has := s.properties["EventInvokeConfig"]
	if !has || v == nil {
		return nil
	}
	config, ok := v.(object)
	if !ok {
		return invalid(s.id, "Type of property 'EventInvokeConfig' is invalid.")
	}
	found, err := t.destinations(s)
	if err != nil {
		return err
	}
	places := object{}
	for outcome, d := range found {
		places[outcome] = object{"Destination": d.arn}
		if d.made != nil {
			t.out[d.madeID] = d.made
		}
	}
	p := object{"FunctionName": ref(s.id), "Qualifier": "$LATEST", "DestinationConfig": places}
	for _, k := range []string{"MaximumEventAgeInSeconds", "MaximumRetryAttempts"} {
		if v, has := config[k]; has {
			p[k] = v
		}
	}
	if s.target != s.id {
		p["Qualifier"] = t.resolve(s.properties["AutoPublishAlias"])
	}
	r := s.derived("AWS::Lambda::EventInvokeConfig", p)
	if s.target != s.id {
		r["DependsOn"] = []any{s.target}
	}
	t.out[s.id+"EventInvokeConfig"] = r
	return nil
}

// sendingPolicy lets a role send to a place. id is the prefix of its name.
func sendingPolicy(id, typ string, arn any) object {
	statements := []any{object{"Action": map[string]string{
		"SQS": "sqs:SendMessage", "SNS": "sns:publish", "EventBridge": "events:PutEvents", "Lambda": "lambda:InvokeFunction",
	}[typ], "Effect": "Allow", "Resource": arn}}
	name := typ
	if typ == "S3Bucket" || typ == "S3" {
		name = "S3"
		statements = []any{
			object{"Action": "s3:PutObject", "Effect": "Allow", "Resource": object{"Fn::Join": []any{"/", []any{arn, "*"}}}},
			object{"Action": "s3:ListBucket", "Effect": "Allow", "Resource": arn},
		}
	}
	return object{"PolicyName": id + name + "Policy", "PolicyDocument": object{"Statement": statements}}
}

// destinationPolicies are what the function's role needs for its destinations and those of its event sources.
func (t *transform) destinationPolicies(s source) ([]any, error) {
	found, err := t.destinations(s)
	if err != nil {
		return nil, err
	}
	var out []any
	for _, outcome := range slices.Sorted(maps.Keys(found)) {
		d := found[outcome]
		out = append(out, sendingPolicy(d.id, d.typ, d.arn))
	}
	events, _ := s.properties["Events"].(object)
	for _, name := range slices.Sorted(maps.Keys(events)) {
		e, _ := events[name].(object)
		p, _ := e["Properties"].(object)
		config, _ := p["DestinationConfig"].(object)
		failure, _ := config["OnFailure"].(object)
		if typ, ok := failure["Type"].(string); ok && slices.Contains([]string{"SQS", "SNS", "S3"}, typ) {
			out = append(out, sendingPolicy(s.id+name, typ, failure["Destination"]))
		}
	}
	return out, nil
}

// failureDestination is the DestinationConfig of an event source without the type, which tells only what the role needs.
func (e event) failureDestination(config object) (object, error) {
	failure, ok := config["OnFailure"].(object)
	if !ok {
		return nil, e.invalid("Property 'DestinationConfig.OnFailure' should be a map.")
	}
	if typ, has := failure["Type"]; has && !slices.Contains([]string{"SQS", "SNS", "S3"}, fmt.Sprint(typ)) {
		return nil, e.invalid("The only valid values for 'Type' are 'SQS', 'SNS', and 'S3'")
	}
	plain := maps.Clone(failure)
	delete(plain, "Type")
	out := maps.Clone(config)
	out["OnFailure"] = plain
	return out, nil
}
