package dynamodb

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/service"
)

// tableProperties are the properties of AWS::DynamoDB::Table
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html).
type tableProperties struct {
	TableName                 string                `cfn:"TableName,createOnly"`
	AttributeDefinitions      []attributeProperty   `cfn:"AttributeDefinitions,unordered"`
	KeySchema                 []keyProperty         `cfn:"KeySchema,required,createOnly"`
	BillingMode               string                `cfn:"BillingMode"`
	ProvisionedThroughput     *throughputProperty   `cfn:"ProvisionedThroughput"`
	OnDemandThroughput        *onDemandProperty     `cfn:"OnDemandThroughput"`
	WarmThroughput            *warmProperty         `cfn:"WarmThroughput"`
	GlobalSecondaryIndexes    []globalProperty      `cfn:"GlobalSecondaryIndexes,unordered"`
	LocalSecondaryIndexes     []localProperty       `cfn:"LocalSecondaryIndexes,createOnly,unordered"`
	TimeToLiveSpecification   *ttlProperty          `cfn:"TimeToLiveSpecification"`
	SSESpecification          *encryptionProperty   `cfn:"SSESpecification"`
	TableClass                string                `cfn:"TableClass"`
	DeletionProtectionEnabled *bool                 `cfn:"DeletionProtectionEnabled"`
	PointInTimeRecovery       *recoveryProperty     `cfn:"PointInTimeRecoverySpecification"`
	StreamSpecification       *streamProperty       `cfn:"StreamSpecification"`
	KinesisStream             *kinesisProperty      `cfn:"KinesisStreamSpecification"`
	ResourcePolicy            *policyProperty       `cfn:"ResourcePolicy"`
	Insights                  *insightsProperty     `cfn:"ContributorInsightsSpecification"`
	Tags                      []service.TagProperty `cfn:"Tags"`
}

type attributeProperty struct {
	Name string `cfn:"AttributeName,required"`
	Type string `cfn:"AttributeType,required"`
}

type keyProperty struct {
	Name string `cfn:"AttributeName,required"`
	Type string `cfn:"KeyType,required"`
}

type throughputProperty struct {
	Read  int64 `cfn:"ReadCapacityUnits,required"`
	Write int64 `cfn:"WriteCapacityUnits,required"`
}

type onDemandProperty struct {
	Read  *int64 `cfn:"MaxReadRequestUnits"`
	Write *int64 `cfn:"MaxWriteRequestUnits"`
}

func (p *onDemandProperty) api() *ddb.OnDemandThroughput {
	if p == nil {
		return nil
	}
	return &ddb.OnDemandThroughput{MaxReadRequestUnits: p.Read, MaxWriteRequestUnits: p.Write}
}

type warmProperty struct {
	Reads  *int64 `cfn:"ReadUnitsPerSecond"`
	Writes *int64 `cfn:"WriteUnitsPerSecond"`
}

func (p *warmProperty) api() *ddb.WarmThroughput {
	if p == nil {
		return nil
	}
	return &ddb.WarmThroughput{ReadUnitsPerSecond: p.Reads, WriteUnitsPerSecond: p.Writes}
}

type projectionProperty struct {
	Type        string   `cfn:"ProjectionType"`
	NonKeyAttrs []string `cfn:"NonKeyAttributes,unordered"`
}

type globalProperty struct {
	Name       string              `cfn:"IndexName,required"`
	Keys       []keyProperty       `cfn:"KeySchema,required"`
	Projection projectionProperty  `cfn:"Projection,required"`
	Throughput *throughputProperty `cfn:"ProvisionedThroughput"`
	OnDemand   *onDemandProperty   `cfn:"OnDemandThroughput"`
	Warm       *warmProperty       `cfn:"WarmThroughput"`
	Insights   *insightsProperty   `cfn:"ContributorInsightsSpecification"`
}

type localProperty struct {
	Name       string             `cfn:"IndexName,required"`
	Keys       []keyProperty      `cfn:"KeySchema,required"`
	Projection projectionProperty `cfn:"Projection,required"`
}

type ttlProperty struct {
	Attribute string `cfn:"AttributeName"`
	Enabled   bool   `cfn:"Enabled,required"`
}

type encryptionProperty struct {
	Enabled bool   `cfn:"SSEEnabled,required"`
	Type    string `cfn:"SSEType"`
	Key     string `cfn:"KMSMasterKeyId"`
}

type recoveryProperty struct {
	Enabled bool   `cfn:"PointInTimeRecoveryEnabled"`
	Days    *int32 `cfn:"RecoveryPeriodInDays"`
}

type insightsProperty struct {
	Enabled bool   `cfn:"Enabled,required"`
	Mode    string `cfn:"Mode"`
}

type kinesisProperty struct {
	Stream    string `cfn:"StreamArn,required"`
	Precision string `cfn:"ApproximateCreationDateTimePrecision"`
}

type streamProperty struct {
	View string `cfn:"StreamViewType,required"`
}

type policyProperty struct {
	Document any `cfn:"PolicyDocument,required"`
}

// tableResource returns the resource type AWS::DynamoDB::Table.
func (s *Service) tableResource() service.ResourceType {
	return service.NewResourceType("AWS::DynamoDB::Table", service.ResourceSpec[tableProperties]{
		Attributes: []string{"Arn", "StreamArn", "TableId"},
		Create:     s.createResource,
		Update:     s.updateResource,
		Delete:     s.deleteResource,
		Identifier: []string{"TableName"}, Read: s.readTableResource, Missing: []string{"ResourceNotFoundException"},
		List: func(ctx context.Context, _ *tableProperties, next string) (service.Page, error) {
			return s.listTableResources(ctx, next)
		},
	})
}

// checkProperties refuses what this version does not do.
func (p *tableProperties) check() error {
	if p.TimeToLiveSpecification != nil && p.TimeToLiveSpecification.Enabled && p.TimeToLiveSpecification.Attribute == "" {
		return invalid("TimeToLiveSpecification.AttributeName is missing")
	}
	return nil
}

func (s *Service) createResource(ctx context.Context, c service.ResourceCall, p *tableProperties) (service.Resource, error) {
	if err := p.check(); err != nil {
		return service.Resource{}, err
	}
	in := p.createInput(c)
	_, err := service.Call[ddb.CreateTableOutput](ctx, s.door, ddb.API.Name, "CreateTable", in)
	if c.Retry && service.Code(err) == codeInUse {
		err = nil // by an earlier try of this step
	}
	if err != nil {
		return service.Resource{}, err
	}
	if err := s.callTTL(ctx, in.TableName, nil, p.TimeToLiveSpecification); err != nil {
		return service.Resource{}, err
	}
	if err := s.callRecovery(ctx, in.TableName, nil, p.PointInTimeRecovery); err != nil {
		return service.Resource{}, err
	}
	if err := s.callPolicy(ctx, in.TableName, nil, p.ResourcePolicy); err != nil {
		return service.Resource{}, err
	}
	if err := s.callDestination(ctx, in.TableName, nil, p.KinesisStream); err != nil {
		return service.Resource{}, err
	}
	if err := s.callInsights(ctx, in.TableName, &tableProperties{}, p); err != nil {
		return service.Resource{}, err
	}
	return s.resource(ctx, in.TableName)
}

// resource returns what a template sees of a table.
func (s *Service) resource(ctx context.Context, name string) (service.Resource, error) {
	r := service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": tableARN(placeOf(ctx), name)}}
	out, err := service.Call[ddb.DescribeTableOutput](ctx, s.door, ddb.API.Name, "DescribeTable", &ddb.DescribeTableInput{TableName: name})
	if err != nil {
		return r, err
	}
	r.Attributes["TableId"] = *out.Table.TableId
	if out.Table.StreamSpecification != nil {
		r.Attributes["StreamArn"] = *out.Table.LatestStreamArn
	}
	return r, nil
}

func (p *tableProperties) createInput(c service.ResourceCall) *ddb.CreateTableInput {
	in := &ddb.CreateTableInput{
		TableName: p.TableName, AttributeDefinitions: p.definitions(), KeySchema: keySchema(p.KeySchema),
		BillingMode: p.BillingMode, ProvisionedThroughput: p.ProvisionedThroughput.api(), TableClass: p.TableClass,
		DeletionProtectionEnabled: p.DeletionProtectionEnabled, Tags: p.tags(c), WarmThroughput: p.WarmThroughput.api(),
	}
	if in.TableName == "" {
		in.TableName = c.Name(255, nil)
	}
	in.OnDemandThroughput = p.OnDemandThroughput.api()
	if e := p.SSESpecification; e != nil {
		in.SSESpecification = &ddb.SSESpecification{Enabled: &e.Enabled, SSEType: e.Type}
		if e.Key != "" {
			in.SSESpecification.KMSMasterKeyId = &e.Key
		}
	}
	if v := p.StreamSpecification; v != nil {
		in.StreamSpecification = &ddb.StreamSpecification{StreamEnabled: true, StreamViewType: v.View}
	}
	for _, ix := range p.GlobalSecondaryIndexes {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, ddb.GlobalSecondaryIndex{
			IndexName: ix.Name, KeySchema: keySchema(ix.Keys), Projection: ix.Projection.api(), ProvisionedThroughput: ix.Throughput.api(),
			OnDemandThroughput: ix.OnDemand.api(), WarmThroughput: ix.Warm.api(),
		})
	}
	for _, ix := range p.LocalSecondaryIndexes {
		in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, ddb.LocalSecondaryIndex{
			IndexName: ix.Name, KeySchema: keySchema(ix.Keys), Projection: ix.Projection.api(),
		})
	}
	return in
}

func (p *tableProperties) definitions() []ddb.AttributeDefinition {
	out := make([]ddb.AttributeDefinition, len(p.AttributeDefinitions))
	for i, a := range p.AttributeDefinitions {
		out[i] = ddb.AttributeDefinition{AttributeName: a.Name, AttributeType: a.Type}
	}
	return out
}

func keySchema(keys []keyProperty) []ddb.KeySchemaElement {
	out := make([]ddb.KeySchemaElement, len(keys))
	for i, k := range keys {
		out[i] = ddb.KeySchemaElement{AttributeName: k.Name, KeyType: k.Type}
	}
	return out
}

func (p *throughputProperty) api() *ddb.ProvisionedThroughput {
	if p == nil {
		return nil
	}
	return &ddb.ProvisionedThroughput{ReadCapacityUnits: p.Read, WriteCapacityUnits: p.Write}
}

func (p projectionProperty) api() *ddb.Projection {
	return &ddb.Projection{ProjectionType: p.Type, NonKeyAttributes: p.NonKeyAttrs}
}

// tags returns the tags of the template and of the stack, in the order of their keys. Tables have none of CloudFormation's own, see
// https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1360.
func (p *tableProperties) tags(c service.ResourceCall) []ddb.Tag {
	all := c.UserTags(p.Tags)
	var out []ddb.Tag
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, ddb.Tag{Key: k, Value: all[k]})
	}
	return out
}

func (s *Service) updateResource(ctx context.Context, c service.ResourceCall, old, p *tableProperties) (service.Resource, error) {
	name := c.PhysicalID
	if err := p.check(); err != nil {
		return service.Resource{}, err
	}
	for _, in := range p.changes(name, old) {
		_, err := service.Call[ddb.UpdateTableOutput](ctx, s.door, ddb.API.Name, "UpdateTable", in)
		if err != nil && !(c.Retry && doneBefore(in, err)) {
			return service.Resource{}, err
		}
	}
	if err := s.callTTL(ctx, name, old.TimeToLiveSpecification, p.TimeToLiveSpecification); err != nil {
		return service.Resource{}, err
	}
	if err := s.callRecovery(ctx, name, old.PointInTimeRecovery, p.PointInTimeRecovery); err != nil {
		return service.Resource{}, err
	}
	if err := s.callPolicy(ctx, name, old.ResourcePolicy, p.ResourcePolicy); err != nil {
		return service.Resource{}, err
	}
	if err := s.callDestination(ctx, name, old.KinesisStream, p.KinesisStream); err != nil {
		return service.Resource{}, err
	}
	if err := s.callInsights(ctx, name, old, p); err != nil {
		return service.Resource{}, err
	}
	if err := s.retag(ctx, c, old, p); err != nil {
		return service.Resource{}, err
	}
	return s.resource(ctx, name)
}

// doneBefore tells whether an error of UpdateTable says that an earlier try of the step made the change.
func doneBefore(in *ddb.UpdateTableInput, err error) bool {
	for _, u := range in.GlobalSecondaryIndexUpdates {
		if u.Delete != nil && service.Code(err) == codeNotFound {
			return true
		}
		if u.Create != nil && messageOf(err) == "Attempting to create an index which already exists" {
			return true
		}
	}
	if in.StreamSpecification != nil {
		m := messageOf(err)
		return strings.HasPrefix(m, msgStreamEnabled) || strings.HasPrefix(m, msgNoStream)
	}
	return in.ProvisionedThroughput != nil && in.BillingMode == "" && service.Code(err) == codeValidation
}

// changes returns the UpdateTable requests that make the new properties of the old ones: one index each.
func (p *tableProperties) changes(name string, old *tableProperties) (out []*ddb.UpdateTableInput) {
	settings := &ddb.UpdateTableInput{TableName: name}
	if p.BillingMode != old.BillingMode {
		settings.BillingMode = p.BillingMode
		if settings.BillingMode == "" {
			settings.BillingMode = ddb.BillingModeProvisioned
		}
	}
	if p.ProvisionedThroughput != nil && (!reflect.DeepEqual(p.ProvisionedThroughput, old.ProvisionedThroughput) || settings.BillingMode == ddb.BillingModeProvisioned) {
		settings.ProvisionedThroughput = p.ProvisionedThroughput.api()
	}
	if isTrue(p.DeletionProtectionEnabled) != isTrue(old.DeletionProtectionEnabled) {
		settings.DeletionProtectionEnabled = ptr(isTrue(p.DeletionProtectionEnabled))
	}
	if e := p.SSESpecification; e != nil && !reflect.DeepEqual(e, old.SSESpecification) {
		settings.SSESpecification = &ddb.SSESpecification{Enabled: &e.Enabled}
	}
	if p.TableClass != old.TableClass {
		settings.TableClass = p.TableClass
		if p.TableClass == "" {
			settings.TableClass = ddb.TableClassStandard
		}
	}
	if !reflect.DeepEqual(p.OnDemandThroughput, old.OnDemandThroughput) {
		settings.OnDemandThroughput = p.OnDemandThroughput.api()
	}
	if !reflect.DeepEqual(p.WarmThroughput, old.WarmThroughput) {
		settings.WarmThroughput = p.WarmThroughput.api()
	}
	if !reflect.DeepEqual(settings, &ddb.UpdateTableInput{TableName: name}) {
		out = append(out, settings)
	}
	out = append(out, streamChanges(name, old.StreamSpecification, p.StreamSpecification)...)
	index := func(u ddb.GlobalSecondaryIndexUpdate) {
		out = append(out, &ddb.UpdateTableInput{TableName: name, AttributeDefinitions: p.definitions(), GlobalSecondaryIndexUpdates: []ddb.GlobalSecondaryIndexUpdate{u}})
	}
	before := map[string]globalProperty{}
	for _, ix := range old.GlobalSecondaryIndexes {
		before[ix.Name] = ix
	}
	var created []ddb.GlobalSecondaryIndexUpdate
	for _, ix := range p.GlobalSecondaryIndexes {
		was, ok := before[ix.Name]
		delete(before, ix.Name)
		same := ok && reflect.DeepEqual(was.Keys, ix.Keys) && reflect.DeepEqual(was.Projection, ix.Projection)
		switch {
		case same && ix.settings(was) != nil:
			index(ddb.GlobalSecondaryIndexUpdate{Update: ix.settings(was)})
		case same:
		default:
			if ok {
				index(ddb.GlobalSecondaryIndexUpdate{Delete: &ddb.DeleteGlobalSecondaryIndexAction{IndexName: ix.Name}})
			}
			created = append(created, ddb.GlobalSecondaryIndexUpdate{Create: &ddb.CreateGlobalSecondaryIndexAction{
				IndexName: ix.Name, KeySchema: keySchema(ix.Keys), Projection: ix.Projection.api(), ProvisionedThroughput: ix.Throughput.api(),
				OnDemandThroughput: ix.OnDemand.api(), WarmThroughput: ix.Warm.api(),
			}})
		}
	}
	for _, gone := range slices.Sorted(maps.Keys(before)) {
		index(ddb.GlobalSecondaryIndexUpdate{Delete: &ddb.DeleteGlobalSecondaryIndexAction{IndexName: gone}})
	}
	for _, u := range created {
		index(u)
	}
	return out
}

// settings returns the change of an index that keeps its keys and its projection, or nil.
func (p globalProperty) settings(old globalProperty) *ddb.UpdateGlobalSecondaryIndexAction {
	u := &ddb.UpdateGlobalSecondaryIndexAction{IndexName: p.Name}
	if !reflect.DeepEqual(p.Throughput, old.Throughput) {
		u.ProvisionedThroughput = p.Throughput.api()
	}
	if !reflect.DeepEqual(p.OnDemand, old.OnDemand) {
		u.OnDemandThroughput = p.OnDemand.api()
	}
	if !reflect.DeepEqual(p.Warm, old.Warm) {
		u.WarmThroughput = p.Warm.api()
	}
	if u.ProvisionedThroughput == nil && u.OnDemandThroughput == nil && u.WarmThroughput == nil {
		return nil
	}
	return u
}

// streamChanges returns the requests that change a table's stream. Another view needs another stream.
func streamChanges(name string, old, spec *streamProperty) (out []*ddb.UpdateTableInput) {
	if reflect.DeepEqual(old, spec) {
		return nil
	}
	if old != nil {
		out = append(out, &ddb.UpdateTableInput{TableName: name, StreamSpecification: &ddb.StreamSpecification{}})
	}
	if spec != nil {
		out = append(out, &ddb.UpdateTableInput{TableName: name, StreamSpecification: &ddb.StreamSpecification{StreamEnabled: true, StreamViewType: spec.View}})
	}
	return out
}

// callTTL makes the time to live of a table what the properties say.
func (s *Service) callTTL(ctx context.Context, name string, old, ttl *ttlProperty) error {
	call := func(enabled bool, attribute string) error {
		_, err := service.Call[ddb.UpdateTimeToLiveOutput](ctx, s.door, ddb.API.Name, "UpdateTimeToLive", &ddb.UpdateTimeToLiveInput{
			TableName: name, TimeToLiveSpecification: &ddb.TimeToLiveSpecification{Enabled: enabled, AttributeName: attribute},
		})
		if err != nil {
			if m := messageOf(err); m == "TimeToLive is already enabled" || m == "TimeToLive is already disabled" {
				return nil
			}
		}
		return err
	}
	was, is := old != nil && old.Enabled, ttl != nil && ttl.Enabled
	if was && is && old.Attribute == ttl.Attribute || !was && !is {
		return nil
	}
	if was {
		if err := call(false, old.Attribute); err != nil {
			return err
		}
	}
	if !is {
		return nil
	}
	return call(true, ttl.Attribute)
}

// callRecovery makes the point-in-time recovery of a table what the properties say.
func (s *Service) callRecovery(ctx context.Context, name string, old, recovery *recoveryProperty) error {
	was, is := old != nil && old.Enabled, recovery != nil && recovery.Enabled
	if !was && !is || reflect.DeepEqual(old, recovery) {
		return nil
	}
	spec := &ddb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: is}
	if is {
		spec.RecoveryPeriodInDays = recovery.Days
	}
	_, err := service.Call[ddb.UpdateContinuousBackupsOutput](ctx, s.door, ddb.API.Name, "UpdateContinuousBackups",
		&ddb.UpdateContinuousBackupsInput{TableName: name, PointInTimeRecoverySpecification: spec})
	return err
}

// callDestination makes the data stream of a table what the properties say.
func (s *Service) callDestination(ctx context.Context, table string, old, p *kinesisProperty) error {
	was, is := deref(old), deref(p)
	if was.Stream != "" && was.Stream != is.Stream {
		_, err := s.door.Call(ctx, ddb.API.Name, "DisableKinesisStreamingDestination", &ddb.DisableKinesisStreamingDestinationInput{TableName: table, StreamArn: was.Stream})
		if err != nil && !strings.Contains(messageOf(err), "must be ACTIVE") { // by an earlier try of this step
			return err
		}
	}
	switch {
	case is.Stream == "" || was == is:
		return nil
	case was.Stream == is.Stream && is.Precision != "":
		_, err := s.door.Call(ctx, ddb.API.Name, "UpdateKinesisStreamingDestination", &ddb.UpdateKinesisStreamingDestinationInput{
			TableName: table, StreamArn: is.Stream, UpdateKinesisStreamingConfiguration: &ddb.UpdateKinesisStreamingConfiguration{ApproximateCreationDateTimePrecision: is.Precision},
		})
		if err != nil && !strings.Contains(messageOf(err), "already set") {
			return err
		}
		return nil
	case was.Stream == is.Stream:
		return nil
	}
	in := &ddb.EnableKinesisStreamingDestinationInput{TableName: table, StreamArn: is.Stream}
	if is.Precision != "" {
		in.EnableKinesisStreamingConfiguration = &ddb.EnableKinesisStreamingConfiguration{ApproximateCreationDateTimePrecision: is.Precision}
	}
	_, err := s.door.Call(ctx, ddb.API.Name, "EnableKinesisStreamingDestination", in)
	if err != nil && !strings.Contains(messageOf(err), "must be DISABLED") {
		return err
	}
	return nil
}

// callInsights makes the Contributor Insights of a table and its global indexes what the properties say.
func (s *Service) callInsights(ctx context.Context, table string, old, p *tableProperties) error {
	before := map[string]*insightsProperty{"": old.Insights}
	for _, ix := range old.GlobalSecondaryIndexes {
		before[ix.Name] = ix.Insights
	}
	after := map[string]*insightsProperty{"": p.Insights}
	for _, ix := range p.GlobalSecondaryIndexes {
		after[ix.Name] = ix.Insights
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		was, is := deref(before[name]), deref(after[name])
		if was == is || !was.Enabled && !is.Enabled {
			continue
		}
		in := &ddb.UpdateContributorInsightsInput{TableName: table, ContributorInsightsAction: ddb.ContributorInsightsActionDisable}
		if is.Enabled {
			in.ContributorInsightsAction, in.ContributorInsightsMode = ddb.ContributorInsightsActionEnable, is.Mode
		}
		if name != "" {
			in.IndexName = &name
		}
		if _, err := service.Call[ddb.UpdateContributorInsightsOutput](ctx, s.door, ddb.API.Name, "UpdateContributorInsights", in); err != nil {
			return err
		}
	}
	return nil
}

// callPolicy makes the resource policy of a table what the properties say.
func (s *Service) callPolicy(ctx context.Context, name string, old, policy *policyProperty) error {
	arn := tableARN(placeOf(ctx), name)
	switch {
	case reflect.DeepEqual(old, policy):
		return nil
	case policy == nil:
		_, err := service.Call[ddb.DeleteResourcePolicyOutput](ctx, s.door, ddb.API.Name, "DeleteResourcePolicy", &ddb.DeleteResourcePolicyInput{ResourceArn: arn})
		return err
	}
	document, err := json.Marshal(policy.Document)
	if err != nil {
		return fmt.Errorf("write a resource policy: %w", err)
	}
	_, err = service.Call[ddb.PutResourcePolicyOutput](ctx, s.door, ddb.API.Name, "PutResourcePolicy", &ddb.PutResourcePolicyInput{ResourceArn: arn, Policy: string(document)})
	return err
}

// retag makes the tags of a table what the properties and the stack say.
func (s *Service) retag(ctx context.Context, c service.ResourceCall, old, p *tableProperties) error {
	arn := tableARN(placeOf(ctx), c.PhysicalID)
	tags := p.tags(c)
	keep := tagMap(tags)
	var gone []string
	for _, t := range old.Tags {
		if _, ok := keep[t.Key]; !ok {
			gone = append(gone, t.Key)
		}
	}
	if len(gone) > 0 {
		_, err := service.Call[ddb.UntagResourceOutput](ctx, s.door, ddb.API.Name, "UntagResource", &ddb.UntagResourceInput{ResourceArn: arn, TagKeys: gone})
		if err != nil {
			return err
		}
	}
	if len(tags) == 0 || reflect.DeepEqual(old.tags(c), tags) {
		return nil
	}
	_, err := service.Call[ddb.TagResourceOutput](ctx, s.door, ddb.API.Name, "TagResource", &ddb.TagResourceInput{ResourceArn: arn, Tags: tags})
	return err
}

func (s *Service) deleteResource(ctx context.Context, c service.ResourceCall, _ *tableProperties) error {
	_, err := service.Call[ddb.DeleteTableOutput](ctx, s.door, ddb.API.Name, "DeleteTable", &ddb.DeleteTableInput{TableName: c.PhysicalID})
	return service.Unless(err, codeNotFound)
}
