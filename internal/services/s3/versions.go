package s3

import (
	"context"
	"fmt"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// versionPlace is a version in the order of ListObjectVersions: by key, then from the newest to the oldest.
type versionPlace struct {
	name   string
	latest bool
}

func (s *Service) listObjectVersions(ctx context.Context, in *api.ListObjectVersionsInput) (*api.ListObjectVersionsOutput, error) {
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
	keyMarker, idMarker := deref(in.KeyMarker), deref(in.VersionIdMarker)
	if in.VersionIdMarker != nil && keyMarker == "" {
		return nil, invalidValue("version-id-marker", idMarker, "A version-id marker cannot be specified without a key marker.")
	}
	if in.VersionIdMarker != nil && !wellFormedID(idMarker) {
		return nil, invalidValue("version-id-marker", idMarker, "Invalid version id specified")
	}
	l := listing{prefix: deref(in.Prefix), delimiter: deref(in.Delimiter), limit: limit}
	out := &api.ListObjectVersionsOutput{
		Name: ptr(in.Bucket), Prefix: encode(l.prefix), KeyMarker: encode(keyMarker), VersionIdMarker: ptr(idMarker), MaxKeys: ptr(int32(limit)),
		EncodingType: in.EncodingType, IsTruncated: ptr(false),
	}
	if l.delimiter != "" {
		out.Delimiter = encode(l.delimiter)
	}
	n := 0
	var last *version
	lastName := ""
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, b *bucket) error {
		if limit == 0 {
			return nil
		}
		from, err := l.startOfVersions(r, b, keyMarker, idMarker)
		if err != nil {
			return err
		}
		return eachVersion(r, b, l, from, func(at versionPlace, v *version) bool {
			if n == limit {
				out.IsTruncated = ptr(true)
				return false
			}
			n++
			last, lastName = v, at.name
			own := owner(b.ownerOf(v))
			switch {
			case v == nil:
				out.CommonPrefixes = append(out.CommonPrefixes, api.CommonPrefix{Prefix: encode(at.name)})
			case v.Marker:
				out.DeleteMarkers = append(out.DeleteMarkers, api.DeleteMarkerEntry{
					Owner: own, Key: encode(at.name), VersionId: ptr(v.id()), IsLatest: ptr(at.latest), LastModified: ptr(v.Modified),
				})
			default:
				o := listedVersion(at, v, encode, own)
				if restored {
					o.RestoreStatus = v.restoreStatus(s.now())
				}
				out.Versions = append(out.Versions, o)
			}
			return true
		})
	})
	if deref(out.IsTruncated) {
		out.NextKeyMarker = encode(lastName)
		if last != nil {
			out.NextVersionIdMarker = ptr(last.id())
		}
	}
	return answerOf(out, err)
}

func listedVersion(at versionPlace, v *version, encode func(string) *string, own *api.Owner) api.ObjectVersion {
	o := api.ObjectVersion{
		ETag: quoted(v.ETag), ChecksumType: v.Sum.Type, Size: ptr(v.Size), StorageClass: classOf(v.Class), Key: encode(at.name), VersionId: ptr(v.id()),
		IsLatest: ptr(at.latest), LastModified: ptr(v.Modified), Owner: own,
	}
	if v.Sum.Algorithm != "" {
		o.ChecksumAlgorithm = []string{v.Sum.Algorithm}
	}
	return o
}

// versionStart is where a page of versions begins: the first row, and the name whose newest version was on an earlier page.
type versionStart struct {
	lo   []byte
	seen string
}

func (l listing) startOfVersions(r store.Reader, b *bucket, keyMarker, idMarker string) (versionStart, error) {
	base := b.row("ver")
	from := versionStart{lo: within(base, l.prefix).Lo}
	if keyMarker == "" {
		return from, nil
	}
	lo := base.Str(keyMarker).End()
	if c, ok := commonPrefix(keyMarker, l.prefix, l.delimiter); ok { // a marker below a common prefix stands for all of it
		lo = base.StrPrefix(c).End()
	}
	if idMarker != "" {
		seq, ok := seqOf(idMarker)
		if !ok {
			v, err := nullVersion(r, b, keyMarker)
			if err != nil {
				return from, err
			}
			if v != nil {
				seq = v.Seq
			}
		}
		if seq > 0 {
			lo = b.versionKey(keyMarker, seq-1)
		}
		// The newest version was on an earlier page, unless those up to the marker were deleted meanwhile.
		newest, err := latestVersion(r, b, keyMarker)
		if err != nil {
			return from, err
		}
		if newest != nil && newest.Seq >= seq {
			from.seen = keyMarker
		}
	}
	if string(lo) > string(from.lo) {
		from.lo = lo
	}
	return from, nil
}

// eachVersion yields versions, and common prefixes with a nil version, in order, until yield returns false.
func eachVersion(r store.Reader, b *bucket, l listing, from versionStart, yield func(at versionPlace, v *version) bool) error {
	base := b.row("ver")
	rows := within(base, l.prefix)
	rows.Lo = from.lo
	name := from.seen
	for rows.Lo != nil {
		next, more, err := scanVersions(r, base, rows, l, &name, yield)
		if err != nil || !more {
			return err
		}
		rows.Lo = next
	}
	return nil
}

func scanVersions(r store.Reader, base key.Key, rows store.Span, l listing, seen *string, yield func(versionPlace, *version) bool) (next []byte, more bool, err error) {
	for p, err := range r.Range(rows) {
		if err != nil {
			return nil, false, fmt.Errorf("list versions: %w", err)
		}
		d := key.Decode(p.Key).Skip(base)
		name := d.Str()
		if d.Err() != nil {
			return nil, false, fmt.Errorf("list versions: %w", d.Err())
		}
		if c, ok := commonPrefix(name, l.prefix, l.delimiter); ok {
			return base.StrPrefix(c).End(), yield(versionPlace{name: c}, nil), nil
		}
		v, err := decodeVersion(p.Value)
		if err != nil {
			return nil, false, err
		}
		latest := name != *seen
		*seen = name
		if !yield(versionPlace{name, latest}, v) {
			return nil, false, nil
		}
	}
	return nil, false, nil
}
