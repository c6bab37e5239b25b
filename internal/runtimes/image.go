package runtimes

import (
	"path"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/image"
)

// usualPath is where programs of an image are looked for that does not say where, as container engines do it.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// hold keeps the image that the runtime is in, if it is in one, until the function that it returns is called.
func (r *Runtime) hold() (release func()) {
	if r.image == nil {
		return func() {}
	}
	return r.image.Hold()
}

// FromImage is what a container image brings in the place of a runtime. What is not empty is used in the place of what the image says. A program that is not in the
// image is found missing when it is started.
func FromImage(i *image.Image, entrypoint, command []string, dir string) *Runtime {
	if len(entrypoint) == 0 {
		entrypoint = i.Config.Entrypoint
	}
	if len(command) == 0 {
		command = i.Config.Command
	}
	if dir == "" {
		dir = i.Config.WorkingDir
	}
	r := &Runtime{Family: FamilyImage, root: i.Root, image: i, dir: path.Join("/", dir), env: i.Config.Env, extensions: i.Folder("/opt/" + extensionFolder)}
	searched := usualPath
	for _, v := range r.env {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			searched = value
		}
	}
	if searched == usualPath {
		r.env = merge([]string{"PATH=" + usualPath}, r.env)
	}
	r.argv = slices.Concat(entrypoint, command)
	if len(r.argv) == 0 {
		r.argv = []string{"/"} // which cannot be run: neither the image nor the function names a program
	}
	if found, err := i.LookPath(r.argv[0], r.dir, searched); err == nil {
		r.argv[0] = found
	} else {
		r.argv[0] = path.Join("/", r.argv[0])
	}
	return r
}
