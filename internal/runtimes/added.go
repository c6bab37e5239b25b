package runtimes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/image"
	"lambent.dev/lambent/internal/sandbox"
)

// Added is a runtime that was unpacked from an image.
type Added struct {
	// ID is AWS's identifier of the runtime.
	ID string
	// Version is that of the language, such as "3.13.1"; empty for provided runtimes.
	Version string
	// Source is what the image was taken from, Digest its own.
	Source, Digest string
}

// aboutRuntime is what is kept beside the image of a runtime.
type aboutRuntime struct {
	Family  string
	Path    string // of the program in the image
	Version [3]int
}

// Add makes an image the runtime id: functions of that runtime run in it from then on. The image must have exactly this version of the language, which is found
// out by running it in a sandbox of the host.
func Add(ctx context.Context, host *sandbox.Host, images *image.Store, id string, i *image.Image, source string) (Added, error) {
	want, err := parseID(id)
	if err != nil {
		return Added{}, err
	}
	about := aboutRuntime{Family: want.family}
	version := ""
	if want.family != FamilyProvided {
		p, err := programOf(ctx, host, i, want)
		if err != nil {
			return Added{}, err
		}
		about.Path, about.Version, version = p.path, p.version, p.String()
	}
	b, err := json.Marshal(about)
	if err != nil {
		return Added{}, err
	}
	return Added{ID: id, Version: version, Source: source, Digest: i.Digest}, images.Keep(image.Pin{Name: id, Digest: i.Digest, Source: source, About: b})
}

// Remove ends what Add has begun.
func Remove(images *image.Store, id string) error {
	err := images.Release(id)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the runtime %s was not added from an image; `lambent runtime list` shows those that were", id)
	}
	return err
}

// ListAdded lists the runtimes that were added.
func ListAdded(images *image.Store) ([]Added, error) {
	pins, err := images.Pins()
	if err != nil {
		return nil, err
	}
	var out []Added
	for _, p := range pins {
		about, err := readAbout(p)
		if err != nil {
			return nil, err
		}
		a := Added{ID: p.Name, Source: p.Source, Digest: p.Digest}
		if about.Family != FamilyProvided {
			a.Version = program{version: about.Version}.String()
		}
		out = append(out, a)
	}
	return out, nil
}

func readAbout(p image.Pin) (a aboutRuntime, err error) {
	if err := json.Unmarshal(p.About, &a); err != nil {
		return a, fmt.Errorf("read what is kept of the runtime %s: %w", p.Name, err)
	}
	return a, nil
}

// added returns the programs of a family in images that were added.
func (c *Catalog) added(family string) []program {
	if c.o.Images == nil {
		return nil
	}
	pins, err := c.o.Images.Pins()
	if err != nil {
		return nil // the runtimes of the machine are there all the same
	}
	var out []program
	for _, pin := range pins {
		about, err := readAbout(pin)
		if err != nil || about.Family != family {
			continue
		}
		i, err := c.o.Images.Image(pin.Digest)
		if err != nil {
			continue
		}
		out = append(out, program{path: about.Path, version: about.Version, root: i.Root, image: i, source: pin.Source, id: pin.Name})
	}
	return out
}

// stamp changes when runtimes are added or removed.
func (c *Catalog) stamp() time.Time {
	if c.o.Images == nil {
		return time.Time{}
	}
	return c.o.Images.PinsChanged()
}

// programOf finds the program of exactly the version that is wanted in an image.
func programOf(ctx context.Context, host *sandbox.Host, i *image.Image, want version) (program, error) {
	l, ok := languageOf(want.family)
	if !ok {
		return program{}, fmt.Errorf("runtimes of the family %s cannot be added from images", want.family)
	}
	if !host.Report().Isolated() {
		return program{}, sandbox.ErrNoRoot
	}
	var found []string
	for _, file := range l.inImage(i) {
		list, err := inspectInside(ctx, host, &l, i, file)
		if err != nil {
			found = append(found, fmt.Sprintf("%s (%v)", file, err))
			continue
		}
		if p, exact, _ := choose(list, want, &l); exact {
			return p, nil
		}
		for _, p := range list {
			found = append(found, fmt.Sprintf("%s of version %s", file, p))
		}
	}
	if len(found) == 0 {
		return program{}, fmt.Errorf("the image has no program %s in its PATH, /usr/bin, /usr/local/bin or /var/lang/bin", strings.TrimSuffix(l.glob, "*"))
	}
	return program{}, fmt.Errorf("the image does not have the version of %s that the runtime's name says; it has %s", l.family, strings.Join(found, ", "))
}

// inImage lists the files of an image that may be the language's program.
func (l *language) inImage(i *image.Image) []string {
	dirs := []string{"/var/lang/bin", "/usr/local/bin", "/usr/bin", "/bin", "/opt/java/openjdk/bin"}
	for _, v := range i.Config.Env {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			dirs = append(strings.Split(value, ":"), dirs...)
		}
	}
	var out []string
	for _, dir := range dirs {
		for _, name := range i.Programs(dir) {
			file := path.Join(dir, name)
			if ok, err := path.Match(l.glob, name); err == nil && ok && l.isProgram(name) && !slices.Contains(out, file) {
				out = append(out, file)
			}
		}
	}
	return out
}

// inspectInside asks a program of an image what it is, in a sandbox.
func inspectInside(ctx context.Context, host *sandbox.Host, l *language, i *image.Image, file string) ([]program, error) {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	var out answerBuffer
	cell, err := host.Start(ctx, sandbox.Spec{
		Name: "inspect", Root: i.Root, Argv: append([]string{file}, l.ask...), Env: append([]string{"PATH=" + usualPath}, i.Config.Env...),
		Limits: sandbox.Limits{MemoryMB: 512}, Stdout: &out, Stderr: l.answerStream(&out),
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-cell.Done():
	case <-ctx.Done():
		cell.Kill()
		<-cell.Done()
		return nil, fmt.Errorf("it does not tell its version within %v", inspectTimeout)
	}
	if exit := cell.Exit(); exit.Err != nil || exit.Code != 0 {
		return nil, fmt.Errorf("it cannot be run: %s", exit)
	}
	return l.answer(out.String())
}

// answerBuffer keeps the beginning of what a program prints.
type answerBuffer struct {
	mu sync.Mutex // guards the field below
	b  bytes.Buffer
}

// maxProgramAnswer bounds it, in bytes.
const maxProgramAnswer = 64 << 10

// Write takes what fits.
func (a *answerBuffer) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.b.Write(p[:min(len(p), maxProgramAnswer-a.b.Len())])
	return len(p), nil
}

func (a *answerBuffer) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.b.String()
}
