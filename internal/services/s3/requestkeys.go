package s3

import (
	"context"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/service"
)

// conditionHeaders are the headers of a request whose values are condition keys, under their names behind "s3:".
var conditionHeaders = []string{
	"x-amz-acl", "x-amz-content-sha256", "x-amz-copy-source", "x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write",
	"x-amz-grant-write-acp", "x-amz-metadata-directive", "x-amz-object-ownership", "x-amz-website-redirect-location", "if-match", "if-none-match",
}

// requestKeys returns the condition keys that tell how a request was sent and signed, added to those of bucket b, for a caller whom a policy may mean:
// https://docs.aws.amazon.com/AmazonS3/latest/API/bucket-policy-s3-sigv4-conditions.html. Where no policy is asked, nothing is added.
func requestKeys(ctx context.Context, b *bucket, policy string) map[string][]string {
	of := b.conditions()
	r := service.RequestFrom(ctx)
	if r.HTTP == nil || r.HTTP.Header == nil || policy == "" && r.Principal.Kind == service.Root {
		return of
	}
	keys := sentKeys(r)
	keys["s3:ResourceAccount"] = []string{b.Account}
	maps.Copy(keys, of)
	return keys
}

// sentKeys returns the keys of a request that came over HTTP.
func sentKeys(r *service.Request) map[string][]string {
	keys := map[string][]string{}
	set := func(key, value string) {
		if value != "" {
			keys["s3:"+key] = []string{strings.Clone(value)} // decisions are remembered, and must not hold on to the request
		}
	}
	for _, name := range conditionHeaders {
		set(name, r.HTTP.Header(name))
	}
	set("TlsVersion", r.HTTP.TLSVersion)
	signedKeys(r, set)
	return keys
}

// signedKeys tells how a request was signed, and how many milliseconds ago.
func signedKeys(r *service.Request, set func(key, value string)) {
	header := r.HTTP.Header("Authorization")
	_, raw, _ := strings.Cut(r.HTTP.RawTarget, "?")
	at := r.HTTP.Header("X-Amz-Date")
	switch {
	case header != "":
		version, _, _ := strings.Cut(header, " ")
		set("authType", "REST-HEADER")
		set("signatureversion", version)
	case r.HTTP.Presigned:
		q, err := url.ParseQuery(raw)
		if err != nil {
			return // which was signed, and so can be read
		}
		set("authType", "REST-QUERY-STRING")
		if at = q.Get("X-Amz-Date"); q.Has("X-Amz-Algorithm") {
			set("signatureversion", q.Get("X-Amz-Algorithm"))
		} else {
			set("signatureversion", "AWS")
		}
	case r.Operation == "PostObject" && r.Principal.Kind != service.Anonymous:
		set("authType", "POST")
	}
	if t, err := time.Parse("20060102T150405Z", at); err == nil {
		set("signatureAge", strconv.FormatInt(r.Time.Sub(t).Milliseconds(), 10))
	}
}
