package s3

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// dataOperations are the operations on objects.
var dataOperations = []string{
	"AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateMultipartUpload", "CreateSession", "DeleteObject", "DeleteObjectTagging", "DeleteObjects",
	"GetObject", "GetObjectAcl", "GetObjectAttributes", "GetObjectLegalHold", "GetObjectRetention", "GetObjectTagging", "HeadBucket", "HeadObject", "ListMultipartUploads",
	"ListObjectVersions", "ListObjects", "ListObjectsV2", "ListParts", "PutObject", "PutObjectAcl", "PutObjectLegalHold", "PutObjectRetention", "PutObjectTagging",
	"RenameObject", "RestoreObject", "SelectObjectContent", "UpdateObjectEncryption", "UploadPart", "UploadPartCopy", "WriteGetObjectResponse",
}

// bucketTarget is a bucket as something to get permission for: its ARN, owner and policy.
func (s *Service) bucketTarget(ctx context.Context, name string) (service.Target, error) {
	b, policy, err := s.guarded(ctx, name)
	if err != nil {
		return service.Target{}, err
	}
	policy, err = s.withGrants(ctx, b, policy, "", nil)
	return service.Target{ARN: b.arn(), Policy: policy, Owner: b.Account, Condition: requestKeys(ctx, b, policy)}, err
}

// guarded returns a bucket with its policy for the caller, unless the caller must pay and does not say so.
func (s *Service) guarded(ctx context.Context, name string) (*bucket, string, error) {
	b, err := s.lookUp(ctx, name, nil)
	if err != nil {
		return nil, "", err
	}
	if err := b.checkPayer(ctx); err != nil {
		return nil, "", err
	}
	policy, err := s.policyFor(ctx, b)
	return b, policy, err
}

// objectTarget is an object, or one of its versions, as something to get permission for.
func (s *Service) objectTarget(ctx context.Context, bucketName, key string, id *string) (service.Target, error) {
	b, policy, err := s.guarded(ctx, bucketName)
	if err != nil {
		return service.Target{}, err
	}
	t := service.Target{ARN: b.arn() + "/" + key, Owner: b.Account, Condition: requestKeys(ctx, b, policy)}
	if id != nil {
		t.Condition = with(t.Condition, "s3:VersionId", *id)
	}
	var v *version
	if strings.Contains(policy, "ExistingObjectTag") || b.aclsEnabled() {
		if v, err = s.peek(ctx, b, key, id); err != nil {
			return t, err
		}
	}
	if v != nil {
		for _, tag := range v.Tags {
			t.Condition = with(t.Condition, "s3:ExistingObjectTag/"+tag.Key, tag.Value)
		}
	}
	t.Policy, err = s.withGrants(ctx, b, policy, key, v)
	return t, err
}

// peek returns the head of a version; nil when there is none that can be read.
func (s *Service) peek(ctx context.Context, b *bucket, object string, id *string) (v *version, err error) {
	err = s.store.View(ctx, func(r store.Reader) (err error) {
		v, err = pick(r, b, object, id)
		return err
	})
	if err != nil && service.Code(err) != "InternalFailure" {
		return nil, nil //nolint:nilerr // what is not there has no tags and no list, and the operation itself tells that it is not there
	}
	return v, fromStore(err)
}

// with adds a condition key to conditions, which may be nil.
func with(conditions map[string][]string, key, value string) map[string][]string {
	if conditions == nil {
		conditions = map[string][]string{}
	}
	conditions[key] = []string{value}
	return conditions
}

// effectivePolicy returns the bucket policy as it counts for the caller of ctx: a public policy of a bucket that restricts public
// access counts for the owner's account and for AWS services only.
func (s *Service) effectivePolicy(ctx context.Context, r store.Reader, b *bucket) (string, error) {
	p, _, err := record.Get[bucketPolicy](r, b.confKey(policyConf))
	if err != nil || !p.Public {
		return p.Document, err
	}
	block, err := blockIn(r, b)
	return p.forCaller(ctx, b.Account, block), err
}

// forCaller returns the policy of something that account owns and block protects, as it counts for the caller of ctx, or "".
func (p bucketPolicy) forCaller(ctx context.Context, account string, block publicAccessBlock) string {
	caller := service.RequestFrom(ctx).Principal
	if p.Public && block.RestrictPublicBuckets && caller.Kind != service.ServicePrincipal && caller.Account != account {
		return ""
	}
	return p.Document
}

// onBucket is the rule of an operation on one bucket.
func onBucket[In any](s *Service, action string, name func(in In) string) service.Access {
	return service.OnAll(action, func(ctx context.Context, in In) ([]service.Target, error) {
		t, err := s.bucketTarget(ctx, name(in))
		return []service.Target{t}, err
	})
}

// onPolicy is the rule of an operation on the policy of a bucket. The policy has no say where the root of the bucket's account calls, so that nobody locks
// a bucket for good: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html.
func onPolicy[In any](s *Service, action string, name func(in In) string) service.Access {
	return service.OnAll(action, func(ctx context.Context, in In) ([]service.Target, error) {
		t, err := s.bucketTarget(ctx, name(in))
		if p := service.RequestFrom(ctx).Principal; p.Kind == service.Root && p.Account == t.Owner {
			t.Policy = ""
		}
		return []service.Target{t}, err
	})
}

// onObject is the rule of an operation on one object.
func onObject[In any](s *Service, action string, name func(in In) (bucketName, key string)) service.Access {
	return service.OnAll(action, func(ctx context.Context, in In) ([]service.Target, error) {
		b, k := name(in)
		t, err := s.objectTarget(ctx, b, k, nil)
		return []service.Target{t}, err
	})
}

// named is an object in a request, or one of its versions.
type named struct {
	bucket, key string
	id          *string
}

// onVersion is the rule of an operation on one object that needs another permission when the request names a version:
// s3:GetObject and s3:GetObjectVersion.
func onVersion[In any](s *Service, action, versionAction string, name func(in In) named) service.Access {
	return service.OnAll(action, func(ctx context.Context, in In) ([]service.Target, error) {
		n := name(in)
		t, err := s.objectTarget(ctx, n.bucket, n.key, n.id)
		if n.id != nil {
			t.Action = versionAction
		}
		return []service.Target{t}, err
	})
}

// putTargets are what an upload needs: to write the object, and more for the tags, lists and locks that come with it.
func (s *Service) putTargets(ctx context.Context, q *request) ([]service.Target, error) {
	t, err := s.objectTarget(ctx, q.bucket, q.key, nil)
	if err != nil {
		return nil, err
	}
	conditions := map[string][]string{}
	set := func(key, value string) {
		if value != "" {
			conditions[key] = []string{value}
		}
	}
	set("s3:x-amz-acl", q.acl.canned)
	set("s3:x-amz-storage-class", classOf(q.class))
	set("s3:x-amz-server-side-encryption", q.seal.algorithm)
	set("s3:x-amz-server-side-encryption-aws-kms-key-id", deref(q.seal.key))
	set("s3:x-amz-server-side-encryption-customer-algorithm", deref(q.seal.customer.algorithm))
	set("s3:object-lock-mode", q.mode)
	set("s3:object-lock-legal-hold", q.hold)
	if q.until != nil {
		set("s3:object-lock-retain-until-date", q.until.UTC().Format(time.RFC3339))
		set("s3:object-lock-remaining-retention-days", s.remainingDays(*q.until))
	}
	tags, err := parseTagging(deref(q.tagging))
	if err != nil {
		return nil, err
	}
	for _, tag := range tags {
		set("s3:RequestObjectTag/"+tag.Key, tag.Value)
		conditions["s3:RequestObjectTagKeys"] = append(conditions["s3:RequestObjectTagKeys"], tag.Key)
	}
	maps.Copy(conditions, t.Condition)
	t.Condition = conditions
	out := []service.Target{t}
	also := func(action string, needed bool) {
		if needed {
			t.Action = action
			out = append(out, t)
		}
	}
	also("s3:PutObjectTagging", len(tags) > 0)
	// A service that leaves its object to the bucket's owner needs no more than the policies that AWS gives for its logs
	// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-S3.html).
	leaves := q.acl.canned == api.ObjectCannedACLBucketOwnerFullControl && service.RequestFrom(ctx).Principal.Kind == service.ServicePrincipal
	also("s3:PutObjectAcl", q.acl.given() && !leaves)
	also("s3:PutObjectRetention", q.mode != "")
	also("s3:PutObjectLegalHold", q.hold != "")
	return out, nil
}

// remainingDays is how many days, begun ones counted, a retention lasts.
func (s *Service) remainingDays(until time.Time) string {
	return strconv.FormatInt(int64((until.Sub(s.now())+24*time.Hour-1)/(24*time.Hour)), 10)
}

// retentionAccess is the rule of a retention, whose end is a condition key.
func (s *Service) retentionAccess(ctx context.Context, in *api.PutObjectRetentionInput) ([]service.Target, error) {
	t, err := s.objectTarget(ctx, in.Bucket, in.Key, in.VersionId)
	if r := in.Retention; err == nil && r != nil {
		if r.Mode != "" {
			t.Condition = with(t.Condition, "s3:object-lock-mode", r.Mode)
		}
		if r.RetainUntilDate != nil {
			t.Condition = with(t.Condition, "s3:object-lock-retain-until-date", r.RetainUntilDate.UTC().Format(time.RFC3339))
			t.Condition = with(t.Condition, "s3:object-lock-remaining-retention-days", s.remainingDays(*r.RetainUntilDate))
		}
	}
	return []service.Target{t}, err
}

// listAccess adds the condition keys of listings.
func (s *Service) listAccess(ctx context.Context, bucketName string, prefix, delimiter *string, limit *int32) ([]service.Target, error) {
	t, err := s.bucketTarget(ctx, bucketName)
	t.Condition = with(t.Condition, "s3:prefix", deref(prefix))
	if delimiter != nil {
		t.Condition["s3:delimiter"] = []string{*delimiter}
	}
	if limit != nil {
		t.Condition["s3:max-keys"] = []string{itoa(*limit)}
	}
	return []service.Target{t}, err
}

// copyAccess is what a copy needs: to read the source, and to write the target.
func (s *Service) copyAccess(ctx context.Context, to []service.Target, err error, header string) ([]service.Target, error) {
	if err != nil {
		return nil, err
	}
	source, err := parseCopySource(header)
	if err != nil {
		return nil, err
	}
	from, err := s.copySourceTarget(ctx, source)
	return append(to, from), err
}

// createTargets is what the creation of a bucket needs. Its tags are condition keys, whether the bucket's authorisation will use them or not.
func createTargets(ctx context.Context, in *api.CreateBucketInput) []service.Target {
	t := service.Target{ARN: "arn:aws:s3:::" + in.Bucket}
	if r := service.RequestFrom(ctx); r.HTTP != nil && r.HTTP.Header != nil && r.Principal.Kind != service.Root {
		t.Condition = sentKeys(r)
	}
	if c := in.CreateBucketConfiguration; c != nil && c.LocationConstraint != "" {
		t.Condition = with(t.Condition, "s3:locationconstraint", c.LocationConstraint)
	}
	if c := in.CreateBucketConfiguration; c != nil && len(c.Tags) > 0 {
		var keys []string
		for _, tag := range c.Tags {
			t.Condition = with(t.Condition, "aws:RequestTag/"+tag.Key, tag.Value)
			keys = append(keys, tag.Key)
		}
		t.Condition["aws:TagKeys"] = keys
	}
	return []service.Target{t}
}

// access lists what each operation needs: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html.
// DeleteObjects is decided for each key, in its handler, because some keys may be allowed and others not.
func (s *Service) access() map[string]service.Access {
	rules, through := s.rules(), pointOperations()
	for name, rule := range rules {
		rule.Anonymous = true // callers without credentials are decided like others, by the bucket's policy
		rules[name] = s.guardPoint(name, through[name], rule)
	}
	return rules
}

func (s *Service) rules() map[string]service.Access {
	return map[string]service.Access{
		"ListBuckets": service.OnAny("s3:ListAllMyBuckets"),
		"CreateBucket": service.OnAll("s3:CreateBucket", func(ctx context.Context, in *api.CreateBucketInput) ([]service.Target, error) {
			return createTargets(ctx, in), nil
		}),
		"DeleteBucket": onBucket(s, "s3:DeleteBucket", func(in *api.DeleteBucketInput) string { return in.Bucket }),
		"HeadBucket":   onBucket(s, "s3:ListBucket", func(in *api.HeadBucketInput) string { return in.Bucket }),

		"GetBucketLocation":                           onBucket(s, "s3:GetBucketLocation", func(in *api.GetBucketLocationInput) string { return in.Bucket }),
		"GetBucketVersioning":                         onBucket(s, "s3:GetBucketVersioning", func(in *api.GetBucketVersioningInput) string { return in.Bucket }),
		"PutBucketAnalyticsConfiguration":             onBucket(s, "s3:PutAnalyticsConfiguration", func(in *api.PutBucketAnalyticsConfigurationInput) string { return in.Bucket }),
		"GetBucketAnalyticsConfiguration":             onBucket(s, "s3:GetAnalyticsConfiguration", func(in *api.GetBucketAnalyticsConfigurationInput) string { return in.Bucket }),
		"DeleteBucketAnalyticsConfiguration":          onBucket(s, "s3:PutAnalyticsConfiguration", func(in *api.DeleteBucketAnalyticsConfigurationInput) string { return in.Bucket }),
		"ListBucketAnalyticsConfigurations":           onBucket(s, "s3:GetAnalyticsConfiguration", func(in *api.ListBucketAnalyticsConfigurationsInput) string { return in.Bucket }),
		"PutBucketInventoryConfiguration":             onBucket(s, "s3:PutInventoryConfiguration", func(in *api.PutBucketInventoryConfigurationInput) string { return in.Bucket }),
		"GetBucketInventoryConfiguration":             onBucket(s, "s3:GetInventoryConfiguration", func(in *api.GetBucketInventoryConfigurationInput) string { return in.Bucket }),
		"DeleteBucketInventoryConfiguration":          onBucket(s, "s3:PutInventoryConfiguration", func(in *api.DeleteBucketInventoryConfigurationInput) string { return in.Bucket }),
		"ListBucketInventoryConfigurations":           onBucket(s, "s3:GetInventoryConfiguration", func(in *api.ListBucketInventoryConfigurationsInput) string { return in.Bucket }),
		"PutBucketMetricsConfiguration":               onBucket(s, "s3:PutMetricsConfiguration", func(in *api.PutBucketMetricsConfigurationInput) string { return in.Bucket }),
		"GetBucketMetricsConfiguration":               onBucket(s, "s3:GetMetricsConfiguration", func(in *api.GetBucketMetricsConfigurationInput) string { return in.Bucket }),
		"DeleteBucketMetricsConfiguration":            onBucket(s, "s3:PutMetricsConfiguration", func(in *api.DeleteBucketMetricsConfigurationInput) string { return in.Bucket }),
		"ListBucketMetricsConfigurations":             onBucket(s, "s3:GetMetricsConfiguration", func(in *api.ListBucketMetricsConfigurationsInput) string { return in.Bucket }),
		"PutBucketIntelligentTieringConfiguration":    onBucket(s, "s3:PutIntelligentTieringConfiguration", func(in *api.PutBucketIntelligentTieringConfigurationInput) string { return in.Bucket }),
		"GetBucketIntelligentTieringConfiguration":    onBucket(s, "s3:GetIntelligentTieringConfiguration", func(in *api.GetBucketIntelligentTieringConfigurationInput) string { return in.Bucket }),
		"DeleteBucketIntelligentTieringConfiguration": onBucket(s, "s3:PutIntelligentTieringConfiguration", func(in *api.DeleteBucketIntelligentTieringConfigurationInput) string { return in.Bucket }),
		"ListBucketIntelligentTieringConfigurations":  onBucket(s, "s3:GetIntelligentTieringConfiguration", func(in *api.ListBucketIntelligentTieringConfigurationsInput) string { return in.Bucket }),
		"PutBucketRequestPayment":                     onBucket(s, "s3:PutBucketRequestPayment", func(in *api.PutBucketRequestPaymentInput) string { return in.Bucket }),
		"GetBucketRequestPayment":                     onBucket(s, "s3:GetBucketRequestPayment", func(in *api.GetBucketRequestPaymentInput) string { return in.Bucket }),
		"PutBucketAccelerateConfiguration":            onBucket(s, "s3:PutAccelerateConfiguration", func(in *api.PutBucketAccelerateConfigurationInput) string { return in.Bucket }),
		"GetBucketAccelerateConfiguration":            onBucket(s, "s3:GetAccelerateConfiguration", func(in *api.GetBucketAccelerateConfigurationInput) string { return in.Bucket }),
		"PutBucketAbac":                               onBucket(s, "s3:PutBucketABAC", func(in *api.PutBucketAbacInput) string { return in.Bucket }),
		"GetBucketAbac":                               onBucket(s, "s3:GetBucketABAC", func(in *api.GetBucketAbacInput) string { return in.Bucket }),
		"PutBucketLogging":                            onBucket(s, "s3:PutBucketLogging", func(in *api.PutBucketLoggingInput) string { return in.Bucket }),
		"GetBucketLogging":                            onBucket(s, "s3:GetBucketLogging", func(in *api.GetBucketLoggingInput) string { return in.Bucket }),
		"PutBucketReplication":                        onBucket(s, "s3:PutReplicationConfiguration", func(in *api.PutBucketReplicationInput) string { return in.Bucket }),
		"GetBucketReplication":                        onBucket(s, "s3:GetReplicationConfiguration", func(in *api.GetBucketReplicationInput) string { return in.Bucket }),
		"DeleteBucketReplication":                     onBucket(s, "s3:PutReplicationConfiguration", func(in *api.DeleteBucketReplicationInput) string { return in.Bucket }),
		"PutBucketVersioning":                         onBucket(s, "s3:PutBucketVersioning", func(in *api.PutBucketVersioningInput) string { return in.Bucket }),
		"PutBucketEncryption":                         onBucket(s, "s3:PutEncryptionConfiguration", func(in *api.PutBucketEncryptionInput) string { return in.Bucket }),
		"DeleteBucketEncryption":                      onBucket(s, "s3:PutEncryptionConfiguration", func(in *api.DeleteBucketEncryptionInput) string { return in.Bucket }),
		"PutObjectLockConfiguration":                  onBucket(s, "s3:PutBucketObjectLockConfiguration", func(in *api.PutObjectLockConfigurationInput) string { return in.Bucket }),
		"GetObjectLockConfiguration":                  onBucket(s, "s3:GetBucketObjectLockConfiguration", func(in *api.GetObjectLockConfigurationInput) string { return in.Bucket }),
		"PutBucketLifecycleConfiguration":             onBucket(s, "s3:PutLifecycleConfiguration", func(in *api.PutBucketLifecycleConfigurationInput) string { return in.Bucket }),
		"GetBucketLifecycleConfiguration":             onBucket(s, "s3:GetLifecycleConfiguration", func(in *api.GetBucketLifecycleConfigurationInput) string { return in.Bucket }),
		"DeleteBucketLifecycle":                       onBucket(s, "s3:PutLifecycleConfiguration", func(in *api.DeleteBucketLifecycleInput) string { return in.Bucket }),
		"GetBucketEncryption":                         onBucket(s, "s3:GetEncryptionConfiguration", func(in *api.GetBucketEncryptionInput) string { return in.Bucket }),
		"GetBucketAcl":                                onBucket(s, "s3:GetBucketAcl", func(in *api.GetBucketAclInput) string { return in.Bucket }),
		"PutBucketAcl":                                onBucket(s, "s3:PutBucketAcl", func(in *api.PutBucketAclInput) string { return in.Bucket }),
		"PutBucketPolicy":                             onPolicy(s, "s3:PutBucketPolicy", func(in *api.PutBucketPolicyInput) string { return in.Bucket }),
		"GetBucketPolicy":                             onPolicy(s, "s3:GetBucketPolicy", func(in *api.GetBucketPolicyInput) string { return in.Bucket }),
		"DeleteBucketPolicy":                          onPolicy(s, "s3:DeleteBucketPolicy", func(in *api.DeleteBucketPolicyInput) string { return in.Bucket }),
		"GetBucketPolicyStatus":                       onBucket(s, "s3:GetBucketPolicyStatus", func(in *api.GetBucketPolicyStatusInput) string { return in.Bucket }),
		"PutPublicAccessBlock":                        onBucket(s, "s3:PutBucketPublicAccessBlock", func(in *api.PutPublicAccessBlockInput) string { return in.Bucket }),
		"GetPublicAccessBlock":                        onBucket(s, "s3:GetBucketPublicAccessBlock", func(in *api.GetPublicAccessBlockInput) string { return in.Bucket }),
		"DeletePublicAccessBlock":                     onBucket(s, "s3:PutBucketPublicAccessBlock", func(in *api.DeletePublicAccessBlockInput) string { return in.Bucket }),
		"PutBucketOwnershipControls":                  onBucket(s, "s3:PutBucketOwnershipControls", func(in *api.PutBucketOwnershipControlsInput) string { return in.Bucket }),
		"GetBucketOwnershipControls":                  onBucket(s, "s3:GetBucketOwnershipControls", func(in *api.GetBucketOwnershipControlsInput) string { return in.Bucket }),
		"DeleteBucketOwnershipControls":               onBucket(s, "s3:PutBucketOwnershipControls", func(in *api.DeleteBucketOwnershipControlsInput) string { return in.Bucket }),
		"PutBucketCors":                               onBucket(s, "s3:PutBucketCORS", func(in *api.PutBucketCorsInput) string { return in.Bucket }),
		"GetBucketCors":                               onBucket(s, "s3:GetBucketCORS", func(in *api.GetBucketCorsInput) string { return in.Bucket }),
		"DeleteBucketCors":                            onBucket(s, "s3:PutBucketCORS", func(in *api.DeleteBucketCorsInput) string { return in.Bucket }),
		"PutBucketWebsite":                            onBucket(s, "s3:PutBucketWebsite", func(in *api.PutBucketWebsiteInput) string { return in.Bucket }),
		"GetBucketWebsite":                            onBucket(s, "s3:GetBucketWebsite", func(in *api.GetBucketWebsiteInput) string { return in.Bucket }),
		"DeleteBucketWebsite":                         onBucket(s, "s3:DeleteBucketWebsite", func(in *api.DeleteBucketWebsiteInput) string { return in.Bucket }),
		"PutBucketTagging":                            onBucket(s, "s3:PutBucketTagging", func(in *api.PutBucketTaggingInput) string { return in.Bucket }),
		"GetBucketTagging":                            onBucket(s, "s3:GetBucketTagging", func(in *api.GetBucketTaggingInput) string { return in.Bucket }),
		"DeleteBucketTagging":                         onBucket(s, "s3:PutBucketTagging", func(in *api.DeleteBucketTaggingInput) string { return in.Bucket }),
		"PutBucketNotificationConfiguration":          onBucket(s, "s3:PutBucketNotification", func(in *api.PutBucketNotificationConfigurationInput) string { return in.Bucket }),
		"GetBucketNotificationConfiguration":          onBucket(s, "s3:GetBucketNotification", func(in *api.GetBucketNotificationConfigurationInput) string { return in.Bucket }),
		"ListMultipartUploads":                        onBucket(s, "s3:ListBucketMultipartUploads", func(in *api.ListMultipartUploadsInput) string { return in.Bucket }),
		"ListObjects": service.OnAll("s3:ListBucket", func(ctx context.Context, in *api.ListObjectsInput) ([]service.Target, error) {
			return s.listAccess(ctx, in.Bucket, in.Prefix, in.Delimiter, in.MaxKeys)
		}),
		"ListObjectVersions": service.OnAll("s3:ListBucketVersions", func(ctx context.Context, in *api.ListObjectVersionsInput) ([]service.Target, error) {
			return s.listAccess(ctx, in.Bucket, in.Prefix, in.Delimiter, in.MaxKeys)
		}),
		"ListObjectsV2": service.OnAll("s3:ListBucket", func(ctx context.Context, in *api.ListObjectsV2Input) ([]service.Target, error) {
			return s.listAccess(ctx, in.Bucket, in.Prefix, in.Delimiter, in.MaxKeys)
		}),

		"DeleteObjects":       {Open: true},
		"GetObject":           onVersion(s, "s3:GetObject", "s3:GetObjectVersion", func(in *api.GetObjectInput) named { return named{in.Bucket, in.Key, in.VersionId} }),
		"HeadObject":          onVersion(s, "s3:GetObject", "s3:GetObjectVersion", func(in *api.HeadObjectInput) named { return named{in.Bucket, in.Key, in.VersionId} }),
		"DeleteObject":        onVersion(s, "s3:DeleteObject", "s3:DeleteObjectVersion", func(in *api.DeleteObjectInput) named { return named{in.Bucket, in.Key, in.VersionId} }),
		"GetObjectAttributes": onVersion(s, "s3:GetObject", "s3:GetObjectVersion", func(in *api.GetObjectAttributesInput) named { return named{in.Bucket, in.Key, in.VersionId} }),
		"GetObjectAcl":        onVersion(s, "s3:GetObjectAcl", "s3:GetObjectVersionAcl", func(in *api.GetObjectAclInput) named { return named{in.Bucket, in.Key, in.VersionId} }),
		"PutObjectAcl":        onVersion(s, "s3:PutObjectAcl", "s3:PutObjectVersionAcl", func(in *api.PutObjectAclInput) named { return named{in.Bucket, in.Key, in.VersionId} }),
		"PutObjectTagging":    onVersion(s, "s3:PutObjectTagging", "s3:PutObjectVersionTagging", func(in *api.PutObjectTaggingInput) named { return named{in.Bucket, in.Key, in.VersionId} }),
		"GetObjectTagging":    onVersion(s, "s3:GetObjectTagging", "s3:GetObjectVersionTagging", func(in *api.GetObjectTaggingInput) named { return named{in.Bucket, in.Key, in.VersionId} }),
		"DeleteObjectTagging": onVersion(s, "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging", func(in *api.DeleteObjectTaggingInput) named { return named{in.Bucket, in.Key, in.VersionId} }),
		"GetObjectRetention":  onVersion(s, "s3:GetObjectRetention", "s3:GetObjectRetention", func(in *api.GetObjectRetentionInput) named { return named{in.Bucket, in.Key, in.VersionId} }),
		"PutObjectRetention":  service.OnAll("s3:PutObjectRetention", s.retentionAccess),
		"GetObjectLegalHold":  onVersion(s, "s3:GetObjectLegalHold", "s3:GetObjectLegalHold", func(in *api.GetObjectLegalHoldInput) named { return named{in.Bucket, in.Key, in.VersionId} }),
		"PutObjectLegalHold":  onVersion(s, "s3:PutObjectLegalHold", "s3:PutObjectLegalHold", func(in *api.PutObjectLegalHoldInput) named { return named{in.Bucket, in.Key, in.VersionId} }),
		"RestoreObject":       onVersion(s, "s3:RestoreObject", "s3:RestoreObject", func(in *api.RestoreObjectInput) named { return named{in.Bucket, in.Key, in.VersionId} }),
		"PutObject": service.OnAll("s3:PutObject", func(ctx context.Context, in *api.PutObjectInput) ([]service.Target, error) {
			return s.putTargets(ctx, putRequest(in))
		}),
		"CreateMultipartUpload": service.OnAll("s3:PutObject", func(ctx context.Context, in *api.CreateMultipartUploadInput) ([]service.Target, error) {
			return s.putTargets(ctx, multipartRequest(in))
		}),
		"UploadPart":              onObject(s, "s3:PutObject", func(in *api.UploadPartInput) (string, string) { return in.Bucket, in.Key }),
		"CompleteMultipartUpload": onObject(s, "s3:PutObject", func(in *api.CompleteMultipartUploadInput) (string, string) { return in.Bucket, in.Key }),
		"AbortMultipartUpload":    onObject(s, "s3:AbortMultipartUpload", func(in *api.AbortMultipartUploadInput) (string, string) { return in.Bucket, in.Key }),
		"ListParts":               onObject(s, "s3:ListMultipartUploadParts", func(in *api.ListPartsInput) (string, string) { return in.Bucket, in.Key }),
		"RenameObject":            service.OnAll("s3:PutObject", s.renameAccess),
		"CopyObject": service.OnAll("s3:PutObject", func(ctx context.Context, in *api.CopyObjectInput) ([]service.Target, error) {
			q, err := copyRequest(in, &object{version: &version{}}, false)
			if err != nil {
				return nil, err
			}
			to, err := s.putTargets(ctx, q)
			return s.copyAccess(ctx, to, err, in.CopySource)
		}),
		"UploadPartCopy": service.OnAll("s3:PutObject", func(ctx context.Context, in *api.UploadPartCopyInput) ([]service.Target, error) {
			to, err := s.objectTarget(ctx, in.Bucket, in.Key, nil)
			return s.copyAccess(ctx, []service.Target{to}, err, in.CopySource)
		}),
	}
}
