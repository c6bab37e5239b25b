package dynamodb

import (
	"context"
	"slices"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Global tables of the version 2017.11.29 are made of tables that are there in several regions: the operations below tie them together and take them apart. What ties
// them is the same as with those of 2019.11.21: writes are made in all regions in one transaction. The differences are who makes the tables, and which
// operations show and change the whole.

func globalTableARN(p place, name string) string {
	return "arn:aws:dynamodb::" + p.account + ":global-table/" + name
}

// noGlobalTable returns the error of a global table that does not exist, or is of the version 2019.11.21, whose operations are those of tables.
func noGlobalTable(name string) error {
	return service.Errorf("GlobalTableNotFoundException", "Global table not found: Global table with name: '%s' does not exist.", name)
}

// regionsOf returns the regions of a global table, the one of the record first.
func (t *table) regionsOf() []string { return append([]string{t.place.region}, t.Replicas...) }

// oldGlobalTable returns the table of a region that is part of a global table of the version 2017.11.29.
func (s *Service) oldGlobalTable(r store.Reader, p place, name string) (*table, error) {
	t, err := s.findTable(r, p, name)
	if err == nil && (t == nil || t.GlobalSince.IsZero()) {
		err = noGlobalTable(name)
	}
	return t, err
}

func (s *Service) createGlobalTable(ctx context.Context, in *ddb.CreateGlobalTableInput) (*ddb.CreateGlobalTableOutput, error) {
	if err := checkName("globalTableName", in.GlobalTableName); err != nil {
		return nil, err
	}
	var regions []string
	for _, r := range in.ReplicationGroup {
		if slices.Contains(regions, deref(r.RegionName)) {
			return nil, invalidValue("ReplicationGroup names the region %s twice", deref(r.RegionName))
		}
		regions = append(regions, deref(r.RegionName))
	}
	p := placeOf(ctx)
	if !slices.Contains(regions, p.region) {
		return nil, invalidValue("ReplicationGroup must have the region of the request, %s", p.region)
	}
	var made *table
	err := s.store.Update(ctx, func(tx store.Txn) error {
		tables := make([]*table, len(regions))
		for i, region := range regions {
			t, err := s.replicaCandidate(tx, p.in(region), in.GlobalTableName)
			if err != nil {
				return err
			}
			if err := sameShape(tables[0], t); err != nil {
				return err
			}
			tables[i] = t
		}
		for i, t := range tables {
			r := *t.tableRecord
			r.Replicas, r.GlobalSince = slices.Delete(slices.Clone(regions), i, i+1), s.clock.Now().UTC()
			if err := saveTable(tx, t.place, &r); err != nil {
				return err
			}
			if t.place == p {
				made = newTable(p, &r)
			}
		}
		return nil
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &ddb.CreateGlobalTableOutput{GlobalTableDescription: made.describeGlobal(ddb.GlobalTableStatusCreating)}, nil
}

// replicaCandidate returns a table that can become part of a global table: it is there, empty, and has a stream of new and old images.
func (s *Service) replicaCandidate(tx store.Txn, p place, name string) (*table, error) {
	t, err := s.findTable(tx, p, name)
	if err != nil {
		return nil, err
	}
	switch {
	case t == nil:
		return nil, service.Errorf("TableNotFoundException", "Table not found: %s in the region %s", name, p.region)
	case len(t.Replicas) > 0:
		return nil, service.Errorf("GlobalTableAlreadyExistsException", "Global table already exists: Global table with name: '%s' already exists.", name)
	case t.busy():
		return nil, service.Errorf(codeInUse, "Table is being created, backed up or exported: %s in the region %s", name, p.region)
	case t.Stream == nil || t.Stream.View != ddb.StreamViewTypeNewAndOldImages:
		return nil, invalid("Table must have a stream with the view NEW_AND_OLD_IMAGES to have replicas: %s in the region %s", name, p.region)
	}
	for _, err := range tx.Range(store.Span{Lo: t.items, Hi: t.items.End(), Limit: 1}) {
		if err != nil {
			return nil, err
		}
		return nil, invalid("The table %s in the region %s has items. Tables must be empty to become replicas.", name, p.region)
	}
	return t, nil
}

// sameShape refuses tables whose keys or indexes differ. first may be nil.
func sameShape(first, t *table) error {
	if first == nil {
		return nil
	}
	same := slices.Equal(first.keys.all, t.keys.all) && len(first.indexes) == len(t.indexes)
	for _, ix := range t.indexes {
		other := first.index(ix.Name)
		same = same && other != nil && other.global == ix.global && slices.Equal(other.keys.hash, ix.keys.hash) && slices.Equal(other.keys.sort, ix.keys.sort) &&
			other.Projection.ProjectionType == ix.Projection.ProjectionType
	}
	if !same {
		return invalid("The tables %s in the regions %s and %s have different keys or indexes. Replicas must have the same.", t.Name, first.place.region, t.place.region)
	}
	return nil
}

// describeGlobal returns the global table that a table is part of.
func (t *table) describeGlobal(status string) *ddb.GlobalTableDescription {
	d := &ddb.GlobalTableDescription{
		GlobalTableArn: ptr(globalTableARN(t.place, t.Name)), GlobalTableName: &t.Name, GlobalTableStatus: status, CreationDateTime: &t.GlobalSince,
	}
	for _, region := range t.regionsOf() {
		d.ReplicationGroup = append(d.ReplicationGroup, ddb.ReplicaDescription{RegionName: &region, ReplicaStatus: ddb.ReplicaStatusActive})
	}
	return d
}

func (s *Service) describeGlobalTable(ctx context.Context, in *ddb.DescribeGlobalTableInput) (*ddb.DescribeGlobalTableOutput, error) {
	out := &ddb.DescribeGlobalTableOutput{}
	err := s.store.View(ctx, func(r store.Reader) error {
		t, err := s.oldGlobalTable(r, placeOf(ctx), in.GlobalTableName)
		if err == nil {
			out.GlobalTableDescription = t.describeGlobal(ddb.GlobalTableStatusActive)
		}
		return err
	})
	return out, storeError(err)
}

// maxGlobalListed is how many global tables a page lists at most.
const maxGlobalListed = 100

func (s *Service) listGlobalTables(ctx context.Context, in *ddb.ListGlobalTablesInput) (*ddb.ListGlobalTablesOutput, error) {
	p := placeOf(ctx)
	limit := maxGlobalListed
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	span := p.tables().Span()
	if in.ExclusiveStartGlobalTableName != nil {
		span.Lo = p.table(*in.ExclusiveStartGlobalTableName).End()
	}
	out := &ddb.ListGlobalTablesOutput{GlobalTables: []ddb.GlobalTable{}}
	err := s.store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[tableRecord](r, span) {
			if err != nil {
				return err
			}
			t := newTable(p, &row.Value)
			if t.GlobalSince.IsZero() || in.RegionName != nil && !slices.Contains(t.regionsOf(), *in.RegionName) {
				continue
			}
			if n := len(out.GlobalTables); n == limit {
				out.LastEvaluatedGlobalTableName = out.GlobalTables[n-1].GlobalTableName
				return nil
			}
			g := ddb.GlobalTable{GlobalTableName: &t.Name}
			for _, region := range t.regionsOf() {
				g.ReplicationGroup = append(g.ReplicationGroup, ddb.Replica{RegionName: &region})
			}
			out.GlobalTables = append(out.GlobalTables, g)
		}
		return nil
	})
	return out, storeError(err)
}

func (s *Service) updateGlobalTable(ctx context.Context, in *ddb.UpdateGlobalTableInput) (*ddb.UpdateGlobalTableOutput, error) {
	p := placeOf(ctx)
	var changed *table
	err := s.store.Update(ctx, func(tx store.Txn) error {
		for _, u := range in.ReplicaUpdates {
			t, err := s.oldGlobalTable(tx, p, in.GlobalTableName)
			if err != nil {
				return err
			}
			switch {
			case (u.Create == nil) == (u.Delete == nil):
				return invalidValue("An element of ReplicaUpdates must have one of Create and Delete")
			case u.Create != nil:
				err = s.joinGlobal(tx, t, u.Create.RegionName)
			default:
				err = s.leaveGlobal(tx, t, u.Delete.RegionName)
			}
			if err != nil {
				return err
			}
		}
		t, err := s.findTable(tx, p, in.GlobalTableName)
		if err == nil && t == nil {
			err = noGlobalTable(in.GlobalTableName)
		}
		changed = t
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &ddb.UpdateGlobalTableOutput{GlobalTableDescription: changed.describeGlobal(ddb.GlobalTableStatusUpdating)}, nil
}

// joinGlobal makes the table of another region part of the global table that t is part of. The items that are there are copied to it.
func (s *Service) joinGlobal(tx store.Txn, t *table, region string) error {
	if slices.Contains(t.regionsOf(), region) {
		return service.Errorf("ReplicaAlreadyExistsException", "The region %s is part of the global table %s already", region, t.Name)
	}
	other, err := s.replicaCandidate(tx, t.place.in(region), t.Name)
	if err != nil {
		return err
	}
	if err := sameShape(t, other); err != nil {
		return err
	}
	r := *t.tableRecord
	if err := s.eachReplica(tx, t.place, &r, func(_ place, rest *tableRecord) { rest.Replicas = append(slices.Clone(rest.Replicas), region) }); err != nil {
		return err
	}
	joined := *other.tableRecord
	joined.Replicas, joined.GlobalSince, joined.Replica = t.regionsOf(), t.GlobalSince, &replicaState{Source: t.place.region}
	r.Replicas = append(slices.Clone(r.Replicas), region)
	if err := saveTable(tx, t.place, &r); err != nil {
		return err
	}
	if err := saveTable(tx, other.place, &joined); err != nil {
		return err
	}
	return enqueueRef(tx, other.place, jobReplica, t.Name)
}

// leaveGlobal takes a region out of a global table. Its table stays, with its items. The last two leave together.
func (s *Service) leaveGlobal(tx store.Txn, t *table, region string) error {
	if !slices.Contains(t.regionsOf(), region) {
		return service.Errorf("ReplicaNotFoundException", "The region %s is not part of the global table %s", region, t.Name)
	}
	for _, of := range t.regionsOf() {
		other, err := s.findTable(tx, t.place.in(of), t.Name)
		if err != nil {
			return err
		}
		if other == nil {
			continue
		}
		r := *other.tableRecord
		if r.Replicas = without(r.Replicas, region); of == region {
			r.Replicas, r.GlobalSince = nil, time.Time{}
		}
		if err := saveTable(tx, other.place, &r); err != nil {
			return err
		}
	}
	return nil
}
