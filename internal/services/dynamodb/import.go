package dynamodb

import (
	"context"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// importRecord is an import from S3 as it is stored: into a new table, by the principal that asked for it.
type importRecord struct {
	ID          string                      `json:"id"`
	Table       string                      `json:"table"`
	TableID     string                      `json:"table_id"`
	Token       string                      `json:"token,omitempty"`
	Status      string                      `json:"status"`
	Begun       time.Time                   `json:"begun"`
	Ended       time.Time                   `json:"ended,omitzero"`
	Source      ddb.S3BucketSource          `json:"source"`
	Format      string                      `json:"format"`
	Options     *ddb.InputFormatOptions     `json:"options,omitempty"`
	Compression string                      `json:"compression"`
	Creation    ddb.TableCreationParameters `json:"creation"`
	Principal   service.Principal           `json:"principal"`
	Failure     *failure                    `json:"failure,omitempty"`
	// Object is the key of the S3 object that was begun last, and Line the number of its lines that are done; Done tells that it was read to its end.
	Object    string `json:"object,omitempty"`
	Line      int64  `json:"line,omitempty"`
	Done      bool   `json:"done,omitempty"`
	Bytes     int64  `json:"bytes"`
	Processed int64  `json:"processed"`
	Imported  int64  `json:"imported"`
	Errors    int64  `json:"errors"`
}

func (p place) imports() key.Key                  { return p.root("m") }
func (p place) imported(table, id string) key.Key { return p.imports().Str(table).Str(id) }
func importARN(p place, table, id string) string  { return tableARN(p, table) + "/import/" + id }

func (s *Service) importTable(ctx context.Context, in *ddb.ImportTableInput) (*ddb.ImportTableOutput, error) {
	c := in.TableCreationParameters
	if in.InputFormat == ddb.InputFormatIon {
		return nil, unsupported("ImportTable", "InputFormat ION")
	}
	if in.InputFormatOptions != nil && in.InputFormatOptions.Csv != nil && in.InputFormat != ddb.InputFormatCsv {
		return nil, invalidValue("InputFormatOptions.Csv can only be specified when InputFormat is CSV")
	}
	create := &ddb.CreateTableInput{
		TableName: c.TableName, AttributeDefinitions: c.AttributeDefinitions, KeySchema: c.KeySchema, BillingMode: c.BillingMode,
		ProvisionedThroughput: c.ProvisionedThroughput, OnDemandThroughput: c.OnDemandThroughput, SSESpecification: c.SSESpecification, GlobalSecondaryIndexes: c.GlobalSecondaryIndexes,
	}
	if err := checkCreate(create); err != nil {
		return nil, err
	}
	p, now := placeOf(ctx), s.clock.Now().UTC()
	id, err := s.newTransferID(now)
	if err != nil {
		return nil, err
	}
	r, err := s.newRecord(create)
	if err != nil {
		return nil, err
	}
	im := &importRecord{
		ID: id, Table: r.Name, TableID: r.ID, Token: deref(in.ClientToken), Status: ddb.ImportStatusInProgress, Begun: now, Source: *in.S3BucketSource, Format: in.InputFormat,
		Options: in.InputFormatOptions, Compression: in.InputCompressionType, Creation: *c, Principal: service.RequestFrom(ctx).Principal,
	}
	if im.Compression == "" {
		im.Compression = ddb.InputCompressionTypeNone
	}
	r.Import = importARN(p, r.Name, id)
	err = s.store.Update(ctx, func(tx store.Txn) error {
		other, err := s.importOfToken(tx, p, im)
		if err != nil || other != nil {
			im = other
			return err
		}
		t, err := s.findTable(tx, p, r.Name)
		if err != nil {
			return err
		}
		if t != nil {
			return service.Errorf(codeInUse, "Table already exists: %s", r.Name)
		}
		if err := saveTable(tx, p, r); err != nil {
			return err
		}
		if err := record.Set(tx, p.imported(r.Name, id), im); err != nil {
			return err
		}
		return enqueueRef(tx, p, jobImport, r.Import)
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &ddb.ImportTableOutput{ImportTableDescription: im.describe(p)}, nil
}

// importOfToken returns the import that was begun with the client token of another, or nil.
func (s *Service) importOfToken(r store.Reader, p place, im *importRecord) (*importRecord, error) {
	if im.Token == "" {
		return nil, nil
	}
	for row, err := range record.Range[importRecord](r, p.imports().Str(im.Table).Span()) {
		if err != nil {
			return nil, err
		}
		other := row.Value
		if other.Token != im.Token {
			continue
		}
		if other.Source.S3Bucket != im.Source.S3Bucket || deref(other.Source.S3KeyPrefix) != deref(im.Source.S3KeyPrefix) || other.Format != im.Format {
			return nil, service.Errorf("ImportConflictException", "Import with the same client token, but different parameters, exists: %s", importARN(p, other.Table, other.ID))
		}
		return &other, nil
	}
	return nil, nil
}

func (im *importRecord) describe(p place) *ddb.ImportTableDescription {
	d := &ddb.ImportTableDescription{
		ImportArn: ptr(importARN(p, im.Table, im.ID)), ImportStatus: im.Status, TableArn: ptr(tableARN(p, im.Table)), TableId: &im.TableID, ClientToken: &im.Token,
		S3BucketSource: &im.Source, ErrorCount: &im.Errors, InputFormat: im.Format, InputFormatOptions: im.Options, InputCompressionType: im.Compression,
		TableCreationParameters: &im.Creation, StartTime: &im.Begun, ProcessedSizeBytes: &im.Bytes, ProcessedItemCount: &im.Processed, ImportedItemCount: &im.Imported,
	}
	if !im.Ended.IsZero() {
		d.EndTime = &im.Ended
	}
	if im.Failure != nil {
		d.FailureCode, d.FailureMessage = &im.Failure.Code, &im.Failure.Message
	}
	return d
}

// findImport returns the import of an ARN.
func findImport(r store.Reader, p place, arn string) (*importRecord, error) {
	if table, id, ok := parseTransferARN(p, arn, "import"); ok {
		im, found, err := record.Get[importRecord](r, p.imported(table, id))
		if err != nil || found {
			return &im, err
		}
	}
	return nil, service.Errorf("ImportNotFoundException", "Import not found: %s", arn)
}

func (s *Service) describeImport(ctx context.Context, in *ddb.DescribeImportInput) (*ddb.DescribeImportOutput, error) {
	p := placeOf(ctx)
	out := &ddb.DescribeImportOutput{}
	err := s.store.View(ctx, func(r store.Reader) error {
		im, err := findImport(r, p, in.ImportArn)
		if err == nil {
			out.ImportTableDescription = im.describe(p)
		}
		return err
	})
	return out, storeError(err)
}

func (s *Service) listImports(ctx context.Context, in *ddb.ListImportsInput) (*ddb.ListImportsOutput, error) {
	p := placeOf(ctx)
	span, limit, err := transferSpan(p, p.imports(), in.TableArn, in.NextToken, in.PageSize)
	if err != nil {
		return nil, err
	}
	out := &ddb.ListImportsOutput{ImportSummaryList: []ddb.ImportSummary{}}
	err = s.store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[importRecord](r, span) {
			if err != nil {
				return err
			}
			if len(out.ImportSummaryList) == limit {
				out.NextToken = out.ImportSummaryList[limit-1].ImportArn
				return nil
			}
			d := row.Value.describe(p)
			out.ImportSummaryList = append(out.ImportSummaryList, ddb.ImportSummary{
				ImportArn: d.ImportArn, ImportStatus: d.ImportStatus, TableArn: d.TableArn, S3BucketSource: d.S3BucketSource, InputFormat: d.InputFormat,
				StartTime: d.StartTime, EndTime: d.EndTime,
			})
		}
		return nil
	})
	return out, storeError(err)
}
