package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// removeLeftovers removes what was being written by processes that are gone.
func (s *Store) removeLeftovers() error {
	release, err := s.lock(true)
	if errors.Is(err, errBusy) {
		return nil // somebody writes now: the next one to open the store cleans up
	}
	if err != nil {
		return err
	}
	defer release()
	entries, err := os.ReadDir(s.o.Dir)
	if err != nil {
		return fmt.Errorf("open the image store: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), newPrefix) {
			if err := os.RemoveAll(filepath.Join(s.o.Dir, e.Name())); err != nil {
				return fmt.Errorf("open the image store: %w", err)
			}
		}
	}
	return nil
}

// Pin is an image that is kept under a name.
type Pin struct {
	Name string `json:"-"`
	// Digest is the image's, Source what it was taken from, for people.
	Digest, Source string
	// About is what the one who pinned it wants to remember.
	About json.RawMessage `json:",omitempty"`
}

var pinName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// Keep pins an image, in the place of another one of that name.
func (s *Store) Keep(p Pin) error {
	if !pinName.MatchString(p.Name) {
		return fmt.Errorf("%q cannot be the name of an image: give lower-case letters, digits, dots and hyphens, at most 64", p.Name)
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	target := filepath.Join(s.o.Dir, pinsDir, p.Name)
	temp := filepath.Join(s.o.Dir, newPrefix+"pin-"+p.Name)
	if err := os.WriteFile(temp, b, 0o644); err != nil {
		return fmt.Errorf("keep image: %w", err)
	}
	if err := errors.Join(syncFile(temp), os.Rename(temp, target), syncFile(filepath.Dir(target))); err != nil {
		return fmt.Errorf("keep image: %w", err)
	}
	return nil
}

// Release ends a pin. The image goes when nothing else uses it, see [Store.Sweep]. A pin that is not there is an fs.ErrNotExist.
func (s *Store) Release(name string) error {
	if !pinName.MatchString(name) {
		return fmt.Errorf("release image %q: %w", name, fs.ErrNotExist)
	}
	if err := os.Remove(filepath.Join(s.o.Dir, pinsDir, name)); err != nil {
		return fmt.Errorf("release image: %w", err)
	}
	return nil
}

// PinsChanged is when a pin was added or removed last, as far as the file system tells times apart.
func (s *Store) PinsChanged() time.Time {
	info, err := os.Stat(filepath.Join(s.o.Dir, pinsDir))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Pins lists the pins by name.
func (s *Store) Pins() ([]Pin, error) {
	entries, err := os.ReadDir(filepath.Join(s.o.Dir, pinsDir))
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	var out []Pin
	for _, e := range entries {
		p, ok, err := s.Pinned(e.Name())
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, p)
		}
	}
	return out, nil
}

// Pinned returns the pin of that name; false if there is none.
func (s *Store) Pinned(name string) (p Pin, ok bool, err error) {
	if !pinName.MatchString(name) {
		return p, false, nil
	}
	b, err := os.ReadFile(filepath.Join(s.o.Dir, pinsDir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		return p, false, fmt.Errorf("read what is kept as %s: %w", name, err)
	}
	p.Name = name
	return p, true, nil
}

// begin notes which layers an image has whose unpacking begins: those that are unpacked are kept for the next try when it is interrupted, see [Store.Sweep].
func (s *Store) begin(d *description) error {
	var a about
	for _, l := range d.layers {
		a.Layers = append(a.Layers, l.diffID)
	}
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(s.o.Dir, newPrefix)
	if err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	_, err = temp.Write(b)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), filepath.Join(s.o.Dir, pullsDir, d.digest))
	}
	if err != nil {
		return fmt.Errorf("unpack image: %w", errors.Join(err, os.Remove(temp.Name())))
	}
	return nil
}

// Hold keeps the image from being swept until the function that it returns is called, which may be done more than once.
func (i *Image) Hold() (release func()) {
	if i.store == nil {
		return func() {}
	}
	s := i.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[i.Digest]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.held[i.Digest]--; s.held[i.Digest] == 0 {
			delete(s.held, i.Digest)
		}
		s.asked[i.Digest] = s.o.Clock.Now()
	})
}

// SweepAfter is for how long an image is kept that nobody uses any more: whoever has asked for it may be about to say so.
const SweepAfter = 10 * time.Minute

// busyLocked tells whether an image is in use, or was asked for a short while ago. s.mu is held.
func (s *Store) busyLocked(digest string) bool {
	asked, ok := s.asked[digest]
	if ok && s.o.Clock.Now().Sub(asked) >= SweepAfter {
		delete(s.asked, digest)
		ok = false
	}
	return ok || s.held[digest] > 0
}

// Sweep removes the images for which live reports false and that are not pinned, and layers that no image has, nor one that is live and whose unpacking was
// interrupted. What is in use, and what was asked for in the last [SweepAfter], stays: later then tells that another sweep has something to do. It does
// nothing while images are being added.
func (s *Store) Sweep(live func(digest string) bool) (later bool, err error) {
	release, err := s.lock(true)
	if errors.Is(err, errBusy) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer release()
	pins, err := s.Pins()
	if err != nil {
		return false, err
	}
	pinned := map[string]bool{}
	for _, p := range pins {
		pinned[p.Digest] = true
	}
	used := map[string]bool{}
	for _, folder := range []string{imagesDir, pullsDir} {
		entries, err := os.ReadDir(filepath.Join(s.o.Dir, folder))
		if err != nil {
			return later, fmt.Errorf("sweep images: %w", err)
		}
		for _, e := range entries {
			wanted := live(e.Name()) || pinned[e.Name()]
			away, err := s.sweepImage(folder, e.Name(), wanted, used)
			if err == nil && away != "" {
				err = os.RemoveAll(away)
			}
			if err != nil {
				return later, fmt.Errorf("sweep images: %w", err)
			}
			later = later || away == "" && !wanted
		}
	}
	return later, s.sweepLayers(used)
}

// sweepImage moves an image, or what is known of an interrupted one, away to be removed, unless it is wanted or busy. It adds the layers of one that is kept to used.
func (s *Store) sweepImage(folder, digest string, wanted bool, used map[string]bool) (away string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock() // nobody begins to use it meanwhile
	at := filepath.Join(s.o.Dir, folder, digest)
	if !wanted && !s.busyLocked(digest) {
		return s.moveAway(at)
	}
	if folder == imagesDir {
		at = filepath.Join(at, aboutName)
	}
	layers, err := layersIn(at)
	for _, id := range layers {
		used[id] = true
	}
	return "", err
}

func (s *Store) sweepLayers(used map[string]bool) error {
	layers, err := os.ReadDir(filepath.Join(s.o.Dir, layersDir))
	if err != nil {
		return fmt.Errorf("sweep images: %w", err)
	}
	for _, e := range layers {
		if !used[e.Name()] {
			if err := s.remove(s.layerDir(e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove removes a folder.
func (s *Store) remove(dir string) error {
	away, err := s.moveAway(dir)
	if err = errors.Join(err, os.RemoveAll(away)); err != nil {
		return fmt.Errorf("remove image: %w", err)
	}
	return nil
}

// moveAway moves a folder out of its place before it is removed, so that a crash leaves no half of it there.
func (s *Store) moveAway(dir string) (away string, err error) {
	away = filepath.Join(s.o.Dir, newPrefix+"old-"+filepath.Base(dir))
	return away, os.Rename(dir, away)
}
