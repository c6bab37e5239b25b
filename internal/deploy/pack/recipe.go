package pack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// buildKind says how the sources of a function become its zip.
type buildKind string

const (
	buildPlain  buildKind = "plain" // the folder as it is
	buildGo     buildKind = "go"
	buildPip    buildKind = "pip"     // the folder, with the packages of requirements.txt
	buildNPM    buildKind = "npm"     // the folder, with the packages of package.json
	buildBundle buildKind = "esbuild" // one file for each entry point
)

// recipe is all that decides what is made of a folder, beside what lies in it.
type recipe struct {
	kind buildKind
	// dir is the folder, or a zip file.
	dir string
	// arch is the instruction set in Go's name, runtime the Lambda runtime.
	arch, runtime string
	bundle        bundle
}

// key names the recipe: equal recipes make equal artifacts of equal sources.
func (r *recipe) key() string { return fmt.Sprintf("%#v", *r) }

// recipeOf decides how a function's folder is built, from its BuildMethod, its runtime and what lies in the folder.
func (p *packer) recipeOf(dir string, resource, properties *yaml.Node) (recipe, error) {
	r := recipe{kind: buildPlain, dir: dir, arch: p.architecture(properties), runtime: p.property(properties, "Runtime")}
	meta := child(resource, "Metadata")
	method := scalar(child(meta, "BuildMethod"))
	var err error
	switch {
	case method == "go1.x":
		r.kind = buildGo
	case method == "esbuild":
		r.kind = buildBundle
		r.bundle, err = bundleOf(child(meta, "BuildProperties"))
	case method != "" && !strings.HasPrefix(method, "python") && !strings.HasPrefix(method, "nodejs"):
		err = fmt.Errorf("BuildMethod %s is not supported; build the function yourself, leave BuildMethod out and let CodeUri name the result", method)
	case strings.HasPrefix(r.runtime, "provided"):
		if isGo(dir) {
			r.kind = buildGo
		}
	case strings.HasPrefix(r.runtime, "python"):
		r.kind, err = pythonKind(dir)
	case strings.HasPrefix(r.runtime, "nodejs"):
		if entry := typescriptEntry(dir, p.property(properties, "Handler")); entry != "" {
			r.kind, r.bundle = buildBundle, typescriptBundle(entry)
			break
		}
		r.kind, err = nodeKind(dir)
	}
	return r, err
}

// isGo tells whether a folder holds the sources of a custom runtime in Go, and not the runtime itself.
func isGo(dir string) bool {
	sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
	return err == nil && len(sources) > 0 && !exists(filepath.Join(dir, "bootstrap"))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// property returns a plain property of a function, or that of all functions.
func (p *packer) property(properties *yaml.Node, name string) string {
	if v := scalar(child(properties, name)); v != "" {
		return v
	}
	return scalar(child(p.global(), name))
}

// architecture returns the function's instruction set in Go's name.
func (p *packer) architecture(properties *yaml.Node) string {
	for _, n := range []*yaml.Node{child(properties, "Architectures"), child(p.global(), "Architectures")} {
		if n != nil && len(n.Content) == 1 {
			if n.Content[0].Value == "arm64" {
				return "arm64"
			}
			return "amd64"
		}
	}
	return "amd64"
}
