package dynamodb

import (
	"context"
	"strings"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

func ask[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.door, ddb.API.Name, operation, in)
}

func (s *Service) readTableResource(ctx context.Context, id service.Identifier) (*tableProperties, service.Resource, error) {
	name := id[0]
	out, err := ask[ddb.DescribeTableOutput](ctx, s, "DescribeTable", &ddb.DescribeTableInput{TableName: name})
	if err != nil {
		return nil, service.Resource{}, err
	}
	t := out.Table
	if t.TableStatus == ddb.TableStatusDeleting {
		return nil, service.Resource{}, service.ErrGone
	}
	p := reshape.To[tableProperties](t)
	p.describe(t)
	for _, step := range []func(context.Context, string, *tableProperties) error{s.readLifetimes, s.readOutside, s.readInsights} {
		if err := step(ctx, name, p); err != nil {
			return nil, service.Resource{}, err
		}
	}
	tags, err := ask[ddb.ListTagsOfResourceOutput](ctx, s, "ListTagsOfResource", &ddb.ListTagsOfResourceInput{ResourceArn: deref(t.TableArn)})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p.Tags = reshape.To[tableProperties](tags).Tags
	r, err := s.resource(ctx, name)
	return p, r, err
}

// describe sets what a table and a template say in different forms.
func (p *tableProperties) describe(t *ddb.TableDescription) {
	p.BillingMode = ddb.BillingModeProvisioned
	if t.BillingModeSummary != nil && t.BillingModeSummary.BillingMode != "" {
		p.BillingMode = t.BillingModeSummary.BillingMode
	}
	if p.BillingMode == ddb.BillingModePayPerRequest {
		p.ProvisionedThroughput = nil
		for i := range p.GlobalSecondaryIndexes {
			p.GlobalSecondaryIndexes[i].Throughput = nil
		}
	}
	if t.TableClassSummary != nil {
		p.TableClass = t.TableClassSummary.TableClass
	}
	if t.StreamSpecification == nil || !t.StreamSpecification.StreamEnabled {
		p.StreamSpecification = nil
	}
	if e := t.SSEDescription; e != nil {
		p.SSESpecification = &encryptionProperty{Enabled: e.Status == ddb.SSEStatusEnabled || e.Status == ddb.SSEStatusUpdating, Type: e.SSEType, Key: deref(e.KMSMasterKeyArn)}
	}
}

func (s *Service) readLifetimes(ctx context.Context, name string, p *tableProperties) error {
	ttl, err := ask[ddb.DescribeTimeToLiveOutput](ctx, s, "DescribeTimeToLive", &ddb.DescribeTimeToLiveInput{TableName: name})
	if err != nil {
		return err
	}
	if d := ttl.TimeToLiveDescription; d != nil && strings.HasPrefix(d.TimeToLiveStatus, "ENABL") {
		p.TimeToLiveSpecification = &ttlProperty{Attribute: deref(d.AttributeName), Enabled: true}
	}
	backups, err := ask[ddb.DescribeContinuousBackupsOutput](ctx, s, "DescribeContinuousBackups", &ddb.DescribeContinuousBackupsInput{TableName: name})
	if err != nil {
		return err
	}
	if d := backups.ContinuousBackupsDescription.PointInTimeRecoveryDescription; d != nil && d.PointInTimeRecoveryStatus == ddb.PointInTimeRecoveryStatusEnabled {
		p.PointInTimeRecovery = &recoveryProperty{Enabled: true, Days: d.RecoveryPeriodInDays}
	}
	return nil
}

// readOutside reads who may use the table, and where its changes go.
func (s *Service) readOutside(ctx context.Context, name string, p *tableProperties) error {
	policy, err := ask[ddb.GetResourcePolicyOutput](ctx, s, "GetResourcePolicy", &ddb.GetResourcePolicyInput{ResourceArn: tableARN(placeOf(ctx), name)})
	if service.Unless(err, "PolicyNotFoundException") != nil {
		return err
	}
	if err == nil {
		p.ResourcePolicy = &policyProperty{Document: reshape.Document(deref(policy.Policy))}
	}
	to, err := ask[ddb.DescribeKinesisStreamingDestinationOutput](ctx, s, "DescribeKinesisStreamingDestination", &ddb.DescribeKinesisStreamingDestinationInput{TableName: name})
	if err != nil {
		return err
	}
	for _, d := range to.KinesisDataStreamDestinations {
		if d.DestinationStatus == ddb.DestinationStatusActive || d.DestinationStatus == ddb.DestinationStatusEnabling {
			p.KinesisStream = &kinesisProperty{Stream: deref(d.StreamArn), Precision: d.ApproximateCreationDateTimePrecision}
		}
	}
	return nil
}

func (s *Service) readInsights(ctx context.Context, name string, p *tableProperties) (err error) {
	if p.Insights, err = s.insightsOf(ctx, &ddb.DescribeContributorInsightsInput{TableName: name}); err != nil {
		return err
	}
	for i := range p.GlobalSecondaryIndexes {
		ix := &p.GlobalSecondaryIndexes[i]
		if ix.Insights, err = s.insightsOf(ctx, &ddb.DescribeContributorInsightsInput{TableName: name, IndexName: &ix.Name}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) insightsOf(ctx context.Context, in *ddb.DescribeContributorInsightsInput) (*insightsProperty, error) {
	out, err := ask[ddb.DescribeContributorInsightsOutput](ctx, s, "DescribeContributorInsights", in)
	if err != nil || !strings.HasPrefix(out.ContributorInsightsStatus, "ENABL") {
		return nil, err
	}
	return &insightsProperty{Enabled: true, Mode: out.ContributorInsightsMode}, nil
}

func (s *Service) listTableResources(ctx context.Context, next string) (service.Page, error) {
	out, err := ask[ddb.ListTablesOutput](ctx, s, "ListTables", &ddb.ListTablesInput{ExclusiveStartTableName: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.TableNames, out.LastEvaluatedTableName, func(name *string) service.Identifier { return service.Identifier{*name} }), nil
}

// readGlobalResource reads a table and its replicas.
func (s *Service) readGlobalResource(ctx context.Context, id service.Identifier) (*globalProperties, service.Resource, error) {
	home, r, err := s.readTableResource(ctx, id)
	if err != nil {
		return nil, r, err
	}
	out, err := ask[ddb.DescribeTableOutput](ctx, s, "DescribeTable", &ddb.DescribeTableInput{TableName: id[0]})
	if err != nil {
		return nil, r, err
	}
	p := &globalProperties{
		TableName: home.TableName, AttributeDefinitions: home.AttributeDefinitions, KeySchema: home.KeySchema, BillingMode: home.BillingMode, LocalSecondaryIndexes: home.LocalSecondaryIndexes,
		TimeToLiveSpecification: home.TimeToLiveSpecification, SSESpecification: home.SSESpecification, StreamSpecification: home.StreamSpecification,
		Replicas: []replicaProperty{home.replica(placeOf(ctx).region)},
	}
	if o := home.OnDemandThroughput; o != nil && o.Write != nil {
		p.WriteOnDemand = &writeOnDemand{o.Write}
	}
	for _, ix := range home.GlobalSecondaryIndexes {
		p.GlobalSecondaryIndexes = append(p.GlobalSecondaryIndexes, globalIndexProperty{Name: ix.Name, Keys: ix.Keys, Projection: ix.Projection})
	}
	for _, other := range out.Table.Replicas {
		region := deref(other.RegionName)
		if region == placeOf(ctx).region {
			continue
		}
		t, _, err := s.readTableResource(service.InRegion(ctx, region), id)
		if err != nil {
			return nil, r, err
		}
		p.Replicas = append(p.Replicas, t.replica(region))
	}
	return p, r, nil
}

// replica returns the properties of a table that each replica has for itself.
func (p *tableProperties) replica(region string) replicaProperty {
	out := replicaProperty{
		Region: region, DeletionProtectionEnabled: p.DeletionProtectionEnabled, PointInTimeRecovery: p.PointInTimeRecovery, ContributorInsights: p.Insights,
		ResourcePolicy: p.ResourcePolicy, TableClass: p.TableClass, Tags: p.Tags,
	}
	if o := p.OnDemandThroughput; o != nil && o.Read != nil {
		out.ReadOnDemand = &readOnDemand{o.Read}
	}
	return out
}
