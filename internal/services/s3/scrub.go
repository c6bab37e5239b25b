package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/lib/seal"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// scrubPage is how many versions one view of a scrub reads.
const scrubPage = 100

// Finding is a version whose bytes are not those that were stored.
type Finding struct {
	Bucket  string `json:"bucket"`
	Key     string `json:"key"`
	Version string `json:"version"`
	Problem string `json:"problem"`
}

// ScrubResult counts what a scrub did.
type ScrubResult struct {
	Versions int64 `json:"versions"`
	Bytes    int64 `json:"bytes"`
	Damaged  int64 `json:"damaged"`
	// Unproven are versions under a customer's key, which only the customer can read, and those under a key of the key service that cannot be used now.
	Unproven int64 `json:"unproven"`
}

// Scrub reads every body of every bucket, and compares it with its checksum. It calls each for what is damaged, and marks it, so that it is
// refused from then on; a version that is whole again loses the mark. A scrub may be ended through ctx at any time.
func (s *Service) Scrub(ctx context.Context, each func(Finding) error) (ScrubResult, error) {
	var total ScrubResult
	err := s.eachBucket(ctx, func(b *bucket) error { return s.scrubBucket(ctx, b, &total, each) })
	return total, wrap("scrub", err)
}

// eachBucket calls fn for all buckets of all accounts.
func (s *Service) eachBucket(ctx context.Context, fn func(b *bucket) error) error {
	rows := key.New("s3", "", "", "name").Span()
	rows.Limit = scrubPage
	for {
		var page []bucket
		err := s.store.View(ctx, func(r store.Reader) (err error) {
			page, err = record.List[bucket](r, rows)
			return err
		})
		if err != nil {
			return err
		}
		for i := range page {
			if err := fn(&page[i]); err != nil {
				return err
			}
			rows.Lo = nameKey(page[i].Name).End()
		}
		if len(page) < scrubPage {
			return nil
		}
	}
}

// stamped is a version with its key, and its parts when it has some.
type stamped struct {
	key string
	*object
}

func (s *Service) scrubBucket(ctx context.Context, b *bucket, total *ScrubResult, each func(Finding) error) error {
	base := b.row("ver")
	rows := base.Span()
	rows.Limit = scrubPage
	for {
		var page []stamped
		err := s.store.View(ctx, func(r store.Reader) error {
			page = page[:0]
			for p, err := range r.Range(rows) {
				if err != nil {
					return err
				}
				v, err := decodeVersion(bytes.Clone(p.Value))
				if err != nil {
					return err
				}
				o := &object{version: v, bucket: b}
				if v.Upload != "" {
					if o.parts, err = tableParts(r, b, v.Upload); err != nil {
						return err
					}
				}
				page = append(page, stamped{key.Decode(p.Key).Skip(base).Str(), o})
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, v := range page {
			if err := s.scrubVersion(ctx, b, v, total, each); err != nil {
				return err
			}
			rows.Lo = b.versionKey(v.key, v.Seq).End()
		}
		if len(page) < scrubPage {
			return nil
		}
	}
}

func (s *Service) scrubVersion(ctx context.Context, b *bucket, v stamped, total *ScrubResult, each func(Finding) error) error {
	total.Versions++
	if v.Marker {
		return nil
	}
	if v.Seal != nil && v.Seal.CustomerMD5 != "" {
		total.Unproven++
		return nil
	}
	total.Bytes += v.Size
	problem, err := s.examine(ctx, b, v.object)
	if strings.HasPrefix(service.Code(err), "KMS.") {
		total.Bytes -= v.Size
		total.Unproven++
		return nil
	}
	if err != nil {
		return err
	}
	if problem != "" {
		total.Damaged++
		if err := each(Finding{b.Name, v.key, v.id(), problem}); err != nil {
			return err
		}
	}
	if (problem != "") == v.Damaged {
		return nil
	}
	return s.store.Update(ctx, func(tx store.Txn) error {
		now, err := getVersion(tx, b, v.key, v.Seq)
		if err != nil || now == nil {
			return err
		}
		now.Damaged = problem != ""
		return putRow(tx, b, v.key, now)
	})
}

// examine reads the bodies of a version and says what is wrong with them, or "".
func (s *Service) examine(ctx context.Context, b *bucket, o *object) (string, error) {
	if o.Seal != nil {
		var err error
		o.seal, err = s.unwrap(ctx, b, o.Seal, true)
		switch code := service.Code(err); {
		case strings.HasPrefix(code, "KMS.") && code != "KMS.InvalidCiphertextException":
			return "", err
		case err != nil:
			return "its data key cannot be opened: " + err.Error(), nil //nolint:nilerr // that is the finding
		}
	}
	if o.Upload == "" {
		return s.proveBody(ctx, o, o.body())
	}
	size := int64(0)
	for _, p := range o.parts {
		size += p.Size
		if problem, err := s.proveBody(ctx, o, p); err != nil || problem != "" {
			return fmt.Sprintf("part %d: %s", p.Number, problem), err
		}
	}
	if size != o.Size {
		return fmt.Sprintf("its parts have %d bytes of %d", size, o.Size), nil
	}
	return "", nil
}

func (s *Service) proveBody(ctx context.Context, o *object, p part) (string, error) {
	r, err := s.openBody(ctx, p, o.seal, span{0, p.Size})
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return "its body is missing", nil
	case errors.Is(err, seal.ErrDamaged), errors.Is(err, blob.ErrDamaged):
		return err.Error(), nil
	case err != nil:
		return "", err
	}
	defer r.Close()
	d := newDigest(p.Sum.Algorithm)
	n, err := io.Copy(writerFunc(func(b []byte) { d.write(b) }), r)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return err.Error(), nil
	case n != p.Size:
		return fmt.Sprintf("it has %d bytes of %d", n, p.Size), nil
	case p.Sum.Algorithm != "" && d.sum(p.Sum.Algorithm) != p.Sum.Value:
		return "its " + p.Sum.Algorithm + " is not the one that was stored", nil
	}
	return "", nil
}

type writerFunc func(b []byte)

// Write passes the bytes on; it never fails.
func (f writerFunc) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}

// damaged is the error of a read of a version that a scrub found damaged.
func damaged() error {
	return fail("InternalError", http.StatusInternalServerError, "The bytes of this object on disk are not those that were stored, so it is not given out. Restore it from a backup; `lambent s3 scrub` lists what is damaged.")
}

// Usage is what a bucket holds.
type Usage struct {
	Bucket string `json:"bucket"`
	// Objects are current objects, Versions all versions without delete markers, Uploads unfinished multipart uploads.
	Objects  int64 `json:"objects"`
	Versions int64 `json:"versions"`
	Markers  int64 `json:"markers"`
	Uploads  int64 `json:"uploads"`
	// Bytes are those of current objects, AllBytes those of all versions, PartBytes those of unfinished uploads.
	Bytes     int64 `json:"bytes"`
	AllBytes  int64 `json:"allBytes"`
	PartBytes int64 `json:"partBytes"`
}

// Usage counts what each bucket holds, as its rows say; bodies that copies share are counted for each.
func (s *Service) Usage(ctx context.Context, each func(Usage) error) error {
	return s.eachBucket(ctx, func(b *bucket) error {
		u := Usage{Bucket: b.Name}
		counts := []struct {
			sort string
			add  func(value []byte) error
		}{
			{"cur", func(value []byte) error {
				c, err := decodeCurrent(value)
				u.Objects++
				u.Bytes += c.Size
				return err
			}},
			{"ver", func(value []byte) error {
				v, err := decodeVersion(value)
				if err == nil && v.Marker {
					u.Markers++
					return nil
				}
				u.Versions++
				u.AllBytes += v.Size
				return err
			}},
			{"up", func([]byte) error { u.Uploads++; return nil }},
			{"part", func(value []byte) error {
				var p part
				_, err := decodeRow(value, &p)
				u.PartBytes += p.Size
				return err
			}},
		}
		for _, c := range counts {
			look := func(_ string, _ *key.Decoder, value []byte) error { return c.add(value) }
			if err := s.walk(ctx, b, c.sort, "", look, func() error { return nil }); err != nil {
				return err
			}
		}
		return each(u)
	})
}
