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

// Sweep removes the images for which live reports false and that are not pinned, and layers that no image has. It does nothing while images are being added.
func (s *Store) Sweep(live func(digest string) bool) error {
	release, err := s.lock(true)
	if errors.Is(err, errBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	defer release()
	pins, err := s.Pins()
	if err != nil {
		return err
	}
	used, pinned := map[string]bool{}, map[string]bool{}
	for _, p := range pins {
		pinned[p.Digest] = true
	}
	images, err := os.ReadDir(filepath.Join(s.o.Dir, imagesDir))
	if err != nil {
		return fmt.Errorf("sweep images: %w", err)
	}
	for _, e := range images {
		if !live(e.Name()) && !pinned[e.Name()] {
			if err := s.remove(s.imageDir(e.Name())); err != nil {
				return err
			}
			continue
		}
		layers, err := s.layersOf(e.Name())
		if err != nil {
			return err
		}
		for _, id := range layers {
			used[id] = true
		}
	}
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

// remove moves a folder out of its place first, so that a crash leaves no half of it there.
func (s *Store) remove(dir string) error {
	away := filepath.Join(s.o.Dir, newPrefix+"old-"+filepath.Base(dir))
	if err := errors.Join(os.Rename(dir, away), os.RemoveAll(away)); err != nil {
		return fmt.Errorf("remove image: %w", err)
	}
	return nil
}
