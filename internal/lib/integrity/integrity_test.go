package integrity_test

import (
	"encoding/hex"
	"testing"

	"lambent.dev/lambent/internal/lib/integrity"
)

// TestSumsOfKnownText compares with values of md5sum, sha1sum and others, xxhsum, and the check values of CRCs for the nine digits.
func TestSumsOfKnownText(t *testing.T) {
	want := map[string]string{
		integrity.CRC32: "cbf43926", integrity.CRC32C: "e3069283", integrity.CRC64NVME: "ae8b14860a799888",
		integrity.MD5: "25f9e794323b453885f5181f1b624d0b", integrity.SHA1: "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
		integrity.SHA256: "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
	}
	for _, name := range integrity.All() {
		h := integrity.New(name)
		h.Write([]byte("123456789"))
		sum := hex.EncodeToString(h.Sum(nil))
		if len(sum) != 2*h.Size() {
			t.Errorf("%s: a sum of %d bytes and a size of %d", name, len(sum)/2, h.Size())
		}
		if want[name] != "" && sum != want[name] {
			t.Errorf("%s = %s, want %s", name, sum, want[name])
		}
	}
	if integrity.New("ROT13") != nil {
		t.Error("an unknown name has a hash")
	}
}
