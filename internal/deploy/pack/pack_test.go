package pack

import (
	"archive/zip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

const goApp = `
-- template.yaml --
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: provided.al2023, Handler: bootstrap}}
Resources:
  A:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: a # the function
      Environment: {Variables: {T: !Ref Table, D: 2012-10-17}}
  B: {Type: AWS::Serverless::Function, Properties: {CodeUri: ./a}}
  Page: {Type: AWS::S3::Bucket, Metadata: {Lambent: {Sync: web, Config: config.js}}}
-- go.mod --
module app

go 1.26
-- a/main.go --
package main

func main() {}
-- web/config.js --
api = "${ApiURL}"
-- web/css/x.css --
a{}
`

func TestGoFunctionIsBuiltOnceAndNamedByContent(t *testing.T) {
	dir, cache := extract(t, goApp), t.TempDir()
	builds := 0
	o := Options{Dir: dir, Bucket: "code", CacheDir: cache, Environ: os.Environ(), Progress: func(string, string, bool) { builds++ }}
	first, err := Pack(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if builds != 2 || len(first.Artifacts) != 1 {
		t.Fatalf("%d progress calls and %d artifacts, want one build of one folder", builds, len(first.Artifacts))
	}
	text := string(first.Template)
	if n := strings.Count(text, "s3://code/"+first.Artifacts[0].Key); n != 2 {
		t.Errorf("%d references to the artifact in:\n%s", n, text)
	}
	for _, want := range []string{"!Ref Table", "2012-10-17", "Transform: AWS::Serverless-2016-10-31"} {
		if !strings.Contains(text, want) {
			t.Errorf("the template lost %q:\n%s", want, text)
		}
	}
	r, err := zip.OpenReader(first.Artifacts[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if len(r.File) != 1 || r.File[0].Name != "bootstrap" || r.File[0].Mode()&0o111 == 0 {
		t.Errorf("zip holds %v", r.File)
	}

	second, err := Pack(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if builds != 2 {
		t.Error("an unchanged function was built again")
	}
	if diff := cmp.Diff(first, second, cmp.AllowUnexported(Application{}, built{})); diff != "" {
		t.Error(diff)
	}
	write(t, filepath.Join(dir, "a", "main.go"), "package main\n\nfunc main() { println(1) }\n")
	third, err := Pack(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if builds != 4 || third.Artifacts[0].Key == first.Artifacts[0].Key {
		t.Error("a changed function was not built again")
	}
}

func TestRepackTakesOverWhatDidNotChange(t *testing.T) {
	const template = `
-- template.yaml --
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.11, Handler: app.handler}}
Resources:
  A: {Type: AWS::Serverless::Function, Properties: {CodeUri: a}}
  B: {Type: AWS::Serverless::Function, Properties: {CodeUri: b}}
-- a/app.py --
one
-- b/app.py --
one
`
	dir := extract(t, template)
	o := Options{Dir: dir, Bucket: "code", CacheDir: t.TempDir(), Environ: os.Environ()}
	first, err := Pack(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if first.Code[0].LogicalID != "A" || !first.Code[0].Function || first.Code[0].Artifact != first.Code[1].Artifact {
		t.Fatalf("code %+v, want A and B with equal artifacts", first.Code)
	}
	write(t, filepath.Join(dir, "a", "app.py"), "two")
	write(t, filepath.Join(dir, "b", "app.py"), "two")
	second, err := first.Repack(t.Context(), o, []string{filepath.Join(dir, "a", "app.py")})
	if err != nil {
		t.Fatal(err)
	}
	if second.Code[0].Artifact == first.Code[0].Artifact {
		t.Error("what was named as changed was not packed again")
	}
	if second.Code[1].Artifact != first.Code[1].Artifact {
		t.Error("what was not named as changed was packed again")
	}
	third, err := second.Repack(t.Context(), o, []string{dir})
	if err != nil {
		t.Fatal(err)
	}
	if third.Code[1].Artifact != second.Code[0].Artifact {
		t.Error("a change of the folder around a function did not pack it again")
	}
}

func TestSyncFillsInOutputs(t *testing.T) {
	app, err := Pack(t.Context(), Options{Dir: extract(t, goApp), Bucket: "code", CacheDir: t.TempDir(), Environ: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	files, err := app.Syncs[0].Files(map[string]string{"ApiURL": "http://x"})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, f := range files {
		keys = append(keys, f.Key)
	}
	if diff := cmp.Diff([]string{"config.js", "css/x.css"}, keys); diff != "" {
		t.Error(diff)
	}
	if got := string(files[0].Content); got != "api = \"http://x\"\n" {
		t.Errorf("config is %q", got)
	}
	if _, err := app.Syncs[0].Files(nil); err == nil || !strings.Contains(err.Error(), "no output for ${ApiURL}") {
		t.Errorf("a missing output gives %v", err)
	}
}

func TestScriptFolderIsZippedAsItIs(t *testing.T) {
	dir := extract(t, `
-- template.yml --
Resources:
  F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.11, CodeUri: f}}
-- f/app.py --
x = 1
-- f/.env --
-- f/__pycache__/x.pyc --
`)
	app, err := Pack(t.Context(), Options{Dir: dir, Bucket: "b", CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.OpenReader(app.Artifacts[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var names []string
	for _, f := range r.File {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{".env", "app.py"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestTemplateWithoutLocalCodeStaysAsItIs(t *testing.T) {
	text := "Resources: {F: {Type: AWS::Serverless::Function, Properties: {CodeUri: s3://b/k}}, T: {Type: X}}\n"
	app, err := Pack(t.Context(), Options{Dir: extract(t, "-- template.yaml --\n"+text)})
	if err != nil {
		t.Fatal(err)
	}
	if string(app.Template) != text {
		t.Errorf("template became %q", app.Template)
	}
}

func TestBadApplicationsAreRefusedByName(t *testing.T) {
	one := func(properties, files string) string {
		return "-- template.yaml --\nResources: {F: {Type: AWS::Serverless::Function, " + properties + "}}\n" + files
	}
	for name, tc := range map[string]struct{ app, want string }{
		"no template":         {"-- x --\n", "there is no template.yaml in"},
		"no resources":        {"-- template.yaml --\na: 1\n", "no Resources"},
		"no folder":           {one("Properties: {CodeUri: gone}", ""), ":1: F: CodeUri: stat"},
		"makefile":            {one("Metadata: {BuildMethod: makefile}, Properties: {CodeUri: f}", "-- f/x --\n"), "BuildMethod makefile is not supported"},
		"python requirements": {one("Properties: {Runtime: python3.11, CodeUri: f}", "-- f/requirements.txt --\n# c\n./gone.whl\n"), "gone.whl"},
		"node dependencies":   {one("Properties: {Runtime: nodejs20.x, CodeUri: f}", "-- f/package.json --\n{\"dependencies\":{\"x\":\"file:gone\"}}\n"), "npm install"},
		"no entry points":     {one("Metadata: {BuildMethod: esbuild}, Properties: {Runtime: nodejs20.x, CodeUri: f}", "-- f/a.ts --\n"), "EntryPoints must name"},
		"unknown build":       {one("Metadata: {BuildMethod: esbuild, BuildProperties: {Splitting: true}}, Properties: {Runtime: nodejs20.x, CodeUri: f}", "-- f/a.ts --\n"), "no Splitting"},
		"not TypeScript":      {one("Properties: {Runtime: nodejs20.x, Handler: a.handler, CodeUri: f}", "-- f/a.ts --\nconst = 1\n"), "a.ts:1:6"},
		"go does not compile": {one("Properties: {Runtime: provided.al2023, CodeUri: f}", "-- go.mod --\nmodule x\n-- f/main.go --\npackage main\n"), "go build in"},
		"no go.mod":           {one("Properties: {Runtime: provided.al2023, CodeUri: f}", "-- f/main.go --\npackage main\n"), "no go.mod"},
		"empty folder":        {one("Properties: {Runtime: python3.11, CodeUri: f}", "-- f/.git/x --\n"), "folder is empty"},
		"unknown sync key":    {"-- template.yaml --\nResources: {B: {Type: AWS::S3::Bucket, Metadata: {Lambent: {Copy: x}}}}\n", "has no key Copy"},
		"no sync folder":      {"-- template.yaml --\nResources: {B: {Type: AWS::S3::Bucket, Metadata: {Lambent: {Sync: x}}}}\n", "is not a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Pack(t.Context(), Options{Dir: extract(t, tc.app), CacheDir: t.TempDir(), Environ: os.Environ()})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Pack() = %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func TestLinkOutOfTheFolderIsRefused(t *testing.T) {
	dir := extract(t, "-- f/a.py --\n")
	secret := filepath.Join(t.TempDir(), "secret")
	write(t, secret, "x")
	if err := os.Symlink(secret, filepath.Join(dir, "f", "b.py")); err != nil {
		t.Fatal(err)
	}
	if _, err := zipFolder(filepath.Join(dir, "f")); err == nil || !strings.Contains(err.Error(), "link out of its folder") {
		t.Errorf("zipFolder() = %v", err)
	}
}

func TestExamplesArePacked(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the examples")
	}
	app, err := Pack(t.Context(), Options{
		Dir: filepath.Join("..", "..", "..", "examples", "photoboard"), Bucket: "code", CacheDir: t.TempDir(), Environ: os.Environ(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(app.Artifacts) != 4 || len(app.Syncs) != 1 {
		t.Errorf("%d artifacts and %d folders, want 4 and 1", len(app.Artifacts), len(app.Syncs))
	}
	if left := regexp.MustCompile(`CodeUri: functions`).FindString(string(app.Template)); left != "" {
		t.Errorf("the template still says %s", left)
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("Resources: {F: {Type: AWS::Serverless::Function, Properties: {CodeUri: .}}}")
	f.Add("Resources: &r {a: *r}")
	f.Add("Globals: {Function: {CodeUri: .}}\nResources: {F: {Type: AWS::Serverless::Function}}")
	f.Add("Globals: []\nResources: {F: {Type: AWS::Serverless::Function, Metadata: 3}}")
	f.Fuzz(func(t *testing.T, text string) {
		dir := extract(t, "-- template.yaml --\n")
		write(t, filepath.Join(dir, "template.yaml"), text)
		_, _ = Pack(t.Context(), Options{Dir: dir, CacheDir: t.TempDir()})
	})
}

func extract(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		write(t, filepath.Join(dir, f.Name), string(f.Data))
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
