package dynamodb

import (
	"bufio"
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
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxImportLine is the longest line of an imported file, in bytes: an item of 400 KB whose characters are all escaped.
const maxImportLine = 4 << 20

// runImport reads the objects of an import, in the order of their keys, and writes their items. It goes on where it was before a crash.
func (s *Service) runImport(ctx context.Context, p place, arn string) error {
	var im *importRecord
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		im, err = findImport(r, p, arn)
		return err
	})
	if service.Code(err) == "ImportNotFoundException" || err == nil && im.Status != ddb.ImportStatusInProgress {
		return nil
	}
	if err != nil {
		return err
	}
	ctx = s.transferContext(ctx, p, arn, im.Principal)
	err = s.importObjects(ctx, p, im)
	var refused *service.Error
	if err != nil && !errors.As(err, &refused) {
		return err // tried again
	}
	im.Ended, im.Status = s.clock.Now().UTC(), ddb.ImportStatusCompleted
	if err != nil {
		im.Status, im.Failure = ddb.ImportStatusFailed, &failure{"S3" + refused.Code, refused.Message}
	}
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
		return record.Set(tx, p.imported(im.Table, im.ID), im)
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
	var items []attr.Map
	size := 0
	for done := false; !done; {
		item, err := next()
		switch {
		case errors.Is(err, io.EOF):
			done = true
		case err != nil:
			return err
		case skip > 0:
			skip--
			continue
		default:
			im.Line++
			items = append(items, item) // nil for a line that is no item
			size += len(item)
		}
		if done || len(items) == snapshotItems || size > snapshotBytes {
			im.Done = done
			if err := s.importItems(ctx, p, im, items); err != nil {
				return err
			}
			items, size = items[:0], 0
		}
	}
	return nil
}

// importItems writes items and how far the import came in one transaction. What is no item of the table counts as an error.
func (s *Service) importItems(ctx context.Context, p place, im *importRecord, items []attr.Map) error {
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
		for _, item := range items {
			im.Processed++
			if item == nil || item.Err() != nil || t.checkItem(item, false) != nil {
				im.Errors++
				continue
			}
			old, err := readItem(tx, t.itemKey(item))
			if err != nil {
				return err
			}
			if err := t.store(tx, t.itemKey(item), old.Clone(), item, origin{at: s.clock.Now()}); err != nil {
				return err
			}
			im.Imported++
		}
		return record.Set(tx, p.imported(im.Table, im.ID), im)
	})
}

// lines returns what yields the items of a file, nil for a line that is none, and io.EOF at its end.
func (s *Service) lines(ctx context.Context, p place, im *importRecord, body io.Reader) (func() (attr.Map, error), error) {
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
	return func() (attr.Map, error) {
		for scanner.Scan() {
			if line := scanner.Bytes(); len(line) > 0 {
				return itemOf(line), nil
			}
		}
		if err := scanner.Err(); err != nil {
			return nil, service.Errorf("InvalidFile", "Read %s: %s", im.Object, err)
		}
		return nil, io.EOF
	}, nil
}

// itemOf returns the item of a line {"Item": {…}}, or nil.
func itemOf(line []byte) attr.Map {
	var outer struct{ Item attr.Map }
	if err := json.Unmarshal(line, &outer); err != nil {
		return nil
	}
	return outer.Item
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
func csvItems(t *table, options *ddb.InputFormatOptions, body io.Reader) func() (attr.Map, error) {
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
	return func() (attr.Map, error) {
		fields, err := r.Read()
		if err == nil && header == nil {
			header = append(header, fields...)
			fields, err = r.Read()
		}
		var malformed *csv.ParseError
		if errors.As(err, &malformed) || err == nil && len(fields) > len(header) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		out := make([]attr.Field, 0, len(fields))
		for i, text := range fields {
			v := csvValue(types[header[i]], text)
			if v == nil {
				return nil, nil
			}
			out = append(out, attr.Field{Name: header[i], Value: v})
		}
		return attr.NewMap(out...), nil
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
