package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// Options of a store.
type Options struct {
	// Dir is a folder of the store's own.
	Dir string
	// Limits bound images; zero fields mean [DefaultLimits].
	Limits Limits
	// Registries are the hosts that images may be pulled from, such as "public.ecr.aws" or "localhost", or "*" for all.
	Registries []string
	// Credentials is a folder with Docker's config.json, whose credentials registries are given; empty means none.
	Credentials string
	// Transport makes the connections to registries; nil is the usual one.
	Transport http.RoundTripper
	// Clock tells how long ago an image was asked for; nil is the system's.
	Clock clock.Clock
}

// Limits bound what an image may bring.
type Limits struct {
	// Bytes are those of all its files, unpacked; Files the number of its files, folders and links; Layers that of its layers.
	Bytes         int64
	Files, Layers int
}

// DefaultLimits are AWS's 10 GB for functions, and bounds on what it does not count.
// See https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
func DefaultLimits() Limits { return Limits{Bytes: 10 << 30, Files: 1_000_000, Layers: 127} }

// Store keeps images. It is safe for concurrent use.
type Store struct {
	o    Options
	ctx  context.Context //nolint:containedctx // it is the lifetime of the store, which Close ends
	end  context.CancelFunc
	wg   sync.WaitGroup
	turn chan struct{} // has as many places as images are unpacked at a time

	mu      sync.Mutex // guards the fields below
	running map[string]*transfer
	held    map[string]int       // how many use an image, by its digest
	asked   map[string]time.Time // when an image was asked for last, of those for which that is not long ago
}

// transfer is the unpacking of an image, for which several callers may wait.
type transfer struct {
	done  chan struct{}
	image *Image
	err   error
}

// Image is an unpacked image.
type Image struct {
	// Digest is the SHA-256 of the image's manifest, in hexadecimal.
	Digest string
	// Root is the folder with its files. It must not be written to.
	Root string
	// Config is what the image says about running it.
	Config Config
	store  *Store
}

// Config is the part of an image's configuration that matters for running it.
type Config struct {
	Entrypoint, Command []string
	// Env are the variables, as KEY=value.
	Env        []string
	WorkingDir string
	// Bytes is how large the image's files are together.
	Bytes int64
}

// parallel is how many images are unpacked at a time.
const parallel = 2

// The folders of a store.
const (
	layersDir = "layers"
	imagesDir = "images"
	pinsDir   = "pins"
	pullsDir  = "pulls"
	newPrefix = "new-"
	rootName  = "root"
	aboutName = "image.json"
)

// folderMode lets functions, which run as another user, pass.
const folderMode = 0o755

// ErrMissing says that the store does not have an image.
var ErrMissing = errors.New("the image is not on this machine")

// Open opens a store, making its folder if need be, and removes what other processes have left half done.
func Open(o Options) (*Store, error) {
	d := DefaultLimits()
	if o.Limits.Bytes == 0 {
		o.Limits.Bytes = d.Bytes
	}
	if o.Limits.Files == 0 {
		o.Limits.Files = d.Files
	}
	if o.Limits.Layers == 0 {
		o.Limits.Layers = d.Layers
	}
	if o.Transport == nil {
		o.Transport = connections()
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	for _, name := range []string{layersDir, imagesDir, pinsDir, pullsDir} {
		if err := os.MkdirAll(filepath.Join(o.Dir, name), folderMode); err != nil {
			return nil, fmt.Errorf("open the image store: %w", err)
		}
	}
	s := &Store{o: o, turn: make(chan struct{}, parallel), running: map[string]*transfer{}, held: map[string]int{}, asked: map[string]time.Time{}}
	s.ctx, s.end = context.WithCancel(context.Background())
	return s, s.removeLeftovers()
}

// Close ends transfers and waits for them.
func (s *Store) Close() {
	s.end()
	s.wg.Wait()
}

var digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Image returns an image by its digest, or [ErrMissing].
func (s *Store) Image(digest string) (*Image, error) {
	if !digestPattern.MatchString(digest) {
		return nil, fmt.Errorf("%q is not the digest of an image: %w", digest, ErrMissing)
	}
	s.mu.Lock()
	s.asked[digest] = s.o.Clock.Now() // before it is read: it is not swept from now on
	s.mu.Unlock()
	dir := s.imageDir(digest)
	b, err := os.ReadFile(filepath.Join(dir, aboutName))
	if errors.Is(err, fs.ErrNotExist) {
		s.mu.Lock()
		delete(s.asked, digest)
		s.mu.Unlock()
		return nil, fmt.Errorf("sha256:%s: %w", digest, ErrMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("read image: %w", err)
	}
	i := &Image{Digest: digest, Root: filepath.Join(dir, rootName), store: s}
	if err := json.Unmarshal(b, &i.Config); err != nil {
		return nil, fmt.Errorf("read image sha256:%s: %w", digest, err)
	}
	return i, nil
}

func (s *Store) imageDir(digest string) string { return filepath.Join(s.o.Dir, imagesDir, digest) }

func (s *Store) layerDir(diffID string) string { return filepath.Join(s.o.Dir, layersDir, diffID) }

// share waits for the transfer that name stands for, starting it if it does not run. The transfer goes on when its callers go away, so that one who asks
// again, as clients do after a time-out, finds it further along.
func (s *Store) share(ctx context.Context, name string, run func(ctx context.Context) (*Image, error)) (*Image, error) {
	s.mu.Lock()
	t := s.running[name]
	if t == nil {
		t = &transfer{done: make(chan struct{})}
		s.running[name] = t
		s.wg.Go(func() { s.carryOut(name, t, run) })
	}
	s.mu.Unlock()
	select {
	case <-t.done:
		return t.image, t.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (s *Store) carryOut(name string, t *transfer, run func(ctx context.Context) (*Image, error)) {
	t.image, t.err = s.inTurn(run)
	s.mu.Lock()
	delete(s.running, name)
	s.mu.Unlock()
	close(t.done)
}

func (s *Store) inTurn(run func(ctx context.Context) (*Image, error)) (*Image, error) {
	select {
	case s.turn <- struct{}{}:
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
	defer func() { <-s.turn }()
	release, err := s.lock(false)
	if err != nil {
		return nil, err
	}
	defer release()
	return run(s.ctx)
}

// take unpacks the image of a source, unless it is there.
func (s *Store) take(ctx context.Context, src source) (*Image, error) {
	d, err := describe(ctx, src, s.o.Limits)
	if err != nil {
		return nil, err
	}
	if have, err := s.Image(d.digest); !errors.Is(err, ErrMissing) {
		return have, err
	}
	if err := s.begin(d); err != nil {
		return nil, err
	}
	left := budget{bytes: s.o.Limits.Bytes, files: s.o.Limits.Files}
	for _, l := range d.layers {
		if err := s.takeLayer(ctx, src, l, &left); err != nil {
			return nil, err
		}
	}
	d.config.Bytes = s.o.Limits.Bytes - left.bytes
	if err := s.assemble(ctx, d); err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(s.o.Dir, pullsDir, d.digest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("unpack image: %w", err)
	}
	return s.Image(d.digest)
}

// fill makes a folder: what write puts into a new one, durable and moved into place at once. Another process may have been faster.
func (s *Store) fill(target string, write func(temp string) error) (err error) {
	temp, err := os.MkdirTemp(s.o.Dir, newPrefix)
	if err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	if err := os.Chmod(temp, folderMode); err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	if err := write(temp); err != nil {
		return err
	}
	if err := syncTree(temp); err != nil {
		return fmt.Errorf("make image durable: %w", err)
	}
	if err := os.Rename(temp, target); err != nil {
		if _, there := os.Stat(target); there == nil {
			return os.RemoveAll(temp)
		}
		return fmt.Errorf("keep image: %w", err)
	}
	return syncFile(filepath.Dir(target))
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
