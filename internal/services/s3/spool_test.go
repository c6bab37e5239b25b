package s3

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"lambent.dev/lambent/internal/service"
)

// TestSpoolCopiesAndGivesItsBuffersBack copies bodies of many sizes, in pieces of one byte too, and cut ones.
func TestSpoolCopiesAndGivesItsBuffersBack(t *testing.T) {
	b := newBuffers()
	errCut := io.ErrUnexpectedEOF
	for _, size := range []int{0, 1, smallPiece, quickBytes - 1, quickBytes, quickBytes + copyBuffer, quickBytes + 3*copyBuffer + 7} {
		head, rest := pattern(100), pattern(size)
		want := append(bytes.Clone(head), rest...)
		for name, r := range map[string]io.Reader{
			"whole": bytes.NewReader(rest), "slow": iotest.OneByteReader(bytes.NewReader(rest)), "cut": io.MultiReader(bytes.NewReader(rest), iotest.ErrReader(errCut)),
		} {
			var to bytes.Buffer
			d := newDigest()
			n, err := b.spool(&to, bytes.Clone(head), r, d)
			if name == "cut" {
				if service.Code(err) != "IncompleteBody" {
					t.Errorf("%d bytes and a cut: %v, want IncompleteBody", size, err)
				}
				continue
			}
			if err != nil || n != int64(len(want)) || !bytes.Equal(to.Bytes(), want) {
				t.Errorf("%s body of %d bytes: %d bytes copied, which are those sent: %v; %v", name, len(want), n, bytes.Equal(to.Bytes(), want), err)
			}
			if got := d.etag(); got != sumOf(want) {
				t.Errorf("%s body of %d bytes: its sum is %s", name, len(want), got)
			}
		}
	}
	if _, err := b.spool(failing{}, pattern(100), bytes.NewReader(pattern(quickBytes)), newDigest()); err == nil {
		t.Error("a body that cannot be written is taken")
	}
	if len(b.copying) != 0 {
		t.Errorf("%d uploads still copy in large pieces", len(b.copying))
	}
}

// TestManyUploadsCopyInSmallPieces lets more uploads stand still than may have large pieces.
func TestManyUploadsCopyInSmallPieces(t *testing.T) {
	b := newBuffers()
	const uploads = maxCopying + 20
	ends := make([]*io.PipeWriter, uploads)
	done := make(chan error, uploads)
	for i := range ends {
		r, w := io.Pipe()
		ends[i] = w
		go func() {
			_, err := b.spool(io.Discard, pattern(100), r, newDigest())
			done <- err
		}()
		if _, err := w.Write(pattern(2 * quickBytes)); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.copying) != maxCopying {
		t.Errorf("%d uploads copy in large pieces, want %d", len(b.copying), maxCopying)
	}
	for i, w := range ends {
		_ = w.CloseWithError([]error{nil, io.ErrUnexpectedEOF}[i%2])
	}
	for range uploads {
		<-done
	}
	if len(b.copying) != 0 {
		t.Errorf("%d uploads still copy in large pieces", len(b.copying))
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("it cannot be written") }
