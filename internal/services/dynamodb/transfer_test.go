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

	"github.com/klauspost/compress/zstd"

	"lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
)

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
