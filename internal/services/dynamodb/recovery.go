package dynamodb

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// maxRecoveryDays is how far back a table can be restored at most, and by default
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html).
const maxRecoveryDays = 35

// recoveryState is what a table with point-in-time recovery keeps: its writes log what their items were, so that they can be undone.
type recoveryState struct {
	Since time.Time `json:"since"`
	Days  int       `json:"days"`
}

// earliest returns the first moment to which the table can be restored.
func (rs *recoveryState) earliest(now time.Time) time.Time {
	if first := now.AddDate(0, 0, -rs.Days); first.After(rs.Since) {
		return first
	}
	return rs.Since
}

func (p place) undo(table string) key.Key { return p.root("u").Str(table) }

// undoLog returns the prefix of the rows of writes made at a time: those of an hour lie together, so that old ones go at once.
func (t *table) undoLog(at time.Time) key.Key {
	return t.place.undo(t.ID).Uint(uint64(at.Unix() / 3600))
}

// undoRow says what an item was before a write. A mark is the row with which a snapshot began instead.
//
//	version, flags, uvarint Unix nanoseconds, uvarint length and item part (or mark), old item
type undoRow struct {
	at   time.Time
	part []byte   // of the item's key
	old  attr.Map // nil for no item
	mark string   // the id of a snapshot
}

const undoMark = 1

func (u undoRow) encode() []byte {
	b := []byte{rowVersion, 0}
	part := u.part
	if u.mark != "" {
		b[1], part = undoMark, []byte(u.mark)
	}
	b = binary.AppendUvarint(b, uint64(u.at.UnixNano()))
	b = binary.AppendUvarint(b, uint64(len(part)))
	return append(append(b, part...), u.old...)
}

var errUndoRow = errors.New("malformed row in a log of point-in-time recovery")

func decodeUndo(b []byte) (u undoRow, err error) {
	if len(b) < 2 || b[0] != rowVersion {
		return u, errUndoRow
	}
	isMark := b[1] == undoMark
	b = b[2:]
	ns, n := binary.Uvarint(b)
	if n <= 0 {
		return u, errUndoRow
	}
	u.at, b = time.Unix(0, int64(ns)).UTC(), b[n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return u, errUndoRow
	}
	u.part, u.old = b[n:n+int(size)], attr.Map(b[n+int(size):])
	if isMark {
		u.mark, u.part = string(u.part), nil
	}
	return u, nil
}

// logUndo keeps what an item was before a write, when the table has point-in-time recovery.
func (t *table) logUndo(tx store.Txn, itemKey []byte, old attr.Map, by origin) {
	if t.Recovery != nil {
		tx.Append(t.undoLog(by.at), undoRow{at: by.at, part: itemKey[len(t.items):], old: old}.encode())
	}
}

// undoBatch undoes writes in a snapshot, the last one first, down to the moment that it is of.
func (sn *snapshotRecord) undoBatch(tx store.Txn, p place) (more bool, err error) {
	log, rows := p.undo(sn.TableID), p.snapshotRows(sn.ID)
	span := log.Span()
	span.Lo, span.Reverse = log.Uint(uint64(sn.At.Unix()/3600)), true
	reached := false
	more, err = batch(tx, span, &sn.Cursor, snapshotBytes, func(pair store.Pair) error {
		u, err := decodeUndo(pair.Value)
		switch {
		case err != nil:
			return err
		case u.mark != "":
			sn.MarkSeen = sn.MarkSeen || u.mark == sn.ID
		case !u.at.After(sn.At):
			reached = true
		case sn.MarkSeen && !reached:
			tx.Set(rows.Raw(u.part), u.old)
		}
		return nil
	})
	return more && !reached, err
}

func (s *Service) updateContinuousBackups(ctx context.Context, in *ddb.UpdateContinuousBackupsInput) (*ddb.UpdateContinuousBackupsOutput, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, err
	}
	spec, now := in.PointInTimeRecoverySpecification, s.clock.Now().UTC()
	days := maxRecoveryDays
	if spec.RecoveryPeriodInDays != nil {
		days = int(*spec.RecoveryPeriodInDays)
	}
	if !spec.PointInTimeRecoveryEnabled && spec.RecoveryPeriodInDays != nil {
		return nil, invalidValue("RecoveryPeriodInDays can only be specified when PointInTimeRecoveryEnabled is true")
	}
	t, err := s.changeTable(ctx, placeOf(ctx), in.TableName, func(tx store.Txn, t *table, r *tableRecord) error {
		if !spec.PointInTimeRecoveryEnabled {
			if t.busy() {
				return service.Errorf("ContinuousBackupsUnavailableException", "The table is being backed up, exported or restored. Try again when that is done.")
			}
			r.Recovery = nil
			rows := t.place.undo(t.ID)
			tx.DeleteRange(rows, rows.End())
			return events.Cancel(tx, jobForget, t.ID)
		}
		if r.Recovery == nil {
			r.Recovery = &recoveryState{Since: now}
		}
		r.Recovery.Days = days
		return t.setForgetTimer(tx, now)
	})
	if err != nil {
		return nil, tableNotFound(err, in.TableName)
	}
	return &ddb.UpdateContinuousBackupsOutput{ContinuousBackupsDescription: t.describeRecovery(now)}, nil
}

// setForgetTimer makes the log of recovery be trimmed in a day.
func (t *table) setForgetTimer(tx store.Txn, now time.Time) error {
	return enqueue(tx, t.place, jobForget, t.Name, t.ID, now.Add(24*time.Hour))
}

// runForget drops the part of a table's log that is older than it can be restored to.
func (s *Service) runForget(ctx context.Context, p place, name string) error {
	now := s.clock.Now()
	return s.store.Update(ctx, func(tx store.Txn) error {
		t, err := s.findTable(tx, p, name)
		if err != nil || t == nil || t.Recovery == nil {
			return err
		}
		if !t.busy() { // or a snapshot may need what would be dropped
			tx.DeleteRange(p.undo(t.ID), t.undoLog(t.Recovery.earliest(now)))
		}
		return t.setForgetTimer(tx, now)
	})
}

// tableNotFound turns the error of a table that does not exist into that of the operations on backups.
func tableNotFound(err error, name string) error {
	if service.Code(err) == codeNotFound {
		return service.Errorf("TableNotFoundException", "Table not found: %s", tableName(name))
	}
	return err
}

func (s *Service) describeContinuousBackups(ctx context.Context, in *ddb.DescribeContinuousBackupsInput) (*ddb.DescribeContinuousBackupsOutput, error) {
	t, err := s.viewTable(ctx, in.TableName)
	if err != nil {
		return nil, tableNotFound(err, in.TableName)
	}
	return &ddb.DescribeContinuousBackupsOutput{ContinuousBackupsDescription: t.describeRecovery(s.clock.Now().UTC())}, nil
}

func (t *table) describeRecovery(now time.Time) *ddb.ContinuousBackupsDescription {
	d := &ddb.ContinuousBackupsDescription{
		ContinuousBackupsStatus:        ddb.ContinuousBackupsStatusEnabled,
		PointInTimeRecoveryDescription: &ddb.PointInTimeRecoveryDescription{PointInTimeRecoveryStatus: ddb.PointInTimeRecoveryStatusDisabled},
	}
	if t.Recovery != nil {
		d.PointInTimeRecoveryDescription = &ddb.PointInTimeRecoveryDescription{
			PointInTimeRecoveryStatus: ddb.PointInTimeRecoveryStatusEnabled, RecoveryPeriodInDays: ptr(int32(t.Recovery.Days)),
			EarliestRestorableDateTime: ptr(t.Recovery.earliest(now)), LatestRestorableDateTime: &now,
		}
	}
	return d
}

func (s *Service) restoreTableToPointInTime(ctx context.Context, in *ddb.RestoreTableToPointInTimeInput) (*ddb.RestoreTableToPointInTimeOutput, error) {
	source := deref(in.SourceTableName)
	if in.SourceTableArn != nil {
		source = *in.SourceTableArn
	}
	switch {
	case source == "":
		return nil, invalid("Either SourceTableName or SourceTableArn must be specified")
	case isTrue(in.UseLatestRestorableTime) == (in.RestoreDateTime != nil):
		return nil, invalid("Exactly one of UseLatestRestorableTime and RestoreDateTime must be specified")
	}
	o := overrides{
		name: in.TargetTableName, billing: in.BillingModeOverride, global: in.GlobalSecondaryIndexOverride, local: in.LocalSecondaryIndexOverride,
		throughput: in.ProvisionedThroughputOverride, onDemand: in.OnDemandThroughputOverride, encryption: in.SSESpecificationOverride,
	}
	p, now := placeOf(ctx), s.clock.Now().UTC()
	var made *table
	err := s.store.Update(ctx, func(tx store.Txn) error {
		t, err := s.ownTable(tx, p, source)
		if err != nil {
			return tableNotFound(err, source)
		}
		if t.Recovery == nil {
			return service.Errorf("PointInTimeRecoveryUnavailableException", "Point in time recovery is not enabled for table '%s'", t.Name)
		}
		at, begin := now, time.Time{}
		if in.RestoreDateTime != nil {
			at, begin = *in.RestoreDateTime, *in.RestoreDateTime
		}
		if at.Before(t.Recovery.earliest(now)) || at.After(now) {
			return service.Errorf("InvalidRestoreTimeException", "The restore time must lie between %s and %s",
				t.Recovery.earliest(now).Format(time.RFC3339), now.Format(time.RFC3339))
		}
		if made, err = s.makeRestored(tx, p, t.tableRecord, o, &restoreState{SourceTable: t.arn(), At: at}); err != nil {
			return err
		}
		sn, err := s.beginSnapshot(tx, t, begin, purposeRestore, made.Name)
		if err != nil {
			return err
		}
		r := *made.tableRecord
		restore := *r.Restore
		restore.Snapshot, restore.Temporary = sn.ID, true
		r.Restore = &restore
		made = newTable(p, &r)
		return saveTable(tx, p, &r)
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &ddb.RestoreTableToPointInTimeOutput{TableDescription: made.describe(made.status(), statistics{})}, nil
}
