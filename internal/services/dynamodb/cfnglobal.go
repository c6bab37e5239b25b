package dynamodb

import (
	"context"
	"reflect"
	"slices"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/service"
)

// globalProperties are the properties of AWS::DynamoDB::GlobalTable, which CDK's TableV2 makes for one region as well
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-globaltable.html).
type globalProperties struct {
	TableName               string                `cfn:"TableName,createOnly"`
	AttributeDefinitions    []attributeProperty   `cfn:"AttributeDefinitions,required,unordered"`
	KeySchema               []keyProperty         `cfn:"KeySchema,required,createOnly"`
	BillingMode             string                `cfn:"BillingMode"`
	WriteOnDemand           *writeOnDemand        `cfn:"WriteOnDemandThroughputSettings"`
	GlobalSecondaryIndexes  []globalIndexProperty `cfn:"GlobalSecondaryIndexes,unordered"`
	LocalSecondaryIndexes   []localProperty       `cfn:"LocalSecondaryIndexes,createOnly"`
	TimeToLiveSpecification *ttlProperty          `cfn:"TimeToLiveSpecification"`
	SSESpecification        *encryptionProperty   `cfn:"SSESpecification"`
	StreamSpecification     *streamProperty       `cfn:"StreamSpecification"`
	Replicas                []replicaProperty     `cfn:"Replicas,required,unordered"`
}

type writeOnDemand struct {
	Write *int64 `cfn:"MaxWriteRequestUnits"`
}

type readOnDemand struct {
	Read *int64 `cfn:"MaxReadRequestUnits"`
}

type globalIndexProperty struct {
	Name       string             `cfn:"IndexName,required"`
	Keys       []keyProperty      `cfn:"KeySchema,required"`
	Projection projectionProperty `cfn:"Projection,required"`
}

type replicaProperty struct {
	Region                    string                `cfn:"Region,required"`
	DeletionProtectionEnabled *bool                 `cfn:"DeletionProtectionEnabled"`
	PointInTimeRecovery       *recoveryProperty     `cfn:"PointInTimeRecoverySpecification"`
	ContributorInsights       *insightsProperty     `cfn:"ContributorInsightsSpecification"`
	ResourcePolicy            *policyProperty       `cfn:"ResourcePolicy"`
	ReadOnDemand              *readOnDemand         `cfn:"ReadOnDemandThroughputSettings"`
	TableClass                string                `cfn:"TableClass"`
	Tags                      []service.TagProperty `cfn:"Tags"`
}

// globalTableResource returns the resource type AWS::DynamoDB::GlobalTable.
func (s *Service) globalTableResource() service.ResourceType {
	return service.NewResourceType("AWS::DynamoDB::GlobalTable", service.ResourceSpec[globalProperties]{
		Attributes: []string{"Arn", "StreamArn", "TableId"},
		Identifier: []string{"TableName"}, Read: s.readGlobalResource, Missing: []string{"ResourceNotFoundException"},
		List: func(ctx context.Context, _ *globalProperties, next string) (service.Page, error) {
			return s.listTableResources(ctx, next)
		},
		Create: func(ctx context.Context, c service.ResourceCall, p *globalProperties) (service.Resource, error) {
			home, err := p.home(ctx)
			if err != nil {
				return service.Resource{}, err
			}
			r, err := s.createResource(ctx, c, home)
			if err != nil {
				return r, err
			}
			return r, s.callReplicas(ctx, r.PhysicalID, c, &globalProperties{}, p)
		},
		Update: func(ctx context.Context, c service.ResourceCall, old, p *globalProperties) (service.Resource, error) {
			was, err := old.home(ctx)
			if err != nil {
				return service.Resource{}, err
			}
			home, err := p.home(ctx)
			if err != nil {
				return service.Resource{}, err
			}
			r, err := s.updateResource(ctx, c, was, home)
			if err != nil {
				return r, err
			}
			return r, s.callReplicas(ctx, c.PhysicalID, c, old, p)
		},
		Delete: func(ctx context.Context, c service.ResourceCall, p *globalProperties) error {
			for _, replica := range p.others(ctx) {
				if err := s.deleteResource(service.InRegion(ctx, replica.Region), c, nil); err != nil {
					return err
				}
			}
			return s.deleteResource(ctx, c, nil)
		},
	})
}

// home returns the table of the stack's own region.
func (p *globalProperties) home(ctx context.Context) (*tableProperties, error) {
	const typ = "AWS::DynamoDB::GlobalTable"
	if p.BillingMode != ddb.BillingModePayPerRequest {
		return nil, unsupported(typ, "BillingMode PROVISIONED")
	}
	region := placeOf(ctx).region
	i := slices.IndexFunc(p.Replicas, func(r replicaProperty) bool { return r.Region == region })
	if i < 0 {
		return nil, invalid("Replicas must have one for the region of the stack, %s", region)
	}
	own := p.Replicas[i]
	t := &tableProperties{
		TableName: p.TableName, AttributeDefinitions: p.AttributeDefinitions, KeySchema: p.KeySchema, BillingMode: p.BillingMode, LocalSecondaryIndexes: p.LocalSecondaryIndexes,
		TimeToLiveSpecification: p.TimeToLiveSpecification, SSESpecification: p.SSESpecification, StreamSpecification: p.StreamSpecification, TableClass: own.TableClass,
		DeletionProtectionEnabled: own.DeletionProtectionEnabled, PointInTimeRecovery: own.PointInTimeRecovery, ResourcePolicy: own.ResourcePolicy, Tags: own.Tags,
		Insights: own.ContributorInsights,
	}
	if p.WriteOnDemand != nil || own.ReadOnDemand != nil {
		t.OnDemandThroughput = &onDemandProperty{}
		if p.WriteOnDemand != nil {
			t.OnDemandThroughput.Write = p.WriteOnDemand.Write
		}
		if own.ReadOnDemand != nil {
			t.OnDemandThroughput.Read = own.ReadOnDemand.Read
		}
	}
	for _, ix := range p.GlobalSecondaryIndexes {
		t.GlobalSecondaryIndexes = append(t.GlobalSecondaryIndexes, globalProperty{Name: ix.Name, Keys: ix.Keys, Projection: ix.Projection})
	}
	if len(p.Replicas) > 1 && t.StreamSpecification == nil { // which replicas need, and get anyway
		t.StreamSpecification = &streamProperty{View: ddb.StreamViewTypeNewAndOldImages}
	}
	return t, nil
}

// others returns the replicas in other regions.
func (p *globalProperties) others(ctx context.Context) []replicaProperty {
	region := placeOf(ctx).region
	return slices.DeleteFunc(slices.Clone(p.Replicas), func(r replicaProperty) bool { return r.Region == region })
}

// callReplicas makes the replicas in other regions what the properties say.
func (s *Service) callReplicas(ctx context.Context, name string, c service.ResourceCall, old, p *globalProperties) error {
	out, err := service.Call[ddb.DescribeTableOutput](ctx, s.door, ddb.API.Name, "DescribeTable", &ddb.DescribeTableInput{TableName: name})
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, r := range out.Table.Replicas {
		there[deref(r.RegionName)] = true
	}
	update := func(u ddb.ReplicationGroupUpdate) error {
		_, err := service.Call[ddb.UpdateTableOutput](ctx, s.door, ddb.API.Name, "UpdateTable", &ddb.UpdateTableInput{TableName: name, ReplicaUpdates: []ddb.ReplicationGroupUpdate{u}})
		return err
	}
	before := map[string]replicaProperty{}
	for _, r := range old.others(ctx) {
		before[r.Region] = r
	}
	for _, r := range p.others(ctx) {
		was := before[r.Region]
		delete(before, r.Region)
		if !there[r.Region] {
			if err := update(ddb.ReplicationGroupUpdate{Create: &ddb.CreateReplicationGroupMemberAction{RegionName: r.Region, TableClassOverride: r.TableClass}}); err != nil {
				return err
			}
			was = replicaProperty{}
		}
		if err := s.callReplica(service.InRegion(ctx, r.Region), name, c, &was, &r); err != nil {
			return err
		}
	}
	for region := range before {
		if there[region] {
			if err := update(ddb.ReplicationGroupUpdate{Delete: &ddb.DeleteReplicationGroupMemberAction{RegionName: region}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// callReplica makes the settings of one replica what its properties say. ctx is of its region.
func (s *Service) callReplica(ctx context.Context, name string, c service.ResourceCall, old, p *replicaProperty) error {
	if !reflect.DeepEqual(old.PointInTimeRecovery, p.PointInTimeRecovery) {
		if err := s.callRecovery(ctx, name, old.PointInTimeRecovery, p.PointInTimeRecovery); err != nil {
			return err
		}
	}
	if err := s.callPolicy(ctx, name, old.ResourcePolicy, p.ResourcePolicy); err != nil {
		return err
	}
	if isTrue(old.DeletionProtectionEnabled) != isTrue(p.DeletionProtectionEnabled) {
		return unsupported("AWS::DynamoDB::GlobalTable", "Replicas.DeletionProtectionEnabled in another region than that of the stack")
	}
	if err := s.callInsights(ctx, name, &tableProperties{Insights: old.ContributorInsights}, &tableProperties{Insights: p.ContributorInsights}); err != nil {
		return err
	}
	c.PhysicalID = name
	return s.retag(ctx, c, &tableProperties{Tags: old.Tags}, &tableProperties{Tags: p.Tags})
}
