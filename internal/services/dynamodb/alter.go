package dynamodb

import (
	"context"
	"slices"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

func (s *Service) updateTable(ctx context.Context, in *ddb.UpdateTableInput) (*ddb.UpdateTableOutput, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, err
	}
	if err := checkAlter(in); err != nil {
		return nil, err
	}
	t, err := s.changeTable(ctx, placeOf(ctx), in.TableName, func(tx store.Txn, t *table, r *tableRecord) error {
		if err := s.alter(tx, t, r, in); err != nil {
			return err
		}
		if err := s.alterOthers(tx, t, in); err != nil {
			return err
		}
		return s.alterReplicas(tx, t, r, in.ReplicaUpdates)
	})
	if err != nil {
		return nil, err
	}
	stats, err := s.count(ctx, t)
	if err != nil {
		return nil, err
	}
	return &ddb.UpdateTableOutput{TableDescription: t.describe(ddb.TableStatusUpdating, stats)}, nil
}

// alter makes the changes of a request in a table's record.
func (s *Service) alter(tx store.Txn, t *table, r *tableRecord, in *ddb.UpdateTableInput) error {
	if t.loading() {
		return service.Errorf(codeInUse, "Attempt to change a resource which is still in use: Table is being created: %s", t.Name)
	}
	if err := s.alterBilling(in, r); err != nil {
		return err
	}
	if in.DeletionProtectionEnabled != nil {
		r.Protected = *in.DeletionProtectionEnabled
	}
	if in.SSESpecification != nil {
		r.Encryption = in.SSESpecification
	}
	if in.WarmThroughput != nil {
		if err := r.checkWarm("table", r.Warm, r.Throughput, in.WarmThroughput); err != nil {
			return err
		}
		r.Warm = warmer(r.Warm, in.WarmThroughput)
	}
	if in.TableClass != "" {
		r.Class = in.TableClass
	}
	if in.OnDemandThroughput != nil {
		r.OnDemandLimits = in.OnDemandThroughput
	}
	if in.StreamSpecification != nil {
		if err := r.alterStream(tx, t.place, in.StreamSpecification, s.clock.Now().UTC()); err != nil {
			return err
		}
	}
	filling := false
	for _, u := range in.GlobalSecondaryIndexUpdates {
		if err := alterIndex(tx, t, r, in.AttributeDefinitions, u); err != nil {
			return err
		}
		filling = filling || u.Create != nil
	}
	if len(r.Global) > maxGlobalIndexes {
		return invalidValue("GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobalIndexes)
	}
	r.dropDefinitions()
	if filling {
		return enqueue(tx, t.place, jobFill, t.Name, "", time.Time{})
	}
	return nil
}

// checkAlter checks what can be checked without the table.
func checkAlter(in *ddb.UpdateTableInput) error {
	for _, u := range []legacy{
		{"MultiRegionConsistency", in.MultiRegionConsistency != ""},
		{"GlobalTableWitnessUpdates", in.GlobalTableWitnessUpdates != nil},
		{"GlobalTableSettingsReplicationMode", in.GlobalTableSettingsReplicationMode != ""},
	} {
		if u.set {
			return unsupported("UpdateTable", u.name)
		}
	}
	if err := checkEncryption(in.SSESpecification, "UpdateTable"); err != nil {
		return err
	}
	if err := checkStream(in.StreamSpecification); err != nil {
		return err
	}
	if in.ProvisionedThroughput == nil && in.BillingMode == "" && len(in.GlobalSecondaryIndexUpdates) == 0 && in.SSESpecification == nil &&
		in.DeletionProtectionEnabled == nil && in.TableClass == "" && in.OnDemandThroughput == nil && in.StreamSpecification == nil && in.ReplicaUpdates == nil && in.WarmThroughput == nil {
		return invalid("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required")
	}
	if in.BillingMode == ddb.BillingModeProvisioned && in.ProvisionedThroughput == nil {
		return invalidValue("ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
	}
	if in.ProvisionedThroughput != nil {
		if err := checkThroughput(in.ProvisionedThroughput); err != nil {
			return err
		}
	}
	names, changes := map[string]bool{}, 0
	for _, u := range in.GlobalSecondaryIndexUpdates {
		var name string
		switch {
		case u.Create != nil:
			name = u.Create.IndexName
			changes++
		case u.Delete != nil:
			name = u.Delete.IndexName
			changes++
		case u.Update != nil:
			name = u.Update.IndexName
		default:
			return invalidValue("One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null")
		}
		if names[name] {
			return invalidValue("Only one global secondary index update per index is allowed simultaneously. Index: %s", name)
		}
		names[name] = true
	}
	if changes > 1 {
		return service.Errorf(codeLimit, "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table")
	}
	return nil
}

func (s *Service) alterBilling(in *ddb.UpdateTableInput, r *tableRecord) error {
	onDemand := r.OnDemand
	if in.BillingMode != "" {
		onDemand = in.BillingMode == ddb.BillingModePayPerRequest
	}
	if in.ProvisionedThroughput != nil {
		if onDemand {
			return invalidValue("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
		}
		if !r.OnDemand && *in.ProvisionedThroughput == r.Throughput {
			return invalid("The provisioned throughput for the table will not change. The requested value equals the current value. "+
				"Current ReadCapacityUnits provisioned for the table: %d. Requested ReadCapacityUnits: %d. "+
				"Current WriteCapacityUnits provisioned for the table: %d. Requested WriteCapacityUnits: %d. "+
				"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
				r.Throughput.ReadCapacityUnits, r.Throughput.ReadCapacityUnits, r.Throughput.WriteCapacityUnits, r.Throughput.WriteCapacityUnits)
		}
		r.Throughput = *in.ProvisionedThroughput
	}
	if onDemand && !r.OnDemand {
		r.OnDemandSince = s.clock.Now().UTC()
		r.Throughput = ddb.ProvisionedThroughput{}
		for i := range r.Global {
			r.Global[i].Throughput = ddb.ProvisionedThroughput{}
		}
	}
	r.OnDemand = onDemand
	return nil
}

// alterIndex makes one change of a global index.
func alterIndex(tx store.Txn, t *table, r *tableRecord, defs []ddb.AttributeDefinition, u ddb.GlobalSecondaryIndexUpdate) error {
	if u.Create != nil {
		return createIndex(r, defs, u.Create)
	}
	name := ""
	if u.Delete != nil {
		name = u.Delete.IndexName
	} else {
		name = u.Update.IndexName
	}
	i := slices.IndexFunc(r.Global, func(ix indexRecord) bool { return ix.Name == name })
	if i < 0 {
		return service.Errorf(codeNotFound, "Requested resource not found")
	}
	if u.Delete != nil {
		entries := t.index(name).entries
		tx.DeleteRange(entries, entries.End())
		r.Global = slices.Delete(r.Global, i, i+1)
		delete(r.Insights, name)
		return nil
	}
	if limits := u.Update.OnDemandThroughput; limits != nil {
		if err := checkIndexLimits(r.OnDemand, name, limits); err != nil {
			return err
		}
		r.Global[i].OnDemandLimits = limits
	}
	if warm := u.Update.WarmThroughput; warm != nil {
		if err := r.checkWarm("index "+name, r.Global[i].Warm, r.Global[i].Throughput, warm); err != nil {
			return err
		}
		r.Global[i].Warm = warmer(r.Global[i].Warm, warm)
	}
	if th := u.Update.ProvisionedThroughput; th != nil {
		if r.OnDemand {
			return invalidValue("ProvisionedThroughput should not be specified for index: %s when BillingMode is PAY_PER_REQUEST", name)
		}
		r.Global[i].Throughput = *th
	}
	return nil
}

func createIndex(r *tableRecord, defs []ddb.AttributeDefinition, c *ddb.CreateGlobalSecondaryIndexAction) error {
	if err := checkIndexLimits(r.OnDemand, c.IndexName, c.OnDemandThroughput); err != nil {
		return err
	}
	if err := r.checkWarm("index "+c.IndexName, nil, deref(c.ProvisionedThroughput), c.WarmThroughput); err != nil {
		return err
	}
	names := map[string]bool{}
	for _, ix := range append(slices.Clone(r.Global), r.Local...) {
		if ix.Name == c.IndexName {
			return invalid("Attempting to create an index which already exists")
		}
		names[ix.Name] = true
	}
	for _, d := range defs {
		known := slices.IndexFunc(r.Attributes, func(a ddb.AttributeDefinition) bool { return a.AttributeName == d.AttributeName })
		if known < 0 {
			r.Attributes = append(r.Attributes, d)
		} else if r.Attributes[known].AttributeType != d.AttributeType {
			return invalidValue("Attribute %s is defined with type %s and cannot be defined with type %s", d.AttributeName, r.Attributes[known].AttributeType, d.AttributeType)
		}
	}
	if err := checkIndex(c.IndexName, c.KeySchema, c.Projection, r.Attributes, maxIndexKeys, names); err != nil {
		return err
	}
	mode := ddb.BillingModeProvisioned
	if r.OnDemand {
		mode = ddb.BillingModePayPerRequest
	}
	if err := checkIndexThroughput(mode, c.IndexName, c.ProvisionedThroughput); err != nil {
		return err
	}
	ix := r.newIndex(c.IndexName, c.KeySchema, *c.Projection, c.ProvisionedThroughput, c.WarmThroughput)
	ix.OnDemandLimits = c.OnDemandThroughput
	ix.Filling = true
	r.Global = append(r.Global, ix)
	return nil
}

// dropDefinitions forgets the definitions of attributes that are in no key any more.
func (r *tableRecord) dropDefinitions() {
	used := map[string]bool{}
	keys := slices.Clone(r.Keys)
	for _, ix := range append(slices.Clone(r.Global), r.Local...) {
		keys = append(keys, ix.Keys...)
	}
	for _, k := range keys {
		used[k.AttributeName] = true
	}
	r.Attributes = slices.DeleteFunc(r.Attributes, func(a ddb.AttributeDefinition) bool { return !used[a.AttributeName] })
}
