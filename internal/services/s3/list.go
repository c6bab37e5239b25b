package s3

import (
	"context"
	"fmt"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// maxListed is the greatest page of a listing, and its default size.
const maxListed = 1000

// listing asks for the names under a prefix, in byte order.
type listing struct {
	prefix, delimiter string
	// after is the last name of the page before; a common prefix stands for everything below it, and a name below one too when skip is set.
	after string
	skip  bool
	limit int
}

// entry is an object or, when common is set, a common prefix.
type entry struct {
	name   string
	common bool
	value  current
}

// page returns up to limit entries of the rows under base. It skips from one common prefix to the next with one seek, so that its cost
// depends on what it returns and not on what the bucket holds.
func page(r store.Reader, base key.Key, l listing) (entries []entry, truncated bool, err error) {
	if l.limit == 0 {
		return nil, false, nil
	}
	entries = make([]entry, 0, l.limit+1)
	rows := within(base, l.prefix)
	if l.after != "" {
		lo := after(base, l.after)
		if p, ok := commonPrefix(l.after, l.prefix, l.delimiter); ok && (l.skip || p == l.after) {
			lo = base.StrPrefix(p).End()
		}
		if string(lo) > string(rows.Lo) {
			rows.Lo = lo
		}
	}
	for {
		next, err := l.scan(r, base, rows, &entries)
		switch {
		case err != nil:
			return nil, false, err
		case len(entries) > l.limit:
			return entries[:l.limit], true, nil
		case next == nil:
			return entries, false, nil
		}
		rows.Lo = next
	}
}

// scan adds entries until one more than the limit is there, the rows end (next is nil), or a common prefix was met (next is the key behind it).
func (l listing) scan(r store.Reader, base key.Key, rows store.Span, entries *[]entry) (next []byte, err error) {
	for p, err := range r.Range(rows) {
		if err != nil {
			return nil, fmt.Errorf("list objects: %w", err)
		}
		d := key.Decode(p.Key).Skip(base)
		name := d.Str()
		if d.Err() != nil {
			return nil, fmt.Errorf("list objects: %w", d.Err())
		}
		if c, ok := commonPrefix(name, l.prefix, l.delimiter); ok {
			*entries = append(*entries, entry{name: c, common: true})
			return base.StrPrefix(c).End(), nil
		}
		e := entry{name: name}
		if e.value, err = decodeCurrent(p.Value); err != nil {
			return nil, fmt.Errorf("list objects: %w", err)
		}
		*entries = append(*entries, e)
		if len(*entries) > l.limit {
			return nil, nil
		}
	}
	return nil, nil
}

func listLimit(name string, n *int32) (int, error) {
	if n == nil {
		return maxListed, nil
	}
	if *n < 0 {
		return 0, invalidValue(name, itoa(*n), "Argument "+itoa(*n)+" must be an integer between 0 and 2147483647")
	}
	return int(min(*n, maxListed)), nil
}

// encoding returns the function that encodes names in answers. URLs are made so that both kinds of decoders read them right: a space is %20.
func encoding(kind string) (func(string) *string, error) {
	switch kind {
	case "":
		return func(s string) *string { return &s }, nil
	case "url":
		return func(s string) *string { return ptr(escapeKey(s)) }, nil
	}
	return nil, invalidValue("encoding-type", kind, "Invalid Encoding Method specified in Request")
}

// escapeKey percent-encodes all but unreserved characters and the slash.
func escapeKey(s string) string {
	const hex = "0123456789ABCDEF"
	from := 0
	for from < len(s) && plain(s[from]) {
		from++
	}
	if from == len(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	b.WriteString(s[:from])
	for i := from; i < len(s); i++ {
		c := s[i]
		if plain(c) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// plain tells whether a byte of a key stands for itself in a URL.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~/*", c) >= 0
}

// listed turns entries into the shapes of the answer.
func listed(entries []entry, encode func(string) *string, own *api.Owner) (objects []api.Object, prefixes []api.CommonPrefix) {
	objects = make([]api.Object, 0, len(entries))
	// What the members of the objects point at lies together: a page is a few allocations and not thousands.
	etags := make([]string, len(entries))
	times := make([]time.Time, len(entries))
	var algorithms []string
	for i := range entries {
		e := &entries[i]
		if e.common {
			prefixes = append(prefixes, api.CommonPrefix{Prefix: encode(e.name)})
			continue
		}
		etags[i] = `"` + e.value.ETag + `"`
		times[i] = time.Unix(e.value.Modified, 0).UTC()
		o := api.Object{
			Key: encode(e.name), LastModified: &times[i], ETag: &etags[i], Size: &e.value.Size,
			StorageClass: classOf(e.value.Class), Owner: own, ChecksumType: e.value.Type,
		}
		if e.value.Algorithm != "" {
			if len(algorithms) == 0 || algorithms[0] != e.value.Algorithm {
				algorithms = []string{e.value.Algorithm}
			}
			o.ChecksumAlgorithm = algorithms
		}
		objects = append(objects, o)
	}
	return objects, prefixes
}

// restoreStatus is the one attribute of objects that listings show on demand.
const restoreStatus = "RestoreStatus"

// checkAttributes reads the x-amz-optional-object-attributes header.
func checkAttributes(names []string) (restored bool, err error) {
	for _, n := range names {
		if n != restoreStatus {
			return false, invalidValue("x-amz-optional-object-attributes", n, "Invalid attribute name specified")
		}
	}
	return len(names) > 0, nil
}

// restoreStatus tells until when an archived version can be read; nil of one that was not restored, or is not archived.
func (v *version) restoreStatus(now time.Time) *api.RestoreStatus {
	if !v.Restored.After(now) {
		return nil
	}
	return &api.RestoreStatus{IsRestoreInProgress: ptr(false), RestoreExpiryDate: ptr(v.Restored)}
}

// addRestoreStatus adds it to the objects of a page that are archived.
func (s *Service) addRestoreStatus(r store.Reader, b *bucket, entries []entry, objects []api.Object) error {
	i := 0
	for _, e := range entries {
		if e.common {
			continue
		}
		o := &objects[i]
		i++
		if e.value.Class == "" {
			continue
		}
		v, err := getVersion(r, b, e.name, e.value.Seq)
		if err != nil {
			return err
		}
		if v != nil {
			o.RestoreStatus = v.restoreStatus(s.now())
		}
	}
	return nil
}

func (s *Service) listObjectsV2(ctx context.Context, in *api.ListObjectsV2Input) (*api.ListObjectsV2Output, error) {
	limit, err := listLimit("max-keys", in.MaxKeys)
	if err != nil {
		return nil, err
	}
	encode, err := encoding(in.EncodingType)
	if err != nil {
		return nil, err
	}
	restored, err := checkAttributes(in.OptionalObjectAttributes)
	if err != nil {
		return nil, err
	}
	l := listing{prefix: deref(in.Prefix), delimiter: deref(in.Delimiter), after: deref(in.StartAfter), limit: limit}
	if in.ContinuationToken != nil {
		if l.after, err = decodeToken(in.ContinuationToken); err != nil {
			return nil, err
		}
	}
	out := &api.ListObjectsV2Output{
		Name: ptr(in.Bucket), Prefix: encode(l.prefix), MaxKeys: ptr(int32(limit)), EncodingType: in.EncodingType,
		ContinuationToken: in.ContinuationToken,
	}
	if in.Delimiter != nil && *in.Delimiter != "" {
		out.Delimiter = encode(*in.Delimiter)
	}
	if in.StartAfter != nil && in.ContinuationToken == nil {
		out.StartAfter = encode(*in.StartAfter)
	}
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, b *bucket) error {
		entries, truncated, err := page(r, b.row("cur"), l)
		if err != nil {
			return err
		}
		var own *api.Owner
		if deref(in.FetchOwner) {
			own = owner(b.Account)
		}
		out.Contents, out.CommonPrefixes = listed(entries, encode, own)
		out.KeyCount, out.IsTruncated = ptr(int32(len(entries))), &truncated
		if truncated {
			out.NextContinuationToken = ptr(encodeToken(entries[len(entries)-1].name))
		}
		if restored {
			return s.addRestoreStatus(r, b, entries, out.Contents)
		}
		return nil
	})
	return out, err
}

func (s *Service) listObjects(ctx context.Context, in *api.ListObjectsInput) (*api.ListObjectsOutput, error) {
	limit, err := listLimit("max-keys", in.MaxKeys)
	if err != nil {
		return nil, err
	}
	encode, err := encoding(in.EncodingType)
	if err != nil {
		return nil, err
	}
	restored, err := checkAttributes(in.OptionalObjectAttributes)
	if err != nil {
		return nil, err
	}
	l := listing{prefix: deref(in.Prefix), delimiter: deref(in.Delimiter), after: deref(in.Marker), skip: true, limit: limit}
	out := &api.ListObjectsOutput{
		Name: ptr(in.Bucket), Prefix: encode(l.prefix), Marker: encode(l.after), MaxKeys: ptr(int32(limit)), EncodingType: in.EncodingType,
	}
	if l.delimiter != "" {
		out.Delimiter = encode(l.delimiter)
	}
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, b *bucket) error {
		entries, truncated, err := page(r, b.row("cur"), l)
		if err != nil {
			return err
		}
		out.Contents, out.CommonPrefixes = listed(entries, encode, owner(b.Account))
		out.IsTruncated = &truncated
		if truncated && l.delimiter != "" { // without a delimiter clients go on from the last key
			out.NextMarker = encode(entries[len(entries)-1].name)
		}
		if restored {
			return s.addRestoreStatus(r, b, entries, out.Contents)
		}
		return nil
	})
	return out, err
}
