package dynamodb

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// exportRecord is an export to S3 as it is stored: of a snapshot, or of the changes of a window of time.
type exportRecord struct {
	transfer
	At       time.Time    `json:"at"`
	Window   *window      `json:"window,omitempty"` // of an incremental export
	Bucket   string       `json:"bucket"`
	Owner    *string      `json:"owner,omitempty"`
	Prefix   string       `json:"prefix,omitempty"`
	Format   string       `json:"format"`
	SSE      string       `json:"sse"`
	Snapshot string       `json:"snapshot,omitempty"` // where the rows are that are written
	Cursor   []byte       `json:"cursor,omitempty"`
	Files    []exportFile `json:"files,omitempty"`
	Items    int64        `json:"items"`
	Bytes    int64        `json:"bytes"`
}

// exportFile is a data file as the manifest lists it.
type exportFile struct {
	Items int64  `json:"itemCount"`
	MD5   string `json:"md5Checksum"`
	ETag  string `json:"etag"`
	Key   string `json:"dataFileS3Key"`
}

func (s *Service) exportTableToPointInTime(ctx context.Context, in *ddb.ExportTableToPointInTimeInput) (*ddb.ExportTableToPointInTimeOutput, error) {
	if in.S3SseKmsKeyId != nil || in.S3SseAlgorithm == ddb.S3SseAlgorithmKms {
		return nil, unsupported("ExportTableToPointInTime", "S3SseAlgorithm KMS")
	}
	e, err := s.newExport(ctx, in)
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	err = s.store.Update(ctx, func(tx store.Txn) error {
		t, err := s.ownTable(tx, p, in.TableArn)
		if err != nil {
			return tableNotFound(err, in.TableArn)
		}
		if t.Recovery == nil {
			return service.Errorf("PointInTimeRecoveryUnavailableException", "Point in time recovery is not enabled for table '%s'", t.Name)
		}
		e.Table, e.TableID = t.Name, t.ID
		if other, err := transferOfToken(tx, p, exports(), e, "ExportConflictException", e.same); err != nil || other != nil {
			e = other
			return err
		}
		return s.beginExport(tx, t, e, in.ExportTime)
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &ddb.ExportTableToPointInTimeOutput{ExportDescription: e.describe(p)}, nil
}

// newExport makes the record of the export that a request asks for, as far as that goes without its table.
func (s *Service) newExport(ctx context.Context, in *ddb.ExportTableToPointInTimeInput) (*exportRecord, error) {
	t, err := s.newTransfer(ctx, in.ClientToken)
	if err != nil {
		return nil, err
	}
	e := &exportRecord{
		transfer: t, At: t.Begun, Bucket: in.S3Bucket, Owner: in.S3BucketOwner, Prefix: strings.Trim(deref(in.S3Prefix), "/"), Format: in.ExportFormat,
		SSE: ddb.S3SseAlgorithmAes256,
	}
	if in.ExportTime != nil {
		e.At = *in.ExportTime
	}
	if e.Format == "" {
		e.Format = ddb.ExportFormatDynamodbJson
	}
	incremental := in.ExportType == ddb.ExportTypeIncrementalExport
	switch {
	case incremental && in.ExportTime != nil:
		return nil, invalidValue("ExportTime cannot be specified with ExportType INCREMENTAL_EXPORT, which has a window in IncrementalExportSpecification")
	case incremental:
		e.Window, err = newWindow(in.IncrementalExportSpecification, e.Begun)
	case in.IncrementalExportSpecification != nil:
		err = invalidValue("IncrementalExportSpecification can only be specified with ExportType INCREMENTAL_EXPORT")
	}
	return e, err
}

// beginExport begins an export in a transaction: its rows are those of a snapshot, or of a window.
func (s *Service) beginExport(tx store.Txn, t *table, e *exportRecord, at *time.Time) error {
	first, from, to := t.Recovery.earliest(e.Begun), e.At, e.At
	if e.Window != nil {
		from, to = e.Window.From, e.Window.To
	}
	if from.Before(first) || to.After(e.Begun) {
		return service.Errorf("InvalidExportTimeException", "The export time must lie between %s and %s", first.Format(time.RFC3339), e.Begun.Format(time.RFC3339))
	}
	arn := exports().arn(t.place, t.Name, e.ID)
	if e.Window != nil {
		e.Snapshot = e.ID
		for _, a := range t.keys.all {
			e.Window.Keys = append(e.Window.Keys, a.name)
		}
		r := *t.tableRecord
		r.Undoing = append(slices.Clone(r.Undoing), e.ID)
		if err := errors.Join(saveTable(tx, t.place, &r), enqueueRef(tx, t.place, jobExport, arn)); err != nil {
			return err
		}
	} else {
		sn, err := s.beginSnapshot(tx, t, deref(at), purposeExport, arn)
		if err != nil {
			return err
		}
		e.Snapshot = sn.ID
	}
	return record.Set(tx, exports().key(t.place, t.Name, e.ID), e)
}

// same tells whether another export is of the same to the same place.
func (e *exportRecord) same(other *exportRecord) bool {
	return e.Window.same(other.Window) && other.Bucket == e.Bucket && other.Prefix == e.Prefix && other.Format == e.Format
}

// kind returns the type of the export as the API names it.
func (e *exportRecord) kind() string {
	if e.Window != nil {
		return ddb.ExportTypeIncrementalExport
	}
	return ddb.ExportTypeFullExport
}

func (e *exportRecord) describe(p place) *ddb.ExportDescription {
	d := &ddb.ExportDescription{
		ExportArn: ptr(exports().arn(p, e.Table, e.ID)), ExportStatus: e.Status, StartTime: &e.Begun, TableArn: ptr(tableARN(p, e.Table)), TableId: &e.TableID,
		ClientToken: &e.Token, S3Bucket: &e.Bucket, S3BucketOwner: e.Owner, S3SseAlgorithm: e.SSE, ExportFormat: e.Format, ExportType: e.kind(),
	}
	if w := e.Window; w != nil {
		d.IncrementalExportSpecification = &ddb.IncrementalExportSpecification{ExportFromTime: &w.From, ExportToTime: &w.To, ExportViewType: w.View}
	} else {
		d.ExportTime = &e.At
	}
	if e.Prefix != "" {
		d.S3Prefix = &e.Prefix
	}
	if e.Failure != nil {
		d.FailureCode, d.FailureMessage = &e.Failure.Code, &e.Failure.Message
	}
	if !e.Ended.IsZero() {
		d.EndTime = &e.Ended
	}
	if e.Status == ddb.ExportStatusCompleted {
		d.ExportManifest, d.BilledSizeBytes, d.ItemCount = ptr(e.path("manifest-summary.json")), &e.Bytes, &e.Items
	}
	return d
}

func (s *Service) describeExport(ctx context.Context, in *ddb.DescribeExportInput) (*ddb.DescribeExportOutput, error) {
	p := placeOf(ctx)
	out := &ddb.DescribeExportOutput{}
	err := s.store.View(ctx, func(r store.Reader) error {
		e, err := exports().find(r, p, in.ExportArn)
		if err == nil {
			out.ExportDescription = e.describe(p)
		}
		return err
	})
	return out, storeError(err)
}

// maxTransfersListed is how many exports or imports a page lists at most.
const maxTransfersListed = 25

func (s *Service) listExports(ctx context.Context, in *ddb.ListExportsInput) (*ddb.ListExportsOutput, error) {
	p := placeOf(ctx)
	limit := maxTransfersListed
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	out := &ddb.ListExportsOutput{ExportSummaries: []ddb.ExportSummary{}}
	err := s.store.View(ctx, func(r store.Reader) error {
		return exports().page(r, p, in.TableArn, in.NextToken, func(e *exportRecord) bool {
			if len(out.ExportSummaries) == limit {
				out.NextToken = out.ExportSummaries[limit-1].ExportArn
				return false
			}
			out.ExportSummaries = append(out.ExportSummaries, ddb.ExportSummary{ExportArn: ptr(exports().arn(p, e.Table, e.ID)), ExportStatus: e.Status, ExportType: e.kind()})
			return true
		})
	})
	return out, storeError(err)
}

// beginExportFiles notes in an export that its snapshot is ready, and begins the writing of its files.
func (s *Service) beginExportFiles(tx store.Txn, p place, sn *snapshotRecord) error {
	e, err := exports().find(tx, p, sn.Ref)
	if err != nil {
		return err
	}
	e.Items, e.Bytes = sn.Items, sn.Bytes
	if err := record.Set(tx, exports().key(p, e.Table, e.ID), e); err != nil {
		return err
	}
	return enqueueRef(tx, p, jobExport, sn.Ref)
}
