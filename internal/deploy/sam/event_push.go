package sam

import "strings"

// Events of buckets, topics and user pools.

var (
	s3EventSchema      = schema{{"Bucket", aText, required}, {"Events", textOrTexts, required | literal}, {"Filter", mapOfTexts, 0}}
	cognitoEventSchema = schema{{"UserPool", aText, required}, {"Trigger", textOrTexts, required | literal}}
	snsEventSchema     = schema{
		{"Topic", aText, required}, {"Region", aText, 0}, {"FilterPolicy", anything, 0}, {"FilterPolicyScope", anything, 0}, {"SqsSubscription", boolOrMap, 0}, {"RedrivePolicy", aMap, 0},
	}
)

// linkBucket finds the bucket, which must be in the same template: its notifications are a part of it.
func (e *event) linkBucket() (*link, error) {
	if d := e.properties.dict("Bucket"); d.has("Ref") {
		id, ok := text(d.get("Ref"))
		if !ok {
			return nil, e.fail("'Ref' value in S3 events is not a valid string.")
		}
		if r := e.resources.dict(id); r != nil {
			return &link{id: id, resource: r}, nil
		}
	}
	return nil, e.fail("S3 events must reference an S3 bucket in the same template.")
}

// s3 adds a notification to the bucket, which waits for the permission.
func (e *event) s3(l *link) ([]*resource, error) {
	permission := e.permission("s3.amazonaws.com", dictOf("SourceAccount", ref("AWS::AccountId")))
	wait := e.dependOn
	if permission.condition() != nil {
		wait = e.dependByTag
	}
	if err := wait(l, permission); err != nil {
		return nil, err
	}
	if err := e.notify(l); err != nil {
		return nil, err
	}
	bucket, err := adopt(l, "AWS::S3::Bucket", bucketProperties)
	if err != nil {
		return nil, err
	}
	return []*resource{permission, bucket}, nil
}

func (e *event) dependOn(l *link, permission *resource) error {
	list, ok := l.resource.get("DependsOn").([]any)
	if s, isText := text(l.resource.get("DependsOn")); isText {
		list, ok = []any{s}, true
	}
	if !ok && l.resource.has("DependsOn") {
		return invalid(e.id, "Invalid type for field 'DependsOn'. Expected a string or list of strings.")
	}
	out := []any{}
	for _, v := range append(append([]any{}, list...), permission.id) {
		if _, ok := text(v); !ok {
			return invalid(e.id, "Invalid type for field 'DependsOn'. Expected a string or list of strings.")
		}
		if !contains(out, v) {
			out = append(out, v)
		}
	}
	l.resource.set("DependsOn", out)
	return nil
}

// dependByTag makes the bucket depend on a permission that may not exist: DependsOn knows no conditions, but the value of a tag does.
func (e *event) dependByTag(l *link, permission *resource) error {
	properties := l.resource.dict("Properties")
	if properties == nil {
		properties = newDict()
		l.resource.set("Properties", properties)
	}
	tags := []any{}
	if v := properties.get("Tags"); v != nil {
		var err error
		if tags, err = inResource(l.id, "Tags").list(v); err != nil {
			return err
		}
	}
	tag := dictOf("sam:ConditionalDependsOn:"+permission.id, when(permission.condition(), permission.ref(), "no dependency"))
	properties.set("Tags", append(append([]any{}, tags...), tagList(tag)...))
	return nil
}

// notify adds the notifications to the bucket's configuration.
func (e *event) notify(l *link) error {
	if !l.resource.has("Properties") {
		l.resource.set("Properties", newDict())
	}
	properties := l.resource.dict("Properties")
	if properties == nil {
		return invalid(l.id, "Properties should be a map.")
	}
	if properties.get("NotificationConfiguration") == nil {
		properties.set("NotificationConfiguration", newDict())
	}
	config, err := inResource(l.id, "NotificationConfiguration").dict(properties.get("NotificationConfiguration"))
	if err != nil {
		return err
	}
	list, ok := config.get("LambdaConfigurations").([]any)
	if !ok && config.get("LambdaConfigurations") != nil {
		return invalid(l.id, "Invalid type for LambdaConfigurations. Must be a list.")
	}
	kinds, ok := e.get("Events").([]any)
	if !ok {
		kinds = []any{e.get("Events")}
	}
	for _, kind := range kinds {
		n := dictOf("Function", e.targetARN(), "Filter", clone(e.get("Filter")), "Event", kind)
		if c := e.target.condition(); c != nil {
			n = when(c, n, nil)
		}
		if !contains(list, n) {
			list = append(list, n)
		}
	}
	config.set("LambdaConfigurations", list)
	return nil
}

// adopt takes a resource of the template that an event adds to into what is made. As in AWS's transform, it may have only the properties that the transform knows.
func adopt(l *link, typ string, known string) (*resource, error) {
	r := l.resource
	if got := r.get("Type"); !is(got, typ) {
		if !r.has("Type") {
			return nil, invalid(l.id, "Resource dict missing key 'Type'.")
		}
		return nil, invalid(l.id, "Resource has incorrect Type; expected '%s', got '%s'", typ, python(got))
	}
	var s schema
	for _, k := range strings.Fields(known) {
		s = append(s, property{k, anything, 0})
	}
	if err := s.check(l.id, typ, r.dict("Properties")); err != nil {
		return nil, err
	}
	out := newResource(typ, l.id, newDict(), r.dict("Properties"))
	out.dependsOn = r.get("DependsOn")
	for _, k := range keptAttributes {
		if r.has(k) {
			out.attributes.set(k, r.get(k))
		}
	}
	return out, nil
}

const (
	bucketProperties = `AccessControl AccelerateConfiguration AnalyticsConfigurations BucketEncryption BucketName CorsConfiguration IntelligentTieringConfigurations InventoryConfigurations
		LifecycleConfiguration LoggingConfiguration MetricsConfigurations NotificationConfiguration ObjectLockConfiguration ObjectLockEnabled OwnershipControls PublicAccessBlockConfiguration
		ReplicationConfiguration Tags VersioningConfiguration WebsiteConfiguration`
	userPoolProperties = `AccountRecoverySetting AdminCreateUserConfig AliasAttributes AutoVerifiedAttributes DeletionProtection DeviceConfiguration EmailAuthenticationMessage EmailAuthenticationSubject
		EmailConfiguration EmailVerificationMessage EmailVerificationSubject EnabledMfas LambdaConfig MfaConfiguration Policies Schema SmsAuthenticationMessage SmsConfiguration SmsVerificationMessage
		UserAttributeUpdateSettings UsernameAttributes UsernameConfiguration UserPoolAddOns UserPoolName UserPoolTags UserPoolTier VerificationMessageTemplate WebAuthnRelyingPartyID WebAuthnUserVerification`
)

func (e *event) linkUserPool() (*link, error) {
	if d := e.properties.dict("UserPool"); d.has("Ref") {
		id, ok := text(d.get("Ref"))
		if !ok {
			return nil, e.failID("Ref in Userpool is not a string.")
		}
		if r := e.resources.dict(id); r != nil {
			return &link{id: id, resource: r}, nil
		}
	}
	return nil, e.fail("Cognito events must reference a Cognito UserPool in the same template.")
}

// cognito makes the function a trigger of the user pool.
func (e *event) cognito(l *link) ([]*resource, error) {
	permission := e.permissionAs(e.source.id+"CognitoPermission", "cognito-idp.amazonaws.com", dictOf("SourceArn", getAtt(l.id, "Arn")))
	if e.target.id != e.source.id {
		permission.id = e.target.id + "CognitoPermission"
	}
	properties := l.resource.dict("Properties")
	if properties == nil {
		properties = newDict()
		l.resource.set("Properties", properties)
	}
	if properties.get("LambdaConfig") == nil {
		properties.set("LambdaConfig", newDict())
	}
	config, err := inResource(l.id, "LambdaConfig").dict(properties.get("LambdaConfig"))
	if err != nil {
		return nil, err
	}
	triggers, ok := e.get("Trigger").([]any)
	if !ok {
		triggers = []any{e.get("Trigger")}
	}
	for _, v := range triggers {
		s, _ := text(v)
		if config.has(s) {
			return nil, e.fail("Cognito trigger \"%s\" defined multiple times.", python(e.get("Trigger")))
		}
		config.set(s, e.targetARN())
	}
	pool, err := adopt(l, "AWS::Cognito::UserPool", userPoolProperties)
	if err != nil {
		return nil, err
	}
	return []*resource{permission, pool}, nil
}

// sns subscribes the function to a topic, directly or by way of a queue.
func (e *event) sns(*link) ([]*resource, error) {
	topic := e.get("Topic")
	via := e.get("SqsSubscription")
	if !truthy(via) {
		return []*resource{e.permission("sns.amazonaws.com", dictOf("SourceArn", topic)), e.subscription("lambda", e.targetARN())}, nil
	}
	everyone := any("*")
	if isBool(via) {
		fifo, err := e.isFIFO(topic)
		if err != nil {
			return nil, err
		}
		queue := e.beside("AWS::SQS::Queue", e.id+"Queue", newDict())
		if truthy(fifo) {
			queue.set("FifoQueue", fifo)
		}
		return []*resource{
			e.readQueue(queue.arn(), int64(10)), queue, e.queuePolicy(e.id+"QueuePolicy", everyone, queue.arn(), queue.ref(), topic), e.subscription("sqs", queue.arn()),
		}, nil
	}
	d, err := inEvent(e.name, "SqsSubscription").dict(via)
	if err != nil {
		return nil, err
	}
	queueARN, queueURL := d.get("QueueArn"), d.get("QueueUrl")
	if !truthy(queueARN) || !truthy(queueURL) {
		return nil, e.fail("No QueueARN or QueueURL provided.")
	}
	id := e.id + "QueuePolicy"
	if s, ok := text(d.get("QueuePolicyLogicalId")); ok && s != "" {
		id = s
	}
	batch := any(int64(10))
	if v := d.get("BatchSize"); truthy(v) {
		batch = v
	}
	return []*resource{e.readQueue(queueARN, batch), e.queuePolicy(id, everyone, queueARN, queueURL, topic), e.subscription("sqs", queueARN)}, nil
}

func (e *event) isFIFO(topic any) (any, error) {
	r := e.resources.dict(target(topic))
	return e.resolve(r.dict("Properties").get("FifoTopic"))
}

func (e *event) subscription(protocol string, endpoint any) *resource {
	p := dictOf("Protocol", protocol, "Endpoint", endpoint, "TopicArn", e.get("Topic"))
	e.copyTo(p, "Region", "FilterPolicy", "FilterPolicyScope", "RedrivePolicy")
	return e.beside("AWS::SNS::Subscription", e.id, p)
}

// readQueue lets Lambda read the queue of a subscription.
func (e *event) readQueue(queue, batch any) *resource {
	e.addManagedPolicy("service-role/AWSLambdaSQSQueueExecutionRole")
	return e.beside("AWS::Lambda::EventSourceMapping", e.id+"EventSourceMapping", dictOf("FunctionName", e.target.ref(), "EventSourceArn", queue, "BatchSize", batch, "Enabled", true))
}
