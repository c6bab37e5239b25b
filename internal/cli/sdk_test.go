package cli

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/runtimes"
)

// wheel writes a Python package of a module that is a folder, and one that is a file.
func wheel(t *testing.T, dir, name, version string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, name+"-"+version+"-py3-none-any.whl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := zip.NewWriter(f)
	info := name + "-" + version + ".dist-info/"
	for path, text := range map[string]string{
		name + "/__init__.py": "version = '" + version + "'\n",
		"one_file.py":         "version = '" + version + "'\n",
		info + "METADATA":     "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n",
		info + "WHEEL":        "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		info + "RECORD":       "",
	} {
		to, err := w.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSDKIsInstalledBesideTheRuntimeClient(t *testing.T) {
	dir, links := t.TempDir(), t.TempDir()
	client := filepath.Join(dir, "runtimes", "clients", "python", "bootstrap.py")
	write(t, client, "the client")
	environ := append(os.Environ(), "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+links)
	sdk := runtimes.SDKs()[1]
	if code, _, talk := run(t, environ, "runtime", "sdk", "python", "--data-dir", dir); code != ExitFailed || !strings.Contains(talk, "install boto3 with python3 -m") {
		t.Errorf("without a package, sdk = %d %s", code, talk)
	}
	if sdk.Installed(filepath.Join(dir, "runtimes")) {
		t.Error("half an SDK is there")
	}
	for _, version := range []string{"1.0", "2.0"} {
		wheel(t, links, "boto3", version)
		if code, _, talk := run(t, environ, "runtime", "sdk", "python", "--data-dir", dir); code != 0 || !strings.Contains(talk, "python functions now have boto3") {
			t.Fatalf("sdk = %d %s", code, talk)
		}
		for _, file := range []string{"boto3/__init__.py", "one_file.py"} {
			module := filepath.Join(dir, "runtimes", "clients", "python", filepath.FromSlash(file))
			raw, err := os.ReadFile(module)
			if err != nil || string(raw) != "version = '"+version+"'\n" {
				t.Errorf("%s is %q, %v", file, raw, err)
				continue
			}
			if info, err := os.Stat(module); err != nil || info.Mode().Perm()&0o444 != 0o444 {
				t.Errorf("functions cannot read %s: %v, %v", file, info, err)
			}
		}
	}
	if !sdk.Installed(filepath.Join(dir, "runtimes")) {
		t.Error("the SDK is not found")
	}
	if raw, err := os.ReadFile(client); err != nil || string(raw) != "the client" {
		t.Errorf("the client is %q, %v", raw, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "runtimes", "sdk-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if code, _, talk := run(t, environ, "runtime", "sdk", "cobol", "--data-dir", dir); code != ExitUsage || !strings.Contains(talk, "cobol") {
		t.Errorf("sdk cobol = %d %s", code, talk)
	}
}
