package sigv4

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Signature Version 2 is defined with HMAC-SHA1.
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// v2Signed are the parameters that Version 2 makes a part of the resource.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html
var v2Signed = []string{
	"accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory", "lifecycle", "location", "logging",
	"metrics", "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
	"response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language",
	"response-content-type", "response-expires", "restore", "select", "select-type", "storageClass", "tagging", "torrent",
	"uploadId", "uploads", "versionId", "versioning", "versions", "website",
}

// v2Open are the parameters that may be sent although Version 2 does not sign them: they page
// through a listing or belong to the signature. Any other one would choose another operation
// under the same signature and is refused.
var v2Open = []string{
	"AWSAccessKeyId", "Expires", "Signature", "content-md5", "content-type", "continuation-token", "delimiter",
	"encoding-type", "fetch-owner", "key-marker", "list-type", "marker", "max-keys", "max-uploads", "part-number-marker",
	"max-parts", "prefix", "start-after", "upload-id-marker", "version-id-marker", "x-id",
}

// parseV2 reads the parameters of S3's Version 2.
func parseV2(r *Request, list []param, opt Options) (*Signature, error) {
	s := &Signature{Version: V2, Query: true, params: list, Hash: Unsigned256}
	if opt.NoV2 {
		return nil, &Error{Kind: Unsupported, InQuery: true}
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
	default:
		return nil, &Error{Kind: Unsupported, InQuery: true}
	}
	for _, p := range list {
		if slices.Contains(v2Signed, p.key) || slices.Contains(v2Open, p.key) || strings.HasPrefix(p.key, "x-amz-") {
			continue
		}
		return nil, &Error{Kind: Unsigned, InQuery: true, Extra: []Field{{"ParametersNotSigned", clip(p.key)}}}
	}
	var expires string
	for _, f := range [...]struct {
		name string
		to   *string
	}{{"AWSAccessKeyId", &s.AccessKeyID}, {"Signature", &s.Value}, {"Expires", &expires}, {"x-amz-security-token", &s.Token}} {
		n := 0
		for i := range list {
			if list[i].key == f.name {
				*f.to, n = decode(list[i].value, false), n+1
			}
		}
		if n > 1 || n == 0 && f.name != "x-amz-security-token" {
			return nil, malformedV2(s, "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")
		}
	}
	if s.Token == "" {
		s.Token = r.Get("X-Amz-Security-Token")
	}
	secs, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || secs < 0 || secs > 1<<40 {
		return nil, malformedV2(s, "Invalid date (should be seconds since epoch): "+clip(expires))
	}
	s.Deadline = time.Unix(secs, 0)
	return s, nil
}

func malformedV2(s *Signature, msg string) *Error {
	return &Error{Kind: MalformedV2, Message: msg, InQuery: true, AccessKeyID: s.AccessKeyID}
}

// verify2 compares the HMAC-SHA1 of Version 2's string to sign.
func verify2(r *Request, s *Signature, secret string, opt Options) (*Payload, error) {
	path, _ := r.split()
	if path == "" {
		path = "/"
	}
	if opt.Bucket != "" {
		path = "/" + opt.Bucket + path
	}
	toSign := v2StringToSign(r, s, path)
	ok := hmac.Equal([]byte(sign2(secret, toSign)), []byte(s.Value))
	if !ok && strings.LastIndexByte(path, '/') == 0 {
		// A bucket's own path may be signed with the slash that the target leaves out.
		ok = hmac.Equal([]byte(sign2(secret, v2StringToSign(r, s, path+"/"))), []byte(s.Value))
	}
	if !ok {
		return nil, &Error{Kind: Mismatch, InQuery: true, AccessKeyID: s.AccessKeyID, StringToSign: toSign, Signature: s.Value}
	}
	return new(Payload).with(r, s)
}

func sign2(secret, toSign string) string {
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(toSign))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// v2StringToSign puts together the verb, the content fields, the deadline, the x-amz- fields
// (which may come in the query) and the resource with its signed parameters.
func v2StringToSign(r *Request, s *Signature, path string) string {
	either := func(name string) string {
		if v, n := r.lookup(name); n > 0 {
			return string(appendTrimmed(nil, v))
		}
		v, _ := find(s.params, name)
		return v
	}
	var b strings.Builder
	b.WriteString(r.Method + "\n" + either("content-md5") + "\n" + either("content-type") + "\n")
	b.WriteString(strconv.FormatInt(s.Deadline.Unix(), 10) + "\n")
	b.WriteString(v2Headers(r, s))
	b.WriteString(path)
	sep := byte('?')
	signed := slices.Clone(s.params)
	slices.SortStableFunc(signed, func(a, b param) int { return strings.Compare(a.key, b.key) })
	for _, p := range signed {
		if !slices.Contains(v2Signed, p.key) {
			continue
		}
		b.WriteByte(sep)
		sep = '&'
		b.WriteString(p.key)
		if v := decode(p.value, false); v != "" {
			b.WriteString("=" + v)
		}
	}
	return b.String()
}

// v2Headers returns the x-amz- fields of head and query, lower case and sorted, a line each.
func v2Headers(r *Request, s *Signature) string {
	values := map[string][]string{}
	for i := range r.Fields {
		if name := strings.ToLower(r.Fields[i].Name); strings.HasPrefix(name, "x-amz-") {
			values[name] = append(values[name], string(appendTrimmed(nil, r.Fields[i].Value)))
		}
	}
	for _, p := range s.params {
		if v := decode(p.value, false); strings.HasPrefix(p.key, "x-amz-") && !slices.Contains(values[p.key], v) {
			values[p.key] = append(values[p.key], v)
		}
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name + ":" + strings.Join(values[name], ",") + "\n")
	}
	return b.String()
}
