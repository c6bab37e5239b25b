package runtimes

import (
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

	"lambent.dev/lambent/internal/sandbox"
)

// program is an installed language runtime.
type program struct {
	path    string // absolute, without symbolic links
	prefix  string // the tree that belongs to it; empty when it is part of the base system
	version [3]int
}

func (p program) String() string {
	return fmt.Sprintf("%d.%d.%d", p.version[0], p.version[1], p.version[2])
}

// mounts are what the program needs beyond the base system.
func (p program) mounts() []sandbox.Mount {
	if p.prefix == "" {
		return nil
	}
	return []sandbox.Mount{{Source: p.prefix, Target: p.prefix}}
}

// choose returns the program of the version that is wanted, else the nearest newer, else the nearest older one.
func choose(list []program, want version) (p program, exact, ok bool) {
	number := func(major, minor int) int {
		if want.family == FamilyNode {
			minor = 0 // a major version of Node is one runtime
		}
		return major<<16 | minor
	}
	target := number(want.major, want.minor)
	best := -1
	for i, c := range list {
		n := number(c.version[0], c.version[1])
		if n == target {
			return c, true, true
		}
		if best < 0 {
			best = i
			continue
		}
		b := number(list[best].version[0], list[best].version[1])
		if n > target && (b < target || n < b) || n < target && b < target && n > b {
			best = i
		}
	}
	if best < 0 {
		return program{}, false, false
	}
	return list[best], false, true
}

// programs returns the installed programs of a family, or those whose file has the given name. Each file is asked once, the files of one call at the
// same time: what stands in PATH may be a script that takes long to find the real program.
func (c *Catalog) programs(ctx context.Context, family, name string) []program {
	c.mu.Lock()
	defer c.mu.Unlock()
	files := c.candidates(family)
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
		wg.Go(func() { answers[i].program, answers[i].err = inspect(ctx, family, file) })
	}
	wg.Wait()
	var list []program
	seen := map[string]bool{}
	for i, a := range answers {
		if a.err == nil {
			c.asked[files[i]] = a
		}
		if a.err == nil && !seen[a.program.path] {
			seen[a.program.path] = true
			list = append(list, a.program)
		}
	}
	return list
}

func (c *Catalog) candidates(family string) []string {
	pattern := "node"
	if family == FamilyPython {
		pattern = "python3*"
	}
	var out []string
	for i, dir := range c.o.Path {
		if !filepath.IsAbs(dir) || slices.Contains(c.o.Path[:i], dir) {
			continue
		}
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			continue
		}
		for _, f := range files {
			if version := strings.TrimPrefix(filepath.Base(f), "python3"); family != FamilyPython || version == "" || version[0] == '.' && strings.Trim(version[1:], "0123456789") == "" {
				out = append(out, f)
			}
		}
	}
	return out
}

// inspectTimeout bounds the start of a program that is asked for its version.
const inspectTimeout = 10 * time.Second

// inspect asks a program what it is. What is found under its name may be a script that starts the real one.
func inspect(ctx context.Context, family, file string) (program, error) {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	args := []string{"-I", "-c", "import sys; print(sys.executable); print(sys.base_prefix); print('%d.%d.%d' % sys.version_info[:3])"}
	if family == FamilyNode {
		args = []string{"-p", "process.execPath + '\\n' + require('path').dirname(require('path').dirname(process.execPath)) + '\\n' + process.versions.node"}
	}
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Dir = "/"
	out, err := cmd.Output()
	if err != nil {
		return program{}, fmt.Errorf("ask %s for its version: %w", file, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 {
		return program{}, fmt.Errorf("ask %s for its version: unexpected answer", file)
	}
	var p program
	if p.path, err = filepath.EvalSymlinks(lines[0]); err != nil {
		return p, fmt.Errorf("find %s: %w", lines[0], err)
	}
	if prefix := lines[1]; prefix != "/usr" && prefix != "/" {
		p.prefix = prefix
	}
	parts := strings.SplitN(lines[2], ".", 3)
	for i := range min(len(parts), 3) {
		if p.version[i], err = strconv.Atoi(parts[i]); err != nil {
			return p, fmt.Errorf("version %q of %s: %w", lines[2], file, err)
		}
	}
	return p, readable(p)
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
