package pack

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const imageApp = `
-- template.yaml --
Transform: AWS::Serverless-2016-10-31
Resources:
  Folder: {Type: AWS::Serverless::Function, Properties: {PackageType: Image, ImageUri: 'oci:layout'}}
  Same: {Type: AWS::Serverless::Function, Properties: {PackageType: Image, ImageUri: ./layout}}
  File: {Type: AWS::Lambda::Function, Properties: {PackageType: Image, Role: r, Code: {ImageUri: image.tar}}}
  Registry: {Type: AWS::Serverless::Function, Properties: {PackageType: Image, ImageUri: 'public.ecr.aws/team/app:1'}}
  Name: {Type: AWS::Serverless::Function, Properties: {PackageType: Image, ImageUri: other.tar}}
  Bucket: {Type: AWS::Lambda::Function, Properties: {PackageType: Image, Role: r, Code: {ImageUri: 's3://b/k'}}}
-- layout/index.json --
{}
-- layout/blobs/sha256/x --
blob
-- image.tar --
tar
`

func TestImagesOfFilesAreBroughtAlong(t *testing.T) {
	dir := extract(t, imageApp)
	o := Options{Dir: dir, Bucket: "code", CacheDir: t.TempDir(), Environ: os.Environ()}
	app, err := Pack(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	template := string(app.Template)
	for _, want := range []string{"ImageUri: 'public.ecr.aws/team/app:1'", "ImageUri: other.tar", "ImageUri: 's3://b/k'"} {
		if !strings.Contains(template, want) {
			t.Errorf("the template lacks %s:\n%s", want, template)
		}
	}
	keys := map[string]string{}
	for _, c := range app.Code {
		keys[c.LogicalID] = c.Artifact.Key
		if c.Function || !strings.Contains(template, "ImageUri: 's3://code/"+c.Artifact.Key+"'") {
			t.Errorf("code %+v in\n%s", c, template)
		}
	}
	if len(keys) != 3 || keys["Folder"] != keys["Same"] || keys["Folder"] == keys["File"] || !strings.HasSuffix(keys["File"], ".tar") {
		t.Errorf("artifacts %v", keys)
	}
	for _, c := range app.Code {
		if c.LogicalID == "File" {
			if c.Artifact.Path != filepath.Join(dir, "image.tar") {
				t.Errorf("the file is taken from %s", c.Artifact.Path)
			}
			continue
		}
		if got := names(t, c.Artifact.Path); !slices.Equal(got, []string{"blobs/sha256/x", "index.json"}) {
			t.Errorf("%s has %v", c.LogicalID, got)
		}
	}
	again, err := Pack(t.Context(), o)
	if err != nil || string(again.Template) != template {
		t.Errorf("packed again: %v\n%s", err, again.Template)
	}
}

func names(t *testing.T, file string) (out []string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, h.Name)
	}
}

func TestMissingImageIsNamed(t *testing.T) {
	dir := extract(t, "-- template.yaml --\nResources:\n  F: {Type: AWS::Serverless::Function, Properties: {PackageType: Image, ImageUri: ./missing.tar}}\n")
	_, err := Pack(t.Context(), Options{Dir: dir, Bucket: "code", CacheDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "F: ImageUri") || !strings.Contains(err.Error(), "missing.tar") {
		t.Errorf("error %v", err)
	}
}
