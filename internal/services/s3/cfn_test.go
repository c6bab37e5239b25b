package s3

import (
	"testing"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
)

func (f *fixture) resourceType(name string) service.ResourceType {
	f.t.Helper()
	for _, r := range f.resources() {
		if r.Name == name {
			return r
		}
	}
	f.t.Fatalf("no resource type %s", name)
	return service.ResourceType{}
}

func TestBucketResource(t *testing.T) {
	f := newFixture(t)
	typ := f.resourceType("AWS::S3::Bucket")
	c := service.ResourceCall{NameSeed: "photoboard-WebBucket_-1ABC2DEF3GHI", Tags: map[string]string{"aws:cloudformation:stack-name": "photoboard"}}
	p := &bucketProperties{
		CorsConfiguration:              &corsProperties{CorsRules: []corsRuleProperties{{AllowedMethods: []string{"PUT"}, AllowedOrigins: []string{"*"}, ExposedHeaders: []string{"ETag"}}}},
		PublicAccessBlockConfiguration: &blockProperties{},
		Tags:                           []tagProperty{{"team", "a"}},
		WebsiteConfiguration:           &websiteProperties{IndexDocument: "index.html"},
		NotificationConfiguration: &notificationProperties{LambdaConfigurations: []lambdaProperties{{
			Event: "s3:ObjectCreated:*", Function: "arn:aws:lambda:us-east-1:000000000000:function:f",
		}}},
	}
	r, err := typ.Create(f.ctx(), c, p)
	if err != nil {
		t.Fatal(err)
	}
	const name = "photoboard-webbucket--1abc2def3ghi"
	if r.PhysicalID != name || r.Attributes["WebsiteURL"] != "http://127.0.0.1:4566/_aws/s3-website/"+name+"/" || r.Attributes["Arn"] != "arn:aws:s3:::"+name {
		t.Errorf("resource is %+v", r)
	}
	for _, attribute := range typ.Attributes {
		if r.Attributes[attribute] == nil {
			t.Errorf("no value for attribute %s", attribute)
		}
	}
	_, err = typ.Create(f.ctx(), c, p)
	code(t, err, "AlreadyExists")
	c.Retry = true
	if _, err := typ.Create(f.ctx(), c, p); err != nil {
		t.Errorf("creating again after a crash: %v", err)
	}
	tags, err := f.getBucketTagging(f.ctx(), &api.GetBucketTaggingInput{Bucket: name})
	if err != nil || len(tags.TagSet) != 2 {
		t.Errorf("tags are %v, %v", tags, err)
	}
	n, err := f.getBucketNotificationConfiguration(f.ctx(), &api.GetBucketNotificationConfigurationInput{Bucket: name})
	if err != nil || len(n.LambdaFunctionConfigurations) != 1 {
		t.Errorf("notifications are %v, %v", n, err)
	}
	c.PhysicalID = name
	if _, err := typ.Update(f.ctx(), c, p, &bucketProperties{}); err != nil {
		t.Fatal(err)
	}
	_, err = f.getBucketWebsite(f.ctx(), &api.GetBucketWebsiteInput{Bucket: name})
	code(t, err, "NoSuchWebsiteConfiguration")
	_, err = f.getBucketCors(f.ctx(), &api.GetBucketCorsInput{Bucket: name})
	code(t, err, "NoSuchCORSConfiguration")
	block, err := f.getPublicAccessBlock(f.ctx(), &api.GetPublicAccessBlockInput{Bucket: name})
	if err != nil || !*block.PublicAccessBlockConfiguration.BlockPublicPolicy {
		t.Errorf("without properties the access block is %v, %v; want that of a new bucket", block, err)
	}
	for range 2 {
		if err := typ.Delete(f.ctx(), c, p); err != nil {
			t.Error(err)
		}
	}
}

func TestBucketPolicyResource(t *testing.T) {
	f := newFixture(t)
	typ := f.resourceType("AWS::S3::BucketPolicy")
	p := &policyProperties{Bucket: "pictures", PolicyDocument: map[string]any{
		"Version": "2012-10-17",
		"Statement": []any{map[string]any{
			"Effect": "Allow", "Principal": map[string]any{"AWS": "arn:aws:iam::000000000000:root"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::pictures/*",
		}},
	}}
	r, err := typ.Create(f.ctx(), service.ResourceCall{}, p)
	if err != nil || r.PhysicalID != "pictures" {
		t.Fatalf("resource is %+v, %v", r, err)
	}
	if _, err := f.getBucketPolicy(f.ctx(), &api.GetBucketPolicyInput{Bucket: "pictures"}); err != nil {
		t.Error(err)
	}
	if err := typ.Delete(f.ctx(), service.ResourceCall{PhysicalID: "pictures"}, p); err != nil {
		t.Error(err)
	}
	_, err = f.getBucketPolicy(f.ctx(), &api.GetBucketPolicyInput{Bucket: "pictures"})
	code(t, err, "NoSuchBucketPolicy")
}

func TestBucketResourceWithEverySetting(t *testing.T) {
	f := newFixture(t)
	typ := f.resourceType("AWS::S3::Bucket")
	c := service.ResourceCall{NameSeed: "stack-vault-1ABC2DEF3GHI"}
	p := &bucketProperties{
		BucketEncryption:        &encryptionProperties{[]encryptionRuleProperties{{ServerSideEncryptionByDefault: &encryptionDefaultProperties{SSEAlgorithm: sseS3}}}},
		VersioningConfiguration: &versioningProperties{versioningEnabled},
		AccelerateConfiguration: &accelerateProperties{versioningEnabled},
		LoggingConfiguration:    &loggingProperties{LogFilePrefix: "log/"},
		LifecycleConfiguration: &lifecycleProperties{Rules: []lifecycleRuleProperties{{
			Status: "Enabled", ExpirationInDays: ptr(int32(3)), Prefix: ptr("tmp/"), TagFilters: []tagProperty{{"a", "b"}}, NoncurrentVersionExpirationInDays: ptr(int32(2)),
			Transitions: []moveProperty{{StorageClass: "GLACIER", TransitionDate: "2027-01-01"}},
		}}},
	}
	r, err := typ.Create(f.ctx(), c, p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.lookUp(f.ctx(), r.PhysicalID, nil)
	if err != nil || b.Encryption.Algorithm != sseS3 || b.Versioning != versioningEnabled || b.Accelerate != versioningEnabled || !b.Lifecycle {
		t.Errorf("the bucket is %+v, %v", b, err)
	}
	rules, err := f.getBucketLifecycle(f.ctx(), &api.GetBucketLifecycleConfigurationInput{Bucket: r.PhysicalID})
	if err != nil || *rules.Rules[0].Filter.And.Prefix != "tmp/" || rules.Rules[0].Transitions[0].Date.Year() != 2027 {
		t.Errorf("the rules are %+v, %v", rules, err)
	}
	logging, err := f.getBucketLogging(f.ctx(), &api.GetBucketLoggingInput{Bucket: r.PhysicalID})
	if err != nil || logging.LoggingEnabled == nil || logging.LoggingEnabled.TargetBucket != r.PhysicalID || logging.LoggingEnabled.TargetPrefix != "log/" {
		t.Errorf("the log is %+v, %v; want one in the bucket itself", logging, err)
	}
	c.PhysicalID = r.PhysicalID
	if _, err := typ.Update(f.ctx(), c, p, &bucketProperties{}); err != nil {
		t.Fatal(err)
	}
	b, err = f.lookUp(f.ctx(), r.PhysicalID, nil)
	if err != nil || b.Encryption != nil || b.Versioning != versioningSuspended || b.Accelerate != versioningSuspended || b.Lifecycle || b.Logs {
		t.Errorf("after the update the bucket is %+v, %v", b, err)
	}
}
