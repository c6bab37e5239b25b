package dynamodb

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/dynamodb/ion"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// exportFileBytes is how much of a table goes into one data file, before compression.
const exportFileBytes = 8 << 20

// path returns the S3 key of a file of the export
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html).
func (e *exportRecord) path(file string) string {
	k := "AWSDynamoDB/" + e.ID + "/" + file
	if e.Prefix != "" {
		k = e.Prefix + "/" + k
	}
	return k
}

// dataPath returns the S3 key of a data file. Those of incremental exports lie together.
func (e *exportRecord) dataPath(name string) string {
	if e.Window == nil {
		return e.path("data/" + name)
	}
	return strings.TrimPrefix(e.Prefix+"/AWSDynamoDB/data/"+name, "/")
}

// runExport writes the files of an export. What was written before a crash is written over.
func (s *Service) runExport(ctx context.Context, p place, arn string) error {
	work := func(ctx context.Context, e *exportRecord) error {
		if e.Window != nil {
			if err := s.collectChanges(ctx, p, e); err != nil {
				return err
			}
		}
		for more := true; more; {
			var err error
			if more, err = s.writeDataFile(ctx, p, e); err != nil {
				return err
			}
			if err := s.saveExport(ctx, p, e); err != nil {
				return err
			}
		}
		return s.writeManifests(ctx, p, e)
	}
	return runTransfer(ctx, s, p, exports(), arn, work, func(ctx context.Context, e *exportRecord) error { return s.saveExport(ctx, p, e) })
}

// saveExport stores an export. An ended one lets go of its snapshot.
func (s *Service) saveExport(ctx context.Context, p place, e *exportRecord) error {
	return s.store.Update(ctx, func(tx store.Txn) error {
		if !e.Ended.IsZero() && e.Snapshot != "" {
			if e.Window != nil && e.Window.Phase != collected {
				if err := s.letGo(tx, p, e); err != nil {
					return err
				}
			}
			rows := p.snapshotRows(e.Snapshot)
			tx.DeleteRange(rows, rows.End())
			e.Snapshot, e.Cursor = "", nil
		}
		return record.Set(tx, exports().key(p, e.Table, e.ID), e)
	})
}

// writeDataFile writes the next data file, and tells whether there may be another.
func (s *Service) writeDataFile(ctx context.Context, p place, e *exportRecord) (more bool, err error) {
	var text []byte
	var items int64
	if len(e.Files) == 0 {
		if _, err := s.putFile(ctx, e, e.path("_started"), nil); err != nil {
			return false, err
		}
	}
	for more = true; more && len(text) < exportFileBytes; {
		err = s.store.View(ctx, func(r store.Reader) (err error) {
			more, err = batch(r, p.snapshotRows(e.Snapshot).Span(), &e.Cursor, snapshotBytes, func(pair store.Pair) error {
				before := len(text)
				text, err = e.appendRow(text, pair.Value)
				if len(text) > before {
					items++
				}
				return err
			})
			return err
		})
		if err != nil {
			return false, err
		}
	}
	if items == 0 {
		return more, nil
	}
	if e.Window != nil { // a snapshot has counted its items
		e.Items += items
		e.Bytes += int64(len(text))
	}
	extension := ".json.gz"
	if e.Format == ddb.ExportFormatIon {
		extension = ".ion.gz"
	}
	name := strings.ReplaceAll(uuid.Of(e.ID, strconv.Itoa(len(e.Files))), "-", "")[:26] + extension
	file := exportFile{Items: items, Key: e.dataPath(name)}
	packed, err := compress(text)
	if err != nil {
		return false, err
	}
	file.MD5 = md5Text(packed)
	file.ETag, err = s.putFile(ctx, e, file.Key, packed)
	e.Files = append(e.Files, file)
	return more, err
}

// appendRow appends the line of a row, if it has one: of an item, or of a change.
func (e *exportRecord) appendRow(dst, row []byte) ([]byte, error) {
	if e.Window != nil {
		c, err := decodeChange(row)
		if err != nil {
			return dst, err
		}
		return e.appendChange(dst, c)
	}
	item := attr.Map(row)
	if e.Format == ddb.ExportFormatIon {
		return append(ion.Append(append(dst, "$ion_1_0 {Item:"...), item), "}\n"...), nil
	}
	dst, err := item.AppendJSON(append(dst, `{"Item":`...))
	return append(dst, "}\n"...), err
}

func compress(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		return nil, fmt.Errorf("compress an export: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress an export: %w", err)
	}
	return b.Bytes(), nil
}

// md5Text returns the digest that manifests hold.
func md5Text(b []byte) string {
	sum := md5.Sum(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// putFile writes a file of the export, and returns its ETag without quotes.
func (s *Service) putFile(ctx context.Context, e *exportRecord, path string, body []byte) (etag string, err error) {
	out, err := service.Call[s3.PutObjectOutput](ctx, s.door, s3.API.Name, "PutObject", &s3.PutObjectInput{
		Bucket: e.Bucket, Key: path, Body: bytes.NewReader(body), ContentLength: ptr(int64(len(body))), ExpectedBucketOwner: e.Owner,
	})
	if err != nil {
		return "", err
	}
	return strings.Trim(deref(out.ETag), `"`), nil
}

// manifest is the summary of an export.
type manifest struct {
	Version   string    `json:"version"`
	ExportARN string    `json:"exportArn"`
	Start     time.Time `json:"startTime"`
	End       time.Time `json:"endTime"`
	TableARN  string    `json:"tableArn"`
	TableID   string    `json:"tableId"`
	// A full export is of a time, an incremental one of a window.
	ExportTime *time.Time `json:"exportTime,omitempty"`
	From       *time.Time `json:"exportFromTime,omitempty"`
	To         *time.Time `json:"exportToTime,omitempty"`

	Bucket        string  `json:"s3Bucket"`
	Prefix        *string `json:"s3Prefix"`
	SSE           string  `json:"s3SseAlgorithm"`
	SSEKey        *string `json:"s3SseKmsKeyId"`
	ManifestFiles string  `json:"manifestFilesS3Key"`
	Billed        int64   `json:"billedSizeBytes"`
	Items         int64   `json:"itemCount"`
	Format        string  `json:"outputFormat"`
	View          string  `json:"outputView,omitempty"`
	Type          string  `json:"exportType"`
}

// writeManifests writes what lists the data files, each with its digest beside it.
func (s *Service) writeManifests(ctx context.Context, p place, e *exportRecord) error {
	var files bytes.Buffer
	lines := json.NewEncoder(&files)
	for _, f := range e.Files {
		if err := lines.Encode(f); err != nil {
			return fmt.Errorf("write a manifest: %w", err)
		}
	}
	m := manifest{
		Version: "2020-06-30", ExportARN: exports().arn(p, e.Table, e.ID), Start: e.Begun, End: s.clock.Now().UTC(), TableARN: tableARN(p, e.Table), TableID: e.TableID,
		Bucket: e.Bucket, SSE: e.SSE, ManifestFiles: e.path("manifest-files.json"), Billed: e.Bytes, Items: e.Items, Format: e.Format,
		Type: e.kind(),
	}
	if w := e.Window; w != nil {
		m.Version, m.From, m.To, m.View = "2023-08-01", &w.From, &w.To, w.View
	} else {
		m.ExportTime = &e.At
	}
	if e.Prefix != "" {
		m.Prefix = &e.Prefix
	}
	summary, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write a manifest: %w", err)
	}
	for _, f := range []struct {
		name string
		body []byte
	}{
		{"manifest-files.json", files.Bytes()},
		{"manifest-files.md5", []byte(md5Text(files.Bytes()))},
		{"manifest-summary.json", summary},
		{"manifest-summary.md5", []byte(md5Text(summary))},
	} {
		if _, err := s.putFile(ctx, e, e.path(f.name), f.body); err != nil {
			return err
		}
	}
	return nil
}
