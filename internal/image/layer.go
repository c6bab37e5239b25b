package image

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// budget is what is left of an image's limits.
type budget struct {
	bytes int64
	files int
}

// layerIndex is what the tree of a layer cannot say.
type layerIndex struct {
	// Removed are the paths that the layer takes away from those below it; Opaque the folders of which it takes away everything.
	Removed, Opaque []string `json:",omitempty"`
	// Implied are folders that the layer does not mention but has files in: in a layer below they may be links.
	Implied []string `json:",omitempty"`
	// Links are hard links to files of layers below.
	Links []hardLink `json:",omitempty"`
	// Bytes and Files are what the layer takes of an image's limits.
	Bytes int64
	Files int
}

type hardLink struct{ Name, Target string }

// The parts of a layer's folder.
const (
	treeName  = "tree"
	layerName = "layer.json"
)

// takeLayer unpacks a layer unless it is there, and takes what it needs from the budget.
func (s *Store) takeLayer(ctx context.Context, src source, l layer, left *budget) error {
	dir := s.layerDir(l.diffID)
	x, err := readIndex(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = s.fill(dir, func(temp string) error { return unpack(ctx, src, l, temp, *left) })
		if err == nil {
			x, err = readIndex(dir)
		}
	}
	if err != nil {
		return err
	}
	left.bytes, left.files = left.bytes-x.Bytes, left.files-x.Files
	return left.check()
}

func (b *budget) check() error {
	if b.bytes < 0 {
		return refuse("the image is larger than it may be when it is unpacked")
	}
	if b.files < 0 {
		return refuse("the image has more files than it may have")
	}
	return nil
}

func readIndex(dir string) (x layerIndex, err error) {
	b, err := os.ReadFile(filepath.Join(dir, layerName))
	if err == nil {
		err = json.Unmarshal(b, &x)
	}
	if err != nil {
		return x, fmt.Errorf("read layer: %w", err)
	}
	return x, nil
}

// unpack writes a layer to a new folder, and verifies its digests: of the tar file, and of that in its compressed form where it is known.
func unpack(ctx context.Context, src source, l layer, dir string, left budget) error {
	blob, err := src.blob(ctx, l.descriptor)
	if err != nil {
		return err
	}
	defer func() { _ = blob.Close() }()
	outer := &verified{r: &cancelled{ctx, blob}, sum: sha256.New(), want: l.descriptor.Digest}
	plain, release, err := decompress(outer)
	if err != nil {
		return err
	}
	defer release()
	inner := &verified{r: plain, sum: sha256.New(), want: v1.Hash{Algorithm: "sha256", Hex: l.diffID}}
	tree := filepath.Join(dir, treeName)
	if err := os.Mkdir(tree, folderMode); err != nil {
		return fmt.Errorf("unpack layer: %w", err)
	}
	x, err := untar(ctx, inner, tree, left)
	if err != nil {
		return fmt.Errorf("layer %s: %w", l.descriptor.Digest, err)
	}
	// What follows the tar file's end is padding, which the digests cover.
	digests := []*verified{inner, outer}
	if l.descriptor.Digest.Hex == l.diffID {
		// The layer is not compressed, or it comes from an archive in the format of docker save, which does not state the digest of what it has compressed.
		digests = digests[:1]
	}
	for _, v := range digests {
		if err := v.finish(left.bytes); err != nil {
			return err
		}
	}
	b, err := json.Marshal(x)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, layerName), b, 0o644); err != nil {
		return fmt.Errorf("unpack layer: %w", err)
	}
	return nil
}

// verified is a stream whose digest is known.
type verified struct {
	r   io.Reader
	sum interface {
		io.Writer
		Sum(b []byte) []byte
	}
	want v1.Hash
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	_, _ = v.sum.Write(p[:n])
	return n, err
}

// finish reads the rest, at most so many bytes, and compares the digest.
func (v *verified) finish(most int64) error {
	if _, err := io.CopyN(io.Discard, v, most+1); !errors.Is(err, io.EOF) {
		if err == nil {
			err = refuse("the layer %s goes on behind its end", v.want)
		}
		return err
	}
	if got := hex.EncodeToString(v.sum.Sum(nil)); v.want.Algorithm != "sha256" || got != v.want.Hex {
		return refuse("the layer %s is damaged: it has the digest sha256:%s", v.want, got)
	}
	return nil
}

// The first bytes of compressed files.
const (
	gzipMagic = "\x1f\x8b"
	zstdMagic = "\x28\xb5\x2f\xfd"
)

// zstdWindow bounds the memory that a layer can make the decoder take, in bytes: what the strongest setting of the usual tool needs.
const zstdWindow = 128 << 20

// decompress finds out by its first bytes how a layer is compressed: media types are not always right about that.
func decompress(r io.Reader) (io.Reader, func(), error) {
	b := bufio.NewReaderSize(r, 1<<16)
	magic, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	switch {
	case strings.HasPrefix(string(magic), gzipMagic):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, nil, refuse("a layer is damaged: %v", err)
		}
		return z, func() { _ = z.Close() }, nil
	case string(magic) == zstdMagic:
		z, err := zstd.NewReader(b, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, refuse("a layer is damaged: %v", err)
		}
		return z, z.Close, nil
	}
	return b, func() {}, nil
}
