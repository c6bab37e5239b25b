package pack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
	// Syncs are the folders to copy into buckets after the deploy.
	Syncs []Sync
}

// Artifact is a zip file to put into the bucket.
type Artifact struct {
	// Key is the object key: the hex SHA-256 of the content, and ".zip".
	Key string
	// Path is the file.
	Path string
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
func Pack(ctx context.Context, o Options) (*Application, error) {
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
	p := &packer{Options: o, app: app, root: doc.Content[0], file: file, done: map[string]string{}}
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
	app     *Application
	root    *yaml.Node
	file    string
	changed bool
	done    map[string]string // folder and kind of build → object key
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
		return fmt.Errorf("%s: the template has no Resources", p.file)
	}
	var errs []error
	for i := 0; i+1 < len(all.Content); i += 2 {
		id, resource := all.Content[i].Value, all.Content[i+1]
		if err := p.resource(ctx, id, resource); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %s: %w", p.file, all.Content[i].Line, id, err))
		}
	}
	return errors.Join(errs...)
}

func (p *packer) resource(ctx context.Context, id string, resource *yaml.Node) error {
	kind := scalar(child(resource, "Type"))
	if kind == "AWS::S3::Bucket" {
		return p.sync(id, child(child(resource, "Metadata"), "Lambent"))
	}
	loc, ok := locationOf(kind)
	if !ok {
		return nil
	}
	properties := child(resource, "Properties")
	if child(properties, "InlineCode") != nil {
		return nil
	}
	path := child(properties, loc.property)
	if path == nil && loc.function {
		path = child(p.global(), loc.property)
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
	key, err := p.artifact(ctx, id, resource, properties, path.Value, loc)
	if err != nil {
		return err
	}
	setChild(properties, loc.property, "s3://"+p.Bucket+"/"+key)
	p.changed = true
	return nil
}

// artifact builds and zips one folder, once for all the resources that use it in the same way.
func (p *packer) artifact(ctx context.Context, id string, resource, properties *yaml.Node, path string, loc location) (string, error) {
	dir := path
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(p.app.Dir, path)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", fmt.Errorf("%s: %w", loc.property, err)
	}
	build := buildPlain
	if loc.function {
		if build, err = p.buildOf(dir, resource, properties); err != nil {
			return "", err
		}
	}
	arch := p.architecture(properties)
	memo := string(build) + "\x00" + arch + "\x00" + dir
	if key, ok := p.done[memo]; ok {
		return key, nil
	}
	var zip []byte
	switch {
	case build == buildGo:
		zip, err = p.goFunction(ctx, id, dir, arch)
	case info.IsDir():
		zip, err = zipFolder(dir)
	default:
		zip, err = os.ReadFile(dir) // a zip file, as it is
	}
	if err != nil {
		return "", err
	}
	a, err := p.store(zip)
	if err != nil {
		return "", err
	}
	p.done[memo] = a.Key
	p.app.Artifacts = append(p.app.Artifacts, a)
	return a.Key, nil
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
