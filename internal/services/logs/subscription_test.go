package logs

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/iam"
	kinesisapi "lambent.dev/lambent/internal/awsapi/kinesis"
	lambdaapi "lambent.dev/lambent/internal/awsapi/lambda"
	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store/mem"
)

const (
	functionARN = "arn:aws:lambda:us-east-1:000000000000:function:reader"
	streamARN   = "arn:aws:kinesis:us-east-1:000000000000:stream/lines"
	roleARN     = "arn:aws:iam::000000000000:role/send"
)

// subscribers is a door behind which are a function and a stream.
type subscribers struct {
	mu      sync.Mutex // guards the fields below
	refused error
	got     []envelope
	keys    []string
	arrived chan struct{}
}

func (d *subscribers) Allow(context.Context, service.Target) error { return nil }

func (d *subscribers) Call(_ context.Context, _, operation string, in any) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refused != nil {
		return nil, d.refused
	}
	var packed []byte
	switch in := in.(type) {
	case *lambdaapi.InvokeInput:
		if in.InvocationType == lambdaapi.InvocationTypeDryRun {
			return &lambdaapi.InvokeOutput{}, nil
		}
		var event struct{ AWSLogs struct{ Data []byte } }
		if err := json.Unmarshal(in.Payload, &event); err != nil {
			return nil, err
		}
		packed = event.AWSLogs.Data
	case *kinesisapi.PutRecordInput:
		packed = in.Data
		d.keys = append(d.keys, in.PartitionKey)
	default:
		return nil, errors.New("unexpected call of " + operation)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	var e envelope
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, err
	}
	d.got = append(d.got, e)
	d.arrived <- struct{}{}
	return &kinesisapi.PutRecordOutput{}, nil
}

type passable struct{ port.Roles }

func (passable) CheckPassRole(context.Context, string, string) error { return nil }

func (passable) SessionForService(_ context.Context, _, role, session string) (service.Principal, error) {
	return service.Principal{Kind: service.AssumedRole, ARN: role + "/" + session}, nil
}

// subscribed returns the service with its jobs running, on a store of its own.
func subscribed(t *testing.T) (context.Context, *Logs, *subscribers) {
	t.Helper()
	door := &subscribers{arrived: make(chan struct{}, 64)}
	st, c := mem.New(), clock.NewFake(start)
	deps := service.Deps{Store: st, Clock: c, Random: rand.NewChaCha8([32]byte{2}), Log: slog.New(slog.DiscardHandler), Door: door}
	svc, l := New(deps, Options{Roles: passable{}, Sender: deliver.New(deps, passable{})})
	jobs := events.New(st, c, deps.Log)
	for _, k := range svc.Jobs {
		if err := jobs.Register(k); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(svc.Start(t.Context()), jobs.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(svc.Close(context.Background()), jobs.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	})
	return service.WithRequest(t.Context(), &service.Request{ID: "r", Account: "000000000000", Region: "us-east-1"}), l, door
}

// next waits for n deliveries and returns them.
func (d *subscribers) next(t *testing.T, n int) []envelope {
	t.Helper()
	for range n {
		select {
		case <-d.arrived:
		case <-time.After(30 * time.Second):
			t.Fatal("nothing was delivered")
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	got := d.got
	d.got = nil
	return got
}

func subscribe(ctx context.Context, l *Logs, group, name, pattern, destination string, role *string) error {
	_, err := l.putSubscriptionFilter(ctx, &api.PutSubscriptionFilterInput{LogGroupName: group, FilterName: name, FilterPattern: pattern, DestinationArn: destination, RoleArn: role})
	return err
}

func TestSubscribersGetTheEventsThatTheyWant(t *testing.T) {
	ctx, l, door := subscribed(t)
	makeStream(t, ctx, l, "g", "s")
	if err := subscribe(ctx, l, "g", "errors", "ERROR", functionARN, nil); err != nil {
		t.Fatal(err)
	}
	if err := subscribe(ctx, l, "g", "all", "", streamARN, ptr(roleARN)); err != nil {
		t.Fatal(err)
	}
	if got := door.next(t, 1)[0]; got.Type != "CONTROL_MESSAGE" || !strings.Contains(got.Events[0].Message, "Kinesis stream") {
		t.Errorf("the stream was tried with %+v", got)
	}
	put(t, ctx, l, "s", "fine", "ERROR one", "ERROR two")
	out, err := l.filterLogEvents(ctx, &api.FilterLogEventsInput{LogGroupName: ptr("g")})
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range door.next(t, 2) {
		want, filter := out.Events, "all"
		if len(got.Events) == 2 {
			want, filter = want[1:], "errors"
		}
		if got.Type != "DATA_MESSAGE" || got.Owner != "000000000000" || got.Group != "g" || got.Stream != "s" || len(got.Filters) != 1 || got.Filters[0] != filter || len(got.Events) != len(want) {
			t.Fatalf("delivered %+v", got)
		}
		for i, e := range got.Events {
			if e.ID != *want[i].EventId || e.Time != *want[i].Timestamp || e.Message != *want[i].Message {
				t.Errorf("event %d is %+v, want that of FilterLogEvents, %s at %d", i, e, *want[i].Message, *want[i].Timestamp)
			}
		}
	}
	if k := door.keys[len(door.keys)-1]; k != "s" {
		t.Errorf("the record's partition key is %q, want the stream's name", k)
	}
	// What functions log through the sink is delivered too.
	if err := l.PutLog(ctx, "000000000000", "us-east-1", "g", "s", []port.LogLine{{Time: start, Message: "logged"}}); err != nil {
		t.Fatal(err)
	}
	if err := l.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if got := door.next(t, 1); got[0].Events[0].Message != "logged" {
		t.Errorf("delivered %+v", got)
	}
}

func TestLargeDeliveriesAreSplit(t *testing.T) {
	ctx, l, door := subscribed(t)
	makeStream(t, ctx, l, "g", "s")
	if err := subscribe(ctx, l, "g", "f", "", functionARN, nil); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 300<<10)
	put(t, ctx, l, "s", long, long, long)
	if got := door.next(t, 3); len(got) != 3 {
		t.Errorf("%d deliveries, want 3", len(got))
	}
}

func TestSubscriptionFiltersAreRefusedWithReasons(t *testing.T) {
	ctx, l, door := subscribed(t)
	for _, g := range []string{"g", "/aws/lambda/reader", "/aws/lambda/writer"} {
		makeStream(t, ctx, l, g, "s")
	}
	writer := strings.Replace(functionARN, "reader", "writer", 1)
	if err := subscribe(ctx, l, "/aws/lambda/writer", "f", "", functionARN+":live", nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		group, pattern, destination string
		role                        *string
		want                        string
	}{
		{"none", "", functionARN, nil, "The specified log group does not exist."},
		{"g", "{", functionARN, nil, "Invalid filter pattern"},
		{"g", "", "reader", nil, "is not an ARN"},
		{"g", "", "arn:aws:sqs:us-east-1:000000000000:q", nil, "vendor sqs"},
		{"g", "", "arn:aws:logs:us-east-1:000000000000:destination:d", nil, "The specified destination does not exist."},
		{"g", "", functionARN, ptr(roleARN), "cannot be used with roleArn"},
		{"g", "", streamARN, nil, "cannot be used without roleArn"},
		{"/aws/lambda/reader", "", functionARN, nil, "reserved for the function logs"},
		{"/aws/lambda/reader", "", writer, nil, "would come back to it without end"},
	} {
		if err := subscribe(ctx, l, c.group, "f", c.pattern, c.destination, c.role); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, name := range []string{"one", "two"} {
		if err := subscribe(ctx, l, "g", name, "", functionARN, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := subscribe(ctx, l, "g", "three", "", functionARN, nil); service.Code(err) != "LimitExceededException" {
		t.Errorf("a third filter: %v", err)
	}
	door.mu.Lock()
	door.refused = service.Errorf("AccessDeniedException", "no")
	door.mu.Unlock()
	if err := subscribe(ctx, l, "g", "one", "", functionARN, nil); err == nil || !strings.Contains(err.Error(), "Could not execute the lambda function") {
		t.Errorf("a function that may not be invoked: %v", err)
	}
	if err := subscribe(ctx, l, "g", "one", "", streamARN, ptr(roleARN)); err == nil || !strings.Contains(err.Error(), "Could not deliver test message to specified Kinesis stream.") {
		t.Errorf("a stream that may not be written: %v", err)
	}
}

func TestSubscriptionFiltersAreListedAndDeleted(t *testing.T) {
	ctx, l, _ := subscribed(t)
	makeStream(t, ctx, l, "g", "s")
	for _, name := range []string{"b", "a"} {
		if err := subscribe(ctx, l, "g", name, "x", functionARN, nil); err != nil {
			t.Fatal(err)
		}
	}
	first, err := l.describeSubscriptionFilters(ctx, &api.DescribeSubscriptionFiltersInput{LogGroupName: "g", Limit: ptr(int32(1))})
	if err != nil || len(first.SubscriptionFilters) != 1 || *first.SubscriptionFilters[0].FilterName != "a" || first.NextToken == nil {
		t.Fatalf("first page %+v, %v", first, err)
	}
	rest, err := l.describeSubscriptionFilters(ctx, &api.DescribeSubscriptionFiltersInput{LogGroupName: "g", NextToken: first.NextToken})
	if err != nil || len(rest.SubscriptionFilters) != 1 || *rest.SubscriptionFilters[0].FilterName != "b" || rest.NextToken != nil {
		t.Fatalf("second page %+v, %v", rest, err)
	}
	remove := &api.DeleteSubscriptionFilterInput{LogGroupName: "g", FilterName: "a"}
	if _, err := l.deleteSubscriptionFilter(ctx, remove); err != nil {
		t.Fatal(err)
	}
	if _, err := l.deleteSubscriptionFilter(ctx, remove); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestResourcePoliciesOpenGroupsToServicesAlone(t *testing.T) {
	ctx, l, _ := setup(t)
	document := `{"Version": "2012-10-17", "Statement": {"Sid": "Same", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "logs:PutLogEvents", "Resource": "*"}}`
	if _, err := l.putResourcePolicy(ctx, &api.PutResourcePolicyInput{PolicyName: ptr("p"), PolicyDocument: ptr("{")}); service.Code(err) != "InvalidParameterException" {
		t.Errorf("a malformed document: %v", err)
	}
	for i := range maxPolicies {
		if _, err := l.putResourcePolicy(ctx, &api.PutResourcePolicyInput{PolicyName: ptr(string(rune('a' + i))), PolicyDocument: &document}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.putResourcePolicy(ctx, &api.PutResourcePolicyInput{PolicyName: ptr("z"), PolicyDocument: &document}); service.Code(err) != "LimitExceededException" {
		t.Errorf("one policy too many: %v", err)
	}
	if _, err := l.putResourcePolicy(ctx, &api.PutResourcePolicyInput{PolicyName: ptr("a"), PolicyDocument: &document}); err != nil {
		t.Errorf("one that is there: %v", err)
	}
	out, err := l.describeResourcePolicies(ctx, &api.DescribeResourcePoliciesInput{Limit: ptr(int32(9))})
	if err != nil || len(out.ResourcePolicies) != 9 || out.NextToken == nil || *out.ResourcePolicies[0].PolicyName != "a" {
		t.Fatalf("listed %+v, %v", out, err)
	}
	asService := service.As(ctx, service.ServiceCaller("events.amazonaws.com", "arn", "000000000000"))
	targets, err := l.shared(asService, "none", "group")
	if err != nil || strings.Count(targets[0].Policy, "logs:PutLogEvents") != maxPolicies {
		t.Errorf("target for a service: %+v, %v", targets, err)
	}
	if _, err := iam.Parse(targets[0].Policy, iam.ResourceBased); err != nil {
		t.Errorf("the policies together: %v", err)
	}
	own := service.As(ctx, service.Principal{Kind: service.User, Account: "000000000000"})
	if targets, err = l.shared(own, "none", "group"); err != nil || targets[0].Policy != "" {
		t.Errorf("target for a user: %+v, %v", targets, err)
	}
	if _, err := l.deleteResourcePolicy(ctx, &api.DeleteResourcePolicyInput{PolicyName: ptr("a")}); err != nil {
		t.Error(err)
	}
	if _, err := l.deleteResourcePolicy(ctx, &api.DeleteResourcePolicyInput{PolicyName: ptr("a")}); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestPoliciesOfALogGroupOpenItAlone(t *testing.T) {
	ctx, l, _ := setup(t)
	for _, name := range []string{"g", "h"} {
		if _, err := l.createLogGroup(ctx, &api.CreateLogGroupInput{LogGroupName: name}); err != nil {
			t.Fatal(err)
		}
	}
	resource := ptr("arn:aws:logs:us-east-1:000000000000:log-group:g")
	document := ptr(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "logs:PutLogEvents", "Resource": "*"}}`)
	put, err := l.putResourcePolicy(ctx, &api.PutResourcePolicyInput{ResourceArn: resource, PolicyDocument: document})
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]*api.PutResourcePolicyInput{
		"InvalidParameterException": {ResourceArn: ptr("g"), PolicyDocument: document},
		"ResourceNotFoundException": {ResourceArn: ptr(*resource + "x"), PolicyDocument: document},
		"OperationAbortedException": {ResourceArn: resource, PolicyDocument: document, ExpectedRevisionId: ptr("another")},
	} {
		if _, err := l.putResourcePolicy(ctx, in); service.Code(err) != name {
			t.Errorf("%+v: %v, want %s", in, err, name)
		}
	}
	asService := service.As(ctx, service.ServiceCaller("events.amazonaws.com", "arn", "000000000000"))
	for name, want := range map[string]int{"g": 1, "h": 0} {
		targets, err := l.shared(asService, name, "group")
		if err != nil || strings.Count(targets[0].Policy, "logs:PutLogEvents") != want {
			t.Errorf("target %s for a service: %+v, %v", name, targets, err)
		}
	}
	for _, in := range []*api.DescribeResourcePoliciesInput{{ResourceArn: resource}, {PolicyScope: "RESOURCE"}} {
		out, err := l.describeResourcePolicies(ctx, in)
		if err != nil || len(out.ResourcePolicies) != 1 || *out.ResourcePolicies[0].RevisionId != *put.RevisionId || *out.ResourcePolicies[0].ResourceArn != *resource {
			t.Errorf("described %+v, %v", out, err)
		}
	}
	if _, err := l.deleteResourcePolicy(ctx, &api.DeleteResourcePolicyInput{ResourceArn: resource, ExpectedRevisionId: put.RevisionId}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.deleteResourcePolicy(ctx, &api.DeleteResourcePolicyInput{ResourceArn: resource}); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("deleted twice: %v", err)
	}
}
