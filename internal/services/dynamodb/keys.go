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
func appendHash(dst []byte, v attr.Value) []byte {
	dst = binary.BigEndian.AppendUint64(dst, hash(v))
	return appendBounded(dst, attr.AppendSortKey(nil, v), maxHashPart)
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
func hash(v attr.Value) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(v)
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}

// itemPart returns the part of an item's key after the table.
func (t *table) itemPart(item attr.Map) []byte {
	b := appendHash(make([]byte, 0, 128), item.Get(t.hash.name))
	if t.sort != nil {
		b = attr.AppendSortKey(b, item.Get(t.sort.name))
	}
	return b
}

// itemKey returns the key of an item, of which the key attributes are needed alone.
func (t *table) itemKey(item attr.Map) []byte { return t.items.Raw(t.itemPart(item)) }

// entryKey returns the key of an item's entry in the index. The item has the index's key attributes.
func (ix *index) entryKey(t *table, item attr.Map) []byte {
	b := appendHash(make([]byte, 0, 256), item.Get(ix.hash.name))
	if ix.sort != nil {
		b = attr.AppendSortKey(b, item.Get(ix.sort.name))
	}
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
