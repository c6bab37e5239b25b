package dynamodb

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/dynamodb/ion"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxImportLine is the longest line of an imported file, in bytes: an item of 400 KB whose characters are all escaped.
const maxImportLine = 4 << 20

// runImport reads the objects of an import, in the order of their keys, and writes their items. It goes on where it was before a crash.
func (s *Service) runImport(ctx context.Context, p place, arn string) error {
	work := func(ctx context.Context, im *importRecord) error { return s.importObjects(ctx, p, im) }
	return runTransfer(ctx, s, p, imports(), arn, work, func(ctx context.Context, im *importRecord) error { return s.endImport(ctx, p, im) })
}

// endImport stores an import that ended, and lets its table be used.
func (s *Service) endImport(ctx context.Context, p place, im *importRecord) error {
	return s.store.Update(ctx, func(tx store.Txn) error {
		t, err := s.findTable(tx, p, im.Table)
		if err != nil {
			return err
		}
		if t != nil && t.ID == im.TableID {
			r := *t.tableRecord
			r.Import = ""
			if err := saveTable(tx, p, &r); err != nil {
				return err
			}
		}
		return record.Set(tx, imports().key(p, im.Table, im.ID), im)
	})
}

// importObjects imports the objects that are left.
func (s *Service) importObjects(ctx context.Context, p place, im *importRecord) error {
	if im.Object != "" && !im.Done {
		if err := s.importObject(ctx, p, im, im.Object); err != nil {
			return err
		}
	}
	for {
		in := &s3.ListObjectsV2Input{Bucket: im.Source.S3Bucket, Prefix: im.Source.S3KeyPrefix, ExpectedBucketOwner: im.Source.S3BucketOwner}
		if im.Object != "" {
			in.StartAfter = &im.Object
		}
		out, err := service.Call[s3.ListObjectsV2Output](ctx, s.door, s3.API.Name, "ListObjectsV2", in)
		if err != nil {
			return err
		}
		for _, o := range out.Contents {
			im.Object, im.Line, im.Done = deref(o.Key), 0, false
			im.Bytes += deref(o.Size)
			if err := s.importObject(ctx, p, im, im.Object); err != nil {
				return err
			}
		}
		if len(out.Contents) == 0 || !isTrue(out.IsTruncated) {
			return nil
		}
	}
}

// importObject imports the lines of one object that are left.
func (s *Service) importObject(ctx context.Context, p place, im *importRecord, object string) (err error) {
	out, err := service.Call[s3.GetObjectOutput](ctx, s.door, s3.API.Name, "GetObject",
		&s3.GetObjectInput{Bucket: im.Source.S3Bucket, Key: object, ExpectedBucketOwner: im.Source.S3BucketOwner})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Body.Close()) }()
	next, err := s.lines(ctx, p, im, out.Body)
	if err != nil {
		return err
	}
	skip := im.Line
	var lines []importLine
	size := 0
	for done := false; !done; {
		line, err := next()
		switch {
		case errors.Is(err, io.EOF):
			done = true
		case err != nil:
			return err
		case skip > 0:
			skip--
			continue
		default:
			line.index = im.Line
			im.Line++
			lines = append(lines, line)
			size += len(line.item)
		}
		if done || len(lines) == snapshotItems || size > snapshotBytes {
			im.Done = done
			if err := s.importLines(ctx, p, im, lines); err != nil {
				return err
			}
			lines, size = lines[:0], 0
		}
	}
	return nil
}

// importLine is what a line of a file holds: an item, or a problem.
type importLine struct {
	item    attr.Map
	problem string
	index   int64 // in its file
}

// newImportLine returns a line with an item, or with what is wrong with it.
func newImportLine(item attr.Map, malformed error) importLine {
	if malformed != nil {
		return importLine{problem: malformed.Error()}
	}
	return importLine{item: item}
}

// importLines checks lines, tells about those that are no items of the table, and writes the others and how far the import came in one transaction.
func (s *Service) importLines(ctx context.Context, p place, im *importRecord, lines []importLine) error {
	t, err := s.knownTable(ctx, p, im.Table)
	if err != nil {
		return err
	}
	for i := range lines {
		l := &lines[i]
		if l.problem != "" {
			continue
		}
		err := l.item.Err()
		if err == nil && t != nil {
			err = t.checkItem(l.item, false)
		}
		if err != nil {
			l.problem = messageOf(err)
		}
	}
	if err := s.logErrors(ctx, p, im, lines); err != nil {
		return err
	}
	before := *im
	return s.store.Update(ctx, func(tx store.Txn) error {
		im.Processed, im.Imported, im.Errors = before.Processed, before.Imported, before.Errors
		t, err := s.findTable(tx, p, im.Table)
		if err != nil {
			return err
		}
		if t == nil || t.ID != im.TableID {
			return service.Errorf(codeNotFound, "The table %s was deleted while it was imported", im.Table)
		}
		for _, l := range lines {
			im.Processed++
			if l.problem != "" {
				im.Errors++
				continue
			}
			old, err := readItem(tx, t.itemKey(l.item))
			if err != nil {
				return err
			}
			if err := t.store(tx, t.itemKey(l.item), old.Clone(), l.item, s.now()); err != nil {
				return err
			}
			im.Imported++
		}
		return record.Set(tx, imports().key(p, im.Table, im.ID), im)
	})
}

// lines returns what yields the lines of a file, and io.EOF at its end.
func (s *Service) lines(ctx context.Context, p place, im *importRecord, body io.Reader) (func() (importLine, error), error) {
	plain, err := unpack(im.Compression, body)
	if err != nil {
		return nil, err
	}
	if im.Format == ddb.InputFormatCsv {
		var t *table
		err := s.store.View(ctx, func(r store.Reader) (err error) {
			t, err = s.adminTable(r, p, im.Table)
			return err
		})
		if err != nil {
			return nil, err
		}
		return csvItems(t, im.Options, plain), nil
	}
	scanner := bufio.NewScanner(plain)
	scanner.Buffer(nil, maxImportLine)
	parse := jsonItem
	if im.Format == ddb.InputFormatIon {
		parse = ion.Item
	}
	return func() (importLine, error) {
		for scanner.Scan() {
			line := scanner.Bytes()
			if len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			return newImportLine(parse(line)), nil
		}
		if err := scanner.Err(); err != nil {
			return importLine{}, service.Errorf("InvalidFile", "Read %s: %s", im.Object, err)
		}
		return importLine{}, io.EOF
	}, nil
}

// jsonItem returns the item of a line {"Item": {…}}.
func jsonItem(line []byte) (attr.Map, error) {
	var outer struct{ Item attr.Map }
	err := json.Unmarshal(line, &outer)
	if err == nil && outer.Item == nil {
		err = errors.New("the line has no Item")
	}
	return outer.Item, err
}

// unpack returns a file's text.
func unpack(compression string, body io.Reader) (io.Reader, error) {
	switch compression {
	case ddb.InputCompressionTypeGzip:
		r, err := gzip.NewReader(body)
		if err != nil {
			return nil, service.Errorf("InvalidFile", "The file is not compressed with GZIP: %s", err)
		}
		return r, nil
	case ddb.InputCompressionTypeZstd:
		r, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			return nil, fmt.Errorf("read ZSTD: %w", err)
		}
		return r.IOReadCloser(), nil
	}
	return body, nil
}

// csvItems yields the items of a CSV file: its first line names the attributes unless the request does. All are strings but those of keys.
func csvItems(t *table, options *ddb.InputFormatOptions, body io.Reader) func() (importLine, error) {
	r := csv.NewReader(body)
	r.FieldsPerRecord, r.ReuseRecord, r.LazyQuotes = -1, true, true
	var header []string
	if options != nil && options.Csv != nil {
		header = options.Csv.HeaderList
		if d := options.Csv.Delimiter; d != nil {
			r.Comma = rune((*d)[0])
		}
	}
	types := map[string]string{}
	for _, a := range t.Attributes {
		types[a.AttributeName] = a.AttributeType
	}
	return func() (importLine, error) {
		fields, err := r.Read()
		if err == nil && header == nil {
			header = append(header, fields...)
			fields, err = r.Read()
		}
		var malformed *csv.ParseError
		switch {
		case errors.As(err, &malformed):
			return importLine{problem: malformed.Error()}, nil
		case err != nil:
			return importLine{}, err
		case len(fields) > len(header):
			return importLine{problem: fmt.Sprintf("the line has %d fields, and the header %d", len(fields), len(header))}, nil
		}
		out := make([]attr.Field, 0, len(fields))
		for i, text := range fields {
			v := csvValue(types[header[i]], text)
			if v == nil {
				return importLine{problem: fmt.Sprintf("the value of %s is not of the type %s", header[i], types[header[i]])}, nil
			}
			out = append(out, attr.Field{Name: header[i], Value: v})
		}
		return importLine{item: attr.NewMap(out...)}, nil
	}
}

// csvValue returns a field as a value of the type of a key attribute, or as a string; nil when it is not one.
func csvValue(typ, text string) attr.Value {
	switch typ {
	case ddb.ScalarAttributeTypeN:
		n, err := attr.ParseNumber(text)
		if err != nil {
			return nil
		}
		return n.Value()
	case ddb.ScalarAttributeTypeB:
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil
		}
		return attr.Binary(b)
	}
	return attr.String(text)
}
