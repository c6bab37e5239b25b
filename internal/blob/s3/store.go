package s3

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/ids"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/s3client"
)

const (
	// idPrefix begins the ids of blobs in a cluster.
	idPrefix = "c"
	// spoolPattern names the files of bodies on their way.
	spoolPattern = "body-*"
	// abortTimeout is how long the end of an unfinished upload is tried.
	abortTimeout = 30 * time.Second
)

// Options configure a store. Client, Bucket, Owner, Spool, Clock and Log are needed.
type Options struct {
	Client *s3client.Client
	// Bucket and Prefix say where blobs are kept; the prefix is empty or ends with a slash.
	Bucket, Prefix string
	// Owner identifies whose blobs these are: something that the store of what refers to them keeps.
	Owner string
	// Process is new with every start.
	Process string
	// Spool is a folder of the local disk for bodies on their way. It belongs to the store alone.
	Spool string
	// Local has the blobs that were made before the cluster was used; nil means none. The store closes it.
	Local blob.Store
	// Uploads is how many requests upload at a time; 0 means 32.
	Uploads int
	Clock   clock.Clock
	Log     *slog.Logger
}

// Store is a blob.Store in a cluster.
type Store struct {
	o     Options
	ids   *ids.Sequence
	slots chan struct{}
	// aborts are the ends of unfinished uploads.
	aborts sync.WaitGroup

	mu   sync.Mutex // guards the field below
	etag string     // of our marker; empty when there is none
}

// Open checks that the cluster can be used, takes the prefix, and returns the store. The error says what to do when it cannot.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Uploads == 0 {
		o.Uploads = 32
	}
	if err := clean(o.Spool); err != nil {
		return nil, fmt.Errorf("prepare the folder of bodies on their way: %w", err)
	}
	s := &Store{o: o, slots: make(chan struct{}, o.Uploads)}
	found, err := s.readMarker(ctx)
	if err != nil {
		return nil, s.hint(err)
	}
	if found.Owner != "" && found.Owner != o.Owner {
		return nil, fmt.Errorf("%s holds the bodies of another Lambent (%s): choose another prefix, or start with the data folder that they belong to", s.where(), found.Owner)
	}
	next := max(found.Next, 1)
	s.ids = ids.New(next, s.writeMarker)
	if err := s.writeMarker(ctx, next); err != nil { // proves that the keys may write, and takes the prefix over
		return nil, s.hint(err)
	}
	return s, nil
}

// clean makes the spool folder and removes what an earlier process left in it.
func clean(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(dir, spoolPattern))
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) where() string { return "s3://" + s.o.Bucket + "/" + s.o.Prefix }

// hint adds what to do to an error of the start.
func (s *Store) hint(err error) error {
	where := s.where() + " at " + s.o.Client.Endpoint.String()
	switch {
	case errors.Is(err, s3client.ErrUnreachable):
		return fmt.Errorf("the cluster for bodies (%s) cannot be reached: %w; start it, or correct bodies-endpoint", where, err)
	case s3client.HasCode(err, "NoSuchBucket"):
		return fmt.Errorf("the bucket for bodies (%s) does not exist: %w; make it, or correct bodies", where, err)
	case s3client.IsRefused(err):
		return fmt.Errorf("the cluster for bodies (%s) refuses the keys: %w; bodies-keys must name ones that may list, read, write and delete there, and bodies-region the cluster's region", where, err)
	}
	return fmt.Errorf("the cluster for bodies (%s) cannot be used: %w", where, err)
}

func (s *Store) objectKey(id uint64) string {
	return s.o.Prefix + ids.Folder(id) + "/" + ids.Format(id)
}

// parse returns the number of an id that this store gave out.
func parse(id blob.ID) (uint64, bool) {
	text, ok := strings.CutPrefix(string(id), idPrefix)
	if !ok {
		return 0, false
	}
	n, err := ids.Parse(text)
	return n, err == nil
}

// unavailable turns an error of the client into one of package blob.
func unavailable(doing string, err error) error {
	var answer *s3client.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", doing, err)
	case s3client.IsNotFound(err):
		return fmt.Errorf("%s: %w: %w", doing, blob.ErrNotFound, err)
	case s3client.HasCode(err, "QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity"), errors.As(err, &answer) && answer.Status == 507:
		return fmt.Errorf("%s: %w: %w", doing, blob.ErrFull, err)
	}
	reason := "it cannot be reached"
	if errors.As(err, &answer) {
		reason = strings.TrimSpace(fmt.Sprintf("it answers %d %s", answer.Status, answer.Code))
	}
	return fmt.Errorf("%s: %w", doing, &blob.UnavailableError{Reason: reason, Busy: s3client.HasCode(err, "SlowDown"), Err: err})
}

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, id blob.ID, want blob.Span) (blob.ReadSeekCloser, error) {
	if err := s.ids.Usable(ctx); err != nil {
		return nil, err
	}
	n, ok := parse(id)
	if !ok {
		if s.o.Local != nil {
			return s.o.Local.Open(ctx, id, want)
		}
		return nil, fmt.Errorf("%w: %q", blob.ErrNotFound, string(id))
	}
	return s.openReader(ctx, n, want)
}

// Delete implements blob.Store.
func (s *Store) Delete(ctx context.Context, id blob.ID) error {
	if err := s.ids.Usable(ctx); err != nil {
		return err
	}
	n, ok := parse(id)
	switch {
	case ok:
		return unavailable("delete blob "+string(id), s.o.Client.Delete(ctx, s.o.Bucket, s.objectKey(n)))
	case s.o.Local != nil:
		return s.o.Local.Delete(ctx, id)
	}
	return nil
}

// Sweep implements blob.Store. It also ends the uploads that a crash left unfinished.
func (s *Store) Sweep(ctx context.Context, live func(blob.ID) (bool, error)) error {
	var local error
	if s.o.Local != nil {
		local = s.o.Local.Sweep(ctx, live)
	}
	if err := s.sweep(ctx, live); err != nil {
		return errors.Join(fmt.Errorf("sweep %s: %w", s.where(), err), local)
	}
	return local
}

func (s *Store) sweep(ctx context.Context, live func(blob.ID) (bool, error)) error {
	bound := s.ids.Settle()
	if err := s.stillOurs(ctx); err != nil {
		return err
	}
	for after, more := "", true; more; {
		var page []s3client.Object
		var err error
		if page, more, err = s.o.Client.List(ctx, s.o.Bucket, s.o.Prefix, after); err != nil {
			return err
		}
		for _, o := range page {
			after = o.Key
			if err := s.sweepObject(ctx, o.Key, bound, live); err != nil {
				return err
			}
		}
		more = more && len(page) > 0
	}
	return s.sweepUploads(ctx, bound)
}

func (s *Store) sweepObject(ctx context.Context, key string, bound uint64, live func(blob.ID) (bool, error)) error {
	if err := s.ids.Usable(ctx); err != nil {
		return err
	}
	n, ok := s.idOf(key)
	if !ok || n >= bound {
		return nil
	}
	if keep, err := live(blob.ID(idPrefix + ids.Format(n))); keep || err != nil {
		return err
	}
	return s.o.Client.Delete(ctx, s.o.Bucket, key)
}

// sweepUploads ends the uploads of writers that are gone.
func (s *Store) sweepUploads(ctx context.Context, bound uint64) error {
	for after, more := "", true; more; {
		var page []s3client.Upload
		var err error
		if page, more, err = s.o.Client.Uploads(ctx, s.o.Bucket, s.o.Prefix, after); err != nil {
			return err
		}
		for _, u := range page {
			after = u.Key
			if n, ok := s.idOf(u.Key); !ok || n >= bound {
				continue
			}
			if err := s.o.Client.AbortUpload(ctx, s.o.Bucket, u.Key, u.ID); err != nil {
				return err
			}
		}
		more = more && len(page) > 0
	}
	return nil
}

// idOf returns the id of the blob that is kept under key.
func (s *Store) idOf(key string) (uint64, bool) {
	rest, ok := strings.CutPrefix(key, s.o.Prefix)
	folder, name, cut := strings.Cut(rest, "/")
	n, err := ids.Parse(name)
	return n, ok && cut && err == nil && folder == ids.Folder(n)
}

// Close implements blob.Store. It waits for the ends of unfinished uploads.
func (s *Store) Close() error {
	s.ids.Close()
	s.aborts.Wait()
	if s.o.Local != nil {
		return s.o.Local.Close()
	}
	return nil
}

var _ blob.Store = (*Store)(nil)
