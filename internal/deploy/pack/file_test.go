package pack

import (
	"os"
	"strings"
	"testing"
)

const filesApp = `
-- template.yaml --
Transform: AWS::Serverless-2016-10-31
Resources:
  Api: {Type: AWS::Serverless::Api, Properties: {StageName: p, DefinitionUri: api.yaml}}
  Rest: {Type: AWS::ApiGateway::RestApi, Properties: {BodyS3Location: ./api.yaml}}
  Inner: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: inner/template.yaml}}
  F: {Type: AWS::Lambda::Function, Properties: {Code: src}}
  There: {Type: AWS::Lambda::Function, Properties: {Code: {S3Bucket: b, S3Key: k}}}
  Event:
    Type: AWS::Serverless::HttpApi
    Properties:
      DefinitionBody:
        Fn::Transform: {Name: AWS::Include, Parameters: {Location: api.yaml}}
-- api.yaml --
openapi: 3.0.1
-- src/a.py --
pass
-- inner/template.yaml --
Resources:
  Layer: {Type: AWS::Lambda::LayerVersion, Properties: {Content: layer}}
-- inner/layer/x --
x
`

func TestFilesThatATemplateNamesAreUploaded(t *testing.T) {
	app, err := Pack(t.Context(), Options{Dir: extract(t, filesApp), Bucket: "code", CacheDir: t.TempDir(), Environ: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	text := string(app.Template)
	endings := map[string]int{}
	for _, a := range app.Artifacts {
		_, ending, _ := strings.Cut(a.Key, ".")
		endings[ending]++
	}
	// The layer of the inner template and the function, the one definition, and the inner template.
	if endings["zip"] != 2 || endings["yaml"] != 1 || endings["template"] != 1 {
		t.Errorf("artifacts are %v", app.Artifacts)
	}
	for _, gone := range []string{"api.yaml}", "inner/template.yaml", "Code: src"} {
		if strings.Contains(text, gone) {
			t.Errorf("the template still has %s:\n%s", gone, text)
		}
	}
	if n := strings.Count(text, ".yaml"); n != 3 {
		t.Errorf("%d mentions of the definition, want 3:\n%s", n, text)
	}
}

func TestAFileThatIsNotThereIsNamedWithItsLine(t *testing.T) {
	dir := extract(t, "-- template.yaml --\nResources:\n  A: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: nowhere.yaml}}\n")
	_, err := Pack(t.Context(), Options{Dir: dir, Bucket: "code", CacheDir: t.TempDir(), Environ: os.Environ()})
	if err == nil || !strings.Contains(err.Error(), "template.yaml:2: A: TemplateURL: ") {
		t.Errorf("got %v", err)
	}
}
