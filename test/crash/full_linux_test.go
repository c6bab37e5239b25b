package crash

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// diskSize is the size of the small file system, in bytes.
const diskSize = 256 << 20

// roomLimit is how long the platform may take to notice that there is room again.
const roomLimit = 20 * time.Second

func TestFullDiskRefusesWritesAndLosesNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a small file system can only be mounted by root")
	}
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", diskSize)); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	p := newPlatform(t, dir)
	c := newClient(p.address)
	m := newModel()
	random := rand.New(rand.NewPCG(1, 1))
	if err := c.prepare(t); err != nil {
		t.Fatal(err)
	}
	m.fill(t, c, random, 20)

	filler := filepath.Join(dir, "filler")
	fillDisk(t, filler)
	refused := m.refusals(t, c, random)
	m.check(t, c)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	m.untilRoom(t, c, random)
	m.fill(t, c, random, 20)

	fillDisk(t, filler)
	refused += m.refusals(t, c, random)
	p.kill()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	p.start(t)
	m.check(t, c)
	m.fill(t, c, random, 20)
	m.check(t, c)
	t.Logf("%d writes acknowledged, %d refused", m.acknowledged.Load(), refused)
}

// prepare makes the table and the bucket, without a function.
func (c *client) prepare(t *testing.T) error {
	err := c.dynamodb(t.Context(), "CreateTable", map[string]any{
		"TableName": "items", "BillingMode": "PAY_PER_REQUEST",
		"AttributeDefinitions": []map[string]string{{"AttributeName": "id", "AttributeType": "S"}},
		"KeySchema":            []map[string]string{{"AttributeName": "id", "KeyType": "HASH"}},
	}, nil)
	if err != nil {
		return err
	}
	_, err = c.do(t.Context(), "s3", "PUT", "/"+bucket, nil, nil)
	return err
}

// fill makes writes of every kind, all of which must succeed.
func (m *model) fill(t *testing.T, c *client, random *rand.Rand, n int) {
	t.Helper()
	for i := range n {
		if err := m.step(t.Context(), c, fmt.Sprintf("f-%02d", i), random); err != nil {
			t.Fatalf("a write with room on the disk: %v", err)
		}
	}
}

// fillDisk writes a file until the file system takes no more.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for block := bytes.Repeat([]byte{1}, 1<<20); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// refusals writes on a full disk until nothing is taken any more: the first writes may still go into room that was kept
// for them. Each refusal must say whose fault it is.
func (m *model) refusals(t *testing.T, c *client, random *rand.Rand) int {
	t.Helper()
	deadline := time.Now().Add(roomLimit)
	n, inRow := 0, 0
	for i := 0; inRow < 40; i++ {
		err := m.step(t.Context(), c, fmt.Sprintf("f-%02d", i%keys), random)
		var r *refusal
		switch {
		case err == nil:
			inRow = 0
		case !errors.As(err, &r):
			t.Fatalf("a write on a full disk got no answer: %v", err)
		case r.status < 500 || !strings.Contains(r.body, "disk has no room"):
			t.Fatalf("a write on a full disk: %v; want a status of 500 or more and a word about the disk", r)
		default:
			n, inRow = n+1, inRow+1
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v after the disk was full, writes are still taken (%d were refused)", roomLimit, n)
		}
	}
	return n
}

// untilRoom writes until a write is taken again.
func (m *model) untilRoom(t *testing.T, c *client, random *rand.Rand) {
	t.Helper()
	deadline := time.Now().Add(roomLimit)
	for i := 0; ; i++ {
		err := m.step(t.Context(), c, fmt.Sprintf("f-%02d", i%keys), random)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v after room returned, a write is still refused: %v", roomLimit, err)
		}
		<-time.After(100 * time.Millisecond)
	}
}
