package dynamodb

import (
	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
)

// Sizes of one capacity unit, in bytes
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html).
const (
	readUnit  = 4 << 10
	writeUnit = 1 << 10
)

// units is the capacity that an operation consumed, by table and index.
type units struct {
	table   float64
	indexes map[string]indexUnits
}

type indexUnits struct {
	units  float64
	global bool
}

func (u *units) add(other units) {
	u.table += other.table
	for name, ix := range other.indexes {
		u.addIndex(name, ix)
	}
}

func (u *units) addIndex(name string, ix indexUnits) {
	if ix.units == 0 {
		return
	}
	if u.indexes == nil {
		u.indexes = map[string]indexUnits{}
	}
	ix.units += u.indexes[name].units
	u.indexes[name] = ix
}

// double returns twice the units, which transactions consume.
func (u units) double() units {
	out := units{table: 2 * u.table}
	for name, ix := range u.indexes {
		out.addIndex(name, indexUnits{2 * ix.units, ix.global})
	}
	return out
}

// readUnits returns what reading size bytes consumes: whole units when consistent, half ones otherwise. An item that does not exist costs one.
func readUnits(size int, consistent bool) float64 {
	n := float64(max(1, (size+readUnit-1)/readUnit))
	if !consistent {
		n /= 2
	}
	return n
}

func writeSize(size int) float64 { return float64(max(1, (size+writeUnit-1)/writeUnit)) }

// writeUnits returns what a write consumes in the table and its indexes.
func (t *table) writeUnits(old, item attr.Map, checkOnly bool) units {
	u := units{table: writeSize(max(old.Size(), item.Size()))}
	if checkOnly {
		return u
	}
	for _, ix := range t.indexes {
		u.addIndex(ix.Name, indexUnits{ix.writeUnits(t, old, item), ix.global})
	}
	return u
}

// writeUnits returns what a write consumes in the index: nothing when its entry stays, and two writes when its key moves.
func (ix *index) writeUnits(t *table, old, item attr.Map) float64 {
	before, after := ix.covers(old), ix.covers(item)
	switch {
	case !before && !after:
		return 0
	case !before:
		return writeSize(ix.project(item).Size())
	case !after:
		return writeSize(ix.project(old).Size())
	}
	a, b := ix.project(old), ix.project(item)
	switch {
	case string(ix.entryKey(t, old)) != string(ix.entryKey(t, item)):
		return writeSize(a.Size()) + writeSize(b.Size())
	case string(a) == string(b):
		return 0
	}
	return writeSize(max(a.Size(), b.Size()))
}

// capacityKind says what a report of consumed capacity is about.
type capacityKind uint8

const (
	capacityPlain capacityKind = iota // an operation outside of transactions, whose report does not tell reads from writes
	capacityRead                      // a transaction's reads
	capacityWrite                     // a transaction's writes
)

// report returns consumed capacity as a request asked for it, or nil.
func (u units) report(mode, table string, kind capacityKind) *ddb.ConsumedCapacity {
	if mode != ddb.ReturnConsumedCapacityTotal && mode != ddb.ReturnConsumedCapacityIndexes {
		return nil
	}
	total := u.table
	for _, ix := range u.indexes {
		total += ix.units
	}
	c := &ddb.ConsumedCapacity{TableName: &table, CapacityUnits: &total}
	setKind(kind, total, &c.ReadCapacityUnits, &c.WriteCapacityUnits)
	if mode == ddb.ReturnConsumedCapacityTotal {
		return c
	}
	c.Table = capacity(u.table, kind)
	for name, ix := range u.indexes {
		m := &c.LocalSecondaryIndexes
		if ix.global {
			m = &c.GlobalSecondaryIndexes
		}
		if *m == nil {
			*m = map[string]ddb.Capacity{}
		}
		(*m)[name] = *capacity(ix.units, kind)
	}
	return c
}

func capacity(n float64, kind capacityKind) *ddb.Capacity {
	c := &ddb.Capacity{CapacityUnits: &n}
	setKind(kind, n, &c.ReadCapacityUnits, &c.WriteCapacityUnits)
	return c
}

func setKind(kind capacityKind, n float64, read, write **float64) {
	switch kind {
	case capacityRead:
		*read = &n
	case capacityWrite:
		*write = &n
	}
}
