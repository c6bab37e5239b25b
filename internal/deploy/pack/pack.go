package pack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// templateNames are the files that are taken for an application's template, in this order.
var templateNames = [...]string{"template.yaml", "template.yml", "template.json"}

// Options say what to pack.
type Options struct {
	// Dir is the application's folder, or its template file.
	Dir string
	// Bucket is the name of the bucket that the artifacts will be put in.
	Bucket string
	// CacheDir keeps built functions between runs.
	CacheDir string
	// Debug builds programs for a debugger: with what it needs to know, and without optimisations.
	Debug bool
	// Environ is the environment of compilers.
	Environ []string
	// Progress, when set, is told what is being built, in a few words, and again with done when it is.
	Progress func(logicalID, what string, done bool)
}

// Application is a packed application.
type Application struct {
	// Dir is the folder of the template.
	Dir string
	// Template is the template with the local folders replaced by s3:// locations.
	Template []byte
	// Parameters are the names of the template's parameters.
	Parameters []string
	// Artifacts are the objects that the template refers to.
	Artifacts []Artifact
	// Code says which resource has which artifact.
	Code []Code
	// Syncs are the folders to copy into buckets after the deploy.
	Syncs []Sync
	// built is what was made, by folder and kind of build.
	built map[string]built
}

// built is an artifact, and the folder that it was made of.
type built struct {
	sources  string
	artifact Artifact
}

// Artifact is a zip file, or the tar file of a container image, to put into the bucket.
type Artifact struct {
	// Key is the object key: the hex SHA-256 of the content, and ".zip", ".tar" or what the file's name ends with.
	Key string
	// Path is the file.
	Path string
}

// Code is the code of one function or layer.
type Code struct {
	// LogicalID is the resource, Function whether it is a function's zip file, and neither a layer nor an image.
	LogicalID string
	Function  bool
	// Sources is the folder (or the zip file) that the artifact is made of.
	Sources  string
	Artifact Artifact
}

// Sync is a folder that belongs into a bucket.
type Sync struct {
	// LogicalID is the bucket's resource.
	LogicalID string
	// Dir is the folder.
	Dir string
	// Config names a file in Dir in which ${Output} is replaced by that stack output; empty means none.
	Config string
}

// FindTemplate returns the template file of path, which is the file itself or a folder.
func FindTemplate(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("find the application: %w", err)
	}
	if !info.IsDir() {
		return path, nil
	}
	for _, name := range templateNames {
		file := filepath.Join(path, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("there is no template.yaml in %s; name the folder of a SAM or CloudFormation application", path)
}

// Pack builds and packs the application.
func Pack(ctx context.Context, o Options) (*Application, error) { return pack(ctx, o, nil) }

// Repack packs the application again after the files named by changed have. What was made of other folders is taken over as it is.
func (a *Application) Repack(ctx context.Context, o Options, changed []string) (*Application, error) {
	kept := map[string]built{}
	for memo, b := range a.built {
		if !slices.ContainsFunc(changed, func(path string) bool { return Touches(path, b.sources) }) {
			kept[memo] = b
		}
	}
	return pack(ctx, o, kept)
}

// Touches tells whether a change of path may change what is made of root: one is the other, or lies below it.
func Touches(path, root string) bool {
	const below = string(filepath.Separator)
	return path == root || strings.HasPrefix(path, root+below) || strings.HasPrefix(root, path+below)
}

func pack(ctx context.Context, o Options, kept map[string]built) (*Application, error) {
	file, err := FindTemplate(o.Dir)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("read template %s: %w", file, err)
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("read template %s: it is not a mapping", file)
	}
	app := &Application{Dir: filepath.Dir(file)}
	p := &packer{Options: o, app: app, root: doc.Content[0], template: file, kept: kept}
	app.built = map[string]built{}
	if p.Progress == nil {
		p.Progress = func(string, string, bool) {}
	}
	if declared := child(p.root, "Parameters"); declared != nil && declared.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(declared.Content); i += 2 {
			app.Parameters = append(app.Parameters, declared.Content[i].Value)
		}
	}
	if err := p.resources(ctx); err != nil {
		return nil, err
	}
	if !p.changed {
		app.Template = raw
		return app, nil
	}
	app.Template, err = yaml.Marshal(&doc)
	if err != nil {
		return nil, fmt.Errorf("write template: %w", err)
	}
	return app, nil
}

type packer struct {
	Options
	app      *Application
	root     *yaml.Node
	template string
	changed  bool
	kept     map[string]built // what need not be made again
}

// location says where a resource type keeps the path of its code.
type location struct {
	property string
	function bool // it has a runtime, so that its sources may need a build
}

func locationOf(resourceType string) (location, bool) {
	switch resourceType {
	case "AWS::Serverless::Function":
		return location{property: "CodeUri", function: true}, true
	case "AWS::Serverless::LayerVersion":
		return location{property: "ContentUri"}, true
	}
	return location{}, false
}

func (p *packer) resources(ctx context.Context) error {
	all := child(p.root, "Resources")
	if all == nil || all.Kind != yaml.MappingNode {
		return fmt.Errorf("%s: the template has no Resources", p.template)
	}
	var errs []error
	for i := 0; i+1 < len(all.Content); i += 2 {
		id, resource := all.Content[i].Value, all.Content[i+1]
		err := p.resource(ctx, id, resource)
		if err == nil {
			err = p.files(ctx, resource)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %s: %w", p.template, all.Content[i].Line, id, err))
		}
	}
	return errors.Join(append(errs, p.includes(ctx, p.root))...)
}

func (p *packer) resource(ctx context.Context, id string, resource *yaml.Node) error {
	kind := scalar(child(resource, "Type"))
	if kind == "AWS::S3::Bucket" {
		return p.sync(id, child(child(resource, "Metadata"), "Lambent"))
	}
	properties := child(resource, "Properties")
	if done, err := p.image(id, kind, properties); done || err != nil {
		return err
	}
	loc, ok := locationOf(kind)
	if !ok {
		return nil
	}
	if child(properties, "InlineCode") != nil {
		return nil
	}
	path := child(properties, loc.property)
	if path == nil && loc.function {
		path = child(p.global(), loc.property)
	}
	if path == nil && loc.function && child(properties, "ImageUri") == nil {
		path = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "."} // as SAM takes it
	}
	if path == nil || path.Kind != yaml.ScalarNode || path.Tag != "!!str" || remote(path.Value) {
		return nil // an object in S3, or something that the deploy will judge
	}
	if properties == nil {
		properties = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		resource.Content = append(resource.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "Properties"}, properties)
	}
	if properties.Kind != yaml.MappingNode {
		return nil // the deploy says what is wrong with it
	}
	b, err := p.artifact(ctx, id, resource, properties, path.Value, loc)
	if err != nil {
		return err
	}
	p.app.Code = append(p.app.Code, Code{LogicalID: id, Function: loc.function, Sources: b.sources, Artifact: b.artifact})
	setChild(properties, loc.property, "s3://"+p.Bucket+"/"+b.artifact.Key)
	p.changed = true
	return nil
}

// artifact builds and zips one folder, once for all the resources that use it in the same way.
func (p *packer) artifact(ctx context.Context, id string, resource, properties *yaml.Node, path string, loc location) (b built, err error) {
	dir := path
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(p.app.Dir, path)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return b, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return b, fmt.Errorf("%s: %w", loc.property, err)
	}
	r := recipe{kind: buildPlain, dir: dir}
	if loc.function && info.IsDir() {
		if r, err = p.recipeOf(dir, resource, properties); err != nil {
			return b, err
		}
	}
	memo := r.key()
	if b, ok := p.app.built[memo]; ok {
		return b, nil
	}
	b, ok := p.kept[memo]
	if !ok {
		if b, err = p.make(ctx, id, &r, info.IsDir()); err != nil {
			return b, err
		}
	}
	p.app.built[memo] = b
	p.app.Artifacts = append(p.app.Artifacts, b.artifact)
	return b, nil
}

// make makes the artifact of a folder, or takes a zip file as it is.
func (p *packer) make(ctx context.Context, id string, r *recipe, folder bool) (built, error) {
	b := built{sources: r.dir}
	var zip []byte
	var err error
	switch {
	case r.kind == buildGo:
		if root := moduleRoot(r.dir); root != "" {
			b.sources = root
		}
		zip, err = p.goFunction(ctx, id, r.dir, r.arch)
	case r.kind == buildPip:
		zip, err = p.pythonFunction(ctx, id, r)
	case r.kind == buildNPM:
		zip, err = p.nodeFunction(ctx, id, r)
	case r.kind == buildBundle:
		zip, err = p.bundledFunction(ctx, id, r)
	case folder:
		zip, err = zipFolder(r.dir)
	default:
		zip, err = os.ReadFile(r.dir)
	}
	if err != nil {
		return b, err
	}
	b.artifact, err = p.store(zip)
	return b, err
}

func (p *packer) sync(id string, meta *yaml.Node) error {
	if meta == nil {
		return nil
	}
	s := Sync{LogicalID: id}
	for i := 0; i+1 < len(meta.Content); i += 2 {
		key, value := meta.Content[i].Value, meta.Content[i+1].Value
		switch key {
		case "Sync":
			s.Dir = filepath.Join(p.app.Dir, value)
		case "Config":
			s.Config = value
		default:
			return fmt.Errorf("Metadata.Lambent has no key %s; it knows Sync and Config", key)
		}
	}
	if info, err := os.Stat(s.Dir); err != nil || !info.IsDir() {
		return fmt.Errorf("Metadata.Lambent.Sync: %s is not a folder", s.Dir)
	}
	p.app.Syncs = append(p.app.Syncs, s)
	return nil
}

func (p *packer) global() *yaml.Node { return child(child(p.root, "Globals"), "Function") }
