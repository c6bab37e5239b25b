package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// about is the document image.json.
type about struct {
	Config
	// Layers are the diff ids.
	Layers []string
}

// layersIn lists the layers that a document image.json has.
func layersIn(file string) ([]string, error) {
	b, err := os.ReadFile(file)
	var a about
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	return a.Layers, err
}

// assemble lays the layers of an image over each other.
func (s *Store) assemble(ctx context.Context, d *description) error {
	return s.fill(s.imageDir(d.digest), func(temp string) error {
		dir := filepath.Join(temp, rootName)
		if err := os.Mkdir(dir, folderMode); err != nil {
			return fmt.Errorf("unpack image: %w", err)
		}
		t, err := openTree(dir)
		if err != nil {
			return err
		}
		defer t.close()
		a := about{Config: d.config}
		for _, l := range d.layers {
			if err := t.lay(ctx, s.layerDir(l.diffID)); err != nil {
				return err
			}
			a.Layers = append(a.Layers, l.diffID)
		}
		if err := t.prepare(); err != nil {
			return err
		}
		b, err := json.Marshal(a)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(temp, aboutName), b, 0o644); err != nil {
			return fmt.Errorf("unpack image: %w", err)
		}
		return nil
	})
}

// lay puts a layer over what is there.
func (t *tree) lay(ctx context.Context, layer string) error {
	x, err := readIndex(layer)
	if err != nil {
		return err
	}
	for _, name := range x.Opaque {
		if err := t.empty(name); err != nil {
			return err
		}
	}
	for _, name := range x.Removed {
		if err := t.remove(name); err != nil {
			return err
		}
	}
	o := &overlaying{tree: t, from: filepath.Join(layer, treeName), implied: map[string]bool{}}
	for _, name := range x.Implied {
		o.implied[name] = true
	}
	if err := o.folder(ctx, ".", "."); err != nil {
		return err
	}
	for _, l := range x.Links {
		if err := t.link(l); err != nil {
			return err
		}
	}
	return nil
}

// remove takes away what a path names, not what a link at its end leads to.
func (t *tree) remove(name string) error {
	parent, err := t.find(path.Dir(name))
	if errors.Is(err, errNotThere) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := t.root.RemoveAll(path.Join(parent, path.Base(name))); err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	return nil
}

// empty takes away everything in a folder.
func (t *tree) empty(name string) error {
	at, err := t.find(name)
	if errors.Is(err, errNotThere) {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := fs.ReadDir(t.root.FS(), at)
	if err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	for _, e := range entries {
		if err := t.root.RemoveAll(path.Join(at, e.Name())); err != nil {
			return fmt.Errorf("unpack image: %w", err)
		}
	}
	return nil
}

// link makes a hard link to a file of another layer.
func (t *tree) link(l hardLink) error {
	target, err := t.find(path.Dir(l.Target))
	if err == nil {
		target = path.Join(target, path.Base(l.Target))
		_, err = t.root.Lstat(target)
	}
	if err != nil {
		return refuse("%.200q is a hard link to %.200q, which is not in the image", l.Name, l.Target)
	}
	parent, err := t.makeFolders(path.Dir(l.Name), nil)
	if err != nil {
		return err
	}
	at := path.Join(parent, path.Base(l.Name))
	if err := errors.Join(t.root.RemoveAll(at), t.root.Link(target, at)); err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	return nil
}

// overlaying is one layer on its way over the others.
type overlaying struct {
	*tree
	from    string
	implied map[string]bool
}

// folder links everything in a folder of the layer into a folder of the tree; both paths are without links.
func (o *overlaying) folder(ctx context.Context, name, to string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	entries, err := os.ReadDir(filepath.Join(o.from, name))
	if err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	for _, e := range entries {
		if err := o.entry(ctx, e, path.Join(name, e.Name()), path.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (o *overlaying) entry(ctx context.Context, e fs.DirEntry, name, to string) error {
	if e.IsDir() {
		return o.subfolder(ctx, e, name, to)
	}
	if err := o.root.RemoveAll(to); err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	from := filepath.Join(o.from, name)
	if e.Type()&fs.ModeSymlink == 0 {
		if err := os.Link(from, filepath.Join(o.dir, to)); err != nil {
			return fmt.Errorf("unpack image: %w", err)
		}
		return nil
	}
	target, err := os.Readlink(from)
	if err == nil {
		err = o.root.Symlink(target, to)
	}
	if err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	return nil
}

func (o *overlaying) subfolder(ctx context.Context, e fs.DirEntry, name, to string) error {
	have, err := o.root.Lstat(to)
	switch {
	case err == nil && have.IsDir():
	case err == nil && have.Mode()&fs.ModeSymlink != 0 && o.implied[name]:
		// The layer has files behind a link of a layer below, and says nothing of the link itself.
		if to, err = o.makeFolders(to, nil); err != nil {
			return err
		}
	case err == nil:
		if err := o.root.Remove(to); err != nil {
			return fmt.Errorf("unpack image: %w", err)
		}
		fallthrough
	default:
		if err := o.root.Mkdir(to, folderMode); err != nil {
			return fmt.Errorf("unpack image: %w", err)
		}
	}
	if err := o.folder(ctx, name, to); err != nil || o.implied[name] {
		return err
	}
	info, err := e.Info()
	if err == nil {
		err = errors.Join(o.root.Chmod(to, info.Mode().Perm()), o.root.Chtimes(to, info.ModTime(), info.ModTime()))
	}
	if err != nil {
		return fmt.Errorf("unpack image: %w", err)
	}
	return nil
}

// prepare makes what a sandbox mounts something on. The folders "lib" are looked for by the loader of every program, which remembers those that it did not find:
// they must be there before code is mounted.
func (t *tree) prepare() error {
	for _, name := range []string{"proc", "dev", "tmp", "mnt", "etc", "opt", "var/task", "var/runtime"} {
		if _, err := t.makeFolders(name, nil); err != nil {
			return err
		}
	}
	for _, name := range []string{"opt", "var/task", "var/runtime"} {
		at, err := t.find(name)
		if err != nil {
			return err
		}
		if entries, err := fs.ReadDir(t.root.FS(), at); err != nil || len(entries) > 0 {
			if err != nil {
				return fmt.Errorf("unpack image: %w", err)
			}
			continue
		}
		if err := t.root.Mkdir(path.Join(at, "lib"), folderMode); err != nil {
			return fmt.Errorf("unpack image: %w", err)
		}
	}
	for _, name := range []string{"resolv.conf", "hosts"} {
		at, err := t.find("etc")
		if err != nil {
			return err
		}
		at = path.Join(at, name)
		if info, err := t.root.Lstat(at); err == nil && info.Mode().IsRegular() {
			continue
		}
		if err := errors.Join(t.root.RemoveAll(at), t.root.WriteFile(at, nil, 0o644)); err != nil {
			return fmt.Errorf("unpack image: %w", err)
		}
	}
	return nil
}
