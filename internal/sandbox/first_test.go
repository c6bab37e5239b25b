package sandbox

import (
	"bytes"
	"testing"
)

func TestFirst(t *testing.T) {
	h, err := Open(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	t.Log(h.Report())
	var out bytes.Buffer
	c, err := h.Start(t.Context(), Spec{Name: "x", Argv: []string{"/bin/sh", "-c", "id; ls -la / /dev /etc; ps aux; cat /proc/self/status | grep -i -E 'cap|seccomp|nonew'; cat /proc/self/mountinfo; exit 3"}, Env: []string{"PATH=/usr/bin"}, Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	t.Log(out.String())
	t.Log(c.Exit())
}
