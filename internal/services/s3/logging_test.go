package s3

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// logTo turns the access log of the bucket on, to a bucket that is made for it.
func (f *fixture) logTo(c api.LoggingEnabled) {
	f.t.Helper()
	if _, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: c.TargetBucket}); err != nil {
		f.t.Fatal(err)
	}
	if err := f.putLogging(&c); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) putLogging(c *api.LoggingEnabled) error {
	_, err := f.putBucketLogging(f.ctx(), &api.PutBucketLoggingInput{Bucket: "pictures", BucketLoggingStatus: &api.BucketLoggingStatus{LoggingEnabled: c}})
	return err
}

// exchange tells the service of a request that was answered, and waits until its records are stored.
func (f *fixture) exchange(e *service.Exchange) {
	f.t.Helper()
	f.answered(e)
	f.flush()
}

func (f *fixture) flush() {
	f.t.Helper()
	f.records.start()
	f.records.close()
	f.records = newAccessLog(f.Service)
}

// getExchange is a signed request for an object.
func (f *fixture) getExchange(object string) *service.Exchange {
	req := *service.RequestFrom(f.ctx())
	req.Operation, req.Time, req.UserAgent, req.SourceIP = "GetObject", f.clock.Now(), `agent "x"`, netip.MustParseAddr("127.0.0.1")
	headers := http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=x"}, "Referer": {"http://a/\n"}}
	target := "/pictures/" + escapeKey(object)
	req.HTTP = &service.HTTPRequest{Method: "GET", RawTarget: target, Host: "127.0.0.1:4566", Header: headers.Get}
	return &service.Exchange{
		Request: &req, RawPath: target, Protocol: "HTTP/1.1", Status: 200, Bytes: 12, Duration: 5 * time.Millisecond,
		In: &api.GetObjectInput{Bucket: "pictures", Key: object}, Out: &api.GetObjectOutput{ContentLength: ptr(int64(12)), ContentRange: ptr("bytes 0-11/40"), VersionId: ptr("v1")},
	}
}

// delivered runs the deliveries that are due after some time, until one of pictures has ended, and returns what the target bucket holds then.
func (f *fixture) delivered(target string) (all []*version, keys []string) {
	f.t.Helper()
	q := events.New(f.store, f.clock, f.log)
	done := make(chan error, 1)
	kind := events.Kind{Name: logKind, Exhausted: f.logsDropped, MaxAge: logAge, Handle: func(ctx context.Context, j events.Job) error {
		err := f.deliverLogs(ctx, j)
		done <- err
		return err
	}}
	if err := q.Register(kind); err != nil {
		f.t.Fatal(err)
	}
	f.clock.Advance(logDelay)
	if err := q.Start(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	<-done
	if err := q.Close(); err != nil {
		f.t.Fatal(err)
	}
	err := f.store.View(f.t.Context(), func(r store.Reader) error {
		b, err := findBucket(r, target, nil)
		if err != nil {
			return err
		}
		for p, err := range r.Range(b.row("ver").Span()) {
			if err != nil {
				return err
			}
			v, err := decodeVersion(bytes.Clone(p.Value))
			if err != nil {
				return err
			}
			all, keys = append(all, v), append(keys, key.Decode(p.Key).Skip(b.row("ver")).Str())
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return all, keys
}

// waiting is how many rows of records wait for their delivery.
func (f *fixture) waiting() (n int) {
	f.t.Helper()
	err := f.store.View(f.t.Context(), func(r store.Reader) error {
		b, err := findBucket(r, "pictures", nil)
		if err != nil {
			return err
		}
		for _, err := range r.Range(b.row("log").Span()) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

func TestAccessLogHasARecordOfEachRequest(t *testing.T) {
	f := newFixture(t)
	f.logTo(api.LoggingEnabled{TargetBucket: "logs", TargetPrefix: "web-"})
	e := f.getExchange("a \"b\"")
	e.TLS = &tls.ConnectionState{Version: tls.VersionTLS12, CipherSuite: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	f.exchange(e)
	unknown := f.getExchange("x")
	unknown.In, unknown.Out, unknown.Status, unknown.Code, unknown.Bytes = nil, nil, 403, "AccessDenied", 200
	unknown.Request.Principal, unknown.Request.HTTP.RawTarget = service.Principal{}, "/pictures/x?X-Amz-Signature=abc&versionId=v%201&X-Amz-Security-Token=t"
	unknown.Request.HTTP.Header = http.Header{}.Get
	f.exchange(unknown)
	all, keys := f.delivered("logs")
	if len(all) != 1 || f.waiting() != 0 {
		t.Fatalf("%d objects in the target and %d rows left, want one and none", len(all), f.waiting())
	}
	if !strings.HasPrefix(keys[0], "web-2026-11-25-12-05-00-") || len(keys[0]) != len("web-2026-11-25-12-05-00-")+16 {
		t.Errorf("key is %s", keys[0])
	}
	want := canonicalID(account) + ` pictures [25/Nov/2026:12:00:00 +0000] 127.0.0.1 ` + canonicalID(account) + ` req-1 REST.GET.OBJECT a%20%22b%22 "GET /pictures/a%20%22b%22 HTTP/1.1"` +
		` 200 - 12 40 5 - "http://a/%0A" "agent %22x%22" v1 req-1 SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader 127.0.0.1:4566 TLSv1.2 - -` + "\n" +
		canonicalID(account) + ` pictures [25/Nov/2026:12:00:00 +0000] 127.0.0.1 - req-1 REST.GET.OBJECT x "GET /pictures/x?X-Amz-Signature=REDACTED&versionId=v%201&X-Amz-Security-Token=REDACTED HTTP/1.1"` +
		` 403 AccessDenied 200 - 5 - "-" "agent %22x%22" v%201 req-1 SigV4 - QueryString 127.0.0.1:4566 - - -` + "\n"
	if diff := cmp.Diff(want, string(all[0].inline)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestAccessLogIsPartitionedByTheTimeOfItsRecords(t *testing.T) {
	f := newFixture(t)
	f.logTo(api.LoggingEnabled{TargetBucket: "logs", TargetObjectKeyFormat: &api.TargetObjectKeyFormat{PartitionedPrefix: &api.PartitionedPrefix{PartitionDateSource: byEventTime}}})
	f.exchange(f.getExchange("a"))
	late := f.getExchange("b")
	late.Request.Time = f.clock.Now().Add(24 * time.Hour)
	f.exchange(late)
	_, keys := f.delivered("logs")
	if len(keys) != 2 || !strings.HasPrefix(keys[0], account+"/us-east-1/pictures/2026/11/25/2026-11-25-00-00-00-") || !strings.HasPrefix(keys[1], account+"/us-east-1/pictures/2026/11/26/2026-11-26-00-00-00-") {
		t.Errorf("keys are %v", keys)
	}
}

func TestAccessLogTellsOfEveryKeyOfACall(t *testing.T) {
	f := newFixture(t)
	f.logTo(api.LoggingEnabled{TargetBucket: "logs"})
	batch := f.getExchange("")
	batch.Request.Operation, batch.Request.HTTP.Method = "DeleteObjects", "POST"
	batch.In = &api.DeleteObjectsInput{Bucket: "pictures", Delete: &api.Delete{Objects: []api.ObjectIdentifier{{Key: "a"}, {Key: "b"}}}}
	batch.Out = &api.DeleteObjectsOutput{Errors: []api.Error{{Key: ptr("b"), Code: ptr("AccessDenied")}}}
	f.exchange(batch)
	copied := f.getExchange("to")
	copied.Request.Operation, copied.In, copied.Out = "CopyObject", &api.CopyObjectInput{Bucket: "pictures", Key: "to", CopySource: "pictures/from"}, nil
	f.exchange(copied)
	all, _ := f.delivered("logs")
	if len(all) != 1 {
		t.Fatalf("%d objects, want one", len(all))
	}
	var got []string
	for line := range strings.Lines(string(all[0].inline)) {
		fields := strings.Fields(line)
		got = append(got, strings.Join([]string{fields[7], fields[8], fields[12], fields[13]}, " "))
	}
	want := []string{
		"REST.POST.MULTI_OBJECT_DELETE - 200 -", "BATCH.DELETE.OBJECT a 204 -", "BATCH.DELETE.OBJECT b 403 AccessDenied", "REST.COPY.OBJECT_GET from 200 -", "REST.COPY.OBJECT to 200 -",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestAccessLogTellsOfWebsites(t *testing.T) {
	f := newFixture(t)
	f.logTo(api.LoggingEnabled{TargetBucket: "logs"})
	site := &api.WebsiteConfiguration{IndexDocument: &api.IndexDocument{Suffix: "index.html"}}
	if _, err := f.putBucketWebsite(f.ctx(), &api.PutBucketWebsiteInput{Bucket: "pictures", WebsiteConfiguration: site}); err != nil {
		t.Fatal(err)
	}
	const target = "/_aws/s3-website/pictures/missing"
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.RequestURI = target
	rec := front.Record(httptest.NewRecorder(), &front.Recorder{})
	plane, v := &websitePlane{f.Service}, &visit{s: f.Service, w: rec, r: r}
	plane.visit(v, "pictures", "/missing")
	v.record(rec)
	f.flush()
	all, _ := f.delivered("logs")
	if len(all) != 1 || !strings.Contains(string(all[0].inline), ` WEBSITE.GET.OBJECT missing "GET /_aws/s3-website/pictures/missing HTTP/1.1" 404 NoSuchKey `) {
		t.Errorf("log is %d objects", len(all))
	}
}

func TestAccessLogTellsOfForms(t *testing.T) {
	f := newFixture(t)
	f.logTo(api.LoggingEnabled{TargetBucket: "logs"})
	e := f.getExchange("")
	e.Request.Operation, e.Request.HTTP.Method = "PostObject", "POST"
	e.In, e.Out = &api.PutObjectInput{Bucket: "pictures", Key: "in/cat.png"}, nil
	f.exchange(e)
	all, _ := f.delivered("logs")
	if len(all) != 1 || !strings.Contains(string(all[0].inline), " REST.POST.OBJECT in/cat.png ") {
		t.Errorf("log is %d objects", len(all))
	}
}

func TestAccessLogTellsOfLifecycleRules(t *testing.T) {
	f := newFixture(t)
	f.logTo(api.LoggingEnabled{TargetBucket: "logs"})
	f.put("old", []byte("xyz"))
	if err := f.rules(api.LifecycleRule{ID: ptr("r"), Status: "Enabled", Filter: &api.LifecycleRuleFilter{Prefix: ptr("")}, Expiration: days(1)}); err != nil {
		t.Fatal(err)
	}
	f.midnight(2)
	f.flush()
	all, _ := f.delivered("logs")
	if len(all) != 1 || !strings.Contains(string(all[0].inline), " S3.EXPIRE.OBJECT old ") || !strings.Contains(string(all[0].inline), " AmazonS3 ") {
		t.Errorf("log is %d objects", len(all))
	}
}

func TestAccessLogIsWrittenAsItsServiceMay(t *testing.T) {
	f := newFixture(t)
	f.logTo(api.LoggingEnabled{TargetBucket: "logs"})
	var asked []string
	f.door.deny = func(ctx context.Context, target service.Target) bool {
		p := service.RequestFrom(ctx).Principal
		if p.Kind == service.ServicePrincipal {
			asked = append(asked, p.Service+" "+p.SourceARN+" "+p.SourceAccount+" "+target.Action)
		}
		return true
	}
	f.exchange(f.getExchange("a"))
	if all, _ := f.delivered("logs"); len(all) != 0 || f.waiting() != 0 {
		t.Errorf("%d objects and %d rows, want that the log is dropped", len(all), f.waiting())
	}
	if want := []string{"logging.s3.amazonaws.com arn:aws:s3:::pictures " + account + " s3:PutObject"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	f.door.deny = nil
	f.exchange(f.getExchange("b"))
	if all, _ := f.delivered("logs"); len(all) != 1 {
		t.Errorf("%d objects after the target was opened, want one", len(all))
	}
}

func TestAccessLogGrantsItsObjects(t *testing.T) {
	f := newFixture(t)
	if _, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "logs", ObjectOwnership: objectWriter, ACL: "log-delivery-write"}); err != nil {
		t.Fatal(err)
	}
	reader := strings.Repeat("a", 64)
	grants := []api.TargetGrant{{Grantee: &api.Grantee{Type: "CanonicalUser", ID: &reader}, Permission: "READ"}}
	if err := f.putLogging(&api.LoggingEnabled{TargetBucket: "logs", TargetGrants: grants}); err != nil {
		t.Fatal(err)
	}
	f.exchange(f.getExchange("a"))
	all, _ := f.delivered("logs")
	want := []grant{{ID: canonicalID(account), Permission: "FULL_CONTROL"}, {ID: reader, Permission: "READ"}}
	if len(all) != 1 || !slices.Equal(all[0].ACL, want) {
		t.Errorf("lists are %v, want %v", all, want)
	}
}

func TestLoggingThatEndsLeavesWhatWasRecorded(t *testing.T) {
	f := newFixture(t)
	f.logTo(api.LoggingEnabled{TargetBucket: "logs"})
	f.exchange(f.getExchange("a"))
	if err := f.putLogging(nil); err != nil {
		t.Fatal(err)
	}
	f.exchange(f.getExchange("b"))
	all, _ := f.delivered("logs")
	if len(all) != 1 || strings.Contains(string(all[0].inline), "/pictures/b") {
		t.Errorf("the log has %v, want the first request alone", all)
	}
	if out, err := f.getBucketLogging(f.ctx(), &api.GetBucketLoggingInput{Bucket: "pictures"}); err != nil || out.LoggingEnabled != nil {
		t.Errorf("logging is %v, %v", out, err)
	}
}

func TestLoggingTargetsThatCannotServeAreRefused(t *testing.T) {
	f := newFixture(t)
	ctx := f.ctx()
	for _, in := range []*api.CreateBucketInput{
		{Bucket: "plain"},
		{Bucket: "far", CreateBucketConfiguration: &api.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}},
		{Bucket: "lists", ObjectOwnership: objectWriter},
		{Bucket: "paid"},
		{Bucket: "kept", ObjectLockEnabledForBucket: ptr(true)},
	} {
		if _, err := f.createBucket(ctx, in); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.putBucketRequestPayment(ctx, &api.PutBucketRequestPaymentInput{Bucket: "paid", RequestPaymentConfiguration: &api.RequestPaymentConfiguration{Payer: requesterPays}}); err != nil {
		t.Fatal(err)
	}
	kept := &api.ObjectLockConfiguration{ObjectLockEnabled: "Enabled", Rule: &api.ObjectLockRule{DefaultRetention: &api.DefaultRetention{Mode: "GOVERNANCE", Days: ptr(int32(1))}}}
	if _, err := f.putObjectLockConfiguration(ctx, &api.PutObjectLockConfigurationInput{Bucket: "kept", ObjectLockConfiguration: kept}); err != nil {
		t.Fatal(err)
	}
	f.door.deny = func(context.Context, service.Target) bool { return true }
	grants := []api.TargetGrant{{Grantee: &api.Grantee{Type: "Group", URI: ptr(authenticatedUsers)}, Permission: "READ"}}
	both := &api.TargetObjectKeyFormat{SimplePrefix: &api.SimplePrefix{}, PartitionedPrefix: &api.PartitionedPrefix{}}
	for name, c := range map[string]struct {
		to   api.LoggingEnabled
		want string
	}{
		"missing":            {api.LoggingEnabled{TargetBucket: "nowhere"}, "InvalidTargetBucketForLogging"},
		"other region":       {api.LoggingEnabled{TargetBucket: "far"}, "CrossLocationLoggingProhibitted"},
		"no grant":           {api.LoggingEnabled{TargetBucket: "lists"}, "InvalidTargetBucketForLogging"},
		"requester pays":     {api.LoggingEnabled{TargetBucket: "paid"}, "InvalidTargetBucketForLogging"},
		"retention":          {api.LoggingEnabled{TargetBucket: "kept"}, "InvalidTargetBucketForLogging"},
		"grants, no lists":   {api.LoggingEnabled{TargetBucket: "plain", TargetGrants: grants}, "AccessControlListNotSupported"},
		"unknown permission": {api.LoggingEnabled{TargetBucket: "plain", TargetGrants: []api.TargetGrant{{Grantee: grants[0].Grantee, Permission: "READ_ACP"}}}, "MalformedXML"},
		"two formats":        {api.LoggingEnabled{TargetBucket: "plain", TargetObjectKeyFormat: both}, "MalformedXML"},
		"unknown date":       {api.LoggingEnabled{TargetBucket: "plain", TargetObjectKeyFormat: &api.TargetObjectKeyFormat{PartitionedPrefix: &api.PartitionedPrefix{PartitionDateSource: "Noon"}}}, "MalformedXML"},
		"long prefix":        {api.LoggingEnabled{TargetBucket: "plain", TargetPrefix: strings.Repeat("x", 1025)}, "KeyTooLongError"},
		"itself":             {api.LoggingEnabled{TargetBucket: "pictures"}, ""},
	} {
		if got := service.Code(f.putLogging(&c.to)); got != c.want {
			t.Errorf("%s: code is %q, want %q", name, got, c.want)
		}
	}
}

func TestAccessLogDropsWhatTheStoreDoesNotTake(t *testing.T) {
	f := newFixture(t)
	f.logTo(api.LoggingEnabled{TargetBucket: "logs"})
	b, err := f.lookUp(f.ctx(), "pictures", nil)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 1<<20)
	for range maxLogWaiting>>20 + 3 {
		f.records.add(logRecord{b, f.clock.Now(), line})
	}
	if f.records.dropped != 3 || f.records.size > maxLogWaiting {
		t.Errorf("%d records dropped and %d bytes kept", f.records.dropped, f.records.size)
	}
}
