package dynamodb

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
)

// callLogs is as much of CloudWatch Logs as imports need.
func (h *harness) callLogs(in any) (any, error) {
	if in, ok := in.(*logs.PutLogEventsInput); ok {
		for _, e := range in.LogEvents {
			h.logged = append(h.logged, in.LogGroupName+": "+e.Message)
		}
	}
	return nil, nil
}

// callS3 is as much of S3 as exports and imports need: one bucket "files".
func (h *harness) callS3(in any) (any, error) {
	missing := service.Errorf("NoSuchBucket", "The specified bucket does not exist")
	switch in := in.(type) {
	case *s3.PutObjectInput:
		if in.Bucket != "files" {
			return nil, missing
		}
		b, err := io.ReadAll(in.Body)
		h.objects[in.Key] = b
		return &s3.PutObjectOutput{ETag: ptr(`"etag"`)}, err
	case *s3.GetObjectInput:
		return &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(h.objects[in.Key]))}, nil
	case *s3.ListObjectsV2Input:
		if in.Bucket != "files" {
			return nil, missing
		}
		out := &s3.ListObjectsV2Output{}
		for _, k := range slices.Sorted(maps.Keys(h.objects)) {
			if strings.HasPrefix(k, deref(in.Prefix)) && k > deref(in.StartAfter) {
				if len(out.Contents) == 1 { // a page holds one object
					out.IsTruncated = ptr(true)
					break
				}
				out.Contents = append(out.Contents, s3.Object{Key: &k, Size: ptr(int64(len(h.objects[k])))})
			}
		}
		return out, nil
	}
	return nil, service.NotImplemented("s3", fmt.Sprintf("%T", in))
}

const everyType = `{"TableName":"types","Item":{"pk":{"S":"all"},"n":{"N":"-12.50"},"b":{"B":"AAH/"},"t":{"BOOL":true},"nil":{"NULL":true},"it's":{"S":"say \"hi\"\n"},` +
	`"ss":{"SS":["a","b"]},"ns":{"NS":["1","2.5"]},"bs":{"BS":["AA=="]},"l":{"L":[{"N":"1"},{"M":{"x":{"S":"é"}}}]}}}`

// exported makes a table with items and exports it, and returns the prefix of the files.
func (h *harness) exported(t *testing.T, format string, more int) (prefix string) {
	t.Helper()
	h.must(t, "CreateTable", `{"TableName":"types","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}`)
	h.must(t, "UpdateContinuousBackups", `{"TableName":"types","PointInTimeRecoverySpecification":{"PointInTimeRecoveryEnabled":true}}`)
	h.must(t, "PutItem", everyType)
	for i := range more {
		h.must(t, "PutItem", fmt.Sprintf(`{"TableName":"types","Item":{"pk":{"S":"%d"}}}`, i))
	}
	request := `{"TableArn":"arn:aws:dynamodb:us-east-1:000000000000:table/types","S3Bucket":"files","S3Prefix":"out","ClientToken":"once","ExportFormat":"` + format + `"}`
	arn := lookup(t, h.must(t, "ExportTableToPointInTime", request), "ExportDescription.ExportArn")
	if again := lookup(t, h.must(t, "ExportTableToPointInTime", request), "ExportDescription.ExportArn"); again != arn {
		t.Errorf("the same token began the exports %s and %s", arn, again)
	}
	synctest.Wait()
	got := h.must(t, "DescribeExport", `{"ExportArn":"`+arn+`"}`)
	if want := fmt.Sprintf(`"ItemCount":%d`, 1+more); !strings.Contains(got, `"COMPLETED"`) || !strings.Contains(got, want) {
		t.Fatalf("the export is %s, want %s", got, want)
	}
	return strings.TrimSuffix(lookup(t, got, "ExportDescription.ExportManifest"), "manifest-summary.json")
}

func unzip(t *testing.T, b []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAnExportIsImportedAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		prefix := h.exported(t, "DYNAMODB_JSON", 500)
		var files exportFile
		if err := json.Unmarshal(h.objects[prefix+"manifest-files.json"], &files); err != nil || files.Items != 501 || files.MD5 != md5Text(h.objects[files.Key]) {
			t.Errorf("the manifest lists %+v, %v", files, err)
		}
		var summary manifest
		if err := json.Unmarshal(h.objects[prefix+"manifest-summary.json"], &summary); err != nil || summary.ManifestFiles != prefix+"manifest-files.json" || summary.Items != 501 {
			t.Errorf("the summary is %+v, %v", summary, err)
		}
		h.objects[prefix+"data/zzz"], _ = compress([]byte("{\"Item\":{\"pk\":{\"N\":\"1\"}}}\nno json\n\n{\"Item\":{\"pk\":{\"S\":\"extra\"}}}\n"))
		arn := lookup(t, h.must(t, "ImportTable", `{"S3BucketSource":{"S3Bucket":"files","S3KeyPrefix":"`+prefix+`data/"},"InputFormat":"DYNAMODB_JSON","InputCompressionType":"GZIP",`+
			`"TableCreationParameters":{"TableName":"copy","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}}`),
			"ImportTableDescription.ImportArn")
		synctest.Wait()
		got := h.must(t, "DescribeImport", `{"ImportArn":"`+arn+`"}`)
		for _, want := range []string{`"COMPLETED"`, `"ProcessedItemCount":504`, `"ImportedItemCount":502`, `"ErrorCount":2`} {
			if !strings.Contains(got, want) {
				t.Errorf("the import is %s, want %s", got, want)
			}
		}
		if len(h.logged) != 2 || !strings.HasPrefix(h.logged[0], "/aws-dynamodb/imports: ") || !strings.Contains(h.logged[0], `"itemIndex":0},"errorMessages":["One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N"]`) {
			t.Errorf("the log has %q", h.logged)
		}
		if want := "arn:aws:logs:us-east-1:000000000000:log-group:/aws-dynamodb/imports:*"; !strings.Contains(got, want) {
			t.Errorf("the import is %s, want the log group", got)
		}
		h.must(t, "PutItem", `{"TableName":"types","Item":{"pk":{"S":"extra"}}}`)
		if !slices.Equal(h.dump(t, "copy"), h.dump(t, "types")) {
			t.Error("the copy differs from the table")
		}
	})
}

func TestIonExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		prefix := h.exported(t, "ION", 0)
		want := `$ion_1_0 {Item:{b:{{AAH/}},bs:$dynamodb_BS::[{{AA==}}],'it\'s':"say \"hi\"\x0a",l:[1.,{x:"é"}],n:-12.5,nil:null,ns:$dynamodb_NS::[1.,2.5],pk:"all",ss:$dynamodb_SS::["a","b"],t:true}}` + "\n"
		for k, b := range h.objects {
			if strings.HasPrefix(k, prefix+"data/") {
				if got := unzip(t, b); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
		}
	})
}

func TestImportOfIon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		prefix := h.exported(t, "ION", 300)
		h.objects[prefix+"data/zzz"], _ = compress([]byte("$ion_1_0 {Item:{pk:2020-01-01T}}\n"))
		arn := lookup(t, h.must(t, "ImportTable", `{"S3BucketSource":{"S3Bucket":"files","S3KeyPrefix":"`+prefix+`data/"},"InputFormat":"ION","InputCompressionType":"GZIP",`+
			`"TableCreationParameters":{"TableName":"copy","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}}`),
			"ImportTableDescription.ImportArn")
		synctest.Wait()
		if got := h.must(t, "DescribeImport", `{"ImportArn":"`+arn+`"}`); !strings.Contains(got, `"ImportedItemCount":301`) || !strings.Contains(got, `"ErrorCount":1`) {
			t.Errorf("the import is %s", got)
		}
		if !slices.Equal(h.dump(t, "copy"), h.dump(t, "types")) {
			t.Error("the copy differs from the table")
		}
	})
}

// exportWindow exports what changed since a time, and returns the lines and the summary.
func (h *harness) exportWindow(t *testing.T, from, to time.Time, view, format string) (lines []string, m manifest) {
	t.Helper()
	arn := lookup(t, h.must(t, "ExportTableToPointInTime", fmt.Sprintf(`{"TableArn":"orders","S3Bucket":"files","ExportType":"INCREMENTAL_EXPORT","ExportFormat":%q,"IncrementalExportSpecification":`+
		`{"ExportFromTime":%q,"ExportToTime":%q,"ExportViewType":%q}}`, format, from.Format(time.RFC3339), to.Format(time.RFC3339), view)), "ExportDescription.ExportArn")
	synctest.Wait()
	got := h.must(t, "DescribeExport", `{"ExportArn":"`+arn+`"}`)
	if !strings.Contains(got, `"COMPLETED"`) || !strings.Contains(got, `"INCREMENTAL_EXPORT"`) {
		t.Fatalf("the export is %s", got)
	}
	if err := json.Unmarshal(h.objects[lookup(t, got, "ExportDescription.ExportManifest")], &m); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(h.objects[m.ManifestFiles])) {
		var f exportFile
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(f.Key, "AWSDynamoDB/data/") {
			t.Errorf("a data file is %s", f.Key)
		}
		lines = slices.AppendSeq(lines, strings.Lines(unzip(t, h.objects[f.Key])))
	}
	slices.Sort(lines)
	return lines, m
}

func TestIncrementalExportHoldsWhatChangedInItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.must(t, "CreateTable", `{"TableName":"orders","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}`)
		h.must(t, "UpdateContinuousBackups", `{"TableName":"orders","PointInTimeRecoverySpecification":{"PointInTimeRecoveryEnabled":true}}`)
		put := func(id string, n int) {
			h.must(t, "PutItem", fmt.Sprintf(`{"TableName":"orders","Item":{"id":{"S":%q},"n":{"N":"%d"}}}`, id, n))
		}
		remove := func(id string) {
			h.must(t, "DeleteItem", fmt.Sprintf(`{"TableName":"orders","Key":{"id":{"S":%q}}}`, id))
		}
		for _, id := range []string{"changed", "deleted", "kept", "later"} {
			put(id, 1)
		}
		h.clock.Advance(time.Hour)
		from := h.clock.Now()
		put("changed", 2)
		put("new", 1)
		put("passing", 1)
		remove("passing")
		h.clock.Advance(30 * time.Minute)
		put("changed", 3)
		remove("deleted")
		h.clock.Advance(30 * time.Minute)
		to := h.clock.Now()
		put("changed", 4) // at the end of the window, which it does not hold
		put("later", 2)
		put("deleted", 2)
		remove("new")
		put("new", 9)
		h.clock.Advance(time.Minute)
		early, late := from.UnixMicro(), from.Add(30*time.Minute).UnixMicro()
		want := []string{
			fmt.Sprintf(`{"Metadata":{"WriteTimestampMicros":{"N":"%d"}},"Keys":{"id":{"S":"changed"}},"OldImage":{"id":{"S":"changed"},"n":{"N":"1"}},"NewImage":{"id":{"S":"changed"},"n":{"N":"3"}}}`+"\n", late),
			fmt.Sprintf(`{"Metadata":{"WriteTimestampMicros":{"N":"%d"}},"Keys":{"id":{"S":"deleted"}},"OldImage":{"id":{"S":"deleted"},"n":{"N":"1"}}}`+"\n", late),
			fmt.Sprintf(`{"Metadata":{"WriteTimestampMicros":{"N":"%d"}},"Keys":{"id":{"S":"new"}},"NewImage":{"id":{"S":"new"},"n":{"N":"1"}}}`+"\n", early),
		}
		slices.Sort(want)
		got, m := h.exportWindow(t, from, to, "NEW_AND_OLD_IMAGES", "DYNAMODB_JSON")
		if !slices.Equal(got, want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
		if m.Items != 3 || m.View != "NEW_AND_OLD_IMAGES" || !m.From.Equal(from) || !m.To.Equal(to) || m.ExportTime != nil {
			t.Errorf("the summary is %+v", m)
		}
		ionLines, _ := h.exportWindow(t, from, to, "NEW_IMAGE", "ION")
		if wantIon := fmt.Sprintf(`$ion_1_0 {Record:{Metadata:{WriteTimestampMicros:%d.},Keys:{id:"deleted"}}}`+"\n", late); len(ionLines) != 3 || !slices.Contains(ionLines, wantIon) {
			t.Errorf("got %s, want %s among them", ionLines, wantIon)
		}
		if none, m := h.exportWindow(t, from.Add(-20*time.Minute), from, "NEW_IMAGE", "ION"); none != nil || m.Items != 0 {
			t.Errorf("a window without writes holds %s", none)
		}
		// Nothing keeps the table from being deleted.
		h.must(t, "DeleteTable", `{"TableName":"orders"}`)
	})
}

func TestWindowsOfExportsAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.exported(t, "", 0)
		h.clock.Advance(48 * time.Hour)
		for spec, want := range map[string]string{
			`"ExportType":"INCREMENTAL_EXPORT"`: codeValidation,
			`"ExportType":"INCREMENTAL_EXPORT","IncrementalExportSpecification":{"ExportFromTime":"2026-11-27T11:50:00Z"}`:                                       "InvalidExportTimeException",
			`"ExportType":"INCREMENTAL_EXPORT","IncrementalExportSpecification":{"ExportFromTime":"2026-11-25T12:00:00Z"}`:                                       "InvalidExportTimeException",
			`"ExportType":"INCREMENTAL_EXPORT","IncrementalExportSpecification":{"ExportFromTime":"2026-11-27T11:00:00Z","ExportToTime":"2026-11-27T13:00:00Z"}`: "InvalidExportTimeException",
			`"ExportType":"INCREMENTAL_EXPORT","IncrementalExportSpecification":{"ExportFromTime":"2026-11-25T11:00:00Z","ExportToTime":"2026-11-25T12:30:00Z"}`: "InvalidExportTimeException",
			`"IncrementalExportSpecification":{"ExportFromTime":"2026-11-27T11:00:00Z"}`:                                                                         codeValidation,
			`"ExportTime":"2026-11-27T11:00:00Z","ExportType":"INCREMENTAL_EXPORT","IncrementalExportSpecification":{"ExportFromTime":"2026-11-27T11:00:00Z"}`:   codeValidation,
		} {
			if _, err := h.call("ExportTableToPointInTime", `{"TableArn":"types","S3Bucket":"files",`+spec+`}`); service.Code(err) != want {
				t.Errorf("%s: %v, want %s", spec, err, want)
			}
		}
	})
}

func TestImportOfCSV(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		z, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		h.objects["in.csv"] = z.EncodeAll([]byte("id;name\n1;\"ann; b\"\nx;bob\n2.50;\n3;a;b\n"), nil)
		arn := lookup(t, h.must(t, "ImportTable", `{"S3BucketSource":{"S3Bucket":"files"},"InputFormat":"CSV","InputCompressionType":"ZSTD","InputFormatOptions":{"Csv":{"Delimiter":";"}},`+
			`"TableCreationParameters":{"TableName":"people","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"N"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}}`),
			"ImportTableDescription.ImportArn")
		synctest.Wait()
		if got := h.must(t, "DescribeImport", `{"ImportArn":"`+arn+`"}`); !strings.Contains(got, `"ImportedItemCount":2`) || !strings.Contains(got, `"ErrorCount":2`) {
			t.Errorf("the import is %s", got)
		}
		if got := h.must(t, "GetItem", `{"TableName":"people","Key":{"id":{"N":"1"}}}`); got != `{"Item":{"id":{"N":"1"},"name":{"S":"ann; b"}}}` {
			t.Error(got)
		}
	})
}

func TestTransfersFailWithWhatS3Says(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.exported(t, "", 0)
		arn := lookup(t, h.must(t, "ExportTableToPointInTime", `{"TableArn":"types","S3Bucket":"none"}`), "ExportDescription.ExportArn")
		synctest.Wait()
		if got := h.must(t, "DescribeExport", `{"ExportArn":"`+arn+`"}`); !strings.Contains(got, `"FailureCode":"S3NoSuchBucket"`) || !strings.Contains(got, `"FAILED"`) {
			t.Error(got)
		}
		if got := h.must(t, "ListExports", `{"MaxResults":1}`); !strings.Contains(got, `"NextToken"`) {
			t.Error(got)
		}
		if _, err := h.call("ExportTableToPointInTime", `{"TableArn":"types","S3Bucket":"b","ClientToken":"once"}`); service.Code(err) != "ExportConflictException" {
			t.Error(err)
		}
	})
}
