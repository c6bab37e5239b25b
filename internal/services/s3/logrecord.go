package s3

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
)

// logLine is one record: https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html. What is empty is written as a dash.
type logLine struct {
	owner, bucket           string
	at                      time.Time
	remote, requester, id   string
	operation, key, uri     string
	status                  int
	code                    string
	sent, size              int64 // 0 when not known
	took                    time.Duration
	referer, agent          string
	version, host           string
	signature, cipher       string
	authType, hostHeader    string
	tlsVersion, accessPoint string
}

// String returns the line with its line break. The time until the first byte of the answer, and whether an access control list was needed, are not told.
func (l *logLine) String() string {
	took := ""
	if l.took >= 0 {
		took = strconv.FormatInt(l.took.Milliseconds(), 10)
	}
	status := ""
	if l.status != 0 {
		status = strconv.Itoa(l.status)
	}
	fields := []string{
		l.owner, l.bucket, "[" + l.at.UTC().Format("02/Jan/2006:15:04:05 -0700") + "]", l.remote, l.requester, l.id, l.operation, escapeKey(l.key), quote(l.uri),
		status, l.code, positive(l.sent), positive(l.size), took, "", quote(l.referer), quote(l.agent), l.version, l.host, l.signature, l.cipher, l.authType,
		bare(l.hostHeader), l.tlsVersion, l.accessPoint, "",
	}
	for i, f := range fields {
		if f == "" {
			fields[i] = "-"
		}
	}
	return strings.Join(fields, " ") + "\n"
}

func positive(n int64) string {
	if n <= 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// quote writes what a client sent between quotes, so that it cannot end its field or its line.
func quote(s string) string {
	if s == "" {
		s = "-"
	}
	return `"` + encodeUnsafe(s, ' ') + `"`
}

// bare is what a client sent as a field without quotes.
func bare(s string) string { return encodeUnsafe(s, '!') }

// encodeUnsafe encodes, as URLs do, what is not printable ASCII from least on, and quotes.
func encodeUnsafe(s string, least byte) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < least || c > '~' || c == '"' {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// answered makes the records of an exchange, for the buckets that have logs: Service.Answered.
func (s *Service) answered(e *service.Exchange) {
	rawBucket, rawKey, _ := strings.Cut(strings.TrimPrefix(e.RawPath, "/"), "/")
	name, err := url.PathUnescape(rawBucket)
	if err != nil || name == "" {
		return
	}
	ctx := service.WithRequest(context.Background(), e.Request)
	s.recordCopySource(ctx, e)
	b, err := s.lookUp(ctx, name, nil)
	if err != nil || !b.Logs {
		return // a bucket that is not there has no log
	}
	key, err := url.PathUnescape(rawKey)
	if err != nil {
		key = rawKey
	}
	if in, ok := e.In.(*api.PutObjectInput); ok {
		key = in.Key // a form has it in its fields
	}
	l := lineOf(b, e)
	l.operation, l.key = operationName(e, key != ""), key
	l.size, l.version = sizeOf(e), versionOf(e)
	s.record(b, l)
	s.recordBatch(b, e, l)
}

func (s *Service) record(b *bucket, l *logLine) {
	s.records.add(logRecord{b, l.at, l.String()})
}

// lineOf fills in what an exchange tells of itself.
func lineOf(b *bucket, e *service.Exchange) *logLine {
	r := e.Request
	l := &logLine{
		owner: canonicalID(b.Account), bucket: b.Name, at: r.Time, requester: requesterOf(r.Principal), id: r.ID, host: r.ID, status: e.Status, code: e.Code,
		sent: e.Bytes, took: e.Duration, agent: r.UserAgent,
	}
	if r.SourceIP.IsValid() {
		l.remote = r.SourceIP.String()
	}
	if b.via != nil {
		l.accessPoint = b.via.arn()
	}
	if e.TLS != nil {
		l.tlsVersion, l.cipher = strings.Replace(tls.VersionName(e.TLS.Version), "TLS 1.", "TLSv1.", 1), cipherName(e.TLS.CipherSuite)
	}
	if h := r.HTTP; h != nil {
		l.hostHeader, l.referer = h.Host, h.Header("Referer")
		l.uri = h.Method + " " + withoutSecrets(h.RawTarget) + " " + e.Protocol
		l.signature, l.authType = signatureOf(h)
	}
	return l
}

// requesterOf names the caller: an account by its canonical id, a user or a role by its ARN.
func requesterOf(p service.Principal) string {
	switch p.Kind {
	case service.Anonymous:
		return ""
	case service.Root:
		return canonicalID(p.Account)
	case service.ServicePrincipal:
		return "svc:" + p.Service
	}
	return p.ARN
}

// cipherName returns the name of a cipher suite as OpenSSL has it.
func cipherName(id uint16) string {
	name := tls.CipherSuiteName(id)
	if !strings.Contains(name, "_WITH_") {
		return name // those of TLS 1.3 have one name
	}
	return strings.NewReplacer("TLS_", "", "_WITH_", "-", "AES_", "AES", "POLY1305_SHA256", "POLY1305", "_", "-").Replace(name)
}

// signatureOf returns the version of a request's signature and where it was.
func signatureOf(h *service.HTTPRequest) (version, where string) {
	switch a := h.Header("Authorization"); {
	case strings.HasPrefix(a, "AWS4-"):
		return "SigV4", "AuthHeader"
	case strings.HasPrefix(a, "AWS "):
		return "SigV2", "AuthHeader"
	case strings.Contains(h.RawTarget, "X-Amz-Signature="):
		return "SigV4", "QueryString"
	case strings.Contains(h.RawTarget, "AWSAccessKeyId="):
		return "SigV2", "QueryString"
	}
	return "", ""
}

// withoutSecrets takes out of a request target what would let a reader of the log make the request again.
func withoutSecrets(target string) string {
	path, query, ok := strings.Cut(target, "?")
	if !ok {
		return target
	}
	parts := strings.Split(query, "&")
	for i, p := range parts {
		name, _, _ := strings.Cut(p, "=")
		switch strings.ToLower(name) {
		case "x-amz-signature", "signature", "x-amz-security-token":
			parts[i] = name + "=REDACTED"
		}
	}
	return path + "?" + strings.Join(parts, "&")
}

// recordCopySource makes the record of the reading side of a copy, in the log of the bucket that it read from.
func (s *Service) recordCopySource(ctx context.Context, e *service.Exchange) {
	var header string
	operation := "REST.COPY.OBJECT_GET"
	switch in := e.In.(type) {
	case *api.CopyObjectInput:
		header = in.CopySource
	case *api.UploadPartCopyInput:
		header, operation = in.CopySource, "REST.COPY.PART_GET"
	default:
		return
	}
	from, err := parseCopySource(header)
	if err != nil {
		return
	}
	b, err := s.lookUp(ctx, from.bucket, nil)
	if err != nil || !b.Logs {
		return
	}
	l := lineOf(b, e)
	l.operation, l.key, l.version, l.sent = operation, from.key, deref(from.id), 0
	s.record(b, l)
}

// recordBatch makes a record for each key of a DeleteObjects.
func (s *Service) recordBatch(b *bucket, e *service.Exchange, whole *logLine) {
	out, ok := e.Out.(*api.DeleteObjectsOutput)
	in, has := e.In.(*api.DeleteObjectsInput)
	if !ok || !has {
		return
	}
	type failed struct{ key, version string }
	codes := map[failed]string{}
	for _, x := range out.Errors {
		codes[failed{deref(x.Key), deref(x.VersionId)}] = deref(x.Code)
	}
	for _, o := range in.Delete.Objects {
		l := *whole
		l.operation, l.key, l.version, l.sent, l.size = "BATCH.DELETE.OBJECT", o.Key, deref(o.VersionId), 0, 0
		l.status, l.code = http.StatusNoContent, codes[failed{o.Key, l.version}]
		if l.code != "" {
			l.status = http.StatusForbidden
		}
		s.record(b, &l)
	}
}

// recordExpiry makes the record of what a lifecycle rule did, when its transaction is durable.
func (s *Service) recordExpiry(b *bucket, operation, key, version string, size int64) func() {
	return func() {
		if b.Logs {
			s.record(b, &logLine{
				owner: canonicalID(b.Account), bucket: b.Name, at: s.now(), requester: "AmazonS3", id: strings.ToUpper(s.newID()[:16]), operation: operation,
				key: key, version: version, size: size, took: -1,
			})
		}
	}
}

// sizeOf returns the size of the object that an exchange was about; 0 when it does not tell.
func sizeOf(e *service.Exchange) int64 {
	switch out := e.Out.(type) {
	case *api.GetObjectOutput:
		if _, total, ok := strings.Cut(deref(out.ContentRange), "/"); ok {
			n, _ := parseSize(total)
			return n
		}
		return deref(out.ContentLength)
	case *api.HeadObjectOutput:
		return deref(out.ContentLength)
	}
	var length *int64
	switch in := e.In.(type) {
	case *api.PutObjectInput:
		length = in.ContentLength
	case *api.UploadPartInput:
		length = in.ContentLength
	default:
		return 0
	}
	if h := e.Request.HTTP; h != nil {
		if n, ok := parseSize(h.Header("X-Amz-Decoded-Content-Length")); ok {
			return n
		}
	}
	return deref(length)
}

// versionOf returns the version that an exchange made, read or named.
func versionOf(e *service.Exchange) string {
	var id *string
	switch out := e.Out.(type) {
	case *api.PutObjectOutput:
		id = out.VersionId
	case *api.CopyObjectOutput:
		id = out.VersionId
	case *api.CompleteMultipartUploadOutput:
		id = out.VersionId
	case *api.DeleteObjectOutput:
		id = out.VersionId
	case *api.GetObjectOutput:
		id = out.VersionId
	case *api.HeadObjectOutput:
		id = out.VersionId
	}
	if id != nil || e.Request.HTTP == nil {
		return deref(id)
	}
	_, query, _ := strings.Cut(e.Request.HTTP.RawTarget, "?")
	for p := range strings.SplitSeq(query, "&") {
		if v, ok := strings.CutPrefix(p, "versionId="); ok {
			return bare(v)
		}
	}
	return ""
}
