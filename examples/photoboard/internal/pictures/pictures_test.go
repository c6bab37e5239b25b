package pictures

import "testing"

func TestUploadKeyIsReadAsItWasMade(t *testing.T) {
	id := NewID()
	board, picture, err := ParseUploadKey(UploadKey("holidays", id))
	if err != nil || board != "holidays" || picture != id {
		t.Fatalf("got %q, %q, %v; want holidays, %q", board, picture, err, id)
	}
	for _, key := range []string{"", "holidays", "holidays/", "/" + id} {
		if board, picture, err := ParseUploadKey(key); err == nil {
			t.Errorf("%q was read as board %q, picture %q", key, board, picture)
		}
	}
}
