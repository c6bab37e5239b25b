package s3

import (
	"context"
	"fmt"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// bucketProperties are the properties of AWS::S3::Bucket that are honoured
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html).
type bucketProperties struct {
	AccelerateConfiguration        *accelerateProperties   `cfn:"AccelerateConfiguration"`
	AccessControl                  string                  `cfn:"AccessControl,writeOnly"`
	BucketEncryption               *encryptionProperties   `cfn:"BucketEncryption"`
	BucketName                     string                  `cfn:"BucketName,createOnly"`
	LifecycleConfiguration         *lifecycleProperties    `cfn:"LifecycleConfiguration"`
	LoggingConfiguration           *loggingProperties      `cfn:"LoggingConfiguration"`
	ObjectLockConfiguration        *lockProperties         `cfn:"ObjectLockConfiguration"`
	ObjectLockEnabled              bool                    `cfn:"ObjectLockEnabled,createOnly"`
	ReplicationConfiguration       *replicationProperties  `cfn:"ReplicationConfiguration"`
	VersioningConfiguration        *versioningProperties   `cfn:"VersioningConfiguration"`
	CorsConfiguration              *corsProperties         `cfn:"CorsConfiguration"`
	NotificationConfiguration      *notificationProperties `cfn:"NotificationConfiguration"`
	OwnershipControls              *ownershipProperties    `cfn:"OwnershipControls"`
	PublicAccessBlockConfiguration *blockProperties        `cfn:"PublicAccessBlockConfiguration"`
	Tags                           []tagProperty           `cfn:"Tags"`
	WebsiteConfiguration           *websiteProperties      `cfn:"WebsiteConfiguration"`
}

type corsProperties struct {
	CorsRules []corsRuleProperties `cfn:"CorsRules,required"`
}

type corsRuleProperties struct {
	AllowedHeaders []string `cfn:"AllowedHeaders"`
	AllowedMethods []string `cfn:"AllowedMethods,required"`
	AllowedOrigins []string `cfn:"AllowedOrigins,required"`
	ExposedHeaders []string `cfn:"ExposedHeaders"`
	ID             *string  `cfn:"Id"`
	MaxAge         *int32   `cfn:"MaxAge"`
}

type notificationProperties struct {
	EventBridgeConfiguration *struct {
		EventBridgeEnabled bool `cfn:"EventBridgeEnabled"`
	} `cfn:"EventBridgeConfiguration"`
	LambdaConfigurations []lambdaProperties `cfn:"LambdaConfigurations,unordered"`
	QueueConfigurations  []queueProperties  `cfn:"QueueConfigurations,unordered"`
	TopicConfigurations  []topicProperties  `cfn:"TopicConfigurations,unordered"`
}

type queueProperties struct {
	Event  string            `cfn:"Event,required"`
	Queue  string            `cfn:"Queue,required"`
	Filter *filterProperties `cfn:"Filter"`
}

type topicProperties struct {
	Event  string            `cfn:"Event,required"`
	Topic  string            `cfn:"Topic,required"`
	Filter *filterProperties `cfn:"Filter"`
}

type lambdaProperties struct {
	Event    string            `cfn:"Event,required"`
	Function string            `cfn:"Function,required"`
	Filter   *filterProperties `cfn:"Filter"`
}

type filterProperties struct {
	S3Key struct {
		Rules []filterRuleProperties `cfn:"Rules,required"`
	} `cfn:"S3Key,required"`
}

type filterRuleProperties struct {
	Name  string `cfn:"Name,required"`
	Value string `cfn:"Value,required"`
}

type ownershipProperties struct {
	Rules []struct {
		ObjectOwnership string `cfn:"ObjectOwnership"`
	} `cfn:"Rules,required"`
}

type blockProperties struct {
	BlockPublicAcls       bool `cfn:"BlockPublicAcls"`
	BlockPublicPolicy     bool `cfn:"BlockPublicPolicy"`
	IgnorePublicAcls      bool `cfn:"IgnorePublicAcls"`
	RestrictPublicBuckets bool `cfn:"RestrictPublicBuckets"`
}

type tagProperty struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

type websiteProperties struct {
	ErrorDocument         string                   `cfn:"ErrorDocument"`
	IndexDocument         string                   `cfn:"IndexDocument"`
	RedirectAllRequestsTo *redirectAllProperties   `cfn:"RedirectAllRequestsTo"`
	RoutingRules          []routingRulesProperties `cfn:"RoutingRules"`
}

type redirectAllProperties struct {
	HostName string `cfn:"HostName,required"`
	Protocol string `cfn:"Protocol"`
}

type routingRulesProperties struct {
	RedirectRule struct {
		HostName             *string `cfn:"HostName"`
		HTTPRedirectCode     *string `cfn:"HttpRedirectCode"`
		Protocol             string  `cfn:"Protocol"`
		ReplaceKeyPrefixWith *string `cfn:"ReplaceKeyPrefixWith"`
		ReplaceKeyWith       *string `cfn:"ReplaceKeyWith"`
	} `cfn:"RedirectRule,required"`
	RoutingRuleCondition *struct {
		HTTPErrorCodeReturnedEquals *string `cfn:"HttpErrorCodeReturnedEquals"`
		KeyPrefixEquals             *string `cfn:"KeyPrefixEquals"`
	} `cfn:"RoutingRuleCondition"`
}

// policyProperties are the properties of AWS::S3::BucketPolicy.
type policyProperties struct {
	Bucket         string `cfn:"Bucket,required,createOnly"`
	PolicyDocument any    `cfn:"PolicyDocument,required"`
}

func (s *Service) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::S3::Bucket", service.ResourceSpec[bucketProperties]{
			Attributes: []string{"Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL"},
			Create:     s.createBucketResource, Update: s.updateBucketResource, Delete: s.deleteBucketResource,
			Identifier: []string{"BucketName"}, Read: s.readBucketResource, List: s.listBucketResources, Missing: []string{"NoSuchBucket"},
		}),
		service.NewResourceType("AWS::S3::BucketPolicy", service.ResourceSpec[policyProperties]{
			Create: s.putPolicyResource, Delete: s.deletePolicyResource,
			Identifier: []string{"Bucket"}, Read: s.readPolicyResource, List: s.listPolicyResources, Missing: []string{"NoSuchBucket", "NoSuchBucketPolicy"},
			Update: func(ctx context.Context, c service.ResourceCall, _, p *policyProperties) (service.Resource, error) {
				return s.putPolicyResource(ctx, c, p)
			},
		}),
		s.pointResourceType(), s.multiPointType(), s.multiPolicyType(), s.grantsInstanceType(), s.grantsLocationType(), s.accessGrantType(),
		s.lensType(), s.lensGroupType(),
	}
}

// call runs an operation of this service through the door, with the permissions of whoever deploys.
func (s *Service) call(ctx context.Context, operation string, in any) error {
	_, err := s.door.Call(ctx, "s3", operation, in)
	return err
}

func (s *Service) createBucketResource(ctx context.Context, c service.ResourceCall, p *bucketProperties) (service.Resource, error) {
	name := p.BucketName
	if name == "" {
		name = c.Name(63, foldBucketName)
	}
	if !c.Retry {
		if err := s.nameIsFree(ctx, name); err != nil {
			return service.Resource{}, err
		}
	}
	in := &api.CreateBucketInput{Bucket: name}
	if p.ObjectLockEnabled {
		in.ObjectLockEnabledForBucket = &p.ObjectLockEnabled
	}
	region := service.RequestFrom(ctx).Region
	if region != "us-east-1" {
		in.CreateBucketConfiguration = &api.CreateBucketConfiguration{LocationConstraint: region}
	}
	if err := s.call(ctx, "CreateBucket", in); err != nil && service.Code(err) != "BucketAlreadyOwnedByYou" {
		return service.Resource{}, err
	}
	tags := &api.PutBucketTaggingInput{Bucket: name, Tagging: &api.Tagging{TagSet: stackTags(c, p)}}
	if len(tags.Tagging.TagSet) > 0 {
		if err := s.call(ctx, "PutBucketTagging", tags); err != nil {
			return service.Resource{PhysicalID: name}, err
		}
	}
	if err := s.configure(ctx, name, &bucketProperties{}, p); err != nil {
		return service.Resource{PhysicalID: name}, err
	}
	return s.bucketResource(name, region), nil
}

// nameIsFree refuses the name of a bucket that is there: creating it again would answer as if it were new, and the
// stack would later delete a bucket that it did not make.
func (s *Service) nameIsFree(ctx context.Context, name string) error {
	err := s.view(ctx, name, nil, func(store.Reader, *bucket) error { return nil })
	switch {
	case err == nil:
		return service.Errorf("AlreadyExists", "%s already exists", name)
	case service.Code(err) == "NoSuchBucket":
		return nil
	}
	return err
}

// foldBucketName keeps what a bucket's name may have.
func foldBucketName(name string) string {
	return strings.Trim(strings.ToLower(strings.ReplaceAll(name, "_", "-")), "-.")
}

func (s *Service) bucketResource(name, region string) service.Resource {
	return service.Resource{PhysicalID: name, Attributes: map[string]any{
		"Arn":                 "arn:aws:s3:::" + name,
		"DomainName":          name + ".s3.amazonaws.com",
		"DualStackDomainName": name + ".s3.dualstack." + region + ".amazonaws.com",
		"RegionalDomainName":  name + ".s3." + region + ".amazonaws.com",
		"WebsiteURL":          s.websiteURL(name),
	}}
}

func stackTags(c service.ResourceCall, p *bucketProperties) []api.Tag {
	var tags []api.Tag
	for k, v := range c.Tags {
		if !slices.ContainsFunc(p.Tags, func(t tagProperty) bool { return t.Key == k }) {
			tags = append(tags, api.Tag{Key: k, Value: v})
		}
	}
	for _, t := range p.Tags {
		tags = append(tags, api.Tag{Key: t.Key, Value: t.Value})
	}
	order.Sort(tags, func(a, b api.Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags
}

func (s *Service) updateBucketResource(ctx context.Context, c service.ResourceCall, old, p *bucketProperties) (service.Resource, error) {
	tags := &api.PutBucketTaggingInput{Bucket: c.PhysicalID, Tagging: &api.Tagging{TagSet: stackTags(c, p)}}
	if err := s.call(ctx, "PutBucketTagging", tags); err != nil {
		return service.Resource{}, err
	}
	if err := s.configure(ctx, c.PhysicalID, old, p); err != nil {
		return service.Resource{}, err
	}
	return s.bucketResource(c.PhysicalID, service.RequestFrom(ctx).Region), nil
}

// configure brings the sub-resources of a bucket from what old says to what p says. The access block comes first, because a policy may wait for it.
func (s *Service) configure(ctx context.Context, name string, old, p *bucketProperties) error {
	steps := []func() error{
		func() error { return s.configureBlock(ctx, name, old, p) },
		func() error { return s.configureOwnership(ctx, name, p) },
		func() error { return s.configureACL(ctx, name, old, p) },
		func() error { return s.configureVersioning(ctx, name, old, p) },
		func() error { return s.configureLock(ctx, name, p) },
		func() error { return s.configureEncryption(ctx, name, old, p) },
		func() error { return s.configureLifecycle(ctx, name, old, p) },
		func() error { return s.configureLogging(ctx, name, old, p) },
		func() error { return s.configureReplication(ctx, name, old, p) },
		func() error { return s.configureAcceleration(ctx, name, old, p) },
		func() error { return s.configureCORS(ctx, name, old, p) },
		func() error { return s.configureWebsite(ctx, name, old, p) },
		func() error { return s.configureNotification(ctx, name, old, p) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) configureBlock(ctx context.Context, name string, old, p *bucketProperties) error {
	b := p.PublicAccessBlockConfiguration
	if b == nil {
		if old.PublicAccessBlockConfiguration == nil {
			return nil
		}
		b = &blockProperties{true, true, true, true} // the state of a new bucket
	}
	return s.call(ctx, "PutPublicAccessBlock", &api.PutPublicAccessBlockInput{Bucket: name, PublicAccessBlockConfiguration: &api.PublicAccessBlockConfiguration{
		BlockPublicAcls: &b.BlockPublicAcls, BlockPublicPolicy: &b.BlockPublicPolicy, IgnorePublicAcls: &b.IgnorePublicAcls, RestrictPublicBuckets: &b.RestrictPublicBuckets,
	}})
}

func (s *Service) configureOwnership(ctx context.Context, name string, p *bucketProperties) error {
	if p.OwnershipControls == nil {
		return nil
	}
	in := &api.PutBucketOwnershipControlsInput{Bucket: name, OwnershipControls: &api.OwnershipControls{}}
	for _, r := range p.OwnershipControls.Rules {
		in.OwnershipControls.Rules = append(in.OwnershipControls.Rules, api.OwnershipControlsRule{ObjectOwnership: r.ObjectOwnership})
	}
	return s.call(ctx, "PutBucketOwnershipControls", in)
}

func (s *Service) configureCORS(ctx context.Context, name string, old, p *bucketProperties) error {
	if p.CorsConfiguration == nil {
		if old.CorsConfiguration == nil {
			return nil
		}
		return s.call(ctx, "DeleteBucketCors", &api.DeleteBucketCorsInput{Bucket: name})
	}
	in := &api.PutBucketCorsInput{Bucket: name, CORSConfiguration: &api.CORSConfiguration{}}
	for _, r := range p.CorsConfiguration.CorsRules {
		in.CORSConfiguration.CORSRules = append(in.CORSConfiguration.CORSRules, api.CORSRule{
			ID: r.ID, AllowedHeaders: r.AllowedHeaders, AllowedMethods: r.AllowedMethods, AllowedOrigins: r.AllowedOrigins, ExposeHeaders: r.ExposedHeaders, MaxAgeSeconds: r.MaxAge,
		})
	}
	return s.call(ctx, "PutBucketCors", in)
}

func (s *Service) configureWebsite(ctx context.Context, name string, old, p *bucketProperties) error {
	if p.WebsiteConfiguration == nil {
		if old.WebsiteConfiguration == nil {
			return nil
		}
		return s.call(ctx, "DeleteBucketWebsite", &api.DeleteBucketWebsiteInput{Bucket: name})
	}
	return s.call(ctx, "PutBucketWebsite", &api.PutBucketWebsiteInput{Bucket: name, WebsiteConfiguration: p.WebsiteConfiguration.shape()})
}

func (w *websiteProperties) shape() *api.WebsiteConfiguration {
	c := &api.WebsiteConfiguration{}
	if w.IndexDocument != "" {
		c.IndexDocument = &api.IndexDocument{Suffix: w.IndexDocument}
	}
	if w.ErrorDocument != "" {
		c.ErrorDocument = &api.ErrorDocument{Key: w.ErrorDocument}
	}
	if w.RedirectAllRequestsTo != nil {
		c.RedirectAllRequestsTo = &api.RedirectAllRequestsTo{HostName: w.RedirectAllRequestsTo.HostName, Protocol: w.RedirectAllRequestsTo.Protocol}
	}
	for _, r := range w.RoutingRules {
		t := r.RedirectRule
		rule := api.RoutingRule{Redirect: &api.Redirect{
			HostName: t.HostName, HttpRedirectCode: t.HTTPRedirectCode, Protocol: t.Protocol, ReplaceKeyPrefixWith: t.ReplaceKeyPrefixWith, ReplaceKeyWith: t.ReplaceKeyWith,
		}}
		if r.RoutingRuleCondition != nil {
			rule.Condition = &api.Condition{
				HttpErrorCodeReturnedEquals: r.RoutingRuleCondition.HTTPErrorCodeReturnedEquals, KeyPrefixEquals: r.RoutingRuleCondition.KeyPrefixEquals,
			}
		}
		c.RoutingRules = append(c.RoutingRules, rule)
	}
	return c
}

func (s *Service) configureNotification(ctx context.Context, name string, old, p *bucketProperties) error {
	if p.NotificationConfiguration == nil && old.NotificationConfiguration == nil {
		return nil
	}
	in := &api.PutBucketNotificationConfigurationInput{Bucket: name, NotificationConfiguration: &api.NotificationConfiguration{}}
	if n := p.NotificationConfiguration; n != nil {
		n.fill(in.NotificationConfiguration, name)
	}
	return s.call(ctx, "PutBucketNotificationConfiguration", in)
}

// fill writes the properties into the shape of the API. Each rule gets an id that stays the same from deploy to deploy.
func (n *notificationProperties) fill(c *api.NotificationConfiguration, name string) {
	if b := n.EventBridgeConfiguration; b != nil && b.EventBridgeEnabled {
		c.EventBridgeConfiguration = &api.EventBridgeConfiguration{}
	}
	for i, l := range n.LambdaConfigurations {
		c.LambdaFunctionConfigurations = append(c.LambdaFunctionConfigurations, api.LambdaFunctionConfiguration{
			Id: ptr(fmt.Sprintf("%s-%d", name, i)), LambdaFunctionArn: l.Function, Events: []string{l.Event}, Filter: l.Filter.shape(),
		})
	}
	for i, q := range n.QueueConfigurations {
		c.QueueConfigurations = append(c.QueueConfigurations, api.QueueConfiguration{
			Id: ptr(fmt.Sprintf("%s-queue-%d", name, i)), QueueArn: q.Queue, Events: []string{q.Event}, Filter: q.Filter.shape(),
		})
	}
	for i, t := range n.TopicConfigurations {
		c.TopicConfigurations = append(c.TopicConfigurations, api.TopicConfiguration{
			Id: ptr(fmt.Sprintf("%s-topic-%d", name, i)), TopicArn: t.Topic, Events: []string{t.Event}, Filter: t.Filter.shape(),
		})
	}
}

func (f *filterProperties) shape() *api.NotificationConfigurationFilter {
	if f == nil {
		return nil
	}
	k := &api.S3KeyFilter{}
	for _, r := range f.S3Key.Rules {
		k.FilterRules = append(k.FilterRules, api.FilterRule{Name: r.Name, Value: ptr(r.Value)})
	}
	return &api.NotificationConfigurationFilter{Key: k}
}

func (s *Service) deleteBucketResource(ctx context.Context, c service.ResourceCall, _ *bucketProperties) error {
	err := s.call(ctx, "DeleteBucket", &api.DeleteBucketInput{Bucket: c.PhysicalID})
	if service.Code(err) == "NoSuchBucket" {
		return nil
	}
	return err
}

func (s *Service) putPolicyResource(ctx context.Context, _ service.ResourceCall, p *policyProperties) (service.Resource, error) {
	document, err := policyText(p.PolicyDocument)
	if err != nil {
		return service.Resource{}, err
	}
	if err := s.call(ctx, "PutBucketPolicy", &api.PutBucketPolicyInput{Bucket: p.Bucket, Policy: document}); err != nil {
		return service.Resource{}, err
	}
	return service.Resource{PhysicalID: p.Bucket}, nil
}

func (s *Service) deletePolicyResource(ctx context.Context, c service.ResourceCall, _ *policyProperties) error {
	err := s.call(ctx, "DeleteBucketPolicy", &api.DeleteBucketPolicyInput{Bucket: c.PhysicalID})
	if service.Code(err) == "NoSuchBucket" {
		return nil
	}
	return err
}
