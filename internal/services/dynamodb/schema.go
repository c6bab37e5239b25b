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
	Warm           *ddb.WarmThroughput       `json:"warm,omitempty"`
	Class          string                    `json:"class,omitempty"`
	Protected      bool                      `json:"protected,omitempty"`
	Encryption     *ddb.SSESpecification     `json:"encryption,omitempty"`
	TTLAttribute   string                    `json:"ttl_attribute,omitempty"`
	// TTLFilling is set until the items that were there before the time to live are indexed by it; TTLCursor is the last one that is.
	TTLFilling bool              `json:"ttl_filling,omitempty"`
	TTLCursor  []byte            `json:"ttl_cursor,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	// Stream is the stream that records the writes, and LastStream the label of the newest stream that the table has or had.
	Stream     *streamState  `json:"stream,omitempty"`
	LastStream string        `json:"last_stream,omitempty"`
	Policy     *policyRecord `json:"policy,omitempty"`
	// Replicas are the other regions of a global table, and Replica is set until the items that were there before this one are copied.
	Replicas []string `json:"replicas,omitempty"`
	// GlobalSince is when the table became part of a global table of the version 2017.11.29; zero for all others.
	GlobalSince time.Time     `json:"global_since,omitzero"`
	Replica     *replicaState `json:"replica,omitempty"`
	// Snapshots are the ids of the snapshots for which items are being copied, and Undoing of those that need the log of recovery.
	Snapshots []string `json:"snapshots,omitempty"`
	Undoing   []string `json:"undoing,omitempty"`
	// Recovery is set while the table has point-in-time recovery, Restore when it was restored.
	Recovery *recoveryState `json:"recovery,omitempty"`
	Restore  *restoreState  `json:"restore,omitempty"`
	// Destinations are the data streams that get a record of every write, and those that did a day ago.
	Destinations []destination `json:"destinations,omitempty"`
	// Insights say how the keys of the table ("") and of its global indexes are counted.
	Insights map[string]*insightsState `json:"insights,omitempty"`
	// Import is the ARN of the import that writes the table's items, until they are there.
	Import string `json:"import,omitempty"`
}

// indexRecord is a secondary index as it is stored. Its id is never given again in the table.
type indexRecord struct {
	Name       string                    `json:"name"`
	ID         uint64                    `json:"id"`
	Keys       []ddb.KeySchemaElement    `json:"keys"`
	Projection ddb.Projection            `json:"projection"`
	Throughput ddb.ProvisionedThroughput `json:"throughput"`
	Warm       *ddb.WarmThroughput       `json:"warm,omitempty"`
	// OnDemandLimits are kept and shown, as those of tables are.
	OnDemandLimits *ddb.OnDemandThroughput `json:"on_demand_limits,omitempty"`
	// Filling is set until the items that were there before the index are in it.
	Filling bool `json:"filling,omitempty"`
	// Cursor is the last item key that the filling has done.
	Cursor []byte `json:"cursor,omitempty"`
}

// table is a table ready for use. It is immutable.
type table struct {
	*tableRecord
	place   place
	keys    keyAttrs
	indexes []*index
	items   key.Key
	// encoded is the record as it is stored; nil for a table that a transaction changes.
	encoded []byte
}

// keyAttr is a key attribute with its type.
type keyAttr struct {
	name string
	typ  attr.Type
}

// keyAttrs are the attributes by which a table or an index is ordered. A table has one hash attribute and at most one sort attribute, a global index
// up to four of each.
type keyAttrs struct{ hash, sort, all []keyAttr }

// has tells whether name is one of the attributes.
func (ks *keyAttrs) has(name string) bool {
	return slices.ContainsFunc(ks.all, func(a keyAttr) bool { return a.name == name })
}

// covers tells whether an item has all the attributes.
func (ks *keyAttrs) covers(item attr.Map) bool {
	for _, a := range ks.all {
		if item.Get(a.name) == nil {
			return false
		}
	}
	return true
}

// index is a secondary index ready for use.
type index struct {
	*indexRecord
	global  bool
	keys    keyAttrs
	entries key.Key
	// projected are the attributes in an entry; nil means all.
	projected *attr.Projection
}

// newTable prepares a stored table for use.
func newTable(p place, r *tableRecord) *table {
	t := &table{tableRecord: r, place: p, items: p.items(r.ID)}
	t.keys = r.schemaOf(r.Keys)
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
	ix.keys = t.schemaOf(r.Keys)
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

// schemaOf returns a key schema with the types of its attributes.
func (r *tableRecord) schemaOf(keys []ddb.KeySchemaElement) (ks keyAttrs) {
	for _, k := range keys {
		a := keyAttr{name: k.AttributeName}
		for _, d := range r.Attributes {
			if d.AttributeName == a.name {
				a.typ, _ = attr.ParseType(d.AttributeType)
			}
		}
		if k.KeyType == ddb.KeyTypeHash {
			ks.hash = append(ks.hash, a)
		} else {
			ks.sort = append(ks.sort, a)
		}
	}
	ks.all = slices.Concat(ks.hash, ks.sort)
	return ks
}

// arn returns the table's ARN.
func (t *table) arn() string { return tableARN(t.place, t.Name) }

func tableARN(p place, name string) string {
	return "arn:aws:dynamodb:" + p.region + ":" + p.account + ":table/" + name
}

// of returns the owner and the name of the table that a TableName parameter names. The ARN of another account leads there, as far as permissions do;
// ok is false for one of another region.
func (p place) of(nameOrARN string) (owner place, name string, ok bool) {
	rest, isARN := strings.CutPrefix(nameOrARN, "arn:aws:dynamodb:")
	if !isARN {
		return p, nameOrARN, true
	}
	region, rest, _ := strings.Cut(rest, ":")
	account, rest, found := strings.Cut(rest, ":table/")
	name, _, _ = strings.Cut(rest, "/")
	return place{account, p.region}, name, found && region == p.region
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

// loading tells whether the table's items are not all there yet: it is being restored or imported, or is a new replica.
func (t *table) loading() bool {
	return t.Import != "" || t.Replica != nil || t.Restore != nil && !t.Restore.Done
}

// busy tells whether the table must stay as it is because its items are being written, or because a snapshot of it is being made.
func (t *table) busy() bool { return t.loading() || len(t.Snapshots)+len(t.Undoing) > 0 }

// isKey tells whether name is part of the table's key.
func (t *table) isKey(name string) bool {
	return t.keys.has(name)
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
	return item != nil && ix.keys.covers(item)
}

// project returns the entry of an item.
func (ix *index) project(item attr.Map) attr.Map {
	if ix.projected == nil {
		return item
	}
	return ix.projected.Apply(item)
}
