package dynamodb

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/dynamodb/ion"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// An incremental export holds what changed in a window of time: each item that was written, as it was before the window and at its end. It is made from the log of
// point-in-time recovery, without a copy of the table: first the items that were written in the window are collected with what they were before; then
// what they are now is put beside that; then the writes since the window's end, the first of each item, correct it. A write that is made in
// the meantime is in the log before the last step looks there.

// Bounds of a window (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html).
const (
	minWindow = 15 * time.Minute
	maxWindow = 24 * time.Hour
)

// window is the time that an incremental export is about: From <= t < To.
type window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	View string    `json:"view"`
	// Keys are the names of the table's key attributes.
	Keys  []string     `json:"keys"`
	Phase collectPhase `json:"phase"`
}

// collectPhase is a part of the collecting of changes. The numbers are on disk and never change their meaning.
type collectPhase uint8

const (
	collectWrites collectPhase = iota // find the items that were written in the window
	collectImages                     // see what they are now
	collectUndo                       // undo the writes since the window's end
	collected
)

// newWindow checks the window of a request.
func newWindow(spec *ddb.IncrementalExportSpecification, now time.Time) (*window, error) {
	if spec == nil || spec.ExportFromTime == nil {
		return nil, invalidValue("ExportType INCREMENTAL_EXPORT needs ExportFromTime in IncrementalExportSpecification")
	}
	w := &window{From: spec.ExportFromTime.UTC(), To: now, View: spec.ExportViewType}
	if spec.ExportToTime != nil {
		w.To = spec.ExportToTime.UTC()
	}
	if w.View == "" {
		w.View = ddb.ExportViewTypeNewAndOldImages
	}
	if length := w.To.Sub(w.From); length < minWindow || length > maxWindow {
		return nil, service.Errorf("InvalidExportTimeException", "The window from ExportFromTime to ExportToTime must last between 15 minutes and 24 hours, and lasts %s", length)
	}
	return w, nil
}

// same tells whether two windows, which may be nil, are the same.
func (w *window) same(other *window) bool {
	if w == nil || other == nil {
		return w == other
	}
	return w.From.Equal(other.From) && w.To.Equal(other.To) && w.View == other.View
}

func (w *window) has(at time.Time) bool { return !at.Before(w.From) && at.Before(w.To) }

// itemChange is what happened to an item in a window.
//
//	version, flags, uvarint Unix microseconds, uvarint length and old item, new item
type itemChange struct {
	at       time.Time // of the last write
	old, new attr.Map
	// settled tells that new is known, whatever is written to the item now.
	settled bool
}

const changeSettled = 1

func (c itemChange) encode() []byte {
	b := make([]byte, 0, 24+len(c.old)+len(c.new))
	b = append(b, rowVersion, 0)
	if c.settled {
		b[1] = changeSettled
	}
	b = binary.AppendUvarint(b, uint64(c.at.UnixMicro()))
	b = binary.AppendUvarint(b, uint64(len(c.old)))
	return append(append(b, c.old...), c.new...)
}

var errChangeRow = errors.New("malformed row of an incremental export")

func decodeChange(b []byte) (c itemChange, err error) {
	if len(b) < 2 || b[0] != rowVersion {
		return c, errChangeRow
	}
	c.settled = b[1] == changeSettled
	b = b[2:]
	micros, n := binary.Uvarint(b)
	if n <= 0 {
		return c, errChangeRow
	}
	c.at, b = time.UnixMicro(int64(micros)).UTC(), b[n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return c, errChangeRow
	}
	b = b[n:]
	if size > 0 {
		c.old = attr.Map(b[:size])
	}
	if len(b) > int(size) {
		c.new = attr.Map(b[size:])
	}
	return c, nil
}

// collectChanges makes the rows of an incremental export.
func (s *Service) collectChanges(ctx context.Context, p place, e *exportRecord) error {
	arn := exports().arn(p, e.Table, e.ID)
	for e.Window.Phase != collected {
		var next *exportRecord
		err := s.store.Update(ctx, func(tx store.Txn) (err error) {
			if next, err = exports().find(tx, p, arn); err != nil {
				return err
			}
			more, err := next.collect(tx, p)
			if err != nil {
				return err
			}
			if !more {
				next.Window.Phase++
				next.Cursor = nil
			}
			if next.Window.Phase == collected {
				if err := s.letGo(tx, p, next); err != nil {
					return err
				}
			}
			return record.Set(tx, exports().key(p, next.Table, next.ID), next)
		})
		if err != nil {
			return err
		}
		*e = *next
	}
	return nil
}

// letGo tells the table that an export does not need its log any more.
func (s *Service) letGo(tx store.Txn, p place, e *exportRecord) error {
	sn := &snapshotRecord{ID: e.ID, Table: e.Table, TableID: e.TableID}
	return s.changeSource(tx, p, sn, func(r *tableRecord) { r.Undoing = without(r.Undoing, e.ID) })
}

// collect does the next batch of a phase, and tells whether there is more.
func (e *exportRecord) collect(tx store.Txn, p place) (more bool, err error) {
	w, log, rows := e.Window, p.undo(e.TableID), p.snapshotRows(e.ID)
	hour := func(t time.Time) uint64 { return uint64(t.Unix() / 3600) }
	written := 0
	set := func(row []byte, c itemChange) error {
		b := c.encode()
		tx.Set(row, b)
		if written += len(b); written > snapshotBytes {
			return errBatchFull
		}
		return nil
	}
	if w.Phase == collectImages {
		return batch(tx, rows.Span(), &e.Cursor, snapshotBytes, func(pair store.Pair) error {
			c, err := decodeChange(pair.Value)
			if err != nil {
				return err
			}
			item, err := readItem(tx, p.items(e.TableID).Raw(pair.Key[len(rows):]))
			if err != nil {
				return err
			}
			c.new = item
			return set(pair.Key, c)
		})
	}
	span := store.Span{Lo: log.Uint(hour(w.From)), Hi: log.Uint(hour(w.To) + 1)}
	if w.Phase == collectUndo {
		span = store.Span{Lo: log.Uint(hour(w.To)), Hi: log.End()}
	}
	return batch(tx, span, &e.Cursor, snapshotBytes, func(pair store.Pair) error {
		u, err := decodeUndo(pair.Value)
		if err != nil || u.mark != "" {
			return err
		}
		row := rows.Raw(u.part)
		b, err := readItem(tx, row)
		if err != nil {
			return err
		}
		c := itemChange{at: u.at, old: u.old}
		if b != nil {
			if c, err = decodeChange(b); err != nil {
				return err
			}
		}
		switch {
		case w.Phase == collectWrites && w.has(u.at):
			c.at = u.at
		case w.Phase == collectUndo && b != nil && !c.settled && !u.at.Before(w.To):
			c.new, c.settled = u.old, true
		default:
			return nil
		}
		return set(row, c)
	})
}

// appendChange appends the line of a change; there is none for an item that was in the table neither before nor after the window.
func (e *exportRecord) appendChange(dst []byte, c itemChange) ([]byte, error) {
	if c.old == nil && c.new == nil {
		return dst, nil
	}
	whose := c.new
	if whose == nil {
		whose = c.old
	}
	fields := make([]attr.Field, len(e.Window.Keys))
	for i, name := range e.Window.Keys {
		fields[i] = attr.Field{Name: name, Value: whose.Get(name)}
	}
	metadata := attr.NewMap(attr.Field{Name: "WriteTimestampMicros", Value: attr.Int(c.at.UnixMicro())})
	parts := []imagePart{{"Metadata", metadata}, {"Keys", attr.NewMap(fields...)}}
	if c.old != nil && e.Window.View == ddb.ExportViewTypeNewAndOldImages {
		parts = append(parts, imagePart{"OldImage", c.old})
	}
	if c.new != nil {
		parts = append(parts, imagePart{"NewImage", c.new})
	}
	return e.appendParts(dst, "Record", parts)
}

// imagePart is a named map of a line.
type imagePart struct {
	name string
	m    attr.Map
}

// appendParts appends a line of maps; in Ion they stand in a structure of their own.
func (e *exportRecord) appendParts(dst []byte, outer string, parts []imagePart) (_ []byte, err error) {
	isIon := e.Format == ddb.ExportFormatIon
	if isIon {
		dst = append(dst, "$ion_1_0 {"+outer+":"...)
	}
	for i, part := range parts {
		if i == 0 {
			dst = append(dst, '{')
		} else {
			dst = append(dst, ',')
		}
		if isIon {
			dst = ion.Append(append(dst, part.name+":"...), part.m)
			continue
		}
		if dst, err = part.m.AppendJSON(append(strconv.AppendQuote(dst, part.name), ':')); err != nil {
			return dst, err
		}
	}
	if isIon {
		dst = append(dst, '}')
	}
	return append(dst, "}\n"...), nil
}
