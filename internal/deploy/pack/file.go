package pack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The forms in which a property names an object in S3.
const (
	asURL    = iota // s3://bucket/key
	asS3Pair        // {S3Bucket, S3Key}
	asPair          // {Bucket, Key}
)

// file is a property that holds the path of a file to upload.
type file struct {
	resourceType, property string
	form                   int
	// nested tells that the file is a template, which is packed in its turn; archive that the file or folder is uploaded as a zip file.
	nested, archive bool
}

// files are the properties that the AWS CLI's `cloudformation package` uploads, beside those of [locationOf], see
// https://docs.aws.amazon.com/cli/latest/reference/cloudformation/package.html.
var files = []file{
	{"AWS::Serverless::Api", "DefinitionUri", asURL, false, false},
	{"AWS::Serverless::HttpApi", "DefinitionUri", asURL, false, false},
	{"AWS::Serverless::StateMachine", "DefinitionUri", asURL, false, false},
	{"AWS::Serverless::Application", "Location", asURL, true, false},
	{"AWS::CloudFormation::Stack", "TemplateURL", asURL, true, false},
	{"AWS::ApiGateway::RestApi", "BodyS3Location", asPair, false, false},
	{"AWS::ApiGatewayV2::Api", "BodyS3Location", asPair, false, false},
	{"AWS::StepFunctions::StateMachine", "DefinitionS3Location", asPair, false, false},
	{"AWS::Lambda::Function", "Code", asS3Pair, false, true},
	{"AWS::Lambda::LayerVersion", "Content", asS3Pair, false, true},
}

// files uploads what the properties of a resource name that are paths of files.
func (p *packer) files(ctx context.Context, resource *yaml.Node) error {
	kind, properties := scalar(child(resource, "Type")), child(resource, "Properties")
	for _, f := range files {
		value := child(properties, f.property)
		if f.resourceType != kind || !local(value) {
			continue
		}
		a, err := p.file(ctx, f, value.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", f.property, err)
		}
		p.place(value, f.form, a)
	}
	return nil
}

// local tells whether a value is a path: a text that is neither a URL nor made by a function.
func local(n *yaml.Node) bool {
	return n != nil && n.Kind == yaml.ScalarNode && n.Tag == "!!str" && n.Value != "" && !remote(n.Value)
}

func (p *packer) file(ctx context.Context, f file, path string) (Artifact, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.app.Dir, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return Artifact{}, err
	}
	var content []byte
	extension := strings.ToLower(filepath.Ext(path))
	switch {
	case f.nested:
		inner := p.Options
		inner.Dir = path
		app, err := pack(ctx, inner, nil)
		if err != nil {
			return Artifact{}, err
		}
		for _, a := range app.Artifacts {
			p.add(a)
		}
		content, extension = app.Template, ".template"
	case f.archive && info.IsDir():
		content, err = zipFolder(path)
		extension = ".zip"
	default:
		content, err = os.ReadFile(path)
	}
	if err != nil {
		return Artifact{}, err
	}
	a, err := p.keep(content, extension)
	if err == nil {
		p.add(a)
	}
	return a, err
}

// add notes an artifact, once.
func (p *packer) add(a Artifact) {
	if !slices.Contains(p.app.Artifacts, a) {
		p.app.Artifacts = append(p.app.Artifacts, a)
	}
}

// place replaces a path by the object that the file becomes.
func (p *packer) place(value *yaml.Node, form int, a Artifact) {
	p.changed = true
	bucket, key := "S3Bucket", "S3Key"
	switch form {
	case asURL:
		*value = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "s3://" + p.Bucket + "/" + a.Key}
		return
	case asPair:
		bucket, key = "Bucket", "Key"
	}
	*value = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	setChild(value, bucket, p.Bucket)
	setChild(value, key, a.Key)
}

// includes uploads the files that uses of the transform AWS::Include name, wherever they stand.
func (p *packer) includes(ctx context.Context, n *yaml.Node) error {
	if n == nil {
		return nil
	}
	use := child(n, "Fn::Transform")
	if n.Tag == "!Transform" {
		use = n
	}
	if location := child(child(use, "Parameters"), "Location"); scalar(child(use, "Name")) == "AWS::Include" && local(location) {
		a, err := p.file(ctx, file{}, location.Value)
		if err != nil {
			return fmt.Errorf("%s:%d: AWS::Include: %w", p.template, location.Line, err)
		}
		p.place(location, asURL, a)
	}
	for _, c := range n.Content {
		if err := p.includes(ctx, c); err != nil {
			return err
		}
	}
	return nil
}
