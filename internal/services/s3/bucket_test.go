package s3

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
)

func TestBucketNames(t *testing.T) {
	for name, want := range map[string]bool{
		"abc": true, "my.bucket-1": true, "a1b": true, strings.Repeat("a", 63): true,
		"ab": false, strings.Repeat("a", 64): false, "Abc": false, "a_b": false, "-ab": false, "ab-": false, "a..b": false, "1.2.3.4": false,
		"xn--abc": false, "abc-s3alias": false, ".abc": false, "a b": false,
	} {
		if got := validBucketName(name); got != want {
			t.Errorf("validBucketName(%q) = %v", name, got)
		}
	}
}

func TestBucketsOfAnAccount(t *testing.T) {
	f := newFixture(t)
	other := *service.RequestFrom(f.ctx())
	other.Account, other.Principal.Account = "111111111111", "111111111111"
	otherCtx := service.WithRequest(t.Context(), &other)
	west := *service.RequestFrom(f.ctx())
	west.Region = "eu-west-1"
	westCtx := service.WithRequest(t.Context(), &west)

	_, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "pictures"})
	code(t, err, "")
	_, err = f.createBucket(otherCtx, &api.CreateBucketInput{Bucket: "pictures"})
	code(t, err, "BucketAlreadyExists")
	_, err = f.createBucket(westCtx, &api.CreateBucketInput{Bucket: "west"})
	code(t, err, "")
	_, err = f.createBucket(westCtx, &api.CreateBucketInput{Bucket: "west"})
	code(t, err, "BucketAlreadyOwnedByYou")
	_, err = f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "south", CreateBucketConfiguration: &api.CreateBucketConfiguration{LocationConstraint: "sa-east-1"}})
	code(t, err, "")
	_, err = f.createBucket(westCtx, &api.CreateBucketInput{Bucket: "north", CreateBucketConfiguration: &api.CreateBucketConfiguration{LocationConstraint: "eu-north-1"}})
	code(t, err, "IllegalLocationConstraintException")
	_, err = f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "locked", ObjectLockEnabledForBucket: ptr(true)})
	code(t, err, "")

	names := func(ctx context.Context, in *api.ListBucketsInput) (names []string) {
		t.Helper()
		for {
			out, err := f.listBuckets(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range out.Buckets {
				names = append(names, *b.Name+" "+*b.BucketRegion)
			}
			if in.ContinuationToken = out.ContinuationToken; in.ContinuationToken == nil {
				return names
			}
		}
	}
	all := []string{"locked us-east-1", "pictures us-east-1", "south sa-east-1", "west eu-west-1"}
	if diff := cmp.Diff(all, names(f.ctx(), &api.ListBucketsInput{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(all, names(f.ctx(), &api.ListBucketsInput{MaxBuckets: ptr(int32(1))})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(all[3:], names(f.ctx(), &api.ListBucketsInput{BucketRegion: ptr("eu-west-1")})); diff != "" {
		t.Error(diff)
	}
	if got := names(otherCtx, &api.ListBucketsInput{}); got != nil {
		t.Errorf("another account sees %v", got)
	}
	loc, err := f.getBucketLocation(f.ctx(), &api.GetBucketLocationInput{Bucket: "west"})
	if err != nil || loc.LocationConstraint != "eu-west-1" {
		t.Errorf("location is %v, %v", loc, err)
	}
	_, err = f.headBucket(f.ctx(), &api.HeadBucketInput{Bucket: "west", ExpectedBucketOwner: ptr("111111111111")})
	code(t, err, "AccessDenied")
}

func TestABucketMadeAgainIsEmpty(t *testing.T) {
	f := newFixture(t)
	f.put("k", nil)
	_, err := f.deleteBucket(f.ctx(), &api.DeleteBucketInput{Bucket: "pictures"})
	code(t, err, "BucketNotEmpty")
	if _, err := f.deleteObject(f.ctx(), &api.DeleteObjectInput{Bucket: "pictures", Key: "k"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.putBucketTagging(f.ctx(), &api.PutBucketTaggingInput{Bucket: "pictures", Tagging: &api.Tagging{TagSet: []api.Tag{{Key: "a", Value: "b"}}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.deleteBucket(f.ctx(), &api.DeleteBucketInput{Bucket: "pictures"}); err != nil {
		t.Fatal(err)
	}
	_, err = f.headBucket(f.ctx(), &api.HeadBucketInput{Bucket: "pictures"})
	code(t, err, "NoSuchBucket")
	if _, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "pictures"}); err != nil {
		t.Fatal(err)
	}
	_, err = f.getBucketTagging(f.ctx(), &api.GetBucketTaggingInput{Bucket: "pictures"})
	code(t, err, "NoSuchTagSet")
}

const publicRead = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::pictures/*"}]}`

func TestPolicyDocuments(t *testing.T) {
	for document, want := range map[string]string{
		publicRead: "public",
		strings.Replace(publicRead, `"*"`, `{"AWS":"*"}`, 1):                                                           "public",
		strings.Replace(publicRead, `"*"`, `{"AWS":["arn:aws:iam::000000000000:root"]}`, 1):                            "private",
		strings.Replace(publicRead, `"Allow"`, `"Deny"`, 1):                                                            "private",
		strings.Replace(publicRead, `"Effect"`, `"Condition":{"StringEquals":{"aws:SourceArn":"x"}},"Effect"`, 1):      "private",
		strings.Replace(publicRead, `"Effect"`, `"Condition":{"StringLike":{"aws:SourceArn":"*"}},"Effect"`, 1):        "public",
		strings.Replace(publicRead, `"Effect"`, `"Condition":{"StringNotEquals":{"aws:SourceArn":"x"}},"Effect"`, 1):   "public",
		strings.Replace(publicRead, `"Effect"`, `"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}},"Effect"`, 1): "private",
		strings.Replace(publicRead, `"Effect"`, `"Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}},"Effect"`, 1):  "public",
		strings.Replace(publicRead, `pictures/*`, `other/*`, 1):                                                        "MalformedPolicy",
		strings.Replace(publicRead, `"*"`, `"someone"`, 1):                                                             "MalformedPolicy",
		strings.Replace(publicRead, `s3:GetObject`, `sqs:SendMessage`, 1):                                              "MalformedPolicy",
		strings.Replace(publicRead, `2012-10-17`, `2020-01-01`, 1):                                                     "MalformedPolicy",
		strings.Replace(publicRead, `"Principal":"*",`, ``, 1):                                                         "MalformedPolicy",
		``: "MalformedPolicy", `{`: "MalformedPolicy", `{}`: "MalformedPolicy", `{"Statement":[]}`: "MalformedPolicy",
		`{"Statement":"` + strings.Repeat("x", maxPolicy) + `"}`: "PolicyTooLarge",
	} {
		statements, err := parsePolicy(document, "arn:aws:s3:::pictures")
		got := service.Code(err)
		if err == nil {
			got = "private"
			for _, st := range statements {
				if st.public() {
					got = "public"
				}
			}
		}
		if got != want {
			t.Errorf("%.200s: %s, want %s (%v)", document, got, want, err)
		}
	}
}

func TestPublicAccessBlockStopsPublicPolicies(t *testing.T) {
	f := newFixture(t)
	put := func() error {
		_, err := f.putBucketPolicy(f.ctx(), &api.PutBucketPolicyInput{Bucket: "pictures", Policy: publicRead})
		return err
	}
	block := func(policy, restrict bool) {
		t.Helper()
		_, err := f.putPublicAccessBlock(f.ctx(), &api.PutPublicAccessBlockInput{Bucket: "pictures", PublicAccessBlockConfiguration: &api.PublicAccessBlockConfiguration{
			BlockPublicPolicy: &policy, RestrictPublicBuckets: &restrict,
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	code(t, put(), "AccessDenied")
	block(false, true)
	code(t, put(), "")
	status, err := f.getBucketPolicyStatus(f.ctx(), &api.GetBucketPolicyStatusInput{Bucket: "pictures"})
	if err != nil || !*status.PolicyStatus.IsPublic {
		t.Errorf("status is %v, %v", status, err)
	}
	visitor := service.WithRequest(t.Context(), &service.Request{ID: "v"})
	for restrict, want := range map[bool]string{true: "", false: publicRead} {
		block(false, restrict)
		target, err := f.objectTarget(visitor, "pictures", "k", nil)
		if err != nil || target.Policy != want {
			t.Errorf("restrict %v: a visitor's policy is %q, %v", restrict, target.Policy, err)
		}
		target, err = f.objectTarget(f.ctx(), "pictures", "k", nil)
		if err != nil || target.Policy != publicRead || target.ARN != "arn:aws:s3:::pictures/k" || target.Owner != account {
			t.Errorf("restrict %v: the owner's target is %+v, %v", restrict, target, err)
		}
	}
}

func lambdaRule(function, prefix, suffix string, events ...string) api.LambdaFunctionConfiguration {
	return api.LambdaFunctionConfiguration{
		LambdaFunctionArn: "arn:aws:lambda:us-east-1:" + account + ":function:" + function, Events: events,
		Filter: &api.NotificationConfigurationFilter{Key: &api.S3KeyFilter{FilterRules: []api.FilterRule{{Name: "Prefix", Value: &prefix}, {Name: "suffix", Value: &suffix}}}},
	}
}

func (f *fixture) subscribe(rules ...api.LambdaFunctionConfiguration) error {
	_, err := f.putBucketNotificationConfiguration(f.ctx(), &api.PutBucketNotificationConfigurationInput{
		Bucket: "pictures", NotificationConfiguration: &api.NotificationConfiguration{LambdaFunctionConfigurations: rules},
	})
	return err
}

func TestNotificationsThatCannotWorkAreRefused(t *testing.T) {
	f := newFixture(t)
	created := "s3:ObjectCreated:*"
	for name, c := range map[string]struct {
		rules []api.LambdaFunctionConfiguration
		want  string
	}{
		"one":                {[]api.LambdaFunctionConfiguration{lambdaRule("a", "", "", created)}, ""},
		"apart by prefix":    {[]api.LambdaFunctionConfiguration{lambdaRule("a", "a/", "", created), lambdaRule("b", "b/", "", created)}, ""},
		"apart by suffix":    {[]api.LambdaFunctionConfiguration{lambdaRule("a", "", ".png", created), lambdaRule("b", "", ".jpg", created)}, ""},
		"apart by event":     {[]api.LambdaFunctionConfiguration{lambdaRule("a", "", "", created), lambdaRule("b", "", "", "s3:ObjectRemoved:*")}, ""},
		"overlapping prefix": {[]api.LambdaFunctionConfiguration{lambdaRule("a", "a/", "", created), lambdaRule("b", "a/b/", "", created)}, "InvalidArgument"},
		"overlapping event":  {[]api.LambdaFunctionConfiguration{lambdaRule("a", "", "", created), lambdaRule("b", "", "", "s3:ObjectCreated:Put")}, "InvalidArgument"},
		"overlapping suffix": {[]api.LambdaFunctionConfiguration{lambdaRule("a", "x", "g", created), lambdaRule("b", "", ".jpg", created)}, "InvalidArgument"},
		"event that is none": {[]api.LambdaFunctionConfiguration{lambdaRule("a", "", "", "s3:ObjectStolen:*")}, "InvalidArgument"},
		"no events":          {[]api.LambdaFunctionConfiguration{lambdaRule("a", "", "")}, "MalformedXML"},
	} {
		if got := service.Code(f.subscribe(c.rules...)); got != c.want {
			t.Errorf("%s: code is %q, want %q", name, got, c.want)
		}
	}
	f.functions.refuse = errors.New("no statement lets s3.amazonaws.com invoke it")
	err := f.subscribe(lambdaRule("a", "", "", created))
	code(t, err, "InvalidArgument")
	if !strings.Contains(err.Error(), "aws:SourceArn") {
		t.Errorf("the error does not say what to do: %v", err)
	}
}

func TestObjectAndEventCommitTogether(t *testing.T) {
	f := newFixture(t)
	if err := f.subscribe(lambdaRule("resize", "in/", ".png", "s3:ObjectCreated:*"), lambdaRule("gone", "", "", "s3:ObjectRemoved:*")); err != nil {
		t.Fatal(err)
	}
	f.put("in/a b.png", []byte("v"))
	f.put("out/a.png", []byte("v"))
	f.put("in/a.jpg", []byte("v"))
	f.put("in/a b.png", []byte("w"))
	if _, err := f.deleteObject(f.ctx(), &api.DeleteObjectInput{Bucket: "pictures", Key: "in/a b.png"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.deleteObject(f.ctx(), &api.DeleteObjectInput{Bucket: "pictures", Key: "in/missing"}); err != nil {
		t.Fatal(err)
	}
	all := f.events()
	var got []string
	last := ""
	for _, q := range all {
		var m message
		if err := json.Unmarshal(q.Payload, &m); err != nil {
			t.Fatal(err)
		}
		o := m.Records[0].S3.Object
		got = append(got, q.Function[strings.LastIndex(q.Function, ":")+1:]+" "+m.Records[0].EventName+" "+o.Key)
		if len(o.Sequencer) != 16 || o.Sequencer <= last {
			t.Errorf("sequencer %q comes after %q", o.Sequencer, last)
		}
		last = o.Sequencer
		if q.From.ARN != "arn:aws:s3:::pictures" || q.From.Account != account {
			t.Errorf("event comes from %+v", q.From)
		}
	}
	want := []string{"resize ObjectCreated:Put in/a+b.png", "resize ObjectCreated:Put in/a+b.png", "gone ObjectRemoved:Delete in/a+b.png"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	f.functions.enqueue = errors.New("cannot")
	if _, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: "in/b.png", Body: strings.NewReader("v")}); err == nil {
		t.Error("an object was stored whose event was not")
	}
	_, _, err := f.get(&api.GetObjectInput{Key: "in/b.png"})
	code(t, err, "NoSuchKey")
}

// TestEventDocument holds the shape of the record that AWS documents
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
func TestEventDocument(t *testing.T) {
	f := newFixture(t)
	rule := lambdaRule("resize", "", "", "s3:ObjectCreated:Put")
	rule.Id = ptr("my-rule")
	if err := f.subscribe(rule); err != nil {
		t.Fatal(err)
	}
	f.put("a", []byte("hello"))
	want := `{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1","eventTime":"2026-11-25T12:00:00.000Z",` +
		`"eventName":"ObjectCreated:Put","userIdentity":{"principalId":"AWS:000000000000"},"requestParameters":{"sourceIPAddress":"127.0.0.1"},` +
		`"responseElements":{"x-amz-request-id":"req-1","x-amz-id-2":"` + canonicalID("req-1") + `"},"s3":{"s3SchemaVersion":"1.0",` +
		`"configurationId":"my-rule","bucket":{"name":"pictures","ownerIdentity":{"principalId":"` + canonicalID(account) + `"},"arn":"arn:aws:s3:::pictures"},` +
		`"object":{"key":"a","size":5,"eTag":"5d41402abc4b2a76b9719d911017c592","sequencer":"18BBBCB0BF0A0000"}}}]}`
	got := string(f.events()[0].Payload)
	i := strings.Index(got, `"sequencer"`)
	if j := strings.Index(want, `"sequencer"`); i < 0 || got[:i] != want[:j] {
		t.Errorf("event is\n%s\nwant\n%s", got, want)
	}
}

func TestCORS(t *testing.T) {
	f := newFixture(t)
	_, err := f.putBucketCors(f.ctx(), &api.PutBucketCorsInput{Bucket: "pictures", CORSConfiguration: &api.CORSConfiguration{CORSRules: []api.CORSRule{
		{AllowedOrigins: []string{"http://*.example.com"}, AllowedMethods: []string{"PUT"}, AllowedHeaders: []string{"content-*", "x-amz-*"}, ExposeHeaders: []string{"ETag"}, MaxAgeSeconds: ptr(int32(60))},
		{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"GET"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, origin, ask, headers string
		answered                     bool
		status                       int
		allow, maxAge                string
	}{
		{"OPTIONS", "http://a.example.com", "PUT", "Content-Type, X-Amz-Meta-A", true, 200, "http://a.example.com", "60"},
		{"OPTIONS", "http://a.example.com", "PUT", "authorization", true, 403, "", ""},
		{"OPTIONS", "http://other.com", "PUT", "", true, 403, "", ""},
		{"OPTIONS", "http://other.com", "GET", "", true, 200, "*", ""},
		{"OPTIONS", "", "GET", "", true, 400, "", ""},
		{"GET", "http://other.com", "", "", false, 200, "*", ""},
		{"PUT", "http://a.example.com", "", "", false, 200, "http://a.example.com", "60"},
		{"PUT", "http://other.com", "", "", false, 200, "", ""},
		{"PUT", "", "", "", false, 200, "", ""},
	} {
		r := httptest.NewRequest(c.method, "/pictures/k?X-Amz-Signature=x", nil)
		for name, value := range map[string]string{"Origin": c.origin, "Access-Control-Request-Method": c.ask, "Access-Control-Request-Headers": c.headers} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		answered := f.CORS(w, r, "/pictures/k")
		h := w.Header()
		if answered != c.answered || w.Code != c.status || h.Get("Access-Control-Allow-Origin") != c.allow || h.Get("Access-Control-Max-Age") != c.maxAge {
			t.Errorf("%+v: answered %v, status %d, head %v", c, answered, w.Code, h)
		}
		if c.allow != "" && h.Get("Vary") == "" {
			t.Errorf("%+v: no Vary", c)
		}
	}
	r := httptest.NewRequest(http.MethodOptions, "/none/k", nil)
	r.Header.Set("Origin", "http://x")
	r.Header.Set("Access-Control-Request-Method", "PUT")
	w := httptest.NewRecorder()
	if !f.CORS(w, r, "/none/k") || w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "<Code>NoSuchBucket</Code>") {
		t.Errorf("preflight of a bucket that is not there: %d %s", w.Code, w.Body)
	}
	_, err = f.putBucketCors(f.ctx(), &api.PutBucketCorsInput{Bucket: "pictures", CORSConfiguration: &api.CORSConfiguration{CORSRules: []api.CORSRule{
		{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"PATCH"}},
	}}})
	code(t, err, "InvalidRequest")
}

func TestRootOfTheOwnerIsNeverLockedOutOfThePolicy(t *testing.T) {
	f := newFixture(t)
	deny := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::pictures","arn:aws:s3:::pictures/*"]}]}`
	if _, err := f.putBucketPolicy(f.ctx(), &api.PutBucketPolicyInput{Bucket: "pictures", Policy: deny}); err != nil {
		t.Fatal(err)
	}
	user := *service.RequestFrom(f.ctx())
	user.Principal = service.Principal{Kind: service.User, Account: account, ARN: "arn:aws:iam::" + account + ":user/u"}
	for name, c := range map[string]struct {
		ctx  context.Context
		want string
	}{"root": {f.ctx(), ""}, "user": {service.WithRequest(t.Context(), &user), deny}} {
		targets, err := f.access()["DeleteBucketPolicy"].Targets(c.ctx, &api.DeleteBucketPolicyInput{Bucket: "pictures"})
		if err != nil || len(targets) != 1 || targets[0].Policy != c.want {
			t.Errorf("%s: the policy that decides is %v (%v), want %q", name, targets, err, c.want)
		}
	}
}

func TestFunctionsThatMayCallThemselvesAreWarnedOf(t *testing.T) {
	f := newFixture(t)
	function := "arn:aws:lambda:us-east-1:" + account + ":function:resize"
	filter := &api.NotificationConfigurationFilter{Key: &api.S3KeyFilter{FilterRules: []api.FilterRule{{Name: "prefix", Value: ptr("in/")}}}}
	for _, c := range []struct {
		event  string
		filter *api.NotificationConfigurationFilter
		warned bool
	}{
		{"s3:ObjectCreated:*", nil, true},
		{"s3:ObjectCreated:Put", nil, true},
		{"s3:ObjectCreated:*", filter, false},
		{"s3:ObjectRemoved:*", nil, false},
	} {
		var told bytes.Buffer
		f.log = slog.New(slog.NewTextHandler(&told, nil))
		_, err := f.putBucketNotificationConfiguration(f.ctx(), &api.PutBucketNotificationConfigurationInput{
			Bucket: "pictures", SkipDestinationValidation: ptr(true),
			NotificationConfiguration: &api.NotificationConfiguration{LambdaFunctionConfigurations: []api.LambdaFunctionConfiguration{
				{LambdaFunctionArn: function, Events: []string{c.event}, Filter: c.filter},
			}},
		})
		if err != nil {
			t.Errorf("%s: %v", c.event, err)
		}
		if warned := strings.Contains(told.String(), "function="+function); warned != c.warned {
			t.Errorf("%s with filter %v: warned = %v, want %v (log: %s)", c.event, c.filter, warned, c.warned, &told)
		}
	}
}
