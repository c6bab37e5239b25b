package dynamodb

import (
	"context"
	"slices"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// A global table is tables of one name in several regions of this platform. A write is made in all of them in one transaction, so that no replica is
// ever behind another and no two writes can conflict: of two writes of an item the later one wins, everywhere. Each replica has a stream of its own.
//
// A new replica cannot be used until a job has copied the items that were there before it. Writes go to it from its beginning.

// replicaState is what a new replica keeps until the items that were there before it are copied.
type replicaState struct {
	// Source is the region of the replica that is copied, and Cursor the last of its items that was.
	Source string `json:"source"`
	Cursor []byte `json:"cursor,omitempty"`
}

// in returns the same account in another region.
func (p place) in(region string) place { return place{p.account, region} }

// alterReplicas makes the changes of a request to the regions of a table. r is the table's record after the request's other changes.
func (s *Service) alterReplicas(tx store.Txn, t *table, r *tableRecord, updates []ddb.ReplicationGroupUpdate) error {
	if len(updates) > 0 && !t.GlobalSince.IsZero() {
		return invalid("%s is part of a global table of the version 2017.11.29, whose replicas are changed with UpdateGlobalTable", t.Name)
	}
	for _, u := range updates {
		var region string
		switch {
		case u.Create != nil:
			region = u.Create.RegionName
		case u.Delete != nil:
			region = u.Delete.RegionName
		default:
			return unsupported("UpdateTable", "ReplicaUpdates.Update")
		}
		if region == t.place.region {
			return invalid("Cannot add, delete, or update the local region through ReplicaUpdates. Use CreateTable, DeleteTable, or UpdateTable as required.")
		}
		var err error
		if u.Create != nil {
			err = s.createReplica(tx, t, r, u.Create)
		} else {
			err = s.deleteReplica(tx, t, r, region)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// createReplica makes the table of another region.
func (s *Service) createReplica(tx store.Txn, t *table, r *tableRecord, c *ddb.CreateReplicationGroupMemberAction) error {
	for _, parameter := range []legacy{
		{"KMSMasterKeyId", c.KMSMasterKeyId != nil},
		{"ProvisionedThroughputOverride", c.ProvisionedThroughputOverride != nil},
		{"OnDemandThroughputOverride", c.OnDemandThroughputOverride != nil},
		{"GlobalSecondaryIndexes", c.GlobalSecondaryIndexes != nil},
	} {
		if parameter.set {
			return unsupported("UpdateTable", "ReplicaUpdates.Create."+parameter.name)
		}
	}
	there := t.place.in(c.RegionName)
	other, err := s.findTable(tx, there, t.Name)
	if err != nil {
		return err
	}
	if other != nil {
		return invalid("Failed to create a the new replica of table with name: '%s' because one or more replicas already existed as tables.", t.Name)
	}
	now := s.clock.Now().UTC()
	if r.Stream == nil {
		if err := r.openStream(tx, t.place, ddb.StreamViewTypeNewAndOldImages, now); err != nil {
			return err
		}
	}
	if r.Stream.View != ddb.StreamViewTypeNewAndOldImages {
		return invalid("Table must have a stream with the view NEW_AND_OLD_IMAGES to have replicas: %s", t.Name)
	}
	id, err := uuid.New(s.random)
	if err != nil {
		return err
	}
	made := &tableRecord{
		Name: r.Name, ID: id, Created: now, Attributes: r.Attributes, Keys: r.Keys, Global: slices.Clone(r.Global), Local: r.Local, NextIndex: r.NextIndex,
		OnDemand: r.OnDemand, OnDemandSince: r.OnDemandSince, Throughput: r.Throughput, OnDemandLimits: r.OnDemandLimits, Class: c.TableClassOverride,
		Encryption: r.Encryption, TTLAttribute: r.TTLAttribute, Replicas: append(slices.Clone(r.Replicas), t.place.region), Replica: &replicaState{Source: t.place.region},
	}
	for i := range made.Global { // the copying of items fills them
		made.Global[i].Filling, made.Global[i].Cursor = false, nil
	}
	if err := made.openStream(tx, there, ddb.StreamViewTypeNewAndOldImages, now); err != nil {
		return err
	}
	if err := s.eachReplica(tx, t.place, r, func(_ place, other *tableRecord) { other.Replicas = append(slices.Clone(other.Replicas), c.RegionName) }); err != nil {
		return err
	}
	r.Replicas = append(slices.Clone(r.Replicas), c.RegionName)
	if err := saveTable(tx, there, made); err != nil {
		return err
	}
	return enqueueRef(tx, there, jobReplica, made.Name)
}

// deleteReplica drops the table of another region.
func (s *Service) deleteReplica(tx store.Txn, t *table, r *tableRecord, region string) error {
	if !slices.Contains(r.Replicas, region) {
		return service.Errorf("ReplicaNotFoundException", "Update global table operation failed because one or more replicas were not part of the global table: %s", region)
	}
	other, err := s.findTable(tx, t.place.in(region), t.Name)
	if err != nil {
		return err
	}
	r.Replicas = without(r.Replicas, region)
	if err := s.eachReplica(tx, t.place, r, func(_ place, rest *tableRecord) { rest.Replicas = without(rest.Replicas, region) }); err != nil || other == nil {
		return err
	}
	return s.dropTable(tx, other)
}

// eachReplica changes the records of the other replicas of a table.
func (s *Service) eachReplica(tx store.Txn, p place, r *tableRecord, change func(p place, other *tableRecord)) error {
	for _, region := range r.Replicas {
		other, err := s.findTable(tx, p.in(region), r.Name)
		if err != nil || other == nil {
			return err
		}
		rec := *other.tableRecord
		change(other.place, &rec)
		if err := saveTable(tx, other.place, &rec); err != nil {
			return err
		}
	}
	return nil
}

// replicate makes a write of a table in its other regions. item is nil when it was deleted.
func (s *Service) replicate(tx store.Txn, t *table, key, item attr.Map, by origin) error {
	for _, region := range t.Replicas {
		other, err := s.findTable(tx, t.place.in(region), t.Name)
		if err != nil {
			return err
		}
		if other == nil {
			continue
		}
		if other, err = other.beginShard(tx, by.at); err != nil {
			return err
		}
		itemKey := other.itemKey(key)
		old, err := readItem(tx, itemKey)
		if err != nil {
			return err
		}
		if err := other.store(tx, itemKey, old.Clone(), item, origin{at: by.at, to: by.to}); err != nil {
			return err
		}
	}
	return nil
}

// runReplica copies the items that were there before a replica.
func (s *Service) runReplica(ctx context.Context, p place, name string) error {
	for done := false; !done; {
		err := s.store.Update(ctx, func(tx store.Txn) error {
			t, err := s.findTable(tx, p, name)
			if done = err != nil || t == nil || t.Replica == nil; done {
				return err
			}
			source, err := s.findTable(tx, p.in(t.Replica.Source), name)
			if err != nil {
				return err
			}
			if t, err = t.beginShard(tx, s.clock.Now()); err != nil {
				return err
			}
			r := *t.tableRecord
			state := *t.Replica
			r.Replica = &state
			more := false
			if source != nil {
				more, err = batch(tx, source.items.Span(), &state.Cursor, snapshotBytes/(1+len(t.indexes)), func(pair store.Pair) error {
					item := attr.Map(pair.Value)
					itemKey := t.itemKey(item)
					old, err := readItem(tx, itemKey)
					if err != nil || old != nil {
						return err // it was written since
					}
					return t.store(tx, itemKey, nil, item, s.now())
				})
				if err != nil {
					return err
				}
			}
			if !more {
				done, r.Replica = true, nil
			}
			return saveTable(tx, p, &r)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// describeReplicas returns the other regions of a table.
func (t *table) describeReplicas() (out []ddb.ReplicaDescription) {
	for _, region := range t.Replicas {
		out = append(out, ddb.ReplicaDescription{
			RegionName: ptr(region), ReplicaStatus: ddb.ReplicaStatusActive, ReplicaArn: ptr(tableARN(t.place.in(region), t.Name)),
		})
	}
	return out
}

// alterOthers makes a change that concerns all regions in the other ones: indexes and billing are those of the whole global table.
func (s *Service) alterOthers(tx store.Txn, t *table, in *ddb.UpdateTableInput) error {
	shared := *in
	shared.StreamSpecification, shared.DeletionProtectionEnabled, shared.TableClass, shared.ReplicaUpdates = nil, nil, "", nil
	if in.BillingMode == "" && in.ProvisionedThroughput == nil && in.OnDemandThroughput == nil && in.SSESpecification == nil && len(in.GlobalSecondaryIndexUpdates) == 0 {
		return nil
	}
	for _, region := range t.Replicas {
		other, err := s.findTable(tx, t.place.in(region), t.Name)
		if err != nil {
			return err
		}
		if other == nil {
			continue
		}
		r, err := other.clone()
		if err != nil {
			return err
		}
		if err := s.alter(tx, other, r, &shared); err != nil {
			return err
		}
		if err := saveTable(tx, other.place, r); err != nil {
			return err
		}
	}
	return nil
}
