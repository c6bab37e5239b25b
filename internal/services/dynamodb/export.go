package dynamodb

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// exportRecord is an export to S3 as it is stored: of a snapshot, by the principal that asked for it.
type exportRecord struct {
	ID        string            `json:"id"`
	Table     string            `json:"table"`
	TableID   string            `json:"table_id"`
	Token     string            `json:"token,omitempty"`
	Status    string            `json:"status"`
	Begun     time.Time         `json:"begun"`
	Ended     time.Time         `json:"ended,omitzero"`
	At        time.Time         `json:"at"`
	Bucket    string            `json:"bucket"`
	Owner     *string           `json:"owner,omitempty"`
	Prefix    string            `json:"prefix,omitempty"`
	Format    string            `json:"format"`
	SSE       string            `json:"sse"`
	Principal service.Principal `json:"principal"`
	Failure   *failure          `json:"failure,omitempty"`
	Snapshot  string            `json:"snapshot,omitempty"`
	Cursor    []byte            `json:"cursor,omitempty"`
	Files     []exportFile      `json:"files,omitempty"`
	Items     int64             `json:"items"`
	Bytes     int64             `json:"bytes"`
}

// failure says why an export or an import failed.
type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// exportFile is a data file as the manifest lists it.
type exportFile struct {
	Items int64  `json:"itemCount"`
	MD5   string `json:"md5Checksum"`
	ETag  string `json:"etag"`
	Key   string `json:"dataFileS3Key"`
}

func (p place) exports() key.Key                 { return p.root("o") }
func (p place) export(table, id string) key.Key  { return p.exports().Str(table).Str(id) }
func exportARN(p place, table, id string) string { return tableARN(p, table) + "/export/" + id }

// parseTransferARN returns the table and the id in the ARN of an export or an import.
func parseTransferARN(p place, arn, kind string) (table, id string, ok bool) {
	rest, ok := strings.CutPrefix(arn, tableARN(p, ""))
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/"+kind+"/")
}

// newTransferID returns an id for an export or an import.
func (s *Service) newTransferID(now time.Time) (string, error) {
	var suffix [4]byte
	if _, err := io.ReadFull(s.random, suffix[:]); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return fmt.Sprintf("%014d-%x", now.UnixMilli(), suffix), nil
}

func (s *Service) exportTableToPointInTime(ctx context.Context, in *ddb.ExportTableToPointInTimeInput) (*ddb.ExportTableToPointInTimeOutput, error) {
	const operation = "ExportTableToPointInTime"
	switch {
	case in.ExportType == ddb.ExportTypeIncrementalExport || in.IncrementalExportSpecification != nil:
		return nil, unsupported(operation, "ExportType INCREMENTAL_EXPORT")
	case in.S3SseKmsKeyId != nil || in.S3SseAlgorithm == ddb.S3SseAlgorithmKms:
		return nil, unsupported(operation, "S3SseAlgorithm KMS")
	}
	p, now := placeOf(ctx), s.clock.Now().UTC()
	id, err := s.newTransferID(now)
	if err != nil {
		return nil, err
	}
	var e *exportRecord
	err = s.store.Update(ctx, func(tx store.Txn) error {
		t, err := s.ownTable(tx, p, in.TableArn)
		if err != nil {
			return tableNotFound(err, in.TableArn)
		}
		if t.Recovery == nil {
			return service.Errorf("PointInTimeRecoveryUnavailableException", "Point in time recovery is not enabled for table '%s'", t.Name)
		}
		at, begin := now, time.Time{}
		if in.ExportTime != nil {
			at, begin = *in.ExportTime, *in.ExportTime
		}
		if at.Before(t.Recovery.earliest(now)) || at.After(now) {
			return service.Errorf("InvalidExportTimeException", "The export time must lie between %s and %s",
				t.Recovery.earliest(now).Format(time.RFC3339), now.Format(time.RFC3339))
		}
		e = &exportRecord{
			ID: id, Table: t.Name, TableID: t.ID, Token: deref(in.ClientToken), Status: ddb.ExportStatusInProgress, Begun: now, At: at, Bucket: in.S3Bucket,
			Owner: in.S3BucketOwner, Prefix: strings.Trim(deref(in.S3Prefix), "/"), Format: in.ExportFormat, SSE: ddb.S3SseAlgorithmAes256,
			Principal: service.RequestFrom(ctx).Principal,
		}
		if e.Format == "" {
			e.Format = ddb.ExportFormatDynamodbJson
		}
		if other, err := exportOfToken(tx, p, e); err != nil || other != nil {
			e = other
			return err
		}
		sn, err := s.beginSnapshot(tx, t, begin, purposeExport, exportARN(p, t.Name, id))
		if err != nil {
			return err
		}
		e.Snapshot = sn.ID
		return record.Set(tx, p.export(t.Name, id), e)
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &ddb.ExportTableToPointInTimeOutput{ExportDescription: e.describe(p)}, nil
}

// exportOfToken returns the export that was begun with the client token of another, or nil.
func exportOfToken(r store.Reader, p place, e *exportRecord) (*exportRecord, error) {
	if e.Token == "" {
		return nil, nil
	}
	for row, err := range record.Range[exportRecord](r, p.exports().Str(e.Table).Span()) {
		if err != nil {
			return nil, err
		}
		other := row.Value
		if other.Token != e.Token {
			continue
		}
		if other.Bucket != e.Bucket || other.Prefix != e.Prefix || other.Format != e.Format {
			return nil, service.Errorf("ExportConflictException", "Export with the same client token, but different parameters, exists: %s", exportARN(p, other.Table, other.ID))
		}
		return &other, nil
	}
	return nil, nil
}

func (e *exportRecord) describe(p place) *ddb.ExportDescription {
	d := &ddb.ExportDescription{
		ExportArn: ptr(exportARN(p, e.Table, e.ID)), ExportStatus: e.Status, StartTime: &e.Begun, TableArn: ptr(tableARN(p, e.Table)), TableId: &e.TableID,
		ExportTime: &e.At, ClientToken: &e.Token, S3Bucket: &e.Bucket, S3BucketOwner: e.Owner, S3SseAlgorithm: e.SSE, ExportFormat: e.Format,
		ExportType: ddb.ExportTypeFullExport,
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

// findExport returns the export of an ARN.
func findExport(r store.Reader, p place, arn string) (*exportRecord, error) {
	if table, id, ok := parseTransferARN(p, arn, "export"); ok {
		e, found, err := record.Get[exportRecord](r, p.export(table, id))
		if err != nil || found {
			return &e, err
		}
	}
	return nil, service.Errorf("ExportNotFoundException", "Export not found: %s", arn)
}

func (s *Service) describeExport(ctx context.Context, in *ddb.DescribeExportInput) (*ddb.DescribeExportOutput, error) {
	p := placeOf(ctx)
	out := &ddb.DescribeExportOutput{}
	err := s.store.View(ctx, func(r store.Reader) error {
		e, err := findExport(r, p, in.ExportArn)
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
	span, limit, err := transferSpan(p, p.exports(), in.TableArn, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &ddb.ListExportsOutput{ExportSummaries: []ddb.ExportSummary{}}
	err = s.store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[exportRecord](r, span) {
			if err != nil {
				return err
			}
			if len(out.ExportSummaries) == limit {
				out.NextToken = out.ExportSummaries[limit-1].ExportArn
				return nil
			}
			e := row.Value
			out.ExportSummaries = append(out.ExportSummaries, ddb.ExportSummary{
				ExportArn: ptr(exportARN(p, e.Table, e.ID)), ExportStatus: e.Status, ExportType: ddb.ExportTypeFullExport,
			})
		}
		return nil
	})
	return out, storeError(err)
}

// transferSpan returns the exports or imports that a page lists: all below root, or those of a table, behind the ARN that is the token.
func transferSpan(p place, root key.Key, table, token *string, limit *int32) (store.Span, int, error) {
	n := maxTransfersListed
	if limit != nil {
		n = int(*limit)
	}
	prefix := root
	if table != nil {
		prefix = prefix.Str(tableName(*table))
	}
	span := prefix.Span()
	if token != nil {
		rest, ok := strings.CutPrefix(*token, tableARN(p, ""))
		parts := strings.Split(rest, "/")
		if !ok || len(parts) != 3 {
			return span, 0, invalid("Invalid NextToken: %s", *token)
		}
		if after := root.Str(parts[0]).Str(parts[2]).End(); string(after) > string(span.Lo) {
			span.Lo = after
		}
	}
	return span, n, nil
}

// beginExportFiles notes in an export that its snapshot is ready, and begins the writing of its files.
func (s *Service) beginExportFiles(tx store.Txn, p place, sn *snapshotRecord) error {
	e, err := findExport(tx, p, sn.Ref)
	if err != nil {
		return err
	}
	e.Items, e.Bytes = sn.Items, sn.Bytes
	if err := record.Set(tx, p.export(e.Table, e.ID), e); err != nil {
		return err
	}
	return enqueueRef(tx, p, jobExport, sn.Ref)
}
