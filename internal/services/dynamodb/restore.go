package dynamodb

import (
	"context"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// restoreState is where a table's items came from, and how far they came.
type restoreState struct {
	// SourceBackup and SourceTable are ARNs.
	SourceBackup string    `json:"source_backup,omitempty"`
	SourceTable  string    `json:"source_table,omitempty"`
	At           time.Time `json:"at"`
	// Snapshot is the id of the snapshot with the items. A temporary one is dropped when they are there.
	Snapshot  string `json:"snapshot"`
	Temporary bool   `json:"temporary,omitempty"`
	Cursor    []byte `json:"cursor,omitempty"`
	Done      bool   `json:"done,omitempty"`
}

// overrides are what a restored table has in another way than its source.
type overrides struct {
	name, billing string
	global        []ddb.GlobalSecondaryIndex // nil keeps all
	local         []ddb.LocalSecondaryIndex  // nil keeps all
	throughput    *ddb.ProvisionedThroughput
	onDemand      *ddb.OnDemandThroughput
	encryption    *ddb.SSESpecification
}

// makeRestored makes the table into which items are restored. Until they are there it cannot be used. As on AWS it has no stream, time to live,
// tags, policy nor point-in-time recovery.
func (s *Service) makeRestored(tx store.Txn, p place, source *tableRecord, o overrides, restore *restoreState) (*table, error) {
	if err := checkName("targetTableName", o.name); err != nil {
		return nil, err
	}
	if err := checkEncryption(o.encryption, "RestoreTable"); err != nil {
		return nil, err
	}
	other, err := s.findTable(tx, p, o.name)
	if err != nil {
		return nil, err
	}
	if other != nil {
		return nil, service.Errorf("TableAlreadyExistsException", "Table already exists: %s", o.name)
	}
	id, err := uuid.New(s.random)
	if err != nil {
		return nil, err
	}
	r := &tableRecord{
		Name: o.name, ID: id, Created: s.clock.Now().UTC(), Attributes: source.Attributes, Keys: source.Keys, Global: source.Global, Local: source.Local,
		NextIndex: source.NextIndex, OnDemand: source.OnDemand, Throughput: source.Throughput, OnDemandLimits: source.OnDemandLimits, Class: source.Class,
		Encryption: source.Encryption, Restore: restore,
	}
	if r.OnDemand {
		r.OnDemandSince = r.Created
	}
	if err := o.apply(r); err != nil {
		return nil, err
	}
	return newTable(p, r), saveTable(tx, p, r)
}

// apply changes a restored table's record. Indexes may be left out, but not be new.
func (o *overrides) apply(r *tableRecord) error {
	if o.global != nil {
		kept, err := keepIndexes(r.Global, o.global, func(ix ddb.GlobalSecondaryIndex) string { return ix.IndexName })
		if err != nil {
			return err
		}
		r.Global = kept
	}
	if o.local != nil {
		kept, err := keepIndexes(r.Local, o.local, func(ix ddb.LocalSecondaryIndex) string { return ix.IndexName })
		if err != nil {
			return err
		}
		r.Local = kept
	}
	switch o.billing {
	case ddb.BillingModePayPerRequest:
		if !r.OnDemand {
			r.OnDemand, r.OnDemandSince, r.Throughput = true, r.Created, ddb.ProvisionedThroughput{}
		}
	case ddb.BillingModeProvisioned:
		if o.throughput == nil {
			return invalidValue("ProvisionedThroughputOverride must be specified when BillingModeOverride is PROVISIONED")
		}
		r.OnDemand = false
	}
	if o.throughput != nil {
		r.Throughput = *o.throughput
	}
	if o.onDemand != nil {
		r.OnDemandLimits = o.onDemand
	}
	if o.encryption != nil {
		r.Encryption = o.encryption
	}
	r.dropDefinitions()
	return nil
}

// keepIndexes returns the indexes that are named.
func keepIndexes[Ix any](indexes []indexRecord, keep []Ix, name func(Ix) string) ([]indexRecord, error) {
	kept := []indexRecord{}
	for _, k := range keep {
		found := false
		for _, ix := range indexes {
			if ix.Name == name(k) {
				kept, found = append(kept, ix), true
			}
		}
		if !found {
			return nil, invalidValue("The source has no index %s: a restored table has some of its indexes, or all", name(k))
		}
	}
	return kept, nil
}

// runRestore writes the items of a snapshot into a table with its indexes.
func (s *Service) runRestore(ctx context.Context, p place, name string) error {
	for done := false; !done; {
		err := s.store.Update(ctx, func(tx store.Txn) error {
			t, err := s.findTable(tx, p, name)
			if done = err != nil || t == nil || t.Restore == nil || t.Restore.Done; done {
				return err
			}
			r := *t.tableRecord
			restore := *t.Restore
			r.Restore = &restore
			rows := p.snapshotRows(restore.Snapshot)
			more, err := batch(tx, rows.Span(), &restore.Cursor, snapshotBytes/(1+len(t.indexes)), func(pair store.Pair) error {
				item := attr.Map(pair.Value)
				return t.store(tx, t.itemKey(item), nil, item, s.now())
			})
			if err != nil {
				return err
			}
			if !more {
				done, restore.Done, restore.Cursor = true, true, nil
				if err := finishRestore(tx, p, &restore); err != nil {
					return err
				}
			}
			return saveTable(tx, p, &r)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// finishRestore lets go of the snapshot that was restored.
func finishRestore(tx store.Txn, p place, restore *restoreState) error {
	if restore.Temporary {
		rows := p.snapshotRows(restore.Snapshot)
		tx.DeleteRange(rows, rows.End())
		return nil
	}
	return changeBackup(tx, p, restore.SourceBackup, func(b *backupRecord) { b.Restores-- })
}

// summary returns the restore as the API shows it.
func (rs *restoreState) summary() *ddb.RestoreSummary {
	out := &ddb.RestoreSummary{RestoreDateTime: rs.At, RestoreInProgress: !rs.Done}
	if rs.SourceBackup != "" {
		out.SourceBackupArn = &rs.SourceBackup
	}
	if rs.SourceTable != "" {
		out.SourceTableArn = &rs.SourceTable
	}
	return out
}
