//go:build linux

package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// imageRoot is the folder of an image with nothing in it but the payload, and what a cell mounts something on.
func imageRoot(t *testing.T) string {
	t.Helper()
	root := helper(t).Source
	for _, dir := range []string{"proc", "dev", "tmp", "etc", "var/task", "usr/lib", "usr/lib64"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"etc/resolv.conf", "etc/hosts"} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"lib", "lib64"} { // the test binary may need the loader of the machine
		if err := os.Symlink("usr/"+name, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func rootSpec(root, act string, env ...string) Spec {
	s := payloadSpec(Mount{Source: root, Target: "/var/task"}, act, nil, env...)
	s.Root, s.Argv, s.Dir = root, []string{"/payload"}, "/"
	s.Mounts = []Mount{{Source: "/usr/lib", Target: "/usr/lib"}, {Source: "/usr/lib64", Target: "/usr/lib64", Optional: true}}
	return s
}

func TestImageIsTheWholeRoot(t *testing.T) {
	h := isolatedHost(t)
	root := imageRoot(t)
	out, exit := runAct(t, h, rootSpec(root, "files", "SECRET="+hostSecret(t)))
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if !strings.Contains(line, "refused") && line != "write /tmp done" && line != "processes 2" {
			t.Error(line)
		}
	}
	if !strings.Contains(out, "write /tmp done") || exit.Code != 0 {
		t.Errorf("%+v\n%s", exit, out)
	}
	spec := rootSpec(root, "roots")
	spec.Mounts = append(spec.Mounts, Mount{Source: filepath.Join(root, "etc"), Target: "/var/task"})
	out, _ = runAct(t, h, spec)
	want := "/ dev etc lib lib64 payload proc tmp usr var\n/dev fd full null random stderr stdin stdout urandom zero\n/var/task hosts resolv.conf\n/etc/hosts 127.0.0.1 localhost lambent sandbox sandbox.localdomain\n"
	if !strings.HasPrefix(out, want) {
		t.Errorf("seen from inside:\n%s\nwant\n%s", out, want)
	}
	out, _ = runAct(t, h, rootSpec(root, "calls"))
	for line := range strings.Lines(out) {
		if strings.HasSuffix(line, " done\n") && line != "kill init done\n" {
			t.Error(line)
		}
	}
}

// TestLinksOfAnImageStayInIt gives a cell an image whose links point at files of the host, where the sandbox mounts and writes.
func TestLinksOfAnImageStayInIt(t *testing.T) {
	h := isolatedHost(t)
	secret := hostSecret(t)
	if err := os.WriteFile(secret, []byte("untouched"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"etc/resolv.conf", "etc/hosts", "tmp", "proc", "dev"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			root := imageRoot(t)
			at := filepath.Join(root, name)
			target := secret
			if err := os.Remove(at); err != nil {
				t.Fatal(err)
			}
			if filepath.Dir(name) == "." {
				target = filepath.Dir(secret)
			}
			if err := os.Symlink(target, at); err != nil {
				t.Fatal(err)
			}
			var out syncBuffer
			spec := rootSpec(root, "files", "SECRET="+secret)
			spec.Stdout, spec.Stderr = &out, &out
			c, err := h.Start(t.Context(), spec)
			if err == nil {
				<-c.Done()
			}
			if b, err := os.ReadFile(secret); err != nil || string(b) != "untouched" {
				t.Errorf("the host's file has %q, %v", b, err)
			}
			if strings.Contains(out.String(), "read "+filepath.Base(secret)+" done") {
				t.Errorf("the host's file can be read:\n%s", &out)
			}
		})
	}
}

func TestImagesNeedNamespaces(t *testing.T) {
	h := openHost(t, Options{Plain: true})
	if _, err := h.Start(t.Context(), rootSpec(imageRoot(t), "files")); !errors.Is(err, ErrNoRoot) {
		t.Errorf("error %v", err)
	}
}
