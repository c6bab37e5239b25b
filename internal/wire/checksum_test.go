package wire_test

import (
	"maps"
	"net/http"
	"testing"

	"lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/wire"
)

// setting decodes a request that changes a setting of a bucket or an object.
func setting(t *testing.T, query, body string, header http.Header) error {
	t.Helper()
	req := restRequest("PUT", "/bucket/key", body)
	if query == "cors" || query == "policy" || query == "notification" {
		req = restRequest("PUT", "/bucket", body)
	}
	req.RawQuery = query
	maps.Copy(req.Header, header)
	op, err := wire.New(s3.API, (&s3.Handlers{}).Bindings()).Match(req)
	if err != nil {
		t.Fatal(err)
	}
	return op.Decode(req, op.Binding.New())
}

func TestWhatNeedsAChecksum(t *testing.T) {
	for query, c := range map[string]struct{ body, want string }{
		"cors":         {"<CORSConfiguration/>", "InvalidRequest"},
		"legal-hold":   {"<LegalHold/>", "InvalidRequest"},
		"policy":       {"{}", ""},
		"acl":          {"<AccessControlPolicy/>", ""},
		"tagging":      {"<Tagging><TagSet/></Tagging>", ""},
		"notification": {"<NotificationConfiguration/>", ""},
	} {
		if got := service.Code(setting(t, query, c.body, nil)); got != c.want {
			t.Errorf("%s without a checksum: code is %q, want %q", query, got, c.want)
		}
	}
}

func TestChecksumsOfSettingsAreCompared(t *testing.T) {
	const body = "<CORSConfiguration/>"
	for name, c := range map[string]struct {
		header http.Header
		want   string
	}{
		"MD5":                      {http.Header{"Content-Md5": {"X2DwA3ZNuD6gUGkUJg8PDg=="}}, ""},
		"another MD5":              {http.Header{"Content-Md5": {"1B2M2Y8AsgTpgAmY7PhCfg=="}}, "BadDigest"},
		"empty MD5":                {http.Header{"Content-Md5": {""}}, "InvalidDigest"},
		"short MD5":                {http.Header{"Content-Md5": {"1B2M"}}, "InvalidDigest"},
		"MD5 in hex":               {http.Header{"Content-Md5": {"d41d8cd98f00b204e9800998ecf8427e"}}, "InvalidDigest"},
		"CRC32":                    {http.Header{"X-Amz-Checksum-Crc32": {"XrhYBA=="}}, ""},
		"another CRC32":            {http.Header{"X-Amz-Checksum-Crc32": {"AAAAAA=="}}, "BadDigest"},
		"no base64":                {http.Header{"X-Amz-Checksum-Crc32": {"#"}}, "InvalidRequest"},
		"too long":                 {http.Header{"X-Amz-Checksum-Crc32": {"AAAAAAAA"}}, "InvalidRequest"},
		"empty checksum":           {http.Header{"X-Amz-Checksum-Sha256": {""}}, "InvalidRequest"},
		"another XXHASH64":         {http.Header{"X-Amz-Checksum-Xxhash64": {"AAAAAAAAAAA="}}, "BadDigest"},
		"two of them":              {http.Header{"X-Amz-Checksum-Crc32": {"XrhYBA=="}, "X-Amz-Checksum-Crc32c": {"XrhYBA=="}}, "InvalidRequest"},
		"right and wrong":          {http.Header{"X-Amz-Checksum-Crc32": {"XrhYBA=="}, "Content-Md5": {"1B2M2Y8AsgTpgAmY7PhCfg=="}}, "BadDigest"},
		"nothing that is required": {nil, "InvalidRequest"},
	} {
		if got := service.Code(setting(t, "cors", body, c.header)); got != c.want {
			t.Errorf("%s: code is %q, want %q", name, got, c.want)
		}
	}
	// The model does not speak of checksums of this one.
	if got := service.Code(setting(t, "notification", "<NotificationConfiguration/>", http.Header{"Content-Md5": {"1B2M2Y8AsgTpgAmY7PhCfg=="}})); got != "BadDigest" {
		t.Errorf("notification with another MD5: code is %q", got)
	}
}
