package clients

import (
	"archive/zip"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the SDKs' executions do to durable/histories.txt")

// TestPublicSDKsRunDurableExecutions runs the workflows of durable/workflows.* inside of functions, on AWS's own SDKs for durable functions. What must come
// out is in durable/histories.txt.
func TestPublicSDKsRunDurableExecutions(t *testing.T) {
	s := start(t)
	out, err := python(t, filepath.Join("durable", "run.py"), map[string]any{
		"endpoint": s.URL(),
		"functions": map[string]any{
			"plain":      map[string]any{"runtime": "nodejs20.x", "handler": "index.handler", "file": zipText(t, "index.js", "exports.handler = async (event) => event;")},
			"python":     map[string]any{"runtime": "python3.11", "handler": "workflows.handler", "file": pythonFunction(t), "durable": true},
			"javascript": map[string]any{"runtime": "nodejs20.x", "handler": "index.handler", "file": javascriptFunction(t), "durable": true},
		},
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if *update {
		if err := os.WriteFile(filepath.Join("durable", "histories.txt"), []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(filepath.Join("durable", "histories.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(out, "\n")); d != "" {
		t.Errorf("executions (-want +got):\n%s", d)
	}
}

// zipText makes a zip file with one file.
func zipText(t *testing.T, name, content string) string {
	t.Helper()
	return zipFile(t, func(add func(name string, content []byte)) { add(name, []byte(content)) })
}

func zipFile(t *testing.T, fill func(add func(name string, content []byte))) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "function.zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(file)
	fill(func(name string, content []byte) {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	})
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

// pythonFunction packs the workflows with the SDK as pip installs it, without the models of other services.
func pythonFunction(t *testing.T) string {
	t.Helper()
	root := filepath.Join("..", "..", ".venv", "durable")
	return zipFile(t, func(add func(string, []byte)) {
		source, err := os.ReadFile(filepath.Join("durable", "workflows.py"))
		if err != nil {
			t.Fatal(err)
		}
		add("workflows.py", source)
		files := os.DirFS(root)
		err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if service, ok := strings.CutPrefix(path, "botocore/data/"); ok && d.IsDir() && !strings.HasPrefix(service, "lambda") {
				return fs.SkipDir
			}
			if d.IsDir() {
				return nil
			}
			content, err := fs.ReadFile(files, path)
			if err == nil {
				add(path, content)
			}
			return err
		})
		if err != nil {
			t.Fatalf("the SDK for Python is missing (%v); run: make clients", err)
		}
	})
}

// javascriptFunction bundles the workflows with the SDK as npm installs it.
func javascriptFunction(t *testing.T) string {
	t.Helper()
	js, err := filepath.Abs(filepath.Join("..", "js"))
	if err != nil {
		t.Fatal(err)
	}
	built := api.Build(api.BuildOptions{
		EntryPoints: []string{filepath.Join("durable", "workflows.mjs")}, Bundle: true, Platform: api.PlatformNode, Format: api.FormatCommonJS,
		NodePaths: []string{filepath.Join(js, "node_modules")}, LogLevel: api.LogLevelSilent,
	})
	if len(built.Errors) > 0 {
		t.Fatalf("bundle: %v", built.Errors[0].Text)
	}
	return zipText(t, "index.js", string(built.OutputFiles[0].Contents))
}
