package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/backup"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/disk"
	"lambent.dev/lambent/internal/blob/ids"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store/pebble"
)

const (
	// backupFolder holds the checkpoint of a backup, in the data folder.
	backupFolder = "backup"
	// originFile holds what tells this data folder from others, among them those that were restored from it.
	originFile = "origin"
	bodyFolder = "blobs"
	nextFile   = "blobs/NEXT"

	backupPatience = 5 * time.Second
)

var errNoBackup = errors.New("no backup is on its way: begin one, and what is there already is not copied twice")

// backups gives the state of the platform out, to one client at a time. From the beginning of a backup to its end no body is deleted: the checkpoint of
// the store comes first, and everything that it refers to is still there when its turn comes.
type backups struct {
	store  *pebble.Store // nil for an ephemeral platform
	local  *disk.Store   // nil when bodies are kept elsewhere
	bodies *heldBodies
	dir    string // the data folder
	log    *slog.Logger
	// patience is how long a backup waits for the one before it: that of a client that was just killed ends when the platform has seen the connection break.
	patience time.Duration
	// stopping is closed when the platform begins to stop.
	stopping <-chan struct{}

	mu sync.Mutex // guards the fields below
	// files are where the files of the backup that is on its way lie, by name; nil when there is none.
	files map[string]string
	ended chan struct{} // closed when that backup has ended
}

// serve answers the requests of clients that back up.
func (b *backups) serve(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		b.begin(w, r)
	case http.MethodGet:
		b.file(w, r)
	case http.MethodDelete:
		b.end(r.Context())
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Error(w, "Use POST, GET and DELETE.", http.StatusMethodNotAllowed)
	}
}

// begin lists what belongs to the state: POST /_lambent/backup. It answers with JSON lines: the origin, the files, and one that ends the list. The answer itself
// goes on as long as the backup, so that a client that dies ends it.
func (b *backups) begin(w http.ResponseWriter, r *http.Request) {
	switch {
	case b.store == nil:
		http.Error(w, "This Lambent is ephemeral and keeps nothing, so there is nothing to back up.", http.StatusConflict)
		return
	case b.local == nil:
		http.Error(w, "The bodies of this Lambent are kept in another object store, and a backup of them is not supported. Use what that store has for backups, together with a copy of the data folder while Lambent is stopped.", http.StatusNotImplemented)
		return
	}
	ended := b.await(r.Context())
	if ended == nil {
		http.Error(w, "Another backup is on its way. Wait until it has ended.", http.StatusConflict)
		return
	}
	defer b.end(context.WithoutCancel(r.Context()))
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := json.NewEncoder(w)
	if err := b.list(r.Context(), func(line any) error { return out.Encode(line) }); err != nil {
		_ = out.Encode(map[string]string{"error": err.Error()}) // a client that has gone needs no end
		return
	}
	if err := errors.Join(out.Encode(map[string]bool{"end": true}), http.NewResponseController(w).Flush()); err != nil {
		return
	}
	select {
	case <-ended:
	case <-b.stopping:
	case <-r.Context().Done():
	}
}

// await begins a backup as hold does, and gives one that is on its way some time to end.
func (b *backups) await(ctx context.Context) <-chan struct{} {
	ctx, cancel := context.WithTimeout(ctx, b.patience)
	defer cancel()
	for {
		ended, first := b.hold()
		if first {
			return ended
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return nil
		}
	}
}

// hold begins a backup unless one is on its way, and returns what is closed when that which is now on its way has ended.
func (b *backups) hold() (ended <-chan struct{}, first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.files != nil {
		return b.ended, false
	}
	b.files, b.ended = map[string]string{}, make(chan struct{})
	b.bodies.hold()
	return b.ended, true
}

// end gives back what a backup holds. It is idempotent.
func (b *backups) end(ctx context.Context) {
	b.mu.Lock()
	if b.files == nil {
		b.mu.Unlock()
		return
	}
	b.files = nil
	close(b.ended)
	b.mu.Unlock()
	if err := os.RemoveAll(filepath.Join(b.dir, backupFolder)); err != nil {
		b.log.WarnContext(ctx, "the checkpoint of a backup stays until the next one", slog.Any("error", err))
	}
	b.bodies.release(context.WithoutCancel(ctx))
}

// list takes the checkpoint and lists everything.
func (b *backups) list(ctx context.Context, put func(line any) error) error {
	at := filepath.Join(b.dir, backupFolder)
	if err := os.RemoveAll(at); err != nil {
		return err
	}
	if err := os.Mkdir(at, 0o700); err != nil {
		return err
	}
	origin, err := b.origin()
	if err != nil {
		return err
	}
	if err := put(map[string]string{"origin": origin}); err != nil {
		return err
	}
	if err := b.store.Checkpoint(filepath.Join(at, "store")); err != nil {
		return err
	}
	next, err := b.copyNext(at)
	if err != nil {
		return err
	}
	for _, folder := range []struct{ name, path string }{{"store", filepath.Join(at, "store")}, {"keys", filepath.Join(b.dir, "keys")}} {
		if err := b.listFolder(folder.name, folder.path, put); err != nil {
			return err
		}
	}
	if next == 0 {
		return nil
	}
	if err := b.listFile(nextFile, filepath.Join(at, "NEXT"), put); err != nil {
		return err
	}
	return b.local.Each(ctx, func(id blob.ID) error {
		n, err := ids.Parse(string(id))
		if err != nil || n >= next {
			return err // it came after the checkpoint
		}
		size, err := b.sizeOf(ctx, id)
		if errors.Is(err, blob.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return put(backup.File{Name: path.Join(bodyFolder, ids.Folder(n), string(id)), Size: size, Body: true})
	})
}

// origin returns what tells this data folder from others, and makes it up at the first backup.
func (b *backups) origin() (string, error) {
	name := filepath.Join(b.dir, originFile)
	raw, err := os.ReadFile(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return strings.TrimSpace(string(raw)), err
	}
	id, err := uuid.New(rand.Reader)
	if err != nil {
		return "", err
	}
	return id, os.WriteFile(name, []byte(id+"\n"), 0o600)
}

// copyNext keeps the first id that no body of the checkpoint can have, and returns it; 0 when there never was a body.
func (b *backups) copyNext(to string) (uint64, error) {
	raw, err := os.ReadFile(filepath.Join(b.dir, filepath.FromSlash(nextFile)))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	next, err := ids.Parse(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0, err
	}
	return next, os.WriteFile(filepath.Join(to, "NEXT"), raw, 0o600)
}

func (b *backups) sizeOf(ctx context.Context, id blob.ID) (int64, error) {
	r, err := b.local.Open(ctx, id, blob.Whole())
	if err != nil {
		return 0, err
	}
	size, err := r.Seek(0, io.SeekEnd)
	return size, errors.Join(err, r.Close())
}

// listFolder lists the files in a folder, with their sums.
func (b *backups) listFolder(name, dir string, put func(line any) error) error {
	return filepath.WalkDir(dir, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		return b.listFile(path.Join(name, filepath.ToSlash(rel)), at, put)
	})
}

func (b *backups) listFile(name, at string, put func(line any) error) error {
	f, err := os.Open(at)
	if err != nil {
		return err
	}
	hash := sha256.New()
	n, err := io.Copy(hash, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	b.mu.Lock()
	if b.files != nil {
		b.files[name] = at
	}
	b.mu.Unlock()
	return put(backup.File{Name: name, Size: n, Sum: hex.EncodeToString(hash.Sum(nil))})
}

// file gives out a file that was listed: GET /_lambent/backup?name=NAME.
func (b *backups) file(w http.ResponseWriter, r *http.Request) {
	f, err := b.open(r.Context(), r.URL.Query().Get("name"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, blob.ErrNotFound) {
		http.Error(w, "There is no such file in this backup.", http.StatusNotFound)
		return
	}
	if errors.Is(err, errNoBackup) {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = f.Close() }()
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	_, _ = io.Copy(w, f) // a client sees from the length that the rest is missing
}

func (b *backups) open(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	b.mu.Lock()
	at, ok := b.files[name]
	none := b.files == nil
	b.mu.Unlock()
	if none {
		return nil, errNoBackup
	}
	if ok {
		return os.Open(at)
	}
	if !strings.HasPrefix(name, bodyFolder+"/") {
		return nil, fs.ErrNotExist
	}
	return b.local.Open(ctx, blob.ID(path.Base(name)), blob.Whole())
}
