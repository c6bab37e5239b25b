package pack

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxImage is the largest image that one upload can have, in bytes.
const maxImage = 5 << 30

// image packs the container image of a function, if its ImageUri names a file or folder of this machine, and tells whether it did.
func (p *packer) image(id, kind string, properties *yaml.Node) (bool, error) {
	holder := properties
	switch kind {
	case "AWS::Serverless::Function":
	case "AWS::Lambda::Function":
		holder = child(properties, "Code")
	default:
		return false, nil
	}
	at, ok := p.imagePath(scalar(child(holder, "ImageUri")))
	if !ok {
		return false, nil
	}
	p.Progress(id, "reading image", false)
	artifact, err := p.imageArtifact(at)
	if err != nil {
		return false, fmt.Errorf("ImageUri: %w", err)
	}
	p.Progress(id, "reading image", true)
	p.app.Artifacts = append(p.app.Artifacts, artifact)
	p.app.Code = append(p.app.Code, Code{LogicalID: id, Sources: at, Artifact: artifact})
	setChild(holder, "ImageUri", "s3://"+p.Bucket+"/"+artifact.Key)
	p.changed = true
	return true, nil
}

// imagePath is the file or folder that an ImageUri names; false when it is the address of an image in a registry.
func (p *packer) imagePath(uri string) (string, bool) {
	path, named := uri, false
	for _, prefix := range []string{"oci:", "tar:"} {
		if rest, ok := strings.CutPrefix(uri, prefix); ok {
			path, named = rest, true
		}
	}
	if path == "" || remote(path) {
		return "", false
	}
	named = named || filepath.IsAbs(path) || strings.HasPrefix(path, "./") || strings.HasPrefix(path, "../")
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.app.Dir, path)
	}
	if !named {
		if _, err := os.Stat(path); err != nil {
			return "", false
		}
	}
	abs, err := filepath.Abs(path)
	return abs, err == nil
}

// imageArtifact takes a tar file as it is, and makes one of a folder.
func (p *packer) imageArtifact(path string) (a Artifact, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return a, err
	}
	if !info.IsDir() {
		f, err := os.Open(path)
		if err != nil {
			return a, err
		}
		defer func() { _ = f.Close() }()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return a, err
		}
		return Artifact{Key: hex.EncodeToString(h.Sum(nil)) + ".tar", Path: path}, checkImageSize(info.Size())
	}
	if err := os.MkdirAll(p.CacheDir, 0o700); err != nil {
		return a, fmt.Errorf("make the build cache: %w", err)
	}
	f, err := os.CreateTemp(p.CacheDir, "new-")
	if err != nil {
		return a, fmt.Errorf("write the build cache: %w", err)
	}
	defer os.Remove(f.Name())
	h := sha256.New()
	if err := errors.Join(tarFolder(io.MultiWriter(f, h), path), f.Close()); err != nil {
		return a, err
	}
	if info, err = os.Stat(f.Name()); err != nil {
		return a, err
	}
	a.Key = hex.EncodeToString(h.Sum(nil)) + ".tar"
	a.Path = filepath.Join(p.CacheDir, a.Key)
	return a, errors.Join(checkImageSize(info.Size()), os.Rename(f.Name(), a.Path))
}

func checkImageSize(size int64) error {
	if size > maxImage {
		return fmt.Errorf("the image has %d bytes, at most %d can be sent; push it to a registry and give its address there", size, int64(maxImage))
	}
	return nil
}

// tarFolder writes the files of an OCI image layout as a tar file that depends on nothing but them.
func tarFolder(to io.Writer, dir string) error {
	w := tar.NewWriter(to)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return tarFile(w, filepath.ToSlash(rel), path)
	})
	return errors.Join(err, w.Close())
}

func tarFile(w *tar.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is neither a file nor a folder", path)
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(w, io.LimitReader(f, info.Size()))
	return err
}
