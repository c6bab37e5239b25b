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

	"github.com/google/go-cmp/cmp"

	firehoseapi "lambent.dev/lambent/internal/awsapi/firehose"
	api "lambent.dev/lambent/internal/awsapi/logs"
	s3api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
)

const busARN = "arn:aws:events:us-east-1:000000000000:event-bus/orders"

// ends is a door behind which are log groups, a bucket and a delivery stream.
type ends struct {
	port.DeliveryStreams

	logs *Logs

	mu      sync.Mutex // guards the fields below
	closed  bool       // log groups are closed to deliveries until a resource policy opens them
	policy  string     // of the bucket
	tags    []string   // of the delivery stream
	arrived chan string
	missing bool // the bus
}

func (d *ends) Allow(context.Context, service.Target) error { return nil }

func (d *ends) Exists(context.Context, string) (bool, error) { return !d.missing, nil }

func (d *ends) Put(_ store.Txn, stream string, data []byte) error {
	d.arrived <- stream + " " + string(data)
	return nil
}

func (d *ends) Call(ctx context.Context, _, operation string, in any) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delivering := service.RequestFrom(ctx).Principal.Service == deliveryPrincipal
	switch in := in.(type) {
	case *api.CreateLogStreamInput:
		if delivering && d.closed {
			return nil, service.Errorf("AccessDeniedException", "closed")
		}
		return d.logs.createLogStream(ctx, in)
	case *api.PutLogEventsInput:
		out, err := d.logs.putLogEvents(ctx, in)
		if err == nil {
			for _, e := range in.LogEvents {
				d.arrived <- in.LogStreamName + " " + e.Message
			}
		}
		return out, err
	case *api.DescribeResourcePoliciesInput:
		return d.logs.describeResourcePolicies(ctx, in)
	case *api.PutResourcePolicyInput:
		d.closed = false
		return d.logs.putResourcePolicy(ctx, in)
	case *s3api.GetBucketPolicyInput:
		if d.policy == "" {
			return nil, service.Errorf("NoSuchBucketPolicy", "none")
		}
		return &s3api.GetBucketPolicyOutput{Policy: &d.policy}, nil
	case *s3api.PutBucketPolicyInput:
		d.policy = in.Policy
		return &s3api.PutBucketPolicyOutput{}, nil
	case *s3api.PutObjectInput:
		z, err := gzip.NewReader(in.Body)
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(z)
		d.arrived <- in.ACL + " " + in.Key + "\n" + string(b)
		return &s3api.PutObjectOutput{}, err
	case *firehoseapi.TagDeliveryStreamInput:
		d.tags = append(d.tags, in.Tags[0].Key+"="+*in.Tags[0].Value)
		return &firehoseapi.TagDeliveryStreamOutput{}, nil
	}
	return nil, errors.New("unexpected call of " + operation)
}

// next returns what is delivered next. The clock moves on until then: a job may be planned after the clock was moved for it.
func (d *ends) next(t *testing.T, c *clock.Fake) string {
	t.Helper()
	for range 3000 {
		select {
		case s := <-d.arrived:
			return s
		case <-time.After(10 * time.Millisecond):
			c.Advance(time.Second)
		}
	}
	t.Fatal("nothing was delivered")
	return ""
}

// vending returns the service with its jobs running, a source of the bus, and the clock.
func vending(t *testing.T) (context.Context, *Logs, *ends, *clock.Fake) {
	t.Helper()
	door := &ends{arrived: make(chan string, 64)}
	st, c := mem.New(), clock.NewFake(start)
	deps := service.Deps{Store: st, Clock: c, Random: rand.NewChaCha8([32]byte{4}), Log: slog.New(slog.DiscardHandler), Door: door}
	svc, l := New(deps, Options{Roles: passable{}, Sender: deliver.New(deps, passable{}), Logged: door, Streams: door})
	door.logs = l
	jobs := events.New(st, c, deps.Log)
	if err := jobs.Register(svc.Jobs...); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(svc.Start(t.Context()), jobs.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(svc.Close(context.Background()), jobs.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	})
	ctx := service.WithRequest(t.Context(), &service.Request{ID: "r", Account: "000000000000", Region: "us-east-1"})
	if _, err := l.putDeliverySource(ctx, &api.PutDeliverySourceInput{Name: "of-bus", ResourceArn: busARN, LogType: "INFO_LOGS"}); err != nil {
		t.Fatal(err)
	}
	return ctx, l, door, c
}

// connect delivers the logs of the bus to a resource.
func connect(t *testing.T, ctx context.Context, l *Logs, resource, format string, more func(in *api.CreateDeliveryInput)) string {
	t.Helper()
	name := "to-" + format
	to, err := l.putDeliveryDestination(ctx, &api.PutDeliveryDestinationInput{Name: name, OutputFormat: format, DeliveryDestinationConfiguration: &api.DeliveryDestinationConfiguration{DestinationResourceArn: resource}})
	if err != nil {
		t.Fatal(err)
	}
	in := &api.CreateDeliveryInput{DeliverySourceName: "of-bus", DeliveryDestinationArn: *to.DeliveryDestination.Arn}
	if more != nil {
		more(in)
	}
	d, err := l.createDelivery(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	return *d.Delivery.Id
}

// logStep has the bus log a step.
func logStep(t *testing.T, ctx context.Context, l *Logs, logType, step string) {
	t.Helper()
	var fields []port.LogField
	for _, f := range [][2]string{{"resource_arn", `"` + busARN + `"`}, {"message_timestamp_ms", "5"}, {"message_type", `"` + step + `"`}, {"details", `{"a":"b"}`}} {
		fields = append(fields, port.LogField{Name: f[0], Value: json.RawMessage(f[1])})
	}
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		return l.Vend(tx, "000000000000", "us-east-1", busARN, logType, l.deps.Clock.Now(), fields)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLogsAreDeliveredToALogGroup(t *testing.T) {
	ctx, l, door, c := vending(t)
	door.closed = true
	if _, err := l.createLogGroup(ctx, &api.CreateLogGroupInput{LogGroupName: "/bus"}); err != nil {
		t.Fatal(err)
	}
	id := connect(t, ctx, l, "arn:aws:logs:us-east-1:000000000000:log-group:/bus:*", "json", nil)
	policies, err := l.describeResourcePolicies(ctx, &api.DescribeResourcePoliciesInput{})
	if err != nil || len(policies.ResourcePolicies) != 1 || !strings.Contains(*policies.ResourcePolicies[0].PolicyDocument, "log-group:/bus:log-stream:*") {
		t.Fatalf("policies %+v, %v", policies, err)
	}
	logStep(t, ctx, l, "INFO_LOGS", "ONE")
	logStep(t, ctx, l, "ERROR_LOGS", "OTHER")
	logStep(t, ctx, l, "INFO_LOGS", "TWO")
	c.Advance(2 * time.Second)
	for _, step := range []string{"ONE", "TWO"} {
		if want, got := `EventBridgeEventBusLogs {"resource_arn":"`+busARN+`","message_timestamp_ms":5,"message_type":"`+step+`","details":{"a":"b"}}`, door.next(t, c); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if _, err := l.updateDeliveryConfiguration(ctx, &api.UpdateDeliveryConfigurationInput{Id: id, RecordFields: []string{"message_timestamp_ms", "resource_arn"}}); err != nil {
		t.Fatal(err)
	}
	logStep(t, ctx, l, "INFO_LOGS", "THREE")
	c.Advance(2 * time.Second)
	if want, got := `EventBridgeEventBusLogs {"message_timestamp_ms":5,"resource_arn":"`+busARN+`"}`, door.next(t, c); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLogsAreDeliveredToABucket(t *testing.T) {
	ctx, l, door, c := vending(t)
	door.policy = `{"Version":"2012-10-17","Statement":{"Sid":"mine","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::kept/*"}}`
	connect(t, ctx, l, "arn:aws:s3:::kept/all", "w3c", func(in *api.CreateDeliveryInput) {
		in.RecordFields, in.FieldDelimiter = []string{"resource_arn", "message_timestamp_ms", "message_type", "error", "details"}, ptr("|")
		in.S3DeliveryConfiguration = &api.S3DeliveryConfiguration{SuffixPath: ptr("{event-bus}/{yyyy}/{MM}/x"), EnableHiveCompatiblePath: ptr(true)}
	})
	if !strings.Contains(door.policy, `"Sid":"mine"`) || !strings.Contains(door.policy, deliveryPrincipal) {
		t.Errorf("the policy of the bucket is %s", door.policy)
	}
	logStep(t, ctx, l, "INFO_LOGS", "ONE")
	logStep(t, ctx, l, "INFO_LOGS", "TWO")
	c.Advance(5 * time.Minute)
	head, body, _ := strings.Cut(door.next(t, c), "\n")
	if want := "bucket-owner-full-control all/AWSLogs/000000000000/EventBusLogs/event-bus=orders/year=2026/month=11/x/000000000000_EventBusLogs_us-east-1_orders_20261125T1200Z_"; !strings.HasPrefix(head, want) {
		t.Errorf("object %s, want %s…", head, want)
	}
	want := "#Version: 1.0\n#Fields: resource_arn message_timestamp_ms message_type error details\n" + busARN + `|5|ONE|-|{"a":"b"}` + "\n" + busARN + `|5|TWO|-|{"a":"b"}` + "\n"
	if d := cmp.Diff(want, body); d != "" {
		t.Error(d)
	}
}

func TestLogsAreDeliveredToADeliveryStream(t *testing.T) {
	ctx, l, door, c := vending(t)
	stream := "arn:aws:firehose:us-east-1:000000000000:deliverystream/lines"
	connect(t, ctx, l, stream, "plain", func(in *api.CreateDeliveryInput) { in.RecordFields = []string{"resource_arn", "message_timestamp_ms"} })
	if d := cmp.Diff([]string{"LogDeliveryEnabled=true"}, door.tags); d != "" {
		t.Error(d)
	}
	logStep(t, ctx, l, "INFO_LOGS", "ONE")
	c.Advance(2 * time.Second)
	if got, want := door.next(t, c), stream+" "+busARN+"\t5\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPartsOfDeliveriesAreRefused(t *testing.T) {
	ctx, l, door, _ := vending(t)
	connect(t, ctx, l, "arn:aws:s3:::kept", "json", nil)
	source := func(name, resource, kind string) error {
		_, err := l.putDeliverySource(ctx, &api.PutDeliverySourceInput{Name: name, ResourceArn: resource, LogType: kind})
		return err
	}
	destination := func(name, resource, format string) error {
		_, err := l.putDeliveryDestination(ctx, &api.PutDeliveryDestinationInput{Name: name, OutputFormat: format, DeliveryDestinationConfiguration: &api.DeliveryDestinationConfiguration{DestinationResourceArn: resource}})
		return err
	}
	deliver := func(change func(in *api.CreateDeliveryInput)) error {
		in := &api.CreateDeliveryInput{DeliverySourceName: "of-bus", DeliveryDestinationArn: "arn:aws:logs:us-east-1:000000000000:delivery-destination:other"}
		change(in)
		_, err := l.createDelivery(ctx, in)
		return err
	}
	if err := destination("other", "arn:aws:s3:::other", ""); err != nil {
		t.Fatal(err)
	}
	group := "arn:aws:logs:us-east-1:000000000000:log-group:/bus"
	for name, test := range map[string]struct {
		err  error
		code string
	}{
		"a resource without logs":    {source("s", "arn:aws:sqs:us-east-1:000000000000:q", "INFO_LOGS"), "ValidationException"},
		"a type that is none":        {source("s", busARN, "ACCESS_LOGS"), "ValidationException"},
		"another region":             {source("s", strings.Replace(busARN, "us-east-1", "eu-west-1", 1), "INFO_LOGS"), "ValidationException"},
		"two sources of one log":     {source("s", busARN, "INFO_LOGS"), "ConflictException"},
		"a format of other types":    {destination("d", group, "w3c"), "ValidationException"},
		"parquet":                    {destination("d", "arn:aws:s3:::kept", "parquet"), "ValidationException"},
		"a format that changes":      {destination("to-json", "arn:aws:s3:::kept", "plain"), "ConflictException"},
		"a type that changes":        {destination("to-json", group, ""), "ConflictException"},
		"a destination that is none": {destination("d", "arn:aws:sqs:us-east-1:000000000000:q", ""), "ValidationException"},
		"a missing source":           {deliver(func(in *api.CreateDeliveryInput) { in.DeliverySourceName = "none" }), "ResourceNotFoundException"},
		"a missing destination":      {deliver(func(in *api.CreateDeliveryInput) { in.DeliveryDestinationArn += "s" }), "ResourceNotFoundException"},
		"a field that is none":       {deliver(func(in *api.CreateDeliveryInput) { in.RecordFields = []string{"colour"} }), "ValidationException"},
		"a field that is missing":    {deliver(func(in *api.CreateDeliveryInput) { in.RecordFields = []string{"details"} }), "ValidationException"},
		"a variable that is none": {deliver(func(in *api.CreateDeliveryInput) {
			in.S3DeliveryConfiguration = &api.S3DeliveryConfiguration{SuffixPath: ptr("{week}")}
		}), "ValidationException"},
		"the same delivery again": {deliver(func(in *api.CreateDeliveryInput) {
			in.DeliveryDestinationArn = strings.Replace(in.DeliveryDestinationArn, "other", "to-json", 1)
		}), "ConflictException"},
	} {
		if service.Code(test.err) != test.code {
			t.Errorf("%s: %v, want %s", name, test.err, test.code)
		}
	}
	_, err := l.deleteDeliverySource(ctx, &api.DeleteDeliverySourceInput{Name: "of-bus"})
	_, err2 := l.deleteDeliveryDestination(ctx, &api.DeleteDeliveryDestinationInput{Name: "to-json"})
	if service.Code(err) != "ConflictException" || service.Code(err2) != "ConflictException" {
		t.Errorf("deleting the ends of a delivery: %v, %v", err, err2)
	}
	door.missing = true
	if got, err := l.getDeliverySource(ctx, &api.GetDeliverySourceInput{Name: "of-bus"}); err != nil || got.DeliverySource.StatusReason != "RESOURCE_DELETED" {
		t.Errorf("the source of a bus that is gone: %+v %v", got, err)
	}
	if err := source("s", busARN, "TRACE_LOGS"); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("a bus that is gone: %v", err)
	}
}

func TestDeliveriesAreListedAndDeleted(t *testing.T) {
	ctx, l, _, _ := vending(t)
	ids := []string{connect(t, ctx, l, "arn:aws:s3:::kept", "json", nil), connect(t, ctx, l, "arn:aws:s3:::kept", "plain", nil)}
	page, err := l.describeDeliveries(ctx, &api.DescribeDeliveriesInput{Limit: ptr(int32(1))})
	if err != nil {
		t.Fatal(err)
	}
	rest, err := l.describeDeliveries(ctx, &api.DescribeDeliveriesInput{NextToken: page.NextToken})
	if err != nil || len(page.Deliveries) != 1 || len(rest.Deliveries) != 1 || rest.NextToken != nil {
		t.Fatalf("pages %+v and %+v, %v", page, rest, err)
	}
	logStep(t, ctx, l, "INFO_LOGS", "ONE")
	for _, id := range ids {
		if _, err := l.deleteDelivery(ctx, &api.DeleteDeliveryInput{Id: id}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.getDelivery(ctx, &api.GetDeliveryInput{Id: ids[0]}); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("after its deletion: %v", err)
	}
	if _, err := l.deleteDeliverySource(ctx, &api.DeleteDeliverySourceInput{Name: "of-bus"}); err != nil {
		t.Error(err)
	}
	all, err := l.describeConfigurationTemplates(ctx, &api.DescribeConfigurationTemplatesInput{LogTypes: []string{"ERROR_LOGS"}, DeliveryDestinationTypes: []string{"S3", "CWL"}})
	if err != nil || len(all.ConfigurationTemplates) != 2 || !bytes.Contains([]byte(strings.Join(all.ConfigurationTemplates[1].AllowedSuffixPathFields, " ")), []byte("event-bus")) {
		t.Errorf("templates %+v %v", all, err)
	}
}
