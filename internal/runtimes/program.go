package runtimes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/image"
)

// program is an installed language runtime.
type program struct {
	path    string // absolute, without symbolic links
	prefix  string // the tree that belongs to it; empty when it is part of the base system
	version [3]int
	// root is that of the image in which the path leads to the program, source what the image was taken from, id the runtime that it was added as; empty for a program of
	// this machine.
	root, source, id string
	image            *image.Image
}

func (p program) String() string {
	return fmt.Sprintf("%d.%d.%d", p.version[0], p.version[1], p.version[2])
}

// choose returns the program of the version that is wanted, else the nearest newer, else the nearest older one.
func choose(list []program, want version, l *language) (p program, exact, ok bool) {
	target := l.number(want.major, want.minor)
	best := -1
	for i, c := range list {
		n := l.number(c.version[0], c.version[1])
		if n == target {
			return c, true, true
		}
		if best < 0 {
			best = i
			continue
		}
		b := l.number(list[best].version[0], list[best].version[1])
		if n > target && (b < target || n < b) || n < target && b < target && n > b {
			best = i
		}
	}
	if best < 0 {
		return program{}, false, false
	}
	return list[best], false, true
}

// programs returns the programs of a family: those that were added from images, then those that are installed, or those of them whose file has the given name. Each file is asked once, the files of one call at the
// same time: what stands in PATH may be a script that takes long to find the real program.
func (c *Catalog) programs(ctx context.Context, l *language, name string) []program {
	c.mu.Lock()
	defer c.mu.Unlock()
	files := c.candidates(l)
	if name != "" {
		files = slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) != name })
	}
	answers := make([]answer, len(files))
	var wg sync.WaitGroup
	for i, file := range files {
		if known, ok := c.asked[file]; ok {
			answers[i] = known
			continue
		}
		wg.Go(func() { answers[i].programs, answers[i].err = inspect(ctx, l, file) })
	}
	wg.Wait()
	list := c.added(l.family)
	seen := map[string]bool{}
	for i, a := range answers {
		if a.err == nil {
			c.asked[files[i]] = a
		}
		for _, p := range a.programs {
			if known := p.path + " " + p.String(); a.err == nil && !seen[known] {
				seen[known] = true
				list = append(list, p)
			}
		}
	}
	return list
}

func (c *Catalog) candidates(l *language) []string {
	var patterns []string
	for i, dir := range c.o.Path {
		if filepath.IsAbs(dir) && !slices.Contains(c.o.Path[:i], dir) {
			patterns = append(patterns, filepath.Join(dir, l.glob))
		}
	}
	if !c.closed {
		patterns = append(patterns, l.homes...)
	}
	var out []string
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		out = append(out, slices.DeleteFunc(files, func(f string) bool { return !l.isProgram(f) })...)
	}
	return out
}

// inspectTimeout bounds the start of a program that is asked for its version.
const inspectTimeout = 10 * time.Second

// inspect asks a program what it is. What is found under its name may be a script that starts the real one.
func inspect(ctx context.Context, l *language, file string) ([]program, error) {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, l.ask...)
	cmd.Dir = "/"
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, l.answerStream(&out)
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", file, err)
	}
	list, err := l.answer(out.String())
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", file, err)
	}
	for i := range list {
		p := &list[i]
		if p.prefix == "/usr" || p.prefix == "/" {
			p.prefix = ""
		}
		if p.path, err = filepath.EvalSymlinks(p.path); err != nil {
			return nil, fmt.Errorf("find %s: %w", p.path, err)
		}
		if err := readable(*p); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// parseVersion sets the version from its text.
func (p *program) parseVersion(version string) (err error) {
	for i, part := range strings.SplitN(version, ".", len(p.version)) {
		digits := strings.TrimRightFunc(part, func(r rune) bool { return r < '0' || r > '9' })
		if p.version[i], err = strconv.Atoi(digits); err != nil && i == 0 {
			return fmt.Errorf("version %q of %s: %w", version, p.path, err)
		}
	}
	return nil
}

// where is where the program was found, for people.
func (p program) where() string {
	if p.root != "" {
		return "from " + p.source
	}
	return "at " + p.path
}

// readable tells whether functions, which run as another user, may use the program.
func readable(p program) error {
	for _, file := range []string{p.path, p.prefix} {
		if file == "" {
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o005 != 0o005 {
			return errors.New(file + " is not readable for everyone")
		}
	}
	return nil
}
