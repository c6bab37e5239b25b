package cloudformation

import (
	"context"
	"io"
	"net/url"
	"strings"

	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/service"
)

// objectOf returns the bucket and key that a URL names, whatever its host: an s3:// URL, one of AWS's S3 hosts in path or virtual-host
// form, or this platform's own address. A template is always read from this platform's S3, never from the internet.
func objectOf(text string) (bucket, key, version string, ok bool) {
	u, err := url.Parse(text)
	if err != nil {
		return "", "", "", false
	}
	path := strings.TrimPrefix(u.Path, "/")
	switch u.Scheme {
	case "s3":
		return u.Host, path, u.Query().Get("versionId"), u.Host != "" && path != ""
	case "http", "https":
	default:
		return "", "", "", false
	}
	if b, virtual := virtualBucket(u.Hostname()); virtual {
		return b, path, u.Query().Get("versionId"), path != ""
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key, u.Query().Get("versionId"), bucket != "" && key != ""
}

// virtualBucket finds the bucket in hosts such as bucket.s3.eu-west-1.amazonaws.com, bucket.s3-eu-west-1.… and bucket.s3.localhost.
func virtualBucket(host string) (string, bool) {
	labels := strings.Split(host, ".")
	for i := len(labels) - 1; i > 0; i-- {
		if l := labels[i]; l == "s3" || l == "s3-fips" || strings.HasPrefix(l, "s3-") && strings.Contains(host, ".amazonaws.com") {
			return strings.Join(labels[:i], "."), true
		}
	}
	return "", false
}

// maxBody is the longest template that a call brings with it, in bytes, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html. A longer one comes from S3.
const maxBody = 51_200

// text returns the template that a call brings with it, or "" when it brings none. As with CloudFormation, a URL of a template is not of the form s3://.
func (s *Service) text(ctx context.Context, body, location *string) (string, error) {
	of, brought := ctx.Value(setTemplateKey{}).(setTemplate)
	switch {
	case brought:
		return of.text, nil
	case deref(body) != "" && deref(location) != "":
		return "", invalid("You can only specify one of TemplateBody or TemplateURL")
	case len(deref(body)) > maxBody:
		return "", invalid("1 validation error detected: Value '%s' at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to %d", *body, maxBody)
	case deref(location) == "":
		return deref(body), nil
	}
	if bucket, isS3 := strings.CutPrefix(*location, "s3://"); isS3 {
		bucket, _, _ = strings.Cut(bucket, "/")
		return "", invalid("S3 error: Domain name specified in %s is not a valid S3 domain", bucket)
	}
	text, err := s.object(ctx, *location)
	if err != nil && service.Code(err) != "ValidationError" {
		err = invalid("S3 error: the template %s cannot be read: %v", *location, err)
	}
	return text, err
}

// object returns the text of the object that a URL names.
func (s *Service) object(ctx context.Context, location string) (string, error) {
	if s.options.Objects == nil {
		return "", invalid("TemplateURL needs S3, which this server does not run. Use TemplateBody.")
	}
	bucket, key, version, ok := objectOf(location)
	if !ok {
		return "", invalid("TemplateURL must be a supported URL.")
	}
	r, size, err := s.options.Objects.OpenObject(ctx, bucket, key, version)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	if size > template.MaxBytes {
		return "", invalid("Template may not exceed %d bytes in size.", template.MaxBytes)
	}
	text, err := io.ReadAll(io.LimitReader(r, template.MaxBytes+1))
	return string(text), err
}
