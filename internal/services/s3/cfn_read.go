package s3

import (
	"context"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// get reads a sub-resource of a bucket; nil when it has none.
func get[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	out, err := service.Call[Out](ctx, s.door, "s3", operation, in)
	switch code := service.Code(err); {
	case code == "NoSuchBucket":
	case strings.HasPrefix(code, "NoSuch"), strings.HasSuffix(code, "NotFoundError"):
		return nil, nil //nolint:nilnil // there is none
	}
	return out, err
}

func (s *Service) readBucketResource(ctx context.Context, id service.Identifier) (*bucketProperties, service.Resource, error) {
	name := id[0]
	place, err := service.Call[api.GetBucketLocationOutput](ctx, s.door, "s3", "GetBucketLocation", &api.GetBucketLocationInput{Bucket: name})
	if err != nil {
		return nil, service.Resource{}, err
	}
	region := place.LocationConstraint
	if region == "" {
		region = "us-east-1"
	}
	p := &bucketProperties{BucketName: name}
	for _, step := range []func(context.Context, string, *bucketProperties) error{
		s.readTags, s.readAccess, s.readVersioning, s.readEncryption, s.readLifecycle, s.readLogging, s.readReplication, s.readCORS, s.readWebsite, s.readNotification,
	} {
		if err := step(ctx, name, p); err != nil {
			return nil, service.Resource{}, err
		}
	}
	return p, s.bucketResource(name, region), nil
}

func (s *Service) readTags(ctx context.Context, name string, p *bucketProperties) error {
	out, err := get[api.GetBucketTaggingOutput](ctx, s, "GetBucketTagging", &api.GetBucketTaggingInput{Bucket: name})
	if err == nil && out != nil {
		p.Tags = reshape.To[bucketProperties](map[string]any{"Tags": out.TagSet}).Tags
	}
	return err
}

// readAccess reads who may have access to what is in the bucket. Its access control list has no name to be read by.
func (s *Service) readAccess(ctx context.Context, name string, p *bucketProperties) error {
	block, err := get[api.GetPublicAccessBlockOutput](ctx, s, "GetPublicAccessBlock", &api.GetPublicAccessBlockInput{Bucket: name})
	if err != nil {
		return err
	}
	if block != nil {
		p.PublicAccessBlockConfiguration = reshape.To[blockProperties](block.PublicAccessBlockConfiguration)
	}
	owner, err := get[api.GetBucketOwnershipControlsOutput](ctx, s, "GetBucketOwnershipControls", &api.GetBucketOwnershipControlsInput{Bucket: name})
	if err == nil && owner != nil {
		p.OwnershipControls = reshape.To[ownershipProperties](owner.OwnershipControls)
	}
	return err
}

func (s *Service) readVersioning(ctx context.Context, name string, p *bucketProperties) error {
	out, err := get[api.GetBucketVersioningOutput](ctx, s, "GetBucketVersioning", &api.GetBucketVersioningInput{Bucket: name})
	if err != nil {
		return err
	}
	if out.Status != "" {
		p.VersioningConfiguration = &versioningProperties{out.Status}
	}
	lock, err := get[api.GetObjectLockConfigurationOutput](ctx, s, "GetObjectLockConfiguration", &api.GetObjectLockConfigurationInput{Bucket: name})
	if err != nil {
		return err
	}
	if lock != nil {
		p.ObjectLockEnabled = true
		p.ObjectLockConfiguration = reshape.To[lockProperties](lock.ObjectLockConfiguration)
	}
	faster, err := get[api.GetBucketAccelerateConfigurationOutput](ctx, s, "GetBucketAccelerateConfiguration", &api.GetBucketAccelerateConfigurationInput{Bucket: name})
	if err == nil && faster != nil && faster.Status != "" {
		p.AccelerateConfiguration = &accelerateProperties{faster.Status}
	}
	return err
}

func (s *Service) readEncryption(ctx context.Context, name string, p *bucketProperties) error {
	out, err := get[api.GetBucketEncryptionOutput](ctx, s, "GetBucketEncryption", &api.GetBucketEncryptionInput{Bucket: name})
	if err != nil || out == nil {
		return err
	}
	p.BucketEncryption = &encryptionProperties{}
	for _, r := range out.ServerSideEncryptionConfiguration.Rules {
		rule := encryptionRuleProperties{BucketKeyEnabled: r.BucketKeyEnabled}
		if by := r.ApplyServerSideEncryptionByDefault; by != nil {
			rule.ServerSideEncryptionByDefault = reshape.To[encryptionDefaultProperties](by)
		}
		p.BucketEncryption.ServerSideEncryptionConfiguration = append(p.BucketEncryption.ServerSideEncryptionConfiguration, rule)
	}
	return nil
}

func (s *Service) readLifecycle(ctx context.Context, name string, p *bucketProperties) error {
	out, err := get[api.GetBucketLifecycleConfigurationOutput](ctx, s, "GetBucketLifecycleConfiguration", &api.GetBucketLifecycleConfigurationInput{Bucket: name})
	if err != nil || out == nil {
		return err
	}
	p.LifecycleConfiguration = &lifecycleProperties{Minimum: out.TransitionDefaultMinimumObjectSize}
	for i := range out.Rules {
		p.LifecycleConfiguration.Rules = append(p.LifecycleConfiguration.Rules, lifecycleRule(&out.Rules[i]))
	}
	return nil
}

// dateText writes a date as a template has it.
func dateText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

func lifecycleRule(r *api.LifecycleRule) lifecycleRuleProperties {
	p := *reshape.To[lifecycleRuleProperties](r)
	p.Transitions, p.NoncurrentVersionTransitions = nil, nil
	if e := r.Expiration; e != nil {
		p.ExpirationDate, p.ExpirationInDays, p.ExpiredObjectDeleteMarker = dateText(e.Date), e.Days, e.ExpiredObjectDeleteMarker
	}
	for _, t := range r.Transitions {
		p.Transitions = append(p.Transitions, moveProperty{StorageClass: t.StorageClass, TransitionDate: dateText(t.Date), TransitionInDays: t.Days})
	}
	for _, t := range r.NoncurrentVersionTransitions {
		p.NoncurrentVersionTransitions = append(p.NoncurrentVersionTransitions, noncurrentMoveProperty{
			NewerNoncurrentVersions: t.NewerNoncurrentVersions, StorageClass: t.StorageClass, TransitionInDays: deref(t.NoncurrentDays),
		})
	}
	f := r.Filter
	if f == nil {
		return p
	}
	if f.Tag != nil {
		p.TagFilters = []tagProperty{{f.Tag.Key, f.Tag.Value}}
	}
	p.Prefix, p.ObjectSizeGreaterThan, p.ObjectSizeLessThan = f.Prefix, f.ObjectSizeGreaterThan, f.ObjectSizeLessThan
	if f.And != nil {
		p.Prefix, p.ObjectSizeGreaterThan, p.ObjectSizeLessThan = f.And.Prefix, f.And.ObjectSizeGreaterThan, f.And.ObjectSizeLessThan
		for _, t := range f.And.Tags {
			p.TagFilters = append(p.TagFilters, tagProperty{t.Key, t.Value})
		}
	}
	return p
}

func (s *Service) readLogging(ctx context.Context, name string, p *bucketProperties) error {
	out, err := get[api.GetBucketLoggingOutput](ctx, s, "GetBucketLogging", &api.GetBucketLoggingInput{Bucket: name})
	if err != nil || out == nil || out.LoggingEnabled == nil {
		return err
	}
	p.LoggingConfiguration = reshape.To[loggingProperties](out.LoggingEnabled)
	p.LoggingConfiguration.DestinationBucketName, p.LoggingConfiguration.LogFilePrefix = out.LoggingEnabled.TargetBucket, out.LoggingEnabled.TargetPrefix
	return nil
}

func (s *Service) readReplication(ctx context.Context, name string, p *bucketProperties) error {
	out, err := get[api.GetBucketReplicationOutput](ctx, s, "GetBucketReplication", &api.GetBucketReplicationInput{Bucket: name})
	if err != nil || out == nil {
		return err
	}
	p.ReplicationConfiguration = reshape.To[replicationProperties](out.ReplicationConfiguration)
	for i := range out.ReplicationConfiguration.Rules {
		f := out.ReplicationConfiguration.Rules[i].Filter
		if f == nil {
			continue
		}
		to := p.ReplicationConfiguration.Rules[i].Filter
		if f.Tag != nil {
			to.TagFilter = &tagProperty{f.Tag.Key, f.Tag.Value}
		}
		if f.And != nil {
			for _, t := range f.And.Tags {
				to.And.TagFilters = append(to.And.TagFilters, tagProperty{t.Key, t.Value})
			}
		}
	}
	return nil
}

func (s *Service) readCORS(ctx context.Context, name string, p *bucketProperties) error {
	out, err := get[api.GetBucketCorsOutput](ctx, s, "GetBucketCors", &api.GetBucketCorsInput{Bucket: name})
	if err != nil || out == nil {
		return err
	}
	p.CorsConfiguration = &corsProperties{}
	for _, r := range out.CORSRules {
		p.CorsConfiguration.CorsRules = append(p.CorsConfiguration.CorsRules, corsRuleProperties{
			AllowedHeaders: r.AllowedHeaders, AllowedMethods: r.AllowedMethods, AllowedOrigins: r.AllowedOrigins, ExposedHeaders: r.ExposeHeaders, ID: r.ID, MaxAge: r.MaxAgeSeconds,
		})
	}
	return nil
}

func (s *Service) readWebsite(ctx context.Context, name string, p *bucketProperties) error {
	out, err := get[api.GetBucketWebsiteOutput](ctx, s, "GetBucketWebsite", &api.GetBucketWebsiteInput{Bucket: name})
	if err != nil || out == nil {
		return err
	}
	w := &websiteProperties{}
	if out.IndexDocument != nil {
		w.IndexDocument = out.IndexDocument.Suffix
	}
	if out.ErrorDocument != nil {
		w.ErrorDocument = out.ErrorDocument.Key
	}
	if out.RedirectAllRequestsTo != nil {
		w.RedirectAllRequestsTo = reshape.To[redirectAllProperties](out.RedirectAllRequestsTo)
	}
	for _, r := range out.RoutingRules {
		w.RoutingRules = append(w.RoutingRules, *reshape.To[routingRulesProperties](map[string]any{"RedirectRule": r.Redirect, "RoutingRuleCondition": r.Condition}))
	}
	p.WebsiteConfiguration = w
	return nil
}

func (s *Service) readNotification(ctx context.Context, name string, p *bucketProperties) error {
	out, err := get[api.GetBucketNotificationConfigurationOutput](ctx, s, "GetBucketNotificationConfiguration", &api.GetBucketNotificationConfigurationInput{Bucket: name})
	if err != nil {
		return err
	}
	n := &notificationProperties{}
	// A rule of a template has one event, and one of the API several.
	for _, c := range out.LambdaFunctionConfigurations {
		for _, event := range c.Events {
			n.LambdaConfigurations = append(n.LambdaConfigurations, lambdaProperties{Event: event, Function: c.LambdaFunctionArn, Filter: keyFilter(c.Filter)})
		}
	}
	for _, c := range out.QueueConfigurations {
		for _, event := range c.Events {
			n.QueueConfigurations = append(n.QueueConfigurations, queueProperties{Event: event, Queue: c.QueueArn, Filter: keyFilter(c.Filter)})
		}
	}
	for _, c := range out.TopicConfigurations {
		for _, event := range c.Events {
			n.TopicConfigurations = append(n.TopicConfigurations, topicProperties{Event: event, Topic: c.TopicArn, Filter: keyFilter(c.Filter)})
		}
	}
	if out.EventBridgeConfiguration != nil {
		n.EventBridgeConfiguration = &struct {
			EventBridgeEnabled bool `cfn:"EventBridgeEnabled"`
		}{true}
	}
	if n.EventBridgeConfiguration != nil || n.LambdaConfigurations != nil || n.QueueConfigurations != nil || n.TopicConfigurations != nil {
		p.NotificationConfiguration = n
	}
	return nil
}

func keyFilter(f *api.NotificationConfigurationFilter) *filterProperties {
	if f == nil || f.Key == nil || len(f.Key.FilterRules) == 0 {
		return nil
	}
	p := &filterProperties{}
	for _, r := range f.Key.FilterRules {
		p.S3Key.Rules = append(p.S3Key.Rules, filterRuleProperties{Name: strings.ToLower(r.Name), Value: deref(r.Value)})
	}
	return p
}

func (s *Service) listBucketResources(ctx context.Context, _ *bucketProperties, next string) (service.Page, error) {
	region := service.RequestFrom(ctx).Region
	out, err := service.Call[api.ListBucketsOutput](ctx, s.door, "s3", "ListBuckets", &api.ListBucketsInput{ContinuationToken: service.NextToken(next), BucketRegion: &region})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Buckets, out.ContinuationToken, func(b *api.Bucket) service.Identifier { return service.Identifier{deref(b.Name)} }), nil
}

func (s *Service) readPolicyResource(ctx context.Context, id service.Identifier) (*policyProperties, service.Resource, error) {
	out, err := service.Call[api.GetBucketPolicyOutput](ctx, s.door, "s3", "GetBucketPolicy", &api.GetBucketPolicyInput{Bucket: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return &policyProperties{Bucket: id[0], PolicyDocument: reshape.Document(deref(out.Policy))}, service.Resource{PhysicalID: id[0]}, nil
}

// listPolicyResources lists the buckets of a page that have a policy.
func (s *Service) listPolicyResources(ctx context.Context, _ *policyProperties, next string) (service.Page, error) {
	buckets, err := s.listBucketResources(ctx, nil, next)
	if err != nil {
		return service.Page{}, err
	}
	page := service.Page{Next: buckets.Next}
	for _, id := range buckets.Identifiers {
		out, err := get[api.GetBucketPolicyOutput](ctx, s, "GetBucketPolicy", &api.GetBucketPolicyInput{Bucket: id[0]})
		if err != nil {
			return service.Page{}, err
		}
		if out != nil {
			page.Identifiers = append(page.Identifiers, id)
		}
	}
	return page, nil
}

func (s *Service) readPointResource(ctx context.Context, id service.Identifier) (*pointProperties, service.Resource, error) {
	account := service.RequestFrom(ctx).Account
	out, err := service.Call[control.GetAccessPointOutput](ctx, s.door, "s3control", "GetAccessPoint", &control.GetAccessPointInput{AccountId: account, Name: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[pointProperties](out)
	policy, err := service.Call[control.GetAccessPointPolicyOutput](ctx, s.door, "s3control", "GetAccessPointPolicy", &control.GetAccessPointPolicyInput{AccountId: account, Name: id[0]})
	if service.Unless(err, "NoSuchAccessPointPolicy") != nil {
		return nil, service.Resource{}, err
	}
	if err == nil {
		p.Policy = reshape.Document(deref(policy.Policy))
	}
	tags, err := service.Call[control.ListTagsForResourceOutput](ctx, s.door, "s3control", "ListTagsForResource", &control.ListTagsForResourceInput{AccountId: account, ResourceArn: deref(out.AccessPointArn)})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p.Tags = reshape.To[pointProperties](tags).Tags
	r, err := s.pointResource(ctx, id[0])
	return p, r, err
}

func (s *Service) listPointResources(ctx context.Context, _ *pointProperties, next string) (service.Page, error) {
	out, err := service.Call[control.ListAccessPointsOutput](ctx, s.door, "s3control", "ListAccessPoints", &control.ListAccessPointsInput{AccountId: service.RequestFrom(ctx).Account, NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.AccessPointList, out.NextToken, func(a *control.AccessPoint) service.Identifier { return service.Identifier{a.Name} }), nil
}
