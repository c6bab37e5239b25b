package dynamodb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/dynamodb/expr"
	"lambent.dev/lambent/internal/store"
)

// action is what a write does to its item.
type action uint8

const (
	actionPut action = iota
	actionUpdate
	actionDelete
	actionCheck
)

// write is one change of one item, checked as far as that goes without its table.
type write struct {
	action    action
	table     string       // name or ARN
	item      attr.Map     // of a put
	key       attr.Map     // of the others
	update    *expr.Update // of an update; nil changes nothing but makes the item exist
	condition *expr.Condition
	// showOnFailure tells that a failed condition returns the item.
	showOnFailure bool
	// insert tells that there must be no item, and existing that there must be one.
	insert, existing bool
	// needOld tells that the caller wants to know the item as it was.
	needOld bool
}

// written is what a write did.
type written struct {
	table    *table
	old, new attr.Map
	units    units
	// collection is the size of the item's collection after the write, for tables with local indexes, in bytes.
	collection int64
}

// apply makes one write in a transaction. With a failed condition it returns the old item beside the error.
func (s *Service) apply(tx store.Txn, p place, w *write) (written, error) {
	t, err := s.itemTable(tx, p, w.table)
	if err != nil {
		return written{}, err
	}
	if err := s.admitWrite(t); err != nil {
		s.seeThrottled(t, nil, w.keyed())
		return written{}, err
	}
	by := s.now()
	if w.action != actionCheck {
		if t, err = t.beginShard(tx, by.at); err != nil {
			return written{}, err
		}
	}
	done, err := t.apply(tx, w, by)
	if err != nil {
		return done, err
	}
	s.spendOnCommit(tx, t, done.units)
	if t.Insights != nil {
		seen := written{units: done.units, old: done.old.Clone(), new: done.new.Clone()}
		tx.OnCommit(func() { s.seeWrite(t, w.keyed(), seen) })
	}
	if len(t.Replicas) > 0 && w.action != actionCheck {
		err = s.replicate(tx, t, w.keyed(), done.new.Clone(), by)
	}
	return done, err
}

// keyed returns what has the key of the write's item.
func (w *write) keyed() attr.Map {
	if w.action == actionPut {
		return w.item
	}
	return w.key
}

// check checks a write against its table: what can be known without the item.
func (t *table) check(w *write) error {
	if w.action == actionPut {
		return t.checkItem(w.item, false)
	}
	if err := t.checkKey(w.key); err != nil {
		return err
	}
	if w.update == nil {
		return nil
	}
	for _, a := range t.keys.all {
		if w.update.Touches(a.name) {
			return invalidValue("Cannot update attribute %s. This attribute is part of the key", a.name)
		}
	}
	for _, ix := range t.indexes {
		for _, a := range ix.keys.all {
			if w.update.Enters(a.name) {
				return invalid(msgScalarKey+"IndexKey: %s", a.name)
			}
		}
	}
	return nil
}

const msgScalarKey = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "

// checkPaths refuses paths that lead into a key attribute of the table or of an index.
func (t *table) checkPaths(paths []attr.Path) error {
	for _, p := range paths {
		if len(p) < 2 {
			continue
		}
		if t.keys.has(p[0].Name) {
			return invalid(msgScalarKey+"Key: %s", p[0].Name)
		}
		for _, ix := range t.indexes {
			if ix.keys.has(p[0].Name) {
				return invalid(msgScalarKey+"IndexKey: %s", p[0].Name)
			}
		}
	}
	return nil
}

// checkProjection refuses a projection, which may be absent, to parts of key attributes.
func (t *table) checkProjection(pr *expr.Projection) error {
	if pr == nil {
		return nil
	}
	return t.checkPaths(pr.Paths)
}

func (t *table) apply(tx store.Txn, w *write, by origin) (written, error) {
	out := written{table: t}
	if err := t.check(w); err != nil {
		return out, err
	}
	itemKey := t.itemKey(w.keyed())
	if w.needOld || w.condition != nil || w.action != actionPut || t.needsOld() {
		old, err := readItem(tx, itemKey)
		if err != nil {
			return out, err
		}
		out.old = old
	}
	if w.insert && out.old != nil {
		return out, duplicateItem()
	}
	if w.existing && out.old == nil || w.condition != nil && !w.condition.Match(out.old) {
		if w.showOnFailure {
			return out, conditionFailed(out.old)
		}
		return out, conditionFailed(nil)
	}
	next, err := t.next(w, out.old)
	if err != nil {
		return out, err
	}
	out.new = next
	if w.action != actionCheck {
		if err := t.store(tx, itemKey, out.old, next, by); err != nil {
			return out, err
		}
		if len(t.Local) > 0 {
			if out.collection, err = t.collectionSize(tx, w.keyed()); err != nil {
				return out, err
			}
		}
	}
	out.units = t.writeUnits(out.old, next, w.action == actionCheck)
	return out, nil
}

// readItem returns the item at a key, or nil. It belongs to the transaction.
func readItem(r store.Reader, itemKey []byte) (attr.Map, error) {
	b, err := r.Get(itemKey)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return attr.Map(b), err
}

// next returns what a write makes of an item; nil is no item.
func (t *table) next(w *write, old attr.Map) (attr.Map, error) {
	switch w.action {
	case actionPut:
		return w.item, nil
	case actionDelete:
		return nil, nil
	case actionCheck:
		return old, nil
	}
	base := old
	if base == nil {
		if w.update != nil && !w.update.Creates() {
			return nil, nil
		}
		base = w.key
	}
	if w.update == nil {
		return base, nil
	}
	item, err := w.update.Apply(base)
	if err != nil {
		return nil, validation(err)
	}
	return item, t.checkItem(item, true)
}

// origin says when a write is made, and by whom.
type origin struct {
	at time.Time
	// expired tells that the item's time to live ended, rather than that a client asked.
	expired bool
	// to takes the records of Kinesis destinations.
	to port.DataStreams
}

// now returns the origin of a write that is made now.
func (s *Service) now() origin { return origin{at: s.clock.Now(), to: s.dataStreams} }

// needsOld tells whether any write of the table needs the item as it was.
func (t *table) needsOld() bool {
	return len(t.indexes) > 0 || t.throttled() || t.TTLAttribute != "" || t.Stream != nil || t.streaming() || t.Recovery != nil || len(t.Snapshots) > 0
}

// store writes an item with its index entries and its stream record.
func (t *table) store(tx store.Txn, itemKey []byte, old, item attr.Map, by origin) error {
	if old != nil && bytes.Equal(old, item) {
		return nil
	}
	if err := t.grow(tx, old, item); err != nil {
		return err
	}
	if err := t.preserve(tx, itemKey, old); err != nil {
		return err
	}
	t.logUndo(tx, itemKey, old, by)
	for _, ix := range t.indexes {
		ix.move(tx, t, old, item)
	}
	if item != nil {
		tx.Set(itemKey, item)
	} else if old != nil {
		tx.Delete(itemKey)
	}
	t.record(tx, old, item, by)
	if err := t.stream(tx, itemKey, old, item, by); err != nil {
		return err
	}
	return t.moveExpiry(tx, itemKey, old, item, by.at)
}

// move replaces the entry of an old item by that of a new one; either may be nil.
func (ix *index) move(tx store.Txn, t *table, old, item attr.Map) {
	var oldKey, newKey []byte
	if ix.covers(old) {
		oldKey = ix.entryKey(t, old)
	}
	if ix.covers(item) {
		newKey = ix.entryKey(t, item)
	}
	if oldKey != nil && !bytes.Equal(oldKey, newKey) {
		tx.Delete(oldKey)
	}
	if newKey == nil {
		return
	}
	entry := ix.project(item)
	if oldKey == nil || !bytes.Equal(oldKey, newKey) || !bytes.Equal(ix.project(old), entry) {
		tx.Set(newKey, entry)
	}
}

// moveExpiry keeps the row by which an item with a time to live is found when it is due.
func (t *table) moveExpiry(tx store.Txn, itemKey []byte, old, item attr.Map, now time.Time) error {
	if t.TTLAttribute == "" {
		return nil
	}
	before, after := t.expiryKey(itemKey, old), t.expiryKey(itemKey, item)
	if bytes.Equal(before, after) {
		return nil
	}
	if before != nil {
		tx.Delete(before)
	}
	if after != nil {
		return t.setExpiry(tx, after, itemKey, now)
	}
	return nil
}

// expiryKey returns the key of an item's expiry row, or nil when it has no time to live.
func (t *table) expiryKey(itemKey []byte, item attr.Map) []byte {
	at, ok := item.Get(t.TTLAttribute).Number().Int64()
	if item.Get(t.TTLAttribute).Type() != attr.N || !ok || at <= 0 {
		return nil
	}
	k := binary.BigEndian.AppendUint64(t.place.expiry(t.ID), uint64(at))
	return append(k, itemKey[len(t.items):]...)
}
