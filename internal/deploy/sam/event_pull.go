package sam

import (
	"slices"
	"strings"
)

// Events that Lambda reads itself: queues, streams and logs of brokers.

// mappingProperties are the properties that all event source mappings have.
var mappingProperties = schema{
	{"BatchSize", anInteger, 0},
	{"StartingPosition", anything, 0},
	{"StartingPositionTimestamp", anything, 0},
	{"Enabled", aBool, 0},
	{"MaximumBatchingWindowInSeconds", anInteger, 0},
	{"MaximumRetryAttempts", anInteger, 0},
	{"BisectBatchOnFunctionError", aBool, 0},
	{"MaximumRecordAgeInSeconds", anInteger, 0},
	{"DestinationConfig", aMap, 0},
	{"ParallelizationFactor", anInteger, 0},
	{"Topics", aList, 0},
	{"Queues", aList, 0},
	{"SourceAccessConfigurations", aList, 0},
	{"SecretsManagerKmsKeyId", aText, 0},
	{"TumblingWindowInSeconds", anInteger, 0},
	{"FunctionResponseTypes", aList, 0},
	{"KafkaBootstrapServers", aList, 0},
	{"FilterCriteria", aMap, 0},
	{"KmsKeyArn", anything, 0},
	{"ConsumerGroupId", aText, 0},
	{"ScalingConfig", aMap, 0},
	{"ProvisionedPollerConfig", aMap, 0},
	{"SchemaRegistryConfig", aMap, 0},
	{"MetricsConfig", aMap, 0},
	{"LoggingConfig", aMap, 0},
}

// pulled is a kind of source that Lambda reads.
type pulled struct {
	// from is the property that names the source; "" is none.
	from string
	// positioned sources need a position to start at.
	positioned bool
	// policy is the managed policy for reading the source, and statements are what else the function's role needs.
	policy     string
	statements func(e *event) (inline *dict, err error)
	// more are other properties, and extend writes them into the mapping.
	more   schema
	extend func(e *event, mapping *dict)
	// kafka is the property of the mapping for consumer groups and schema registries.
	kafka string
}

func pulledSources() map[string]pulled {
	return map[string]pulled{
		"SQS":      {from: "Queue", policy: "service-role/AWSLambdaSQSQueueExecutionRole"},
		"Kinesis":  {from: "Stream", positioned: true, policy: "service-role/AWSLambdaKinesisExecutionRole"},
		"DynamoDB": {from: "Stream", positioned: true, policy: "service-role/AWSLambdaDynamoDBExecutionRole"},
		"MSK": {
			from: "Stream", positioned: true, policy: "service-role/AWSLambdaMSKExecutionRole", statements: (*event).mskPolicy, kafka: "AmazonManagedKafkaEventSourceConfig",
		},
		"SelfManagedKafka": {statements: (*event).kafkaPolicy, kafka: "SelfManagedKafkaEventSourceConfig"},
		"MQ":               {from: "Broker", more: schema{{"DynamicPolicyName", aBool, literal}}, statements: (*event).mqPolicy},
		"DocumentDB": {
			from: "Cluster", more: schema{{"DatabaseName", anything, required}, {"CollectionName", anything, 0}, {"FullDocument", anything, 0}},
			statements: (*event).documentDBPolicy, extend: (*event).documentDBConfig,
		},
	}
}

func (p pulled) schema() schema {
	s := slices.Clone(mappingProperties)
	if p.positioned {
		i := slices.IndexFunc(s, func(p property) bool { return p.name == "StartingPosition" })
		s[i].rule = required
	}
	if p.from != "" {
		s = append(s, property{p.from, anything, required})
	}
	return append(s, p.more...)
}

// expand makes the mapping, and gives the function's role what it needs for it.
func (p pulled) expand(e *event, _ *link) ([]*resource, error) {
	m := dictOf("FunctionName", e.target.ref(), "EventSourceArn", e.get(p.from))
	e.copyTo(m, "StartingPosition", "StartingPositionTimestamp", "BatchSize", "Enabled", "MaximumBatchingWindowInSeconds", "MaximumRetryAttempts", "BisectBatchOnFunctionError", "MaximumRecordAgeInSeconds",
		"ParallelizationFactor", "Topics", "Queues", "SourceAccessConfigurations", "TumblingWindowInSeconds", "FunctionResponseTypes", "FilterCriteria", "KmsKeyArn", "ScalingConfig",
		"ProvisionedPollerConfig", "MetricsConfig", "LoggingConfig")
	if err := e.checkFilter(); err != nil {
		return nil, err
	}
	if v := e.get("KafkaBootstrapServers"); truthy(v) {
		m.set("SelfManagedEventSource", dictOf("Endpoints", dictOf("KafkaBootstrapServers", v)))
	}
	if err := p.kafkaConfig(e, m); err != nil {
		return nil, err
	}
	destination, err := e.failureDestination()
	if err != nil {
		return nil, err
	}
	if v := e.get("DestinationConfig"); truthy(v) {
		m.set("DestinationConfig", v)
	}
	if p.extend != nil {
		p.extend(e, m)
	}
	if p.policy != "" {
		e.addManagedPolicy(p.policy)
	}
	if p.statements != nil {
		inline, err := p.statements(e)
		if err != nil {
			return nil, err
		}
		e.addInlinePolicy(inline)
	}
	e.addInlinePolicy(destination)
	return []*resource{e.beside("AWS::Lambda::EventSourceMapping", e.id, m)}, nil
}

// filtered are the types of events whose records can be filtered, in the order in which errors name them.
var filtered = []string{"DocumentDB", "DynamoDB", "Kinesis", "MQ", "MSK", "SelfManagedKafka", "SQS"}

func (e *event) checkFilter() error {
	v := e.get("FilterCriteria")
	if !truthy(v) || isIntrinsic(v) {
		return nil
	}
	if !slices.Contains(filtered, e.typ) {
		return e.fail("FilterCriteria is only available for %s events.", strings.Join(filtered, ", "))
	}
	if d, ok := v.(*dict); !ok || d.len() != 1 || !d.has("Filters") {
		return e.fail("FilterCriteria field has a wrong format")
	}
	return nil
}

// kafkaConfig writes the consumer group and the schema registry.
func (p pulled) kafkaConfig(e *event, m *dict) error {
	config := newDict()
	if v := e.get("ConsumerGroupId"); truthy(v) {
		if p.kafka == "" {
			return e.failID("Property ConsumerGroupId not defined for resource of type %s.", e.typ)
		}
		config.set("ConsumerGroupId", v)
	}
	if v := e.get("SchemaRegistryConfig"); truthy(v) && p.kafka != "" {
		config.set("SchemaRegistryConfig", v)
	}
	if config.len() > 0 {
		m.set(p.kafka, config)
	}
	return nil
}

// failureDestination returns the policy for sending what failed to its destination, whose type is SAM's own.
func (e *event) failureDestination() (*dict, error) {
	config := e.properties.dict("DestinationConfig")
	if config.len() == 0 {
		return nil, nil
	}
	d, err := inEvent(e.id, "DestinationConfig.OnFailure").dict(config.get("OnFailure"))
	if err != nil {
		return nil, err
	}
	typ := d.get("Type")
	if !truthy(typ) {
		return nil, nil
	}
	d.remove("Type")
	to := d.get("Destination")
	switch {
	case is(typ, "SQS", "SNS"):
		s, _ := text(typ)
		return destinationPolicy(s, e.id, to), nil
	case is(typ, "S3"):
		return s3Policy(e.id, to), nil
	case is(typ, "Kafka"):
		return nil, nil
	}
	return nil, e.failID("The only valid values for 'Type' are 'SQS', 'SNS', 'S3', and 'Kafka'")
}

func (e *event) addManagedPolicy(path string) {
	arn := e.managedARN(path)
	if list := asList(e.role.get("ManagedPolicyArns")); !contains(list, arn) {
		e.role.set("ManagedPolicyArns", append(slices.Clone(list), arn))
	}
}

// addInlinePolicy adds a policy to the function's role, unless it has one that says the same.
func (e *event) addInlinePolicy(policy *dict) {
	if policy == nil {
		return
	}
	list := asList(e.role.get("Policies"))
	for _, v := range list {
		if d, ok := v.(*dict); ok && equal(d.get("PolicyDocument"), policy.get("PolicyDocument")) {
			return
		}
	}
	e.role.set("Policies", append(slices.Clone(list), policy))
}

// accessURI returns the URI of the access configuration of a type, which there must be.
func (e *event) accessURI(needed string, known ...string) (any, error) {
	v := e.get("SourceAccessConfigurations")
	list, ok := v.([]any)
	switch {
	case !truthy(v):
		return nil, e.fail("No SourceAccessConfigurations for Amazon %s event provided.", e.typ)
	case !ok:
		return nil, e.fail("Provided SourceAccessConfigurations cannot be parsed into a list.")
	}
	var uri any
	for i, v := range list {
		path := "SourceAccessConfigurations[" + python(int64(i)) + "]"
		d, err := inEvent(e.name, path).dict(v)
		if err != nil {
			return nil, err
		}
		typ, err := inEvent(e.name, path+".Type").text(d.get("Type"))
		switch {
		case err != nil:
			return nil, err
		case !slices.Contains(known, typ):
			return nil, e.fail("Invalid property Type specified in SourceAccessConfigurations. The supported values are: %s.", texts(known...))
		case typ != needed:
			continue
		case truthy(uri):
			return nil, e.fail("Multiple %s properties specified in SourceAccessConfigurations.", needed)
		}
		if uri = d.get("URI"); !truthy(uri) {
			return nil, e.fail("No %s URI property specified in SourceAccessConfigurations.", needed)
		}
	}
	if uri == nil {
		return nil, e.fail("No %s property specified in SourceAccessConfigurations.", needed)
	}
	return uri, nil
}

func readSecret(secret any) *dict { return allow([]any{"secretsmanager:GetSecretValue"}, secret) }

// keyStatement lets the function decrypt secrets; nil if the template names no key.
func (e *event) keyStatement(action any) (*dict, error) {
	v := e.get("SecretsManagerKmsKeyId")
	if !truthy(v) {
		return nil, nil
	}
	key, err := inEvent(e.name, "SecretsManagerKmsKeyId").text(v)
	if err != nil {
		return nil, err
	}
	return allow(action, sub(arn("${AWS::Partition}", "kms", "key/"+key))), nil
}

func networkStatement() *dict {
	return allow([]any{
		"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface", "ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups",
	}, "*")
}

func (e *event) mqPolicy() (*dict, error) {
	secret, err := e.accessURI("BASIC_AUTH", "BASIC_AUTH", "VIRTUAL_HOST")
	if err != nil {
		return nil, err
	}
	statements := []any{readSecret(secret), allow([]any{"mq:DescribeBroker"}, e.get("Broker"))}
	key, err := e.keyStatement("kms:Decrypt")
	if err != nil {
		return nil, err
	}
	if key != nil {
		statements = append(statements, key)
	}
	id := "SamAutoGeneratedAMQPolicy"
	if truthy(e.get("DynamicPolicyName")) {
		id = e.id + "AMQPolicy"
	}
	return inlinePolicy(id, statements...), nil
}

func (e *event) documentDBPolicy() (*dict, error) {
	secret, err := e.accessURI("BASIC_AUTH", "BASIC_AUTH")
	if err != nil {
		return nil, err
	}
	statements := []any{
		readSecret(secret),
		allow([]any{"rds:DescribeDBClusterParameters"}, sub(arn("${AWS::Partition}", "rds", "cluster-pg:*"))),
		allow([]any{"rds:DescribeDBSubnetGroups"}, sub(arn("${AWS::Partition}", "rds", "subgrp:*"))),
		allow([]any{"rds:DescribeDBClusters"}, e.get("Cluster")),
		networkStatement(),
	}
	key, err := e.keyStatement([]any{"kms:Decrypt"})
	if err != nil {
		return nil, err
	}
	if key != nil {
		statements = append(statements, key)
	}
	return inlinePolicy("SamAutoGeneratedDocumentDBPolicy", statements...), nil
}

func (e *event) documentDBConfig(m *dict) {
	config := dictOf("DatabaseName", e.get("DatabaseName"))
	for _, k := range []string{"CollectionName", "FullDocument"} {
		if v := e.get(k); truthy(v) {
			config.set(k, v)
		}
	}
	m.set("DocumentDBEventSourceConfig", config)
}
