package logs

import (
	"errors"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/service"
)

const sharedARN = "arn:aws:logs:us-east-1:000000000000:destination:shared"

func TestEventsOfAnotherAccountReachADestination(t *testing.T) {
	ctx, l, door := subscribed(t)
	made, err := l.putDestination(ctx, &api.PutDestinationInput{DestinationName: "shared", TargetArn: streamARN, RoleArn: roleARN, Tags: map[string]string{"a": "b"}})
	if err != nil || *made.Destination.Arn != sharedARN || made.Destination.AccessPolicy != nil {
		t.Fatalf("made %+v, %v", made, err)
	}
	if got := door.next(t, 1)[0]; got.Type != "CONTROL_MESSAGE" {
		t.Errorf("the stream was tried with %+v", got)
	}
	policy := `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "logs:PutSubscriptionFilter", "Resource": "` + sharedARN + `"}]}`
	if _, err := l.putDestinationPolicy(ctx, &api.PutDestinationPolicyInput{DestinationName: "shared", AccessPolicy: policy}); err != nil {
		t.Fatal(err)
	}
	away := service.WithRequest(t.Context(), &service.Request{ID: "r", Account: "111111111111", Region: "us-east-1"})
	put1 := &api.PutSubscriptionFilterInput{LogGroupName: "g", FilterName: "f", DestinationArn: sharedARN}
	targets, err := l.subscribing(away, put1)
	if err != nil || len(targets) != 2 || targets[0].ARN != "arn:aws:logs:us-east-1:111111111111:log-group:g:*" || targets[1].ARN != sharedARN || targets[1].Owner != "000000000000" || targets[1].Policy != policy {
		t.Errorf("a filter needs %+v, %v", targets, err)
	}
	makeStream(t, away, l, "g", "s")
	if _, err := l.putSubscriptionFilter(away, put1); err != nil {
		t.Fatal(err)
	}
	put(t, away, l, "s", "hello")
	if got := door.next(t, 1)[0]; got.Owner != "111111111111" || got.Events[0].Message != "hello" {
		t.Errorf("delivered %+v", got)
	}
	// Without its destination the filter stays, and delivers nothing until there is one again.
	if _, err := l.deleteDestination(ctx, &api.DeleteDestinationInput{DestinationName: "shared"}); err != nil {
		t.Fatal(err)
	}
	put(t, away, l, "s", "lost")
	if _, err := l.putDestination(ctx, &api.PutDestinationInput{DestinationName: "shared", TargetArn: streamARN, RoleArn: roleARN}); err != nil {
		t.Fatal(err)
	}
	put(t, away, l, "s", "found")
	if got := door.next(t, 2); got[0].Type != "CONTROL_MESSAGE" || got[1].Events[0].Message != "found" {
		t.Errorf("delivered %+v", got)
	}
}

func TestDestinationsAreChangedListedAndTagged(t *testing.T) {
	ctx, l, door := subscribed(t)
	for _, name := range []string{"b2", "a", "b1", "b3"} {
		if _, err := l.putDestination(ctx, &api.PutDestinationInput{DestinationName: name, TargetArn: streamARN, RoleArn: roleARN}); err != nil {
			t.Fatal(err)
		}
	}
	door.next(t, 4)
	var seen []string
	for token := (*string)(nil); ; {
		out, err := l.describeDestinations(ctx, &api.DescribeDestinationsInput{DestinationNamePrefix: ptr("b"), Limit: ptr(int32(2)), NextToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range out.Destinations {
			seen = append(seen, *d.DestinationName)
		}
		if token = out.NextToken; token == nil {
			break
		}
	}
	if got := strings.Join(seen, " "); got != "b1 b2 b3" {
		t.Errorf("listed %s", got)
	}
	if _, err := l.tagResource(ctx, &api.TagResourceInput{ResourceArn: strings.Replace(sharedARN, "shared", "a", 1), Tags: map[string]string{"k": "v"}}); err != nil {
		t.Fatal(err)
	}
	if out, err := l.listTagsForResource(ctx, &api.ListTagsForResourceInput{ResourceArn: strings.Replace(sharedARN, "shared", "a", 1)}); err != nil || out.Tags["k"] != "v" {
		t.Errorf("tags %v, %v", out, err)
	}
	accounts := `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "logs:PutSubscriptionFilter", "Resource": "*"}}`
	whole := `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "logs:PutSubscriptionFilter", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}}`
	for _, c := range []struct {
		policy string
		force  *bool
		code   string
	}{{accounts, nil, ""}, {whole, nil, "InvalidParameterException"}, {whole, ptr(true), ""}, {whole, nil, ""}, {"{", nil, "InvalidParameterException"}} {
		_, err := l.putDestinationPolicy(ctx, &api.PutDestinationPolicyInput{DestinationName: "a", AccessPolicy: c.policy, ForceUpdate: c.force})
		if service.Code(err) != c.code {
			t.Errorf("policy %s: %v, want %q", c.policy, err, c.code)
		}
	}
	// A change keeps the policy and the tags.
	changed, err := l.putDestination(ctx, &api.PutDestinationInput{DestinationName: "a", TargetArn: streamARN + "2", RoleArn: roleARN})
	if err != nil || *changed.Destination.AccessPolicy != whole || *changed.Destination.TargetArn != streamARN+"2" {
		t.Errorf("changed to %+v, %v", changed, err)
	}
}

func TestDestinationsAreRefusedWithReasons(t *testing.T) {
	ctx, l, door := subscribed(t)
	makeStream(t, ctx, l, "g", "s")
	for name, c := range map[string]struct {
		err  error
		code string
	}{
		"no ARN":         {second(l.putDestination(ctx, &api.PutDestinationInput{DestinationName: "d", TargetArn: "x", RoleArn: roleARN})), "InvalidParameterException"},
		"a function":     {second(l.putDestination(ctx, &api.PutDestinationInput{DestinationName: "d", TargetArn: functionARN, RoleArn: roleARN})), "InvalidParameterException"},
		"a policy":       {second(l.putDestinationPolicy(ctx, &api.PutDestinationPolicyInput{DestinationName: "d", AccessPolicy: `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}`})), "ResourceNotFoundException"},
		"a deletion":     {second(l.deleteDestination(ctx, &api.DeleteDestinationInput{DestinationName: "d"})), "ResourceNotFoundException"},
		"tags":           {second(l.listTagsForResource(ctx, &api.ListTagsForResourceInput{ResourceArn: sharedARN})), "ResourceNotFoundException"},
		"a filter":       {subscribe(ctx, l, "g", "f", "", sharedARN, nil), "ResourceNotFoundException"},
		"another region": {subscribe(ctx, l, "g", "f", "", strings.Replace(sharedARN, "us-east-1", "eu-west-1", 1), nil), "InvalidParameterException"},
	} {
		if service.Code(c.err) != c.code {
			t.Errorf("%s: %v, want %s", name, c.err, c.code)
		}
	}
	door.mu.Lock()
	door.refused = service.Errorf("ResourceNotFoundException", "There is no such stream.")
	door.mu.Unlock()
	_, err := l.putDestination(ctx, &api.PutDestinationInput{DestinationName: "d", TargetArn: streamARN, RoleArn: roleARN})
	if service.Code(err) != "InvalidParameterException" || !strings.Contains(err.Error(), "There is no such stream.") {
		t.Errorf("a stream that is not there: %v", err)
	}
}

func second[T any](_ T, err error) error { return errors.Join(err) }
