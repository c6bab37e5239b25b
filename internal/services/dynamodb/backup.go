package dynamodb

import (
	"context"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// backupRecord is an on-demand backup as it is stored.
type backupRecord struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Status   string    `json:"status"`
	Snapshot string    `json:"snapshot"`
	Items    int64     `json:"items"`
	Bytes    int64     `json:"bytes"`
	// Source is the table as it was.
	Source tableRecord `json:"source"`
	// Restores counts the restores from the backup that are going on.
	Restores int `json:"restores,omitempty"`
}

// changeBackup changes a backup that may be gone.
func changeBackup(tx store.Txn, p place, arn string, change func(b *backupRecord)) error {
	b, err := backups().find(tx, p, arn)
	if service.Code(err) == backups().missing {
		return nil
	}
	if err != nil {
		return err
	}
	change(b)
	return record.Set(tx, backups().key(p, b.Source.Name, b.ID), b)
}

func finishBackup(tx store.Txn, p place, sn *snapshotRecord) error {
	return changeBackup(tx, p, sn.Ref, func(b *backupRecord) {
		b.Status, b.Items, b.Bytes = ddb.BackupStatusAvailable, sn.Items, sn.Bytes
	})
}

func (s *Service) createBackup(ctx context.Context, in *ddb.CreateBackupInput) (*ddb.CreateBackupOutput, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, err
	}
	p, now := placeOf(ctx), s.clock.Now().UTC()
	id, err := s.newTimedID(now)
	if err != nil {
		return nil, err
	}
	b := &backupRecord{ID: id, Name: in.BackupName, Created: now, Status: ddb.BackupStatusCreating}
	err = s.store.Update(ctx, func(tx store.Txn) error {
		t, err := s.ownTable(tx, p, in.TableName)
		if err != nil {
			return tableNotFound(err, in.TableName)
		}
		if t.status() != ddb.TableStatusActive {
			return service.Errorf("TableInUseException", "Table is being created or updated: %s", t.Name)
		}
		sn, err := s.beginSnapshot(tx, t, time.Time{}, purposeBackup, backups().arn(p, t.Name, b.ID))
		if err != nil {
			return err
		}
		b.Source, b.Snapshot = *t.tableRecord, sn.ID
		return record.Set(tx, backups().key(p, t.Name, b.ID), b)
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &ddb.CreateBackupOutput{BackupDetails: b.details(p)}, nil
}

func (b *backupRecord) details(p place) *ddb.BackupDetails {
	return &ddb.BackupDetails{
		BackupArn: backups().arn(p, b.Source.Name, b.ID), BackupName: b.Name, BackupSizeBytes: &b.Bytes, BackupStatus: b.Status, BackupType: ddb.BackupTypeUser,
		BackupCreationDateTime: b.Created,
	}
}

// describe returns the backup with the table that it is of.
func (b *backupRecord) describe(p place) *ddb.BackupDescription {
	t := newTable(p, &b.Source)
	source := &ddb.SourceTableDetails{
		TableName: t.Name, TableId: t.ID, TableArn: ptr(t.arn()), TableSizeBytes: &b.Bytes, KeySchema: t.Keys, TableCreationDateTime: t.Created,
		ProvisionedThroughput: &t.Throughput, OnDemandThroughput: t.OnDemandLimits, ItemCount: &b.Items, BillingMode: ddb.BillingModeProvisioned,
	}
	if t.OnDemand {
		source.BillingMode = ddb.BillingModePayPerRequest
	}
	features := &ddb.SourceTableFeatureDetails{}
	for _, ix := range t.Local {
		features.LocalSecondaryIndexes = append(features.LocalSecondaryIndexes, ddb.LocalSecondaryIndexInfo{IndexName: &ix.Name, KeySchema: ix.Keys, Projection: &ix.Projection})
	}
	for _, ix := range t.Global {
		features.GlobalSecondaryIndexes = append(features.GlobalSecondaryIndexes, ddb.GlobalSecondaryIndexInfo{
			IndexName: &ix.Name, KeySchema: ix.Keys, Projection: &ix.Projection, ProvisionedThroughput: &ix.Throughput,
		})
	}
	if t.Stream != nil {
		features.StreamDescription = &ddb.StreamSpecification{StreamEnabled: true, StreamViewType: t.Stream.View}
	}
	if t.TTLAttribute != "" {
		features.TimeToLiveDescription = &ddb.TimeToLiveDescription{TimeToLiveStatus: ddb.TimeToLiveStatusEnabled, AttributeName: &t.TTLAttribute}
	}
	features.SSEDescription = t.describeEncryption()
	return &ddb.BackupDescription{BackupDetails: b.details(p), SourceTableDetails: source, SourceTableFeatureDetails: features}
}

func (s *Service) describeBackup(ctx context.Context, in *ddb.DescribeBackupInput) (*ddb.DescribeBackupOutput, error) {
	p := placeOf(ctx)
	out := &ddb.DescribeBackupOutput{}
	err := s.store.View(ctx, func(r store.Reader) error {
		b, err := backups().find(r, p, in.BackupArn)
		if err == nil {
			out.BackupDescription = b.describe(p)
		}
		return err
	})
	return out, storeError(err)
}

func (s *Service) deleteBackup(ctx context.Context, in *ddb.DeleteBackupInput) (*ddb.DeleteBackupOutput, error) {
	p := placeOf(ctx)
	out := &ddb.DeleteBackupOutput{}
	err := s.store.Update(ctx, func(tx store.Txn) error {
		b, err := backups().find(tx, p, in.BackupArn)
		if err != nil {
			return err
		}
		if b.Status != ddb.BackupStatusAvailable || b.Restores > 0 {
			return service.Errorf("BackupInUseException", "Backup is being created or restored: %s", in.BackupArn)
		}
		rows := p.snapshotRows(b.Snapshot)
		tx.DeleteRange(rows, rows.End())
		tx.Delete(backups().key(p, b.Source.Name, b.ID))
		b.Status = ddb.BackupStatusDeleted
		out.BackupDescription = b.describe(p)
		return nil
	})
	return out, storeError(err)
}

const maxBackupsListed = 100

// listed tells whether a backup is one that a list is of.
func listed(in *ddb.ListBackupsInput, b *backupRecord) bool {
	switch {
	case in.BackupType != "" && in.BackupType != ddb.BackupTypeUser && in.BackupType != ddb.BackupTypeFilterAll:
		return false
	case in.TimeRangeLowerBound != nil && b.Created.Before(*in.TimeRangeLowerBound):
		return false
	}
	return in.TimeRangeUpperBound == nil || b.Created.Before(*in.TimeRangeUpperBound)
}

func (s *Service) listBackups(ctx context.Context, in *ddb.ListBackupsInput) (*ddb.ListBackupsOutput, error) {
	p := placeOf(ctx)
	limit := maxBackupsListed
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	if in.TableName != nil {
		if err := checkName("tableName", *in.TableName); err != nil {
			return nil, err
		}
	}
	out := &ddb.ListBackupsOutput{BackupSummaries: []ddb.BackupSummary{}}
	err := s.store.View(ctx, func(r store.Reader) error {
		return backups().page(r, p, in.TableName, in.ExclusiveStartBackupArn, func(b *backupRecord) bool {
			if !listed(in, b) {
				return true
			}
			if len(out.BackupSummaries) == limit {
				out.LastEvaluatedBackupArn = out.BackupSummaries[limit-1].BackupArn
				return false
			}
			d := b.details(p)
			out.BackupSummaries = append(out.BackupSummaries, ddb.BackupSummary{
				TableName: &b.Source.Name, TableId: &b.Source.ID, TableArn: ptr(tableARN(p, b.Source.Name)), BackupArn: &d.BackupArn, BackupName: &b.Name,
				BackupCreationDateTime: &b.Created, BackupStatus: b.Status, BackupType: d.BackupType, BackupSizeBytes: &b.Bytes,
			})
			return true
		})
	})
	return out, storeError(err)
}

func (s *Service) restoreTableFromBackup(ctx context.Context, in *ddb.RestoreTableFromBackupInput) (*ddb.RestoreTableFromBackupOutput, error) {
	o := overrides{
		name: in.TargetTableName, billing: in.BillingModeOverride, global: in.GlobalSecondaryIndexOverride, local: in.LocalSecondaryIndexOverride,
		throughput: in.ProvisionedThroughputOverride, onDemand: in.OnDemandThroughputOverride, encryption: in.SSESpecificationOverride,
	}
	p := placeOf(ctx)
	var made *table
	err := s.store.Update(ctx, func(tx store.Txn) error {
		b, err := backups().find(tx, p, in.BackupArn)
		if err != nil {
			return err
		}
		if b.Status != ddb.BackupStatusAvailable {
			return service.Errorf("BackupInUseException", "Backup is being created: %s", in.BackupArn)
		}
		restore := &restoreState{SourceBackup: in.BackupArn, SourceTable: tableARN(p, b.Source.Name), At: b.Created, Snapshot: b.Snapshot}
		if made, err = s.makeRestored(tx, p, &b.Source, o, restore); err != nil {
			return err
		}
		b.Restores++
		if err := record.Set(tx, backups().key(p, b.Source.Name, b.ID), b); err != nil {
			return err
		}
		return enqueueRef(tx, p, jobRestore, made.Name)
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &ddb.RestoreTableFromBackupOutput{TableDescription: made.describe(made.status(), statistics{})}, nil
}
