package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	models := flag.String("models", "", "botocore's data `folder`")
	out := flag.String("out", filepath.Join("internal", "awsapi"), "`folder` of the generated packages")
	check := flag.Bool("check", false, "write nothing, fail if a file is not up to date")
	flag.Parse()
	if err := run(*models, *out, *check); err != nil {
		fmt.Fprintln(os.Stderr, "modelgen:", err)
		os.Exit(1)
	}
}

func run(models, out string, check bool) error {
	if models == "" {
		return errors.New("no models: pass -models with botocore's data folder")
	}
	put := write
	if check {
		put = compare
	}
	var stale []error
	for _, a := range catalog() {
		files, err := generate(models, a)
		if err != nil {
			return fmt.Errorf("%s: %w", a.model, err)
		}
		for name, data := range files {
			stale = append(stale, put(filepath.Join(out, a.name, name), data))
		}
	}
	return errors.Join(stale...)
}

// generate returns the files of one API's package.
func generate(models string, a api) (map[string][]byte, error) {
	m, err := readModel(models, a.model)
	if err != nil {
		return nil, err
	}
	if a.patch != nil {
		if err := a.patch(m); err != nil {
			return nil, fmt.Errorf("patch: %w", err)
		}
	}
	if err := m.prune(); err != nil {
		return nil, err
	}
	g, err := newGoWriter(a, m)
	if err != nil {
		return nil, err
	}
	types, err := g.types()
	if err != nil {
		return nil, err
	}
	handlers, err := g.handlers()
	if err != nil {
		return nil, err
	}
	schema, err := pack(writeSchema(m))
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"doc.go":      doc(a, m),
		"types.go":    types,
		"handlers.go": handlers,
		"schema.gz":   schema,
	}, nil
}

func doc(a api, m *model) []byte {
	return fmt.Appendf(nil, "%s// Package %s has the shapes, the schema and the Handlers of the %s API,\n// version %s.\npackage %s\n",
		header, a.name, m.Metadata.ServiceID, m.Metadata.APIVersion, a.name)
}

func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// pack compresses a text; the same text always becomes the same bytes.
func pack(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// unpack returns the text of a packed file, and any other file as it is: what packs can differ from one release of Go to the next.
func unpack(path string, data []byte) ([]byte, error) {
	if filepath.Ext(path) != ".gz" {
		return data, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return io.ReadAll(r)
}

func compare(path string, data []byte) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if old, err = unpack(path, old); err != nil {
		return err
	}
	if data, err = unpack(path, data); err != nil {
		return err
	}
	if !bytes.Equal(old, data) {
		return fmt.Errorf("%s is not up to date: run modelgen", path)
	}
	return nil
}
