package s3

import (
	"testing"

	api "lambent.dev/lambent/internal/awsapi/s3"
)

func TestRenameMovesAnObjectWithoutItsBody(t *testing.T) {
	f := newFixture(t)
	f.put("a b", pattern(100_000))
	f.put("c", []byte("old"))
	rename := func(in *api.RenameObjectInput) error {
		in.Bucket = "pictures"
		_, err := f.renameObject(f.ctx(), in)
		return err
	}
	code(t, rename(&api.RenameObjectInput{Key: "c", RenameSource: "a%20b", DestinationIfNoneMatch: ptr("*")}), "PreconditionFailed")
	code(t, rename(&api.RenameObjectInput{Key: "c", RenameSource: "missing"}), "NoSuchKey")
	before, err := f.current("a b")
	code(t, err, "")
	code(t, rename(&api.RenameObjectInput{Key: "c", RenameSource: "/pictures/a%20b"}), "")
	f.wantBody("c", pattern(100_000))
	after, err := f.current("c")
	if err != nil || after.Blob != before.Blob {
		t.Errorf("the body moved from %s to %s, %v", before.Blob, after.Blob, err)
	}
	_, _, err = f.get(&api.GetObjectInput{Key: "a b"})
	code(t, err, "NoSuchKey")
	f.versioning(versioningEnabled)
	code(t, rename(&api.RenameObjectInput{Key: "d", RenameSource: "c"}), "InvalidRequest")
}

func TestRenameThatIsRepeatedWithItsTokenDoesNothing(t *testing.T) {
	f := newFixture(t)
	f.put("from", []byte("first"))
	rename := func(token string) error {
		_, err := f.renameObject(f.ctx(), &api.RenameObjectInput{Bucket: "pictures", Key: "to", RenameSource: "from", ClientToken: &token})
		return err
	}
	code(t, rename("t-1"), "")
	code(t, rename("t-1"), "")
	code(t, rename("t-2"), "NoSuchKey")
	f.put("from", []byte("second"))
	code(t, rename("t-1"), "")
	f.wantBody("to", []byte("first"))
	code(t, rename("t-2"), "")
	f.wantBody("to", []byte("second"))
}
