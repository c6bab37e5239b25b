package dynamodb

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/fnv"
	"strings"

	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// place is the account and the region that own what a request works on.
type place struct{ account, region string }

func (p place) root(kind string) key.Key { return key.New("dynamodb", p.account, p.region, kind) }

func (p place) tables() key.Key             { return p.root("t") }
func (p place) table(name string) key.Key   { return p.tables().Str(name) }
func (p place) token(token string) key.Key  { return p.root("k").Str(token) }
func (p place) tokenExpiries() key.Key      { return p.root("y") }
func (p place) items(table string) key.Key  { return p.root("i").Str(table) }
func (p place) expiry(table string) key.Key { return p.root("e").Str(table) }

func (p place) streams() key.Key { return p.root("r") }

func (p place) stream(table, label string) key.Key { return p.streams().Str(table).Str(label) }
func (p place) log(table, label string) key.Key    { return p.root("s").Str(table).Str(label) }

func (p place) shard(table, label string, number uint64) key.Key {
	return p.log(table, label).Uint(number)
}

func (p place) indexes(table string) key.Key { return p.root("x").Str(table) }

func (p place) index(table string, id uint64) key.Key { return p.indexes(table).Uint(id) }

// Bytes beyond which a part of a key is replaced by its digest.
const (
	maxHashPart = 1024
	maxItemPart = 512
)

// appendHash appends the hash part of a key: 8 bytes of hash, and the partition key or its digest.
func appendHash(dst []byte, values ...attr.Value) []byte {
	dst = binary.BigEndian.AppendUint64(dst, hash(values))
	var whole []byte
	for _, v := range values {
		whole = attr.AppendSortKey(whole, v)
	}
	return appendBounded(dst, whole, maxHashPart)
}

// append appends the key of an item that has the attributes of the schema.
func (ks *keyAttrs) append(dst []byte, item attr.Map) []byte {
	var room [4]attr.Value
	values := room[:0]
	for _, a := range ks.hash {
		values = append(values, item.Get(a.name))
	}
	dst = appendHash(dst, values...)
	for _, a := range ks.sort {
		dst = attr.AppendSortKey(dst, item.Get(a.name))
	}
	return dst
}

// Row returns the key of the store's row that holds the item with a partition key, in a table without a sort key. The row's value is the item
// itself. It is for programs that fill a store while no server has it open.
func Row(account, region, tableID string, partition attr.Value) key.Key {
	return appendHash(place{account, region}.items(tableID), partition)
}

// appendBounded appends b behind a 0, or its digest behind a 1 when it is longer than limit.
func appendBounded(dst, b []byte, limit int) []byte {
	if len(b) <= limit {
		return append(append(dst, 0), b...)
	}
	sum := sha256.Sum256(b)
	return append(append(dst, 1), sum[:]...)
}

// hash returns where a partition lies. FNV-1a alone keeps similar keys together in its high bits, which segments
// are made of, so its sum is mixed once more.
func hash(values []attr.Value) uint64 {
	h := fnv.New64a()
	for _, v := range values {
		_, _ = h.Write(v)
	}
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}

// itemPart returns the part of an item's key after the table.
func (t *table) itemPart(item attr.Map) []byte {
	return t.keys.append(make([]byte, 0, 128), item)
}

// itemKey returns the key of an item, of which the key attributes are needed alone.
func (t *table) itemKey(item attr.Map) []byte { return t.items.Raw(t.itemPart(item)) }

// entryKey returns the key of an item's entry in the index. The item has the index's key attributes.
func (ix *index) entryKey(t *table, item attr.Map) []byte {
	b := ix.keys.append(make([]byte, 0, 256), item)
	return ix.entries.Raw(appendBounded(b, t.itemPart(item), maxItemPart))
}

// segment returns the keys under prefix of one of total ranges of the hash.
func segment(prefix key.Key, i, total uint64) store.Span {
	span := prefix.Span()
	step := ^uint64(0)/total + 1 // 0 for one segment, which is then the whole
	if i > 0 {
		span.Lo = prefix.Uint(i * step)
	}
	if i < total-1 {
		span.Hi = prefix.Uint((i + 1) * step)
	}
	return span
}

// hostOf returns the host of a URL, with its port.
func hostOf(url string) string {
	_, host, _ := strings.Cut(url, "://")
	return strings.TrimSuffix(host, "/")
}
