package dispatch

import (
	"net/http"
	"net/url"
	"strings"
)

// inQuery are the parameters of a presigned URL that stay what they are: those of the signature, and checksums, which presigners compute over a body that they do not
// have.
var inQuery = []string{
	"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders", "x-amz-signature", "x-amz-security-token",
	"x-amz-content-sha256", "x-amz-region-set", "x-amz-checksum-", "x-amz-sdk-checksum-algorithm",
}

// headersOfQuery puts the x-amz- parameters of a presigned request into its header, unless they are there: presigners such as the SDK for JavaScript's move them to
// where they are signed with the URL, and S3 takes them from there. Signature Version 4 signs all of the query, and Version 2 these parameters.
func headersOfQuery(h http.Header, query string) {
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if len(name) < 6 || !strings.EqualFold(name[:6], "x-amz-") || staysInQuery(strings.ToLower(name)) || len(h.Values(name)) > 0 {
			continue
		}
		if text, err := url.QueryUnescape(value); err == nil {
			h.Set(name, text)
		}
	}
}

func staysInQuery(name string) bool {
	for _, n := range inQuery {
		if name == n || strings.HasSuffix(n, "-") && strings.HasPrefix(name, n) {
			return true
		}
	}
	return false
}
