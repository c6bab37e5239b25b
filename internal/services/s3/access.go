package s3

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// bucketTarget is a bucket as something to get permission for: its ARN, owner and policy.
func (s *Service) bucketTarget(ctx context.Context, name string) (service.Target, error) {
	var t service.Target
	err := s.view(ctx, name, nil, func(r store.Reader, b *bucket) error {
		policy, err := s.effectivePolicy(ctx, r, b)
		t = service.Target{ARN: b.arn(), Policy: policy, Owner: b.Account}
		return err
	})
	return t, err
}

func (s *Service) objectTarget(ctx context.Context, bucketName, key string) (service.Target, error) {
	t, err := s.bucketTarget(ctx, bucketName)
	t.ARN += "/" + key
	return t, err
}

// effectivePolicy returns the bucket policy as it counts for the caller of ctx: a public policy of a bucket that restricts public
// access counts for the owner's account and for AWS services only.
func (s *Service) effectivePolicy(ctx context.Context, r store.Reader, b *bucket) (string, error) {
	p, ok, err := record.Get[bucketPolicy](r, b.confKey(policyConf))
	if err != nil || !ok {
		return "", err
	}
	caller := service.RequestFrom(ctx).Principal
	if p.Public && b.Block != nil && b.Block.RestrictPublicBuckets && caller.Kind != service.ServicePrincipal && caller.Account != b.Account {
		return "", nil
	}
	return p.Document, nil
}

// onBucket is the rule of an operation on one bucket.
func onBucket[In any](s *Service, action string, name func(in *In) string) service.Access {
	return service.OnAll(action, func(ctx context.Context, in *In) ([]service.Target, error) {
		t, err := s.bucketTarget(ctx, name(in))
		return []service.Target{t}, err
	})
}

// onObject is the rule of an operation on one object.
func onObject[In any](s *Service, action string, name func(in *In) (bucketName, key string)) service.Access {
	return service.OnAll(action, func(ctx context.Context, in *In) ([]service.Target, error) {
		b, k := name(in)
		t, err := s.objectTarget(ctx, b, k)
		return []service.Target{t}, err
	})
}

// listAccess adds the condition keys of listings.
func (s *Service) listAccess(ctx context.Context, bucketName string, prefix, delimiter *string, limit *int32) ([]service.Target, error) {
	t, err := s.bucketTarget(ctx, bucketName)
	t.Condition = map[string][]string{"s3:prefix": {deref(prefix)}}
	if delimiter != nil {
		t.Condition["s3:delimiter"] = []string{*delimiter}
	}
	if limit != nil {
		t.Condition["s3:max-keys"] = []string{itoa(*limit)}
	}
	return []service.Target{t}, err
}

// copyAccess is what a copy needs: to read the source, and to write the target.
func (s *Service) copyAccess(ctx context.Context, bucketName, key, source string) ([]service.Target, error) {
	if _, _, err := parseCopySource(source); err != nil {
		return nil, err
	}
	to, err := s.objectTarget(ctx, bucketName, key)
	if err != nil {
		return nil, err
	}
	from, err := s.copySourceTarget(ctx, source)
	return []service.Target{to, from}, err
}

// access lists what each operation needs: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html.
// DeleteObjects is decided for each key, in its handler, because some keys may be allowed and others not.
func (s *Service) access() map[string]service.Access {
	rules := s.rules()
	for name, rule := range rules {
		rule.Anonymous = true // callers without credentials are decided like others, by the bucket's policy
		rules[name] = rule
	}
	return rules
}

func (s *Service) rules() map[string]service.Access {
	return map[string]service.Access{
		"ListBuckets":  service.OnAny("s3:ListAllMyBuckets"),
		"CreateBucket": service.On("s3:CreateBucket", func(_ context.Context, in *api.CreateBucketInput) string { return "arn:aws:s3:::" + in.Bucket }),
		"DeleteBucket": onBucket(s, "s3:DeleteBucket", func(in *api.DeleteBucketInput) string { return in.Bucket }),
		"HeadBucket":   onBucket(s, "s3:ListBucket", func(in *api.HeadBucketInput) string { return in.Bucket }),

		"GetBucketLocation":                  onBucket(s, "s3:GetBucketLocation", func(in *api.GetBucketLocationInput) string { return in.Bucket }),
		"GetBucketVersioning":                onBucket(s, "s3:GetBucketVersioning", func(in *api.GetBucketVersioningInput) string { return in.Bucket }),
		"GetBucketEncryption":                onBucket(s, "s3:GetEncryptionConfiguration", func(in *api.GetBucketEncryptionInput) string { return in.Bucket }),
		"GetBucketAcl":                       onBucket(s, "s3:GetBucketAcl", func(in *api.GetBucketAclInput) string { return in.Bucket }),
		"PutBucketAcl":                       onBucket(s, "s3:PutBucketAcl", func(in *api.PutBucketAclInput) string { return in.Bucket }),
		"PutBucketPolicy":                    onBucket(s, "s3:PutBucketPolicy", func(in *api.PutBucketPolicyInput) string { return in.Bucket }),
		"GetBucketPolicy":                    onBucket(s, "s3:GetBucketPolicy", func(in *api.GetBucketPolicyInput) string { return in.Bucket }),
		"DeleteBucketPolicy":                 onBucket(s, "s3:DeleteBucketPolicy", func(in *api.DeleteBucketPolicyInput) string { return in.Bucket }),
		"GetBucketPolicyStatus":              onBucket(s, "s3:GetBucketPolicyStatus", func(in *api.GetBucketPolicyStatusInput) string { return in.Bucket }),
		"PutPublicAccessBlock":               onBucket(s, "s3:PutBucketPublicAccessBlock", func(in *api.PutPublicAccessBlockInput) string { return in.Bucket }),
		"GetPublicAccessBlock":               onBucket(s, "s3:GetBucketPublicAccessBlock", func(in *api.GetPublicAccessBlockInput) string { return in.Bucket }),
		"DeletePublicAccessBlock":            onBucket(s, "s3:PutBucketPublicAccessBlock", func(in *api.DeletePublicAccessBlockInput) string { return in.Bucket }),
		"PutBucketOwnershipControls":         onBucket(s, "s3:PutBucketOwnershipControls", func(in *api.PutBucketOwnershipControlsInput) string { return in.Bucket }),
		"GetBucketOwnershipControls":         onBucket(s, "s3:GetBucketOwnershipControls", func(in *api.GetBucketOwnershipControlsInput) string { return in.Bucket }),
		"DeleteBucketOwnershipControls":      onBucket(s, "s3:PutBucketOwnershipControls", func(in *api.DeleteBucketOwnershipControlsInput) string { return in.Bucket }),
		"PutBucketCors":                      onBucket(s, "s3:PutBucketCORS", func(in *api.PutBucketCorsInput) string { return in.Bucket }),
		"GetBucketCors":                      onBucket(s, "s3:GetBucketCORS", func(in *api.GetBucketCorsInput) string { return in.Bucket }),
		"DeleteBucketCors":                   onBucket(s, "s3:PutBucketCORS", func(in *api.DeleteBucketCorsInput) string { return in.Bucket }),
		"PutBucketWebsite":                   onBucket(s, "s3:PutBucketWebsite", func(in *api.PutBucketWebsiteInput) string { return in.Bucket }),
		"GetBucketWebsite":                   onBucket(s, "s3:GetBucketWebsite", func(in *api.GetBucketWebsiteInput) string { return in.Bucket }),
		"DeleteBucketWebsite":                onBucket(s, "s3:DeleteBucketWebsite", func(in *api.DeleteBucketWebsiteInput) string { return in.Bucket }),
		"PutBucketTagging":                   onBucket(s, "s3:PutBucketTagging", func(in *api.PutBucketTaggingInput) string { return in.Bucket }),
		"GetBucketTagging":                   onBucket(s, "s3:GetBucketTagging", func(in *api.GetBucketTaggingInput) string { return in.Bucket }),
		"DeleteBucketTagging":                onBucket(s, "s3:PutBucketTagging", func(in *api.DeleteBucketTaggingInput) string { return in.Bucket }),
		"PutBucketNotificationConfiguration": onBucket(s, "s3:PutBucketNotification", func(in *api.PutBucketNotificationConfigurationInput) string { return in.Bucket }),
		"GetBucketNotificationConfiguration": onBucket(s, "s3:GetBucketNotification", func(in *api.GetBucketNotificationConfigurationInput) string { return in.Bucket }),
		"ListMultipartUploads":               onBucket(s, "s3:ListBucketMultipartUploads", func(in *api.ListMultipartUploadsInput) string { return in.Bucket }),
		"ListObjects": service.OnAll("s3:ListBucket", func(ctx context.Context, in *api.ListObjectsInput) ([]service.Target, error) {
			return s.listAccess(ctx, in.Bucket, in.Prefix, in.Delimiter, in.MaxKeys)
		}),
		"ListObjectsV2": service.OnAll("s3:ListBucket", func(ctx context.Context, in *api.ListObjectsV2Input) ([]service.Target, error) {
			return s.listAccess(ctx, in.Bucket, in.Prefix, in.Delimiter, in.MaxKeys)
		}),

		"DeleteObjects":       {Open: true},
		"PutObject":           onObject(s, "s3:PutObject", func(in *api.PutObjectInput) (string, string) { return in.Bucket, in.Key }),
		"GetObject":           onObject(s, "s3:GetObject", func(in *api.GetObjectInput) (string, string) { return in.Bucket, in.Key }),
		"HeadObject":          onObject(s, "s3:GetObject", func(in *api.HeadObjectInput) (string, string) { return in.Bucket, in.Key }),
		"DeleteObject":        onObject(s, "s3:DeleteObject", func(in *api.DeleteObjectInput) (string, string) { return in.Bucket, in.Key }),
		"GetObjectAttributes": onObject(s, "s3:GetObject", func(in *api.GetObjectAttributesInput) (string, string) { return in.Bucket, in.Key }),
		"GetObjectAcl":        onObject(s, "s3:GetObjectAcl", func(in *api.GetObjectAclInput) (string, string) { return in.Bucket, in.Key }),
		"PutObjectAcl":        onObject(s, "s3:PutObjectAcl", func(in *api.PutObjectAclInput) (string, string) { return in.Bucket, in.Key }),
		"PutObjectTagging":    onObject(s, "s3:PutObjectTagging", func(in *api.PutObjectTaggingInput) (string, string) { return in.Bucket, in.Key }),
		"GetObjectTagging":    onObject(s, "s3:GetObjectTagging", func(in *api.GetObjectTaggingInput) (string, string) { return in.Bucket, in.Key }),
		"DeleteObjectTagging": onObject(s, "s3:DeleteObjectTagging", func(in *api.DeleteObjectTaggingInput) (string, string) { return in.Bucket, in.Key }),

		"CreateMultipartUpload":   onObject(s, "s3:PutObject", func(in *api.CreateMultipartUploadInput) (string, string) { return in.Bucket, in.Key }),
		"UploadPart":              onObject(s, "s3:PutObject", func(in *api.UploadPartInput) (string, string) { return in.Bucket, in.Key }),
		"CompleteMultipartUpload": onObject(s, "s3:PutObject", func(in *api.CompleteMultipartUploadInput) (string, string) { return in.Bucket, in.Key }),
		"AbortMultipartUpload":    onObject(s, "s3:AbortMultipartUpload", func(in *api.AbortMultipartUploadInput) (string, string) { return in.Bucket, in.Key }),
		"ListParts":               onObject(s, "s3:ListMultipartUploadParts", func(in *api.ListPartsInput) (string, string) { return in.Bucket, in.Key }),
		"CopyObject": service.OnAll("s3:PutObject", func(ctx context.Context, in *api.CopyObjectInput) ([]service.Target, error) {
			return s.copyAccess(ctx, in.Bucket, in.Key, in.CopySource)
		}),
		"UploadPartCopy": service.OnAll("s3:PutObject", func(ctx context.Context, in *api.UploadPartCopyInput) ([]service.Target, error) {
			return s.copyAccess(ctx, in.Bucket, in.Key, in.CopySource)
		}),
	}
}
