package uuid

import (
	"bytes"
	"regexp"
	"testing"
)

func TestUUIDsHaveTheirVersion(t *testing.T) {
	id, err := New(bytes.NewReader(bytes.Repeat([]byte{0xff}, 16)))
	if err != nil || id != "ffffffff-ffff-4fff-bfff-ffffffffffff" {
		t.Errorf("New() = %q, %v", id, err)
	}
	if id := Of("a", "b"); !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("Of() = %q", id)
	}
}

func TestUUIDOfPartsIsTheirs(t *testing.T) {
	if again := Of("a", "b"); Of("a", "b") != again || Of("a", "b") == Of("ab") || Of("a", "b") == Of("b", "a") {
		t.Error("the id does not stand for its parts")
	}
}

func TestNewFailsWithItsSource(t *testing.T) {
	if _, err := New(bytes.NewReader(nil)); err == nil {
		t.Error("an id was made without randomness")
	}
}
