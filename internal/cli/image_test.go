package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/image/imagetest"
)

// TestImageInTheFolderOfAnApplicationIsDeployed has a container image beside a template, as `podman push app oci:image` writes it.
func TestImageInTheFolderOfAnApplicationIsDeployed(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "template.yaml"), `
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello: {Type: AWS::Serverless::Function, Properties: {FunctionName: hello, PackageType: Image, ImageUri: ./image, MemorySize: 256, ImageConfig: {Command: [ignored]}}}
`)
	program := filepath.Join(dir, "program")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = "../runtimes/testdata/lambdago"
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	image := imagetest.Image{Compress: true, Entrypoint: []string{"/app/main"}, Layers: [][]byte{imagetest.Layer(t, imagetest.Entry{Name: "app/main", File: program})}}
	digest := image.Layout(t, filepath.Join(dir, "image"))
	t.Chdir(t.TempDir())
	up(t, ".")
	if code, _, talk := run(t, os.Environ(), "deploy", dir); code != 0 {
		t.Fatalf("deploy = %d\n%s", code, talk)
	}
	if code, out, talk := run(t, nil, "invoke", "hello", "-d", `{"name":"ann"}`); code != 0 || !strings.Contains(out, `"hello":"ann"`) {
		if _, _, doctor := run(t, nil, "doctor"); strings.Contains(doctor, "plain processes") {
			t.Skip("container images need namespaces")
		}
		t.Fatalf("invoke = %d %s\n%s", code, out, talk)
	}
	if entries, err := os.ReadDir(filepath.Join(".lambent", "images", "images")); err != nil || len(entries) != 1 || "sha256:"+entries[0].Name() != digest {
		t.Errorf("images %v, %v, want %s", entries, err, digest)
	}
}

func TestRuntimeIsAddedListedAndRemoved(t *testing.T) {
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "system.tar")
	image := imagetest.Image{Layers: [][]byte{imagetest.Layer(t, imagetest.Entry{Name: "etc/os-release", Content: "x"})}}
	if err := os.WriteFile(file, image.Saved(t), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"add", "provided.al2023", "tar:" + file}, 0, "functions of provided.al2023 run in tar:" + file},
		{[]string{"list"}, 0, "provided.al2023: tar:" + file + ", sha256:"},
		{[]string{"add", "cobol", file}, ExitUsage, `"cobol" is not a runtime of Lambda`},
		{[]string{"add", "ruby3.3", file}, ExitFailed, "the image has no program ruby"},
		{[]string{"add", "ruby3.3", filepath.Dir(file)}, ExitFailed, "this is not an image"},
		{[]string{"remove", "provided.al2023"}, 0, "provided.al2023 is no longer run from an image"},
		{[]string{"remove", "provided.al2023"}, ExitFailed, "was not added from an image"},
	} {
		code, out, talk := run(t, os.Environ(), append(append([]string{"runtime"}, tc.args...), "--data-dir", data)...)
		if strings.Contains(talk, "without namespaces") {
			t.Skip(talk)
		}
		if code != tc.code || !strings.Contains(out+talk, tc.want) {
			t.Errorf("%v = %d\n%s%s", tc.args, code, out, talk)
		}
	}
}
