package dynamodb

import (
	"context"
	"errors"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

func ptr[T any](v T) *T { return &v }

// describe returns the table as the API shows it.
func (t *table) describe(status string, stats statistics) *ddb.TableDescription {
	d := &ddb.TableDescription{
		AttributeDefinitions: t.Attributes, TableName: &t.Name, KeySchema: t.Keys, TableStatus: status, CreationDateTime: &t.Created,
		ProvisionedThroughput: throughput(t.Throughput), TableSizeBytes: &stats.table.bytes, ItemCount: &stats.table.items,
		TableArn: ptr(t.arn()), TableId: &t.ID, DeletionProtectionEnabled: &t.Protected, OnDemandThroughput: t.OnDemandLimits,
	}
	if t.OnDemand {
		d.BillingModeSummary = &ddb.BillingModeSummary{BillingMode: ddb.BillingModePayPerRequest}
		if status != ddb.TableStatusCreating {
			d.BillingModeSummary.LastUpdateToPayPerRequestDateTime = &t.OnDemandSince
		}
	}
	d.WarmThroughput = t.describeWarm(t.Warm, t.Throughput, status)
	d.SSEDescription = t.describeEncryption()
	if !t.GlobalSince.IsZero() {
		d.GlobalTableVersion = ptr("2017.11.29")
	} else if d.Replicas = t.describeReplicas(); d.Replicas != nil {
		d.GlobalTableVersion = ptr("2019.11.21")
	}
	if t.Restore != nil {
		d.RestoreSummary = t.Restore.summary()
	}
	if t.Class != "" {
		d.TableClassSummary = &ddb.TableClassSummary{TableClass: t.Class}
	}
	if t.LastStream != "" {
		d.LatestStreamLabel, d.LatestStreamArn = &t.LastStream, ptr(streamARN(t.place, t.Name, t.LastStream))
	}
	if t.Stream != nil {
		d.StreamSpecification = &ddb.StreamSpecification{StreamEnabled: true, StreamViewType: t.Stream.View}
	}
	for _, ix := range t.indexes {
		n := stats.indexes[ix.ID]
		arn := ptr(t.arn() + "/index/" + ix.Name)
		if !ix.global {
			d.LocalSecondaryIndexes = append(d.LocalSecondaryIndexes, ddb.LocalSecondaryIndexDescription{
				IndexName: &ix.Name, KeySchema: ix.Keys, Projection: &ix.Projection, IndexSizeBytes: &n.bytes, ItemCount: &n.items, IndexArn: arn,
			})
			continue
		}
		if ix.Filling {
			n.items, n.bytes = 0, 0 // as on AWS, an index is counted when it is complete
		}
		g := ddb.GlobalSecondaryIndexDescription{
			IndexName: &ix.Name, KeySchema: ix.Keys, Projection: &ix.Projection, IndexStatus: ddb.IndexStatusActive,
			ProvisionedThroughput: throughput(ix.Throughput), IndexSizeBytes: &n.bytes, ItemCount: &n.items, IndexArn: arn,
			OnDemandThroughput: ix.OnDemandLimits,
		}
		if status == ddb.TableStatusCreating || ix.Filling {
			g.IndexStatus = ddb.IndexStatusCreating
		}
		if w := t.describeWarm(ix.Warm, ix.Throughput, status); w != nil {
			g.WarmThroughput = &ddb.GlobalSecondaryIndexWarmThroughputDescription{ReadUnitsPerSecond: w.ReadUnitsPerSecond, WriteUnitsPerSecond: w.WriteUnitsPerSecond, Status: w.Status}
		}
		if ix.Filling {
			g.Backfilling = ptr(true)
		}
		d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, g)
	}
	return d
}

// describeDeleted returns what is still shown of a table that is deleted.
func (t *table) describeDeleted() *ddb.TableDescription {
	d := t.describe(ddb.TableStatusDeleting, statistics{})
	return &ddb.TableDescription{
		TableName: d.TableName, TableArn: d.TableArn, TableId: d.TableId, TableStatus: d.TableStatus, ProvisionedThroughput: d.ProvisionedThroughput,
		BillingModeSummary: d.BillingModeSummary, DeletionProtectionEnabled: d.DeletionProtectionEnabled, TableSizeBytes: d.TableSizeBytes, ItemCount: d.ItemCount,
	}
}

// describeEncryption returns the encryption that was asked for, or nil.
func (t *table) describeEncryption() *ddb.SSEDescription {
	if t.Encryption == nil || !isTrue(t.Encryption.Enabled) {
		return nil
	}
	return &ddb.SSEDescription{Status: ddb.SSEStatusEnabled, SSEType: ddb.SSETypeKms}
}

func throughput(th ddb.ProvisionedThroughput) *ddb.ProvisionedThroughputDescription {
	return &ddb.ProvisionedThroughputDescription{
		NumberOfDecreasesToday: ptr(int64(0)), ReadCapacityUnits: &th.ReadCapacityUnits, WriteCapacityUnits: &th.WriteCapacityUnits,
	}
}

// status returns ACTIVE, CREATING while its items are being restored or imported, or UPDATING while an index is being filled.
func (t *table) status() string {
	if t.loading() {
		return ddb.TableStatusCreating
	}
	for _, ix := range t.indexes {
		if ix.Filling {
			return ddb.TableStatusUpdating
		}
	}
	return ddb.TableStatusActive
}

func (s *Service) describeTable(ctx context.Context, in *ddb.DescribeTableInput) (*ddb.DescribeTableOutput, error) {
	t, err := s.viewTable(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	stats, err := s.count(ctx, t)
	if err != nil {
		return nil, err
	}
	return &ddb.DescribeTableOutput{Table: t.describe(t.status(), stats)}, nil
}

// viewTable returns a table outside of a transaction.
func (s *Service) viewTable(ctx context.Context, nameOrARN string) (*table, error) {
	if err := checkName("tableName", nameOrARN); err != nil {
		return nil, err
	}
	var t *table
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		t, err = s.adminTable(r, placeOf(ctx), nameOrARN)
		return err
	})
	return t, storeError(err)
}

func (s *Service) deleteTable(ctx context.Context, in *ddb.DeleteTableInput) (*ddb.DeleteTableOutput, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	var gone *table
	err := s.store.Update(ctx, func(tx store.Txn) error {
		t, err := s.adminTable(tx, p, in.TableName)
		if err != nil {
			return err
		}
		if t.Protected {
			return invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
		}
		if t.busy() {
			return service.Errorf(codeInUse, "Attempt to change a resource which is still in use: Table is being created, backed up or exported: %s", t.Name)
		}
		gone = t
		if err := s.eachReplica(tx, t.place, t.tableRecord, func(_ place, other *tableRecord) { other.Replicas = without(other.Replicas, t.place.region) }); err != nil {
			return err
		}
		return s.dropTable(tx, t)
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &ddb.DeleteTableOutput{TableDescription: gone.describeDeleted()}, nil
}

// dropTable removes a table with everything that belongs to it alone.
func (s *Service) dropTable(tx store.Txn, t *table) error {
	p := t.place        // which may be another account's
	r := *t.tableRecord // t is shared
	if err := r.closeStream(tx, p, s.clock.Now().UTC()); err != nil {
		return err
	}
	tx.Delete(p.table(t.Name))
	for _, k := range []key.Key{p.items(t.ID), p.indexes(t.ID), p.expiry(t.ID), p.undo(t.ID), p.collections(t.ID)} {
		tx.DeleteRange(k, k.End())
	}
	return errors.Join(events.Cancel(tx, jobExpire, t.ID), events.Cancel(tx, jobForget, t.ID))
}

func (s *Service) listTables(ctx context.Context, in *ddb.ListTablesInput) (*ddb.ListTablesOutput, error) {
	limit := 100
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	prefix := placeOf(ctx).tables()
	span := prefix.Span()
	if in.ExclusiveStartTableName != nil {
		span.Lo = prefix.Str(*in.ExclusiveStartTableName).End()
	}
	span.Limit = limit + 1
	out := &ddb.ListTablesOutput{TableNames: []string{}}
	err := s.store.View(ctx, func(r store.Reader) error {
		for pair, err := range r.Range(span) {
			if err != nil {
				return err
			}
			if len(out.TableNames) == limit {
				out.LastEvaluatedTableName = &out.TableNames[limit-1]
				return nil
			}
			out.TableNames = append(out.TableNames, key.Decode(pair.Key).Skip(prefix).Str())
		}
		return nil
	})
	return out, storeError(err)
}

func (s *Service) describeLimits(context.Context, *ddb.DescribeLimitsInput) (*ddb.DescribeLimitsOutput, error) {
	return &ddb.DescribeLimitsOutput{
		AccountMaxReadCapacityUnits: ptr(int64(80000)), AccountMaxWriteCapacityUnits: ptr(int64(80000)),
		TableMaxReadCapacityUnits: ptr(int64(40000)), TableMaxWriteCapacityUnits: ptr(int64(40000)),
	}, nil
}

func (s *Service) describeEndpoints(context.Context, *ddb.DescribeEndpointsInput) (*ddb.DescribeEndpointsOutput, error) {
	return &ddb.DescribeEndpointsOutput{Endpoints: []ddb.Endpoint{{Address: hostOf(s.baseURL), CachePeriodInMinutes: 1440}}}, nil
}
