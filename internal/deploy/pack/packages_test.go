package pack

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// offline keeps the tools from asking a registry: what the tests install lies in their folders.
func offline(t *testing.T, files string) Options {
	t.Helper()
	return Options{Dir: extract(t, files), Bucket: "b", CacheDir: t.TempDir(), Environ: append(os.Environ(), "PIP_NO_INDEX=1", "npm_config_offline=true")}
}

// contents reads the zip of an application's only artifact.
func contents(t *testing.T, app *Application) map[string]string {
	t.Helper()
	r, err := zip.OpenReader(app.Artifacts[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := map[string]string{}
	for _, f := range r.File {
		body, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name] = string(raw)
	}
	return all
}

// wheel returns a Python package of one module.
func wheel(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range txtar.Parse([]byte(`
-- dep/__init__.py --
word = "dep"
-- dep-1.0.dist-info/METADATA --
Metadata-Version: 2.1
Name: dep
Version: 1.0
-- dep-1.0.dist-info/WHEEL --
Wheel-Version: 1.0
Root-Is-Purelib: true
Tag: py3-none-any
-- dep-1.0.dist-info/RECORD --
`)).Files {
		to, err := w.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(f.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPythonPackagesAreInstalledOnce(t *testing.T) {
	o := offline(t, `
-- template.yaml --
Resources: {F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.11, Handler: app.handler, CodeUri: f}}}
-- f/app.py --
import dep
-- f/requirements.txt --
dep
`)
	links := t.TempDir()
	if err := os.WriteFile(filepath.Join(links, "dep-1.0-py3-none-any.whl"), wheel(t), 0o600); err != nil {
		t.Fatal(err)
	}
	installed := 0
	o.Environ = append(o.Environ, "PIP_FIND_LINKS="+links)
	o.Progress = func(string, string, bool) { installed++ }
	app, err := Pack(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	files := contents(t, app)
	if files["app.py"] != "import dep\n" || files["dep/__init__.py"] != "word = \"dep\"\n" {
		t.Errorf("the zip holds %v", files)
	}
	write(t, filepath.Join(o.Dir, "f", "app.py"), "import dep, os\n")
	if app, err = Pack(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if installed != 2 {
		t.Errorf("%d steps of installing, want one installation", installed)
	}
	if files := contents(t, app); files["app.py"] != "import dep, os\n" || files["dep/__init__.py"] == "" {
		t.Errorf("the second zip holds %v", files)
	}
}

const nodeFiles = `
-- f/dep/package.json --
{"name": "dep", "version": "1.0.0", "main": "index.js"}
-- f/dep/index.js --
exports.word = 'dep'
-- f/package.json --
{"name": "f", "version": "1.0.0", "dependencies": {"dep": "file:dep"}}
`

func TestNodePackagesAreInstalled(t *testing.T) {
	app, err := Pack(t.Context(), offline(t, `
-- template.yaml --
Resources: {F: {Type: AWS::Serverless::Function, Properties: {Runtime: nodejs20.x, Handler: index.handler, CodeUri: f}}}
-- f/index.js --
require('dep')
`+nodeFiles))
	if err != nil {
		t.Fatal(err)
	}
	files := contents(t, app)
	if strings.TrimSpace(files["index.js"]) != "require('dep')" || files["node_modules/.package-lock.json"] != "" || files["node_modules/dep/index.js"] != "exports.word = 'dep'\n" {
		t.Errorf("the zip holds %v", files)
	}
}

func TestTypeScriptIsBundledWithItsPackages(t *testing.T) {
	for name, tc := range map[string]struct {
		resource string
		want     []string
	}{
		"by the handler": {"Properties: {Runtime: nodejs20.x, Handler: src/app.handler, CodeUri: f}", []string{"src/app.js"}},
		"by metadata": {
			"Metadata: {BuildMethod: esbuild, BuildProperties: {EntryPoints: [src/app.ts], Format: esm, Sourcemap: true, OutExtension: [.js=.mjs], Target: node20}}, " +
				"Properties: {Runtime: nodejs20.x, Handler: app.handler, CodeUri: f}",
			[]string{"app.mjs", "app.mjs.map"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			app, err := Pack(t.Context(), offline(t, "-- template.yaml --\nResources: {F: {Type: AWS::Serverless::Function, "+tc.resource+"}}\n"+
				"-- f/src/app.ts --\nimport { word } from 'dep'\nexport const handler = async (): Promise<string> => word\n"+nodeFiles))
			if err != nil {
				t.Fatal(err)
			}
			files := contents(t, app)
			var names []string
			for name := range files {
				names = append(names, name)
			}
			if diff := cmp.Diff(map[string]bool{}, missing(names, tc.want)); diff != "" || len(names) != len(tc.want) {
				t.Errorf("the zip holds %v, want %v", names, tc.want)
			}
			if code := files[tc.want[0]]; !strings.Contains(code, `"dep"`) || strings.Contains(code, "Promise<string>") {
				t.Errorf("the bundle is\n%s", code)
			}
		})
	}
}

func missing(have, want []string) map[string]bool {
	gone := map[string]bool{}
	for _, name := range want {
		gone[name] = true
	}
	for _, name := range have {
		delete(gone, name)
	}
	return gone
}
