package dynamodb

import (
	"context"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// importRecord is an import from S3 as it is stored: into a new table.
type importRecord struct {
	transfer
	Source      ddb.S3BucketSource          `json:"source"`
	Format      string                      `json:"format"`
	Options     *ddb.InputFormatOptions     `json:"options,omitempty"`
	Compression string                      `json:"compression"`
	Creation    ddb.TableCreationParameters `json:"creation"`
	// Logged tells that there is a log stream with errors, and Unlogged that there must not be one.
	Logged   bool `json:"logged,omitempty"`
	Unlogged bool `json:"unlogged,omitempty"`
	// Object is the key of the S3 object that was begun last, and Line the number of its lines that are done; Done tells that it was read to its end.
	Object    string `json:"object,omitempty"`
	Line      int64  `json:"line,omitempty"`
	Done      bool   `json:"done,omitempty"`
	Bytes     int64  `json:"bytes"`
	Processed int64  `json:"processed"`
	Imported  int64  `json:"imported"`
	Errors    int64  `json:"errors"`
}

func (s *Service) importTable(ctx context.Context, in *ddb.ImportTableInput) (*ddb.ImportTableOutput, error) {
	c := in.TableCreationParameters
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
	p := placeOf(ctx)
	begun, err := s.newTransfer(ctx, in.ClientToken)
	if err != nil {
		return nil, err
	}
	r, err := s.newRecord(create)
	if err != nil {
		return nil, err
	}
	im := &importRecord{
		transfer: begun, Source: *in.S3BucketSource, Format: in.InputFormat, Options: in.InputFormatOptions, Compression: in.InputCompressionType, Creation: *c,
	}
	im.Table, im.TableID = r.Name, r.ID
	if im.Compression == "" {
		im.Compression = ddb.InputCompressionTypeNone
	}
	r.Import = imports().arn(p, r.Name, im.ID)
	err = s.store.Update(ctx, func(tx store.Txn) error {
		other, err := transferOfToken(tx, p, imports(), im, "ImportConflictException", im.same)
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
		if err := record.Set(tx, imports().key(p, r.Name, im.ID), im); err != nil {
			return err
		}
		return enqueueRef(tx, p, jobImport, r.Import)
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &ddb.ImportTableOutput{ImportTableDescription: im.describe(p)}, nil
}

// same tells whether another import reads the same.
func (im *importRecord) same(other *importRecord) bool {
	return other.Source.S3Bucket == im.Source.S3Bucket && deref(other.Source.S3KeyPrefix) == deref(im.Source.S3KeyPrefix) && other.Format == im.Format
}

func (im *importRecord) describe(p place) *ddb.ImportTableDescription {
	d := &ddb.ImportTableDescription{
		ImportArn: ptr(imports().arn(p, im.Table, im.ID)), ImportStatus: im.Status, TableArn: ptr(tableARN(p, im.Table)), TableId: &im.TableID, ClientToken: &im.Token,
		S3BucketSource: &im.Source, ErrorCount: &im.Errors, InputFormat: im.Format, InputFormatOptions: im.Options, InputCompressionType: im.Compression,
		TableCreationParameters: &im.Creation, StartTime: &im.Begun, ProcessedSizeBytes: &im.Bytes, ProcessedItemCount: &im.Processed, ImportedItemCount: &im.Imported,
	}
	if !im.Ended.IsZero() {
		d.EndTime = &im.Ended
	}
	if im.Logged {
		d.CloudWatchLogGroupArn = ptr("arn:aws:logs:" + p.region + ":" + p.account + ":log-group:" + importLogGroup + ":*")
	}
	if im.Failure != nil {
		d.FailureCode, d.FailureMessage = &im.Failure.Code, &im.Failure.Message
	}
	return d
}

func (s *Service) describeImport(ctx context.Context, in *ddb.DescribeImportInput) (*ddb.DescribeImportOutput, error) {
	p := placeOf(ctx)
	out := &ddb.DescribeImportOutput{}
	err := s.store.View(ctx, func(r store.Reader) error {
		im, err := imports().find(r, p, in.ImportArn)
		if err == nil {
			out.ImportTableDescription = im.describe(p)
		}
		return err
	})
	return out, storeError(err)
}

func (s *Service) listImports(ctx context.Context, in *ddb.ListImportsInput) (*ddb.ListImportsOutput, error) {
	p := placeOf(ctx)
	limit := maxTransfersListed
	if in.PageSize != nil {
		limit = int(*in.PageSize)
	}
	out := &ddb.ListImportsOutput{ImportSummaryList: []ddb.ImportSummary{}}
	err := s.store.View(ctx, func(r store.Reader) error {
		return imports().page(r, p, in.TableArn, in.NextToken, func(im *importRecord) bool {
			if len(out.ImportSummaryList) == limit {
				out.NextToken = out.ImportSummaryList[limit-1].ImportArn
				return false
			}
			d := im.describe(p)
			out.ImportSummaryList = append(out.ImportSummaryList, ddb.ImportSummary{
				ImportArn: d.ImportArn, ImportStatus: d.ImportStatus, TableArn: d.TableArn, S3BucketSource: d.S3BucketSource, InputFormat: d.InputFormat,
				StartTime: d.StartTime, EndTime: d.EndTime, CloudWatchLogGroupArn: d.CloudWatchLogGroupArn,
			})
			return true
		})
	})
	return out, storeError(err)
}
