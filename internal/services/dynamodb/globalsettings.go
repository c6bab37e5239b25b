package dynamodb

import (
	"context"
	"slices"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

func (s *Service) describeGlobalTableSettings(ctx context.Context, in *ddb.DescribeGlobalTableSettingsInput) (*ddb.DescribeGlobalTableSettingsOutput, error) {
	out := &ddb.DescribeGlobalTableSettingsOutput{GlobalTableName: &in.GlobalTableName}
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		out.ReplicaSettings, err = s.replicaSettings(r, placeOf(ctx), in.GlobalTableName)
		return err
	})
	return out, storeError(err)
}

// replicaSettings returns the settings of all regions of a global table.
func (s *Service) replicaSettings(r store.Reader, p place, name string) (out []ddb.ReplicaSettingsDescription, err error) {
	t, err := s.oldGlobalTable(r, p, name)
	if err != nil {
		return nil, err
	}
	for _, region := range t.regionsOf() {
		other, err := s.findTable(r, p.in(region), name)
		if err != nil {
			return nil, err
		}
		if other != nil {
			out = append(out, other.settings())
		}
	}
	return out, nil
}

// settings returns a table as part of a global table.
func (t *table) settings() ddb.ReplicaSettingsDescription {
	d := ddb.ReplicaSettingsDescription{
		RegionName: t.place.region, ReplicaStatus: ddb.ReplicaStatusActive,
		ReplicaProvisionedReadCapacityUnits: &t.Throughput.ReadCapacityUnits, ReplicaProvisionedWriteCapacityUnits: &t.Throughput.WriteCapacityUnits,
	}
	if t.Replica != nil {
		d.ReplicaStatus = ddb.ReplicaStatusCreating
	}
	if t.OnDemand {
		d.ReplicaBillingModeSummary = &ddb.BillingModeSummary{BillingMode: ddb.BillingModePayPerRequest, LastUpdateToPayPerRequestDateTime: &t.OnDemandSince}
	}
	if t.Class != "" {
		d.ReplicaTableClassSummary = &ddb.TableClassSummary{TableClass: t.Class}
	}
	for i := range t.Global {
		ix := &t.Global[i]
		d.ReplicaGlobalSecondaryIndexSettings = append(d.ReplicaGlobalSecondaryIndexSettings, ddb.ReplicaGlobalSecondaryIndexSettingsDescription{
			IndexName: ix.Name, IndexStatus: ddb.IndexStatusActive,
			ProvisionedReadCapacityUnits: &ix.Throughput.ReadCapacityUnits, ProvisionedWriteCapacityUnits: &ix.Throughput.WriteCapacityUnits,
		})
	}
	return d
}

func (s *Service) updateGlobalTableSettings(ctx context.Context, in *ddb.UpdateGlobalTableSettingsInput) (*ddb.UpdateGlobalTableSettingsOutput, error) {
	if err := refuseScaling(in); err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	out := &ddb.UpdateGlobalTableSettingsOutput{GlobalTableName: &in.GlobalTableName}
	err := s.store.Update(ctx, func(tx store.Txn) error {
		t, err := s.oldGlobalTable(tx, p, in.GlobalTableName)
		if err != nil {
			return err
		}
		for _, u := range in.ReplicaSettingsUpdate {
			if !slices.Contains(t.regionsOf(), u.RegionName) {
				return service.Errorf("ReplicaNotFoundException", "The region %s is not part of the global table %s", u.RegionName, t.Name)
			}
		}
		for _, region := range t.regionsOf() {
			other, err := s.adminTable(tx, p.in(region), t.Name)
			if err != nil {
				return err
			}
			r, err := other.clone()
			if err != nil {
				return err
			}
			if err := s.set(r, region, in); err != nil {
				return err
			}
			if err := saveTable(tx, other.place, r); err != nil {
				return err
			}
		}
		out.ReplicaSettings, err = s.replicaSettings(tx, p, t.Name)
		return err
	})
	return out, storeError(err)
}

// refuseScaling refuses settings of auto scaling, for which there is no Application Auto Scaling.
func refuseScaling(in *ddb.UpdateGlobalTableSettingsInput) error {
	refused := in.GlobalTableProvisionedWriteCapacityAutoScalingSettingsUpdate != nil
	for _, ix := range in.GlobalTableGlobalSecondaryIndexSettingsUpdate {
		refused = refused || ix.ProvisionedWriteCapacityAutoScalingSettingsUpdate != nil
	}
	for _, u := range in.ReplicaSettingsUpdate {
		refused = refused || u.ReplicaProvisionedReadCapacityAutoScalingSettingsUpdate != nil
		for _, ix := range u.ReplicaGlobalSecondaryIndexSettingsUpdate {
			refused = refused || ix.ProvisionedReadCapacityAutoScalingSettingsUpdate != nil
		}
	}
	if refused {
		return unsupported("UpdateGlobalTableSettings", "AutoScalingSettingsUpdate")
	}
	return nil
}

// set makes the settings of a region's table what a request says.
func (s *Service) set(r *tableRecord, region string, in *ddb.UpdateGlobalTableSettingsInput) error {
	if in.GlobalTableBillingMode != "" {
		if r.OnDemand = in.GlobalTableBillingMode == ddb.BillingModePayPerRequest; r.OnDemand {
			r.OnDemandSince, r.Throughput = s.clock.Now().UTC(), ddb.ProvisionedThroughput{}
			for i := range r.Global {
				r.Global[i].Throughput = ddb.ProvisionedThroughput{}
			}
		}
	}
	var capacity []capacitySetting
	add := func(index string, read, write *int64) {
		capacity = append(capacity, capacitySetting{index, read, write})
	}
	add("", nil, in.GlobalTableProvisionedWriteCapacityUnits)
	for _, ix := range in.GlobalTableGlobalSecondaryIndexSettingsUpdate {
		add(ix.IndexName, nil, ix.ProvisionedWriteCapacityUnits)
	}
	for _, u := range in.ReplicaSettingsUpdate {
		if u.RegionName != region {
			continue
		}
		if u.ReplicaTableClass != "" {
			r.Class = u.ReplicaTableClass
		}
		add("", u.ReplicaProvisionedReadCapacityUnits, nil)
		for _, ix := range u.ReplicaGlobalSecondaryIndexSettingsUpdate {
			add(ix.IndexName, ix.ProvisionedReadCapacityUnits, nil)
		}
	}
	for _, c := range capacity {
		if err := r.setCapacity(c); err != nil {
			return err
		}
	}
	return r.checkCapacity()
}

// capacitySetting gives a table ("") or an index other capacity.
type capacitySetting struct {
	index       string
	read, write *int64
}

func (r *tableRecord) setCapacity(c capacitySetting) error {
	if c.read == nil && c.write == nil {
		return nil
	}
	if r.OnDemand {
		return invalidValue("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	}
	th := &r.Throughput
	if c.index != "" {
		i := slices.IndexFunc(r.Global, func(ix indexRecord) bool { return ix.Name == c.index })
		if i < 0 {
			return service.Errorf("IndexNotFoundException", "The global table %s has no index %s", r.Name, c.index)
		}
		th = &r.Global[i].Throughput
	}
	if c.read != nil {
		th.ReadCapacityUnits = *c.read
	}
	if c.write != nil {
		th.WriteCapacityUnits = *c.write
	}
	return nil
}

// checkCapacity refuses a provisioned table without capacity.
func (r *tableRecord) checkCapacity() error {
	if r.OnDemand {
		return nil
	}
	throughputs := []ddb.ProvisionedThroughput{r.Throughput}
	for _, ix := range r.Global {
		throughputs = append(throughputs, ix.Throughput)
	}
	for _, th := range throughputs {
		if th.ReadCapacityUnits < 1 || th.WriteCapacityUnits < 1 {
			return invalidValue("ReadCapacityUnits and WriteCapacityUnits must both be specified, for the table and its indexes in every region, when BillingMode is PROVISIONED")
		}
	}
	return nil
}

// describeTableReplicaAutoScaling shows the regions of a table. None scales by itself, as there is no Application Auto Scaling.
func (s *Service) describeTableReplicaAutoScaling(ctx context.Context, in *ddb.DescribeTableReplicaAutoScalingInput) (*ddb.DescribeTableReplicaAutoScalingOutput, error) {
	t, err := s.viewTable(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	d := &ddb.TableAutoScalingDescription{TableName: &t.Name, TableStatus: t.status()}
	for _, region := range t.regionsOf() {
		r := ddb.ReplicaAutoScalingDescription{RegionName: &region, ReplicaStatus: ddb.ReplicaStatusActive}
		for i := range t.Global {
			r.GlobalSecondaryIndexes = append(r.GlobalSecondaryIndexes, ddb.ReplicaGlobalSecondaryIndexAutoScalingDescription{IndexName: &t.Global[i].Name, IndexStatus: ddb.IndexStatusActive})
		}
		d.Replicas = append(d.Replicas, r)
	}
	return &ddb.DescribeTableReplicaAutoScalingOutput{TableAutoScalingDescription: d}, nil
}
