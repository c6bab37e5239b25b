package s3

import (
	"strings"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

func nameKey(bucket string) key.Key { return key.New("s3", "", "", "name").Str(bucket) }

func blobKey(id blob.ID) key.Key { return key.New("s3", "", "", "blob").Str(string(id)) }

func listKey(account, region string) key.Key { return key.New("s3", account, region, "list") }

// accountBlockKey is the row of the public access block that holds for all buckets and access points of an account, in every region.
func accountBlockKey(account string) key.Key { return key.New("s3", account, "", "block") }

// row returns the prefix of the rows of one sort in bucket b.
func (b *bucket) row(sort string) key.Key {
	return key.New("s3", b.Account, b.Region, sort, b.ID)
}

func (b *bucket) confKey(kind string) key.Key { return b.row("conf").Str(kind) }

func (b *bucket) currentKey(object string) key.Key { return b.row("cur").Str(object) }

func (b *bucket) versionKey(object string, seq uint64) key.Key {
	return b.row("ver").Str(object).UintDesc(seq)
}

// nullKey holds the sequence number of the null version when that is not the current one.
func (b *bucket) nullKey(object string) key.Key { return b.row("null").Str(object) }

func (b *bucket) tableKey(upload string) key.Key { return b.row("table").Str(upload) }

func (b *bucket) uploadKey(object, upload string) key.Key {
	return b.row("up").Str(object).Str(upload)
}

func (b *bucket) partKey(upload string, number int32) key.Key {
	return b.partsKey(upload).Uint(uint64(number))
}

func (b *bucket) partsKey(upload string) key.Key { return b.row("part").Str(upload) }

// after returns the least row key of base whose element is greater than name.
func after(base key.Key, name string) []byte { return base.Str(name).End() }

// within returns the span of the rows of base whose element begins with prefix.
func within(base key.Key, prefix string) store.Span { return base.StrPrefix(prefix).Span() }

// commonPrefix returns name up to and with the first delimiter after prefix.
func commonPrefix(name, prefix, delimiter string) (string, bool) {
	if delimiter == "" || !strings.HasPrefix(name, prefix) {
		return "", false
	}
	i := strings.Index(name[len(prefix):], delimiter)
	if i < 0 {
		return "", false
	}
	return name[:len(prefix)+i+len(delimiter)], true
}
