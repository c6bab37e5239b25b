package dynamodb

import (
	"slices"
	"strings"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/store/key"
)

// tableRecord is a table as it is stored.
type tableRecord struct {
	Name           string                    `json:"name"`
	ID             string                    `json:"id"`
	Created        time.Time                 `json:"created"`
	Attributes     []ddb.AttributeDefinition `json:"attributes"`
	Keys           []ddb.KeySchemaElement    `json:"keys"`
	Global         []indexRecord             `json:"global,omitempty"`
	Local          []indexRecord             `json:"local,omitempty"`
	NextIndex      uint64                    `json:"next_index"`
	OnDemand       bool                      `json:"on_demand"`
	OnDemandSince  time.Time                 `json:"on_demand_since,omitzero"`
	Throughput     ddb.ProvisionedThroughput `json:"throughput"`
	OnDemandLimits *ddb.OnDemandThroughput   `json:"on_demand_limits,omitempty"`
	Class          string                    `json:"class,omitempty"`
	Protected      bool                      `json:"protected,omitempty"`
	Encryption     *ddb.SSESpecification     `json:"encryption,omitempty"`
	TTLAttribute   string                    `json:"ttl_attribute,omitempty"`
	// TTLFilling is set until the items that were there before the time to live are indexed by it; TTLCursor is the last one that is.
	TTLFilling bool              `json:"ttl_filling,omitempty"`
	TTLCursor  []byte            `json:"ttl_cursor,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	// Stream is the stream that records the writes, and LastStream the label of the newest stream that the table has or had.
	Stream     *streamState `json:"stream,omitempty"`
	LastStream string       `json:"last_stream,omitempty"`
}

// indexRecord is a secondary index as it is stored. Its id is never given again in the table.
type indexRecord struct {
	Name       string                    `json:"name"`
	ID         uint64                    `json:"id"`
	Keys       []ddb.KeySchemaElement    `json:"keys"`
	Projection ddb.Projection            `json:"projection"`
	Throughput ddb.ProvisionedThroughput `json:"throughput"`
	// Filling is set until the items that were there before the index are in it.
	Filling bool `json:"filling,omitempty"`
	// Cursor is the last item key that the filling has done.
	Cursor []byte `json:"cursor,omitempty"`
}

// table is a table ready for use. It is immutable.
type table struct {
	*tableRecord
	place   place
	hash    keyAttr
	sort    *keyAttr
	indexes []*index
	items   key.Key
}

// keyAttr is a key attribute with its type.
type keyAttr struct {
	name string
	typ  attr.Type
}

// index is a secondary index ready for use.
type index struct {
	*indexRecord
	global  bool
	hash    keyAttr
	sort    *keyAttr
	entries key.Key
	// projected are the attributes in an entry; nil means all.
	projected *attr.Projection
}

// newTable prepares a stored table for use.
func newTable(p place, r *tableRecord) *table {
	t := &table{tableRecord: r, place: p, items: p.items(r.ID)}
	t.hash, t.sort = r.attrsOf(r.Keys)
	for i := range r.Local {
		t.indexes = append(t.indexes, t.newIndex(&r.Local[i], false))
	}
	for i := range r.Global {
		t.indexes = append(t.indexes, t.newIndex(&r.Global[i], true))
	}
	return t
}

func (t *table) newIndex(r *indexRecord, global bool) *index {
	ix := &index{indexRecord: r, global: global, entries: t.place.index(t.ID, r.ID)}
	ix.hash, ix.sort = t.attrsOf(r.Keys)
	if r.Projection.ProjectionType == ddb.ProjectionTypeAll {
		return ix
	}
	names := append([]string{}, r.Projection.NonKeyAttributes...)
	for _, k := range append(slices.Clone(t.Keys), r.Keys...) {
		names = append(names, k.AttributeName)
	}
	paths := make([]attr.Path, len(names))
	for i, n := range names {
		paths[i] = attr.Path{{Name: n}}
	}
	ix.projected = attr.NewProjection(paths)
	return ix
}

// attrsOf returns the attributes of a key schema.
func (r *tableRecord) attrsOf(keys []ddb.KeySchemaElement) (hash keyAttr, sort *keyAttr) {
	for _, k := range keys {
		a := keyAttr{name: k.AttributeName}
		for _, d := range r.Attributes {
			if d.AttributeName == a.name {
				a.typ, _ = attr.ParseType(d.AttributeType)
			}
		}
		if k.KeyType == ddb.KeyTypeHash {
			hash = a
		} else {
			sort = &a
		}
	}
	return hash, sort
}

// arn returns the table's ARN.
func (t *table) arn() string { return tableARN(t.place, t.Name) }

func tableARN(p place, name string) string {
	return "arn:aws:dynamodb:" + p.region + ":" + p.account + ":table/" + name
}

// tableName returns the name in a TableName parameter, which may be an ARN.
func tableName(nameOrARN string) string {
	if rest, ok := strings.CutPrefix(nameOrARN, "arn:"); ok {
		if _, name, ok := strings.Cut(rest, ":table/"); ok {
			name, _, _ = strings.Cut(name, "/")
			return name
		}
	}
	return nameOrARN
}

// isKey tells whether name is part of the table's key.
func (t *table) isKey(name string) bool {
	return name == t.hash.name || t.sort != nil && name == t.sort.name
}

// index returns the index with a name, or nil.
func (t *table) index(name string) *index {
	for _, ix := range t.indexes {
		if ix.Name == name {
			return ix
		}
	}
	return nil
}

// covers tells whether the item belongs into the index: whether it has the index's key attributes.
func (ix *index) covers(item attr.Map) bool {
	return item != nil && item.Get(ix.hash.name) != nil && (ix.sort == nil || item.Get(ix.sort.name) != nil)
}

// project returns the entry of an item.
func (ix *index) project(item attr.Map) attr.Map {
	if ix.projected == nil {
		return item
	}
	return ix.projected.Apply(item)
}
