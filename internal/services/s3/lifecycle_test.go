package s3

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	eventsapi "lambent.dev/lambent/internal/awsapi/events"
	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

func (f *fixture) rules(rules ...api.LifecycleRule) error {
	_, err := f.putBucketLifecycle(f.ctx(), &api.PutBucketLifecycleConfigurationInput{Bucket: "pictures", LifecycleConfiguration: &api.BucketLifecycleConfiguration{Rules: rules}})
	return err
}

// midnight moves the clock on by some days, and runs the lifecycle job of the bucket.
func (f *fixture) midnight(days int) {
	f.t.Helper()
	f.clock.Advance(time.Duration(days) * day)
	b, err := f.lookUp(f.ctx(), "pictures", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	payload, _ := json.Marshal(bucket{Name: b.Name, ID: b.ID})
	if err := f.expire(f.t.Context(), events.Job{Payload: payload}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) names() (names []string) {
	f.t.Helper()
	out, err := f.listObjectsV2(f.ctx(), &api.ListObjectsV2Input{Bucket: "pictures"})
	if err != nil {
		f.t.Fatal(err)
	}
	for _, o := range out.Contents {
		names = append(names, *o.Key+" "+o.StorageClass)
	}
	return names
}

func days(n int32) *api.LifecycleExpiration { return &api.LifecycleExpiration{Days: &n} }

func TestLifecycleRulesThatCannotBeMeantAreRefused(t *testing.T) {
	f := newFixture(t)
	all := &api.LifecycleRuleFilter{Prefix: ptr("")}
	tagged := &api.LifecycleRuleFilter{Tag: &api.Tag{Key: "a", Value: "b"}}
	for name, c := range map[string]struct {
		rule api.LifecycleRule
		want string
	}{
		"days":              {api.LifecycleRule{Status: "Enabled", Filter: all, Expiration: days(1)}, ""},
		"legacy prefix":     {api.LifecycleRule{Status: "Enabled", Prefix: ptr("a"), Expiration: days(1)}, ""},
		"no days":           {api.LifecycleRule{Status: "Enabled", Filter: all, Expiration: days(0)}, "InvalidArgument"},
		"no action":         {api.LifecycleRule{Status: "Enabled", Filter: all}, "InvalidRequest"},
		"no filter":         {api.LifecycleRule{Status: "Enabled", Expiration: days(1)}, "MalformedXML"},
		"status":            {api.LifecycleRule{Status: "On", Filter: all, Expiration: days(1)}, "MalformedXML"},
		"not midnight":      {api.LifecycleRule{Status: "Enabled", Filter: all, Expiration: &api.LifecycleExpiration{Date: ptr(f.clock.Now())}}, "InvalidArgument"},
		"markers with tags": {api.LifecycleRule{Status: "Enabled", Filter: tagged, Expiration: &api.LifecycleExpiration{ExpiredObjectDeleteMarker: ptr(true)}}, "InvalidRequest"},
		"uploads with tags": {api.LifecycleRule{Status: "Enabled", Filter: tagged, AbortIncompleteMultipartUpload: &api.AbortIncompleteMultipartUpload{DaysAfterInitiation: ptr(int32(1))}}, "InvalidRequest"},
		"too early":         {api.LifecycleRule{Status: "Enabled", Filter: all, Transitions: []api.Transition{{Days: ptr(int32(3)), StorageClass: "STANDARD_IA"}}}, "InvalidArgument"},
		"size range":        {api.LifecycleRule{Status: "Enabled", Filter: &api.LifecycleRuleFilter{And: &api.LifecycleRuleAndOperator{ObjectSizeGreaterThan: ptr(int64(5)), ObjectSizeLessThan: ptr(int64(5))}}, Expiration: days(1)}, "InvalidRequest"},
	} {
		if got := service.Code(f.rules(c.rule)); got != c.want {
			t.Errorf("%s: code is %q, want %q", name, got, c.want)
		}
	}
}

func TestLifecycleExpiresWhatItsFiltersMean(t *testing.T) {
	f := newFixture(t)
	err := f.rules(
		api.LifecycleRule{ID: ptr("logs"), Status: "Enabled", Filter: &api.LifecycleRuleFilter{Prefix: ptr("logs/")}, Expiration: days(2)},
		api.LifecycleRule{ID: ptr("temp"), Status: "Enabled", Filter: &api.LifecycleRuleFilter{Tag: &api.Tag{Key: "temp", Value: "yes"}}, Expiration: days(1)},
		api.LifecycleRule{ID: ptr("big"), Status: "Enabled", Filter: &api.LifecycleRuleFilter{ObjectSizeGreaterThan: ptr(int64(100))}, Transitions: []api.Transition{{Days: ptr(int32(1)), StorageClass: "GLACIER"}}},
		api.LifecycleRule{ID: ptr("off"), Status: "Disabled", Filter: &api.LifecycleRuleFilter{Prefix: ptr("")}, Expiration: days(1)},
	)
	code(t, err, "")
	f.put("keep", []byte("x"))
	f.put("large", pattern(200))
	f.put("logs/a", []byte("x"))
	if _, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: "tagged", Body: strings.NewReader("x"), Tagging: ptr("temp=yes")}); err != nil {
		t.Fatal(err)
	}
	head, err := f.headObject(f.ctx(), &api.HeadObjectInput{Bucket: "pictures", Key: "logs/a"})
	if want := `expiry-date="Sat, 28 Nov 2026 00:00:00 GMT", rule-id="logs"`; err != nil || deref(head.Expiration) != want {
		t.Errorf("the expiration is %q, %v; want %s", deref(head.Expiration), err, want)
	}
	steps := []struct {
		days int
		want []string
	}{
		{0, []string{"keep STANDARD", "large STANDARD", "logs/a STANDARD", "tagged STANDARD"}},
		{1, []string{"keep STANDARD", "large STANDARD", "logs/a STANDARD", "tagged STANDARD"}}, // 12:00: a day has passed, and midnight after it has not
		{1, []string{"keep STANDARD", "large GLACIER", "logs/a STANDARD"}},
		{1, []string{"keep STANDARD", "large GLACIER"}},
		{400, []string{"keep STANDARD", "large GLACIER"}},
	}
	for i, s := range steps {
		f.midnight(s.days)
		if diff := cmp.Diff(s.want, f.names()); diff != "" {
			t.Errorf("step %d: %s", i, diff)
		}
	}
	next := f.clock.Now().Truncate(day).Add(day)
	f.clock.Advance(day)
	if jobs := f.jobs(lifecycleKind); len(jobs) != 1 || !jobs[0].NotBefore.Equal(next) {
		t.Errorf("the next run is %+v", jobs)
	}
}

func TestLifecycleClearsHistoryMarkersAndUploads(t *testing.T) {
	f := newFixture(t)
	f.versioning(versioningEnabled)
	err := f.rules(
		api.LifecycleRule{Status: "Enabled", Filter: &api.LifecycleRuleFilter{Prefix: ptr("")}, NoncurrentVersionExpiration: &api.NoncurrentVersionExpiration{NoncurrentDays: ptr(int32(1)), NewerNoncurrentVersions: ptr(int32(1))}},
		api.LifecycleRule{Status: "Enabled", Filter: &api.LifecycleRuleFilter{Prefix: ptr("m")}, Expiration: &api.LifecycleExpiration{ExpiredObjectDeleteMarker: ptr(true)}},
		api.LifecycleRule{Status: "Enabled", Filter: &api.LifecycleRuleFilter{Prefix: ptr("")}, AbortIncompleteMultipartUpload: &api.AbortIncompleteMultipartUpload{DaysAfterInitiation: ptr(int32(1))}},
	)
	code(t, err, "")
	for i := range 5 {
		f.put("k", fmt.Append(nil, i))
	}
	f.remove("m", nil)
	f.remove("n", nil)
	if _, err := f.createMultipartUpload(f.ctx(), &api.CreateMultipartUploadInput{Bucket: "pictures", Key: "u"}); err != nil {
		t.Fatal(err)
	}
	f.midnight(2)
	var kept []string
	for _, line := range f.history(1000) {
		kept = append(kept, strings.Fields(line)[0])
	}
	if diff := cmp.Diff([]string{"k", "k", "n"}, kept); diff != "" {
		t.Error(diff)
	}
	f.wantBody("k", []byte("4"))
	if out, err := f.listMultipartUploads(f.ctx(), &api.ListMultipartUploadsInput{Bucket: "pictures"}); err != nil || len(out.Uploads) != 0 {
		t.Errorf("uploads left: %+v, %v", out, err)
	}
}

func TestLifecyclePagesThroughManyObjects(t *testing.T) {
	f := newFixture(t)
	for i := range expiryPage + 300 {
		f.put(fmt.Sprintf("%05d", i), nil)
	}
	code(t, f.rules(api.LifecycleRule{Status: "Enabled", Filter: &api.LifecycleRuleFilter{}, Expiration: days(1)}), "")
	f.midnight(3)
	if left := f.names(); left != nil {
		t.Errorf("%d objects are left", len(left))
	}
}

func (f *fixture) replicateTo(name string) {
	f.t.Helper()
	f.versioning(versioningEnabled)
	if _, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: name}); err != nil {
		f.t.Fatal(err)
	}
	in := &api.PutBucketReplicationInput{Bucket: "pictures", ReplicationConfiguration: &api.ReplicationConfiguration{
		Role:  "arn:aws:iam::" + account + ":role/copy",
		Rules: []api.ReplicationRule{{ID: ptr("all"), Status: "Enabled", Priority: ptr(int32(1)), Filter: &api.ReplicationRuleFilter{Prefix: ptr("in/")}, DeleteMarkerReplication: &api.DeleteMarkerReplication{Status: "Enabled"}, Destination: &api.Destination{Bucket: "arn:aws:s3:::" + name}}},
	}}
	_, err := f.putBucketReplication(f.ctx(), in)
	code(f.t, err, "InvalidRequest") // the other bucket has no versions
	_, err = f.putBucketVersioning(f.ctx(), &api.PutBucketVersioningInput{Bucket: name, VersioningConfiguration: &api.VersioningConfiguration{Status: versioningEnabled}})
	code(f.t, err, "")
	_, err = f.putBucketReplication(f.ctx(), in)
	code(f.t, err, "")
}

func TestReplicationCopiesVersionsAndMarkers(t *testing.T) {
	f := newFixture(t)
	f.replicateTo("copies")
	f.put("out/a", []byte("no"))
	put := f.put("in/a", pattern(100_000))
	head, err := f.headObject(f.ctx(), &api.HeadObjectInput{Bucket: "pictures", Key: "in/a"})
	if err != nil || head.ReplicationStatus != replicaPending {
		t.Errorf("before: %+v, %v", head, err)
	}
	run := func() {
		for _, j := range f.jobs(replicaKind) {
			if err := f.copyReplica(t.Context(), j); err != nil {
				t.Fatal(err)
			}
		}
	}
	run()
	for name, want := range map[string]string{"pictures": replicaCompleted, "copies": replica} {
		head, err := f.headObject(f.ctx(), &api.HeadObjectInput{Bucket: name, Key: "in/a"})
		if err != nil || head.ReplicationStatus != want || *head.VersionId != *put.VersionId {
			t.Errorf("%s: %+v, %v", name, head, err)
		}
	}
	f.wantGet(&api.GetObjectInput{Bucket: "copies", Key: "in/a"}, pattern(100_000))
	_, err = f.headObject(f.ctx(), &api.HeadObjectInput{Bucket: "copies", Key: "out/a"})
	code(t, err, "NoSuchKey")
	f.remove("in/a", nil)
	run()
	_, err = f.headObject(f.ctx(), &api.HeadObjectInput{Bucket: "copies", Key: "in/a"})
	code(t, err, "NoSuchKey")
	f.remove("in/a", put.VersionId) // the copy keeps the shared body
	f.wantGet(&api.GetObjectInput{Bucket: "copies", Key: "in/a", VersionId: put.VersionId}, pattern(100_000))
}

func TestReplicationThatIsGivenUpIsTold(t *testing.T) {
	f := newFixture(t)
	f.replicateTo("copies")
	f.put("in/a", []byte("x"))
	f.door.deny = denyARN("arn:aws:s3:::copies/in/a")
	job := f.jobs(replicaKind)[0]
	err := f.copyReplica(t.Context(), job)
	code(t, err, "AccessDenied")
	if err := f.store.Update(t.Context(), func(tx store.Txn) error { return f.replicaGivenUp(t.Context(), tx, job, err) }); err != nil {
		t.Fatal(err)
	}
	head, err := f.headObject(f.ctx(), &api.HeadObjectInput{Bucket: "pictures", Key: "in/a"})
	if err != nil || head.ReplicationStatus != replicaFailed {
		t.Errorf("%+v, %v", head, err)
	}
}

func TestEventsGoToQueuesAndTheBus(t *testing.T) {
	f := newFixture(t)
	queue := "arn:aws:sqs:us-east-1:" + account + ":jobs"
	in := &api.PutBucketNotificationConfigurationInput{Bucket: "pictures", NotificationConfiguration: &api.NotificationConfiguration{
		EventBridgeConfiguration: &api.EventBridgeConfiguration{},
		QueueConfigurations:      []api.QueueConfiguration{{QueueArn: queue, Events: []string{"s3:ObjectCreated:*"}}},
	}}
	f.door.refuse = service.Errorf("AccessDenied", "no")
	_, err := f.putBucketNotificationConfiguration(f.ctx(), in)
	code(t, err, "InvalidArgument")
	f.door.refuse = nil
	_, err = f.putBucketNotificationConfiguration(f.ctx(), in)
	code(t, err, "")
	test, ok := f.door.sent[len(f.door.sent)-1].(*sqs.SendMessageInput)
	if !ok || !strings.Contains(test.MessageBody, `"Event":"s3:TestEvent"`) || !strings.Contains(test.MessageBody, `"Bucket":"pictures"`) {
		t.Errorf("the test event is %+v", f.door.sent)
	}
	f.put("a b", []byte("hello"))
	f.door.sent = nil
	for _, j := range f.jobs("s3-event") {
		_ = f.deliveries.Kind().Handle(t.Context(), j) // the bus of this test answers nothing, which is an error
	}
	var bodies []string
	for _, in := range f.door.sent {
		switch in := in.(type) {
		case *sqs.SendMessageInput:
			bodies = append(bodies, in.MessageBody)
		case *eventsapi.PutEventsInput:
			bodies = append(bodies, *in.Entries[0].DetailType+" "+*in.Entries[0].Source+" "+*in.Entries[0].Detail)
		}
	}
	if len(bodies) != 2 || !strings.Contains(bodies[0], `"key":"a+b"`) || !strings.HasPrefix(bodies[1], `Object Created aws.s3 {`) || !strings.Contains(bodies[1], `"object":{"key":"a b","size":5`) {
		t.Errorf("sent %q", bodies)
	}
}

func TestConfigurationsAreListedInPages(t *testing.T) {
	f := newFixture(t)
	for i := range configurationsPage + 5 {
		id := fmt.Sprintf("%03d", i)
		_, err := f.putBucketMetrics(f.ctx(), &api.PutBucketMetricsConfigurationInput{Bucket: "pictures", Id: id, MetricsConfiguration: &api.MetricsConfiguration{Id: id}})
		code(t, err, "")
	}
	one, err := f.listBucketMetrics(f.ctx(), &api.ListBucketMetricsConfigurationsInput{Bucket: "pictures"})
	if err != nil || len(one.MetricsConfigurationList) != configurationsPage || !*one.IsTruncated {
		t.Fatalf("%+v, %v", one, err)
	}
	two, err := f.listBucketMetrics(f.ctx(), &api.ListBucketMetricsConfigurationsInput{Bucket: "pictures", ContinuationToken: one.NextContinuationToken})
	if err != nil || len(two.MetricsConfigurationList) != 5 || two.MetricsConfigurationList[0].Id != "100" {
		t.Errorf("%+v, %v", two, err)
	}
	_, err = f.deleteBucketMetrics(f.ctx(), &api.DeleteBucketMetricsConfigurationInput{Bucket: "pictures", Id: "000"})
	code(t, err, "")
	_, err = f.getBucketMetrics(f.ctx(), &api.GetBucketMetricsConfigurationInput{Bucket: "pictures", Id: "000"})
	code(t, err, "NoSuchConfiguration")
}

func TestOthersMustSayThatTheyPay(t *testing.T) {
	f := newFixture(t)
	_, err := f.putBucketRequestPayment(f.ctx(), &api.PutBucketRequestPaymentInput{Bucket: "pictures", RequestPaymentConfiguration: &api.RequestPaymentConfiguration{Payer: requesterPays}})
	code(t, err, "")
	_, err = f.objectTarget(f.ctx(), "pictures", "k", nil)
	code(t, err, "")
	other := func(payer string) error {
		ctx := service.WithRequest(t.Context(), &service.Request{ID: "o", Principal: service.Principal{Kind: service.Root, Account: "111111111111"}, HTTP: &service.HTTPRequest{Header: func(string) string { return payer }}})
		_, err := f.objectTarget(ctx, "pictures", "k", nil)
		return err
	}
	code(t, other(""), "AccessDenied")
	code(t, other("requester"), "")
}
