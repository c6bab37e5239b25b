// Package watch tells which files of some folders change.
//
// Changes come in batches: what an editor or a formatter does to several files within a few milliseconds is one batch, so that
// nobody builds half of a change. Hidden files and folders, node_modules and __pycache__ are not watched: what lies there belongs to
// tools. A batch names files and folders that were made, written, renamed or removed; it may name one that did not change.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"lambent.dev/lambent/internal/clock"
)

// quiet is how long nothing must have happened before a batch is given out. Editors write a new file and rename it within less.
const quiet = 8 * time.Millisecond

// maxBatch bounds the names of a batch; a larger change is told as a change of the watched folders themselves.
const maxBatch = 1000

// Watcher watches folders and all that lies below them. Close it.
type Watcher struct {
	clock   clock.Clock
	roots   []string
	events  *fsnotify.Watcher
	watched map[string]bool
}

// New watches the given folders, named by absolute paths. A folder below another one is watched once.
func New(c clock.Clock, roots []string) (*Watcher, error) {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch folders: %w", err)
	}
	w := &Watcher{clock: c, events: events, watched: map[string]bool{}}
	if err := w.Add(roots); err != nil {
		return nil, errors.Join(err, events.Close())
	}
	return w, nil
}

// Add watches more folders. A zip file is watched by its folder.
func (w *Watcher) Add(roots []string) error {
	for _, root := range roots {
		if info, err := os.Stat(root); err == nil && !info.IsDir() {
			root = filepath.Dir(root)
		}
		if slices.Contains(w.roots, root) {
			continue
		}
		w.roots = append(w.roots, root)
		if err := w.tree(root); err != nil {
			return err
		}
	}
	return nil
}

// tree watches dir and the folders below it.
func (w *Watcher) tree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it has gone while this was looking
		}
		if err != nil {
			return err
		}
		if !d.IsDir() || w.watched[path] {
			return nil
		}
		if path != dir && ignored(d.Name()) {
			return filepath.SkipDir
		}
		if err := w.events.Add(path); err != nil {
			return fmt.Errorf("watch %s: %w (the system's bound on watched folders is fs.inotify.max_user_watches)", path, err)
		}
		w.watched[path] = true
		return nil
	})
}

func ignored(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || name == "node_modules" || name == "__pycache__"
}

// Next waits for the next batch of changes and returns their paths, sorted, and the time of the first one. It fails when ctx ends.
func (w *Watcher) Next(ctx context.Context) (paths []string, first time.Time, err error) {
	batch := map[string]bool{}
	var timer clock.Timer
	var settled <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil, first, ctx.Err()
		case err := <-w.events.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return nil, first, fmt.Errorf("watch folders: %w", err)
			}
			for _, root := range w.roots {
				batch[root] = true
			}
		case e := <-w.events.Events:
			if ignored(filepath.Base(e.Name)) || e.Op == fsnotify.Chmod {
				continue
			}
			if err := w.follow(e); err != nil {
				return nil, first, err
			}
			batch[e.Name] = true
		case <-settled:
			return w.list(batch), first, nil
		}
		if timer == nil {
			first = w.clock.Now()
		} else {
			timer.Stop()
		}
		timer = w.clock.NewTimer(quiet)
		settled = timer.C()
	}
}

// follow watches folders that are new, and forgets those that have gone.
func (w *Watcher) follow(e fsnotify.Event) error {
	if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
		delete(w.watched, e.Name)
		return nil
	}
	if info, err := os.Lstat(e.Name); e.Has(fsnotify.Create) && err == nil && info.IsDir() {
		return w.tree(e.Name)
	}
	return nil
}

func (w *Watcher) list(batch map[string]bool) []string {
	if len(batch) > maxBatch {
		return slices.Clone(w.roots)
	}
	paths := make([]string, 0, len(batch))
	for path := range batch {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// Close ends the watching.
func (w *Watcher) Close() error { return w.events.Close() }
