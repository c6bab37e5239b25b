package imagetest

import (
	"testing"

	"github.com/fsnotify/fsnotify"
)

// Wait returns when ok does, which is asked again whenever a folder has changed.
func Wait(t testing.TB, dir string, ok func() bool) {
	t.Helper()
	w, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	if err := w.Add(dir); err != nil {
		t.Fatal(err)
	}
	for !ok() {
		select {
		case <-w.Events:
		case <-t.Context().Done():
			t.Fatalf("what is waited for in %s never came", dir)
		}
	}
}
