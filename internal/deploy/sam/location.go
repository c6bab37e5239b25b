package sam

import (
	"net/url"
	"regexp"
	"strings"
)

var dynamicReference = regexp.MustCompile(`{{resolve:(ssm|ssm-secure|secretsmanager):[a-zA-Z0-9_.\-/]+(:\d+)?}}`)

// s3Location is a place in S3 as functions and layers have it, written as a URI or as a mapping.
func s3Location(id, property string, v any) (*dict, error) {
	d, isMap := v.(*dict)
	s, isText := text(v)
	switch {
	case isMap && (!truthy(d.get("Bucket")) || !truthy(d.get("Key"))):
		return nil, invalid(id, "'%s' requires Bucket and Key properties to be specified.", property)
	case isMap:
	case !isText:
		return nil, invalid(id, "'%s' must be of type dict or string.", property)
	case strings.Contains(dynamicReference.FindString(s), "/"):
		return nil, invalid(id, "Unsupported dynamic reference detected in '%s'. Please consider using alternative 'FunctionCode' object format.", property)
	default:
		if d = parseS3(v); d == nil {
			return nil, invalid(id, "'%s' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter.", property)
		}
	}
	out := dictOf("S3Bucket", d.get("Bucket"), "S3Key", d.get("Key"))
	if d.has("Version") {
		out.set("S3ObjectVersion", d.get("Version"))
	}
	return out, nil
}

// parseS3 splits an S3 URI into Bucket, Key and Version; nil if v is none.
func parseS3(v any) *dict {
	s, ok := text(v)
	rest, found := strings.CutPrefix(s, "s3://")
	if !ok || !found {
		return nil
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	bucket, key, found := strings.Cut(rest, "/")
	if bucket == "" || !found || strings.ContainsAny(bucket, "[]") {
		return nil
	}
	out := dictOf("Bucket", like(v, bucket), "Key", like(v, strings.TrimLeft(key, "/")))
	if values, err := url.ParseQuery(query); err == nil && len(values["versionId"]) == 1 {
		out.set("Version", like(v, values.Get("versionId")))
	}
	return out
}
