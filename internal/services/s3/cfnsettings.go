package s3

import (
	"cmp"
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
)

type accelerateProperties struct {
	AccelerationStatus string `cfn:"AccelerationStatus,required"`
}

type encryptionProperties struct {
	ServerSideEncryptionConfiguration []encryptionRuleProperties `cfn:"ServerSideEncryptionConfiguration,required"`
}

type encryptionRuleProperties struct {
	BucketKeyEnabled              *bool                        `cfn:"BucketKeyEnabled"`
	ServerSideEncryptionByDefault *encryptionDefaultProperties `cfn:"ServerSideEncryptionByDefault"`
}

type encryptionDefaultProperties struct {
	KMSMasterKeyID *string `cfn:"KMSMasterKeyID"`
	SSEAlgorithm   string  `cfn:"SSEAlgorithm,required"`
}

type loggingProperties struct {
	DestinationBucketName string `cfn:"DestinationBucketName"`
	LogFilePrefix         string `cfn:"LogFilePrefix"`
	TargetObjectKeyFormat *struct {
		PartitionedPrefix *struct {
			PartitionDateSource string `cfn:"PartitionDateSource"`
		} `cfn:"PartitionedPrefix"`
		SimplePrefix *struct{} `cfn:"SimplePrefix"`
	} `cfn:"TargetObjectKeyFormat"`
}

type versioningProperties struct {
	Status string `cfn:"Status,required"`
}

type lockProperties struct {
	ObjectLockEnabled string `cfn:"ObjectLockEnabled"`
	Rule              *struct {
		DefaultRetention *struct {
			Days  *int32 `cfn:"Days"`
			Mode  string `cfn:"Mode"`
			Years *int32 `cfn:"Years"`
		} `cfn:"DefaultRetention"`
	} `cfn:"Rule"`
}

type lifecycleProperties struct {
	Rules []lifecycleRuleProperties `cfn:"Rules,required"`
	// Minimum is the default minimum size of transitions.
	Minimum string `cfn:"TransitionDefaultMinimumObjectSize"`
}

type lifecycleRuleProperties struct {
	AbortIncompleteMultipartUpload *struct {
		DaysAfterInitiation int32 `cfn:"DaysAfterInitiation,required"`
	} `cfn:"AbortIncompleteMultipartUpload"`
	ExpirationDate              string  `cfn:"ExpirationDate"`
	ExpirationInDays            *int32  `cfn:"ExpirationInDays"`
	ExpiredObjectDeleteMarker   *bool   `cfn:"ExpiredObjectDeleteMarker"`
	ID                          *string `cfn:"Id"`
	NoncurrentVersionExpiration *struct {
		NewerNoncurrentVersions *int32 `cfn:"NewerNoncurrentVersions"`
		NoncurrentDays          int32  `cfn:"NoncurrentDays,required"`
	} `cfn:"NoncurrentVersionExpiration"`
	NoncurrentVersionExpirationInDays *int32                   `cfn:"NoncurrentVersionExpirationInDays,writeOnly"`
	NoncurrentVersionTransitions      []noncurrentMoveProperty `cfn:"NoncurrentVersionTransitions"`
	ObjectSizeGreaterThan             *int64                   `cfn:"ObjectSizeGreaterThan"`
	ObjectSizeLessThan                *int64                   `cfn:"ObjectSizeLessThan"`
	Prefix                            *string                  `cfn:"Prefix"`
	Status                            string                   `cfn:"Status,required"`
	TagFilters                        []tagProperty            `cfn:"TagFilters,unordered"`
	Transitions                       []moveProperty           `cfn:"Transitions"`
}

type noncurrentMoveProperty struct {
	NewerNoncurrentVersions *int32 `cfn:"NewerNoncurrentVersions"`
	StorageClass            string `cfn:"StorageClass,required"`
	TransitionInDays        int32  `cfn:"TransitionInDays,required"`
}

type moveProperty struct {
	StorageClass     string `cfn:"StorageClass,required"`
	TransitionDate   string `cfn:"TransitionDate"`
	TransitionInDays *int32 `cfn:"TransitionInDays"`
}

type replicationProperties struct {
	Role  string `cfn:"Role,required"`
	Rules []struct {
		DeleteMarkerReplication *struct {
			Status string `cfn:"Status"`
		} `cfn:"DeleteMarkerReplication"`
		Destination struct {
			Bucket       string `cfn:"Bucket,required"`
			StorageClass string `cfn:"StorageClass"`
		} `cfn:"Destination,required"`
		Filter *struct {
			And *struct {
				Prefix     *string       `cfn:"Prefix"`
				TagFilters []tagProperty `cfn:"TagFilters,unordered"`
			} `cfn:"And"`
			Prefix    *string      `cfn:"Prefix"`
			TagFilter *tagProperty `cfn:"TagFilter"`
		} `cfn:"Filter"`
		ID       *string `cfn:"Id"`
		Prefix   *string `cfn:"Prefix"`
		Priority *int32  `cfn:"Priority"`
		Status   string  `cfn:"Status,required"`
	} `cfn:"Rules,required"`
}

// cannedACLs are the names that a template uses for access control lists.
func cannedACLs() map[string]string {
	return map[string]string{
		"": "private", "Private": "private", "PublicRead": "public-read", "PublicReadWrite": "public-read-write", "AuthenticatedRead": "authenticated-read",
		"LogDeliveryWrite": "log-delivery-write", "BucketOwnerRead": "bucket-owner-read", "BucketOwnerFullControl": "bucket-owner-full-control", "AwsExecRead": "aws-exec-read",
	}
}

func (s *Service) configureACL(ctx context.Context, name string, old, p *bucketProperties) error {
	if p.AccessControl == old.AccessControl || p.AccessControl == "Private" && old.AccessControl == "" {
		return nil
	}
	return s.call(ctx, "PutBucketAcl", &api.PutBucketAclInput{Bucket: name, ACL: cmp.Or(cannedACLs()[p.AccessControl], p.AccessControl)})
}

func (s *Service) configureVersioning(ctx context.Context, name string, old, p *bucketProperties) error {
	v := p.VersioningConfiguration
	if v == nil {
		if old.VersioningConfiguration == nil {
			return nil
		}
		v = &versioningProperties{versioningSuspended}
	}
	return s.call(ctx, "PutBucketVersioning", &api.PutBucketVersioningInput{Bucket: name, VersioningConfiguration: &api.VersioningConfiguration{Status: v.Status}})
}

func (s *Service) configureLock(ctx context.Context, name string, p *bucketProperties) error {
	l := p.ObjectLockConfiguration
	if l == nil {
		return nil
	}
	c := &api.ObjectLockConfiguration{ObjectLockEnabled: cmp.Or(l.ObjectLockEnabled, versioningEnabled)}
	if l.Rule != nil && l.Rule.DefaultRetention != nil {
		r := l.Rule.DefaultRetention
		c.Rule = &api.ObjectLockRule{DefaultRetention: &api.DefaultRetention{Mode: r.Mode, Days: r.Days, Years: r.Years}}
	}
	return s.call(ctx, "PutObjectLockConfiguration", &api.PutObjectLockConfigurationInput{Bucket: name, ObjectLockConfiguration: c})
}

func (s *Service) configureEncryption(ctx context.Context, name string, old, p *bucketProperties) error {
	if p.BucketEncryption == nil {
		if old.BucketEncryption == nil {
			return nil
		}
		return s.call(ctx, "DeleteBucketEncryption", &api.DeleteBucketEncryptionInput{Bucket: name})
	}
	c := &api.ServerSideEncryptionConfiguration{}
	for _, r := range p.BucketEncryption.ServerSideEncryptionConfiguration {
		rule := api.ServerSideEncryptionRule{BucketKeyEnabled: r.BucketKeyEnabled}
		if by := r.ServerSideEncryptionByDefault; by != nil {
			rule.ApplyServerSideEncryptionByDefault = &api.ServerSideEncryptionByDefault{SSEAlgorithm: by.SSEAlgorithm, KMSMasterKeyID: by.KMSMasterKeyID}
		}
		c.Rules = append(c.Rules, rule)
	}
	return s.call(ctx, "PutBucketEncryption", &api.PutBucketEncryptionInput{Bucket: name, ServerSideEncryptionConfiguration: c})
}

func (s *Service) configureLifecycle(ctx context.Context, name string, old, p *bucketProperties) error {
	if p.LifecycleConfiguration == nil {
		if old.LifecycleConfiguration == nil {
			return nil
		}
		return s.call(ctx, "DeleteBucketLifecycle", &api.DeleteBucketLifecycleInput{Bucket: name})
	}
	c := &api.BucketLifecycleConfiguration{}
	for i := range p.LifecycleConfiguration.Rules {
		r, err := p.LifecycleConfiguration.Rules[i].shape()
		if err != nil {
			return err
		}
		c.Rules = append(c.Rules, r)
	}
	return s.call(ctx, "PutBucketLifecycleConfiguration", &api.PutBucketLifecycleConfigurationInput{
		Bucket: name, LifecycleConfiguration: c, TransitionDefaultMinimumObjectSize: p.LifecycleConfiguration.Minimum,
	})
}

// templateDate reads a date of a template.
func templateDate(name, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return &t, nil
		}
	}
	return nil, invalidArgument("%s %q is not a date such as 2027-01-01T00:00:00Z", name, text)
}

func (p *lifecycleRuleProperties) shape() (api.LifecycleRule, error) {
	r := api.LifecycleRule{ID: p.ID, Status: p.Status, Filter: p.filter()}
	date, err := templateDate("ExpirationDate", p.ExpirationDate)
	if err != nil {
		return r, err
	}
	if date != nil || p.ExpirationInDays != nil || p.ExpiredObjectDeleteMarker != nil {
		r.Expiration = &api.LifecycleExpiration{Date: date, Days: p.ExpirationInDays, ExpiredObjectDeleteMarker: p.ExpiredObjectDeleteMarker}
	}
	if a := p.AbortIncompleteMultipartUpload; a != nil {
		r.AbortIncompleteMultipartUpload = &api.AbortIncompleteMultipartUpload{DaysAfterInitiation: &a.DaysAfterInitiation}
	}
	switch n := p.NoncurrentVersionExpiration; {
	case n != nil:
		r.NoncurrentVersionExpiration = &api.NoncurrentVersionExpiration{NoncurrentDays: &n.NoncurrentDays, NewerNoncurrentVersions: n.NewerNoncurrentVersions}
	case p.NoncurrentVersionExpirationInDays != nil:
		r.NoncurrentVersionExpiration = &api.NoncurrentVersionExpiration{NoncurrentDays: p.NoncurrentVersionExpirationInDays}
	}
	for _, t := range p.NoncurrentVersionTransitions {
		r.NoncurrentVersionTransitions = append(r.NoncurrentVersionTransitions, api.NoncurrentVersionTransition{
			NoncurrentDays: ptr(t.TransitionInDays), StorageClass: t.StorageClass, NewerNoncurrentVersions: t.NewerNoncurrentVersions,
		})
	}
	for _, t := range p.Transitions {
		date, err := templateDate("TransitionDate", t.TransitionDate)
		if err != nil {
			return r, err
		}
		r.Transitions = append(r.Transitions, api.Transition{Date: date, Days: t.TransitionInDays, StorageClass: t.StorageClass})
	}
	return r, nil
}

// filter returns the filter of a rule: the API takes one condition as it is, and several in an And.
func (p *lifecycleRuleProperties) filter() *api.LifecycleRuleFilter {
	and := &api.LifecycleRuleAndOperator{Prefix: p.Prefix, ObjectSizeGreaterThan: p.ObjectSizeGreaterThan, ObjectSizeLessThan: p.ObjectSizeLessThan}
	for _, t := range p.TagFilters {
		and.Tags = append(and.Tags, api.Tag{Key: t.Key, Value: t.Value})
	}
	n := len(and.Tags)
	for _, set := range []bool{p.Prefix != nil, p.ObjectSizeGreaterThan != nil, p.ObjectSizeLessThan != nil} {
		if set {
			n++
		}
	}
	switch {
	case n > 1:
		return &api.LifecycleRuleFilter{And: and}
	case n == 0:
		return &api.LifecycleRuleFilter{Prefix: ptr("")}
	case len(and.Tags) == 1:
		return &api.LifecycleRuleFilter{Tag: &and.Tags[0]}
	}
	return &api.LifecycleRuleFilter{Prefix: and.Prefix, ObjectSizeGreaterThan: and.ObjectSizeGreaterThan, ObjectSizeLessThan: and.ObjectSizeLessThan}
}

func (s *Service) configureReplication(ctx context.Context, name string, old, p *bucketProperties) error {
	if p.ReplicationConfiguration == nil {
		if old.ReplicationConfiguration == nil {
			return nil
		}
		return s.call(ctx, "DeleteBucketReplication", &api.DeleteBucketReplicationInput{Bucket: name})
	}
	c := &api.ReplicationConfiguration{Role: p.ReplicationConfiguration.Role}
	for _, r := range p.ReplicationConfiguration.Rules {
		rule := api.ReplicationRule{
			ID: r.ID, Status: r.Status, Prefix: r.Prefix, Priority: r.Priority, Destination: &api.Destination{Bucket: r.Destination.Bucket, StorageClass: r.Destination.StorageClass},
		}
		if r.DeleteMarkerReplication != nil {
			rule.DeleteMarkerReplication = &api.DeleteMarkerReplication{Status: r.DeleteMarkerReplication.Status}
		}
		if f := r.Filter; f != nil {
			rule.Filter = &api.ReplicationRuleFilter{Prefix: f.Prefix}
			if f.TagFilter != nil {
				rule.Filter.Tag = &api.Tag{Key: f.TagFilter.Key, Value: f.TagFilter.Value}
			}
			if f.And != nil {
				rule.Filter.And = &api.ReplicationRuleAndOperator{Prefix: f.And.Prefix}
				for _, t := range f.And.TagFilters {
					rule.Filter.And.Tags = append(rule.Filter.And.Tags, api.Tag{Key: t.Key, Value: t.Value})
				}
			}
		}
		c.Rules = append(c.Rules, rule)
	}
	return s.call(ctx, "PutBucketReplication", &api.PutBucketReplicationInput{Bucket: name, ReplicationConfiguration: c})
}

func (s *Service) configureAcceleration(ctx context.Context, name string, old, p *bucketProperties) error {
	a := p.AccelerateConfiguration
	if a == nil {
		if old.AccelerateConfiguration == nil {
			return nil
		}
		a = &accelerateProperties{versioningSuspended}
	}
	return s.call(ctx, "PutBucketAccelerateConfiguration", &api.PutBucketAccelerateConfigurationInput{Bucket: name, AccelerateConfiguration: &api.AccelerateConfiguration{Status: a.AccelerationStatus}})
}

// configureLogging sets where access logs go: to the bucket itself when the template names no other.
func (s *Service) configureLogging(ctx context.Context, name string, old, p *bucketProperties) error {
	l := p.LoggingConfiguration
	if l == nil {
		if old.LoggingConfiguration == nil {
			return nil
		}
		return s.call(ctx, "PutBucketLogging", &api.PutBucketLoggingInput{Bucket: name, BucketLoggingStatus: &api.BucketLoggingStatus{}})
	}
	c := &api.LoggingEnabled{TargetBucket: cmp.Or(l.DestinationBucketName, name), TargetPrefix: l.LogFilePrefix}
	if f := l.TargetObjectKeyFormat; f != nil {
		c.TargetObjectKeyFormat = &api.TargetObjectKeyFormat{}
		if f.SimplePrefix != nil {
			c.TargetObjectKeyFormat.SimplePrefix = &api.SimplePrefix{}
		}
		if f.PartitionedPrefix != nil {
			c.TargetObjectKeyFormat.PartitionedPrefix = &api.PartitionedPrefix{PartitionDateSource: f.PartitionedPrefix.PartitionDateSource}
		}
	}
	return s.call(ctx, "PutBucketLogging", &api.PutBucketLoggingInput{Bucket: name, BucketLoggingStatus: &api.BucketLoggingStatus{LoggingEnabled: c}})
}
