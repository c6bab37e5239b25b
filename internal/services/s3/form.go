package s3

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/lib/integrity"
	"lambent.dev/lambent/internal/service"
)

// Limits of forms (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html): the fields before the file, in bytes and in number.
const (
	maxFormFields = 20 << 10
	maxFormCount  = 200
)

// form is an upload by an HTML form: its fields, by lower-case name, and the file, which comes last.
type form struct {
	bucket string
	fields map[string]string
	order  []string
	file   *multipart.Part
}

func malformedForm() error {
	return fail("MalformedPOSTRequest", http.StatusBadRequest, "The body of your POST request is not well-formed multipart/form-data.")
}

// postForm serves an upload by a form: Service.Form.
func (s *Service) postForm(ctx context.Context, w http.ResponseWriter, up *service.FormUpload) error {
	f, err := readForm(up)
	if err != nil {
		return err
	}
	if ctx, err = f.prove(ctx, up); err != nil {
		return err
	}
	b, err := s.lookUp(ctx, f.bucket, nil)
	if err != nil {
		return err
	}
	least, most := int64(0), int64(maxUpload)
	if scope := strings.Split(f.fields["x-amz-credential"], "/"); len(scope) == 5 && scope[2] != b.Region {
		return invalidValue("x-amz-credential", f.fields["x-amz-credential"], fmt.Sprintf("the region %q is wrong; expecting %q", scope[2], b.Region))
	}
	if _, given := f.fields["policy"]; given {
		p, err := parseFormPolicy(f.fields["policy"])
		if err != nil {
			return err
		}
		if err := p.check(f, s.now()); err != nil {
			return err
		}
		least, most = p.least, p.most
	}
	q, e, err := f.request(ctx)
	if err != nil {
		return err
	}
	up.Input = &api.PutObjectInput{Bucket: q.bucket, Key: q.key}
	targets, err := s.putTargets(ctx, q)
	if err != nil {
		return err
	}
	for _, t := range targets {
		t.Action = cmp.Or(t.Action, "s3:PutObject")
		if err := s.allow(ctx, t); err != nil {
			return err
		}
	}
	body := &ranged{r: f.file, least: least, most: most}
	v, _, err := s.keep(ctx, q, &b.Account, body, e, write{event: "ObjectCreated:Post"})
	if err != nil {
		return err
	}
	return s.answerForm(ctx, w, f, v)
}

// readForm reads the fields up to the file.
func readForm(up *service.FormUpload) (*form, error) {
	name, key, _ := strings.Cut(strings.TrimPrefix(up.RawPath, "/"), "/")
	if name == "" || key != "" {
		return nil, methodNotAllowed()
	}
	media, parameters, err := mime.ParseMediaType(up.ContentType)
	if err != nil || media != "multipart/form-data" {
		return nil, preconditionFailed("Bucket POST must be of the enclosure-type multipart/form-data")
	}
	if parameters["boundary"] == "" {
		return nil, malformedForm()
	}
	f := &form{bucket: name, fields: map[string]string{}}
	parts := multipart.NewReader(up.Body, parameters["boundary"])
	for left := maxFormFields; ; {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil, invalidArgument("POST requires exactly one file upload per request.").WithDetail(&InvalidArgument{"file", "0"})
		}
		if err != nil {
			return nil, malformedForm()
		}
		field := strings.ToLower(p.FormName())
		if field == "file" {
			f.file = p
			return f, nil
		}
		value, err := io.ReadAll(io.LimitReader(p, int64(left)+1))
		if err != nil {
			return nil, malformedForm()
		}
		if left -= len(field) + len(value); left < 0 || len(f.order) == maxFormCount {
			return nil, fail("MaxPostPreDataLengthExceeded", http.StatusBadRequest, "Your POST request fields preceding the upload file were too large.")
		}
		if _, twice := f.fields[field]; !twice {
			f.order = append(f.order, field)
		}
		f.fields[field] = string(value)
	}
}

// prove checks the signature of the form's policy. A form without one is by an anonymous caller.
func (f *form) prove(ctx context.Context, up *service.FormUpload) (context.Context, error) {
	missing := func(names ...string) error {
		for _, n := range names {
			if _, ok := f.fields[n]; !ok {
				return missingField(n)
			}
		}
		return nil
	}
	v4 := []string{"policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"}
	given := func(n string) bool { _, ok := f.fields[n]; return ok }
	sig := service.FormSignature{Policy: f.fields["policy"], Token: f.fields["x-amz-security-token"]}
	switch {
	case given("awsaccesskeyid") || given("signature"):
		if err := missing("policy", "awsaccesskeyid", "signature"); err != nil {
			return nil, err
		}
		sig.AccessKeyID, sig.Signature = f.fields["awsaccesskeyid"], f.fields["signature"]
	case slices.ContainsFunc(v4, given):
		if err := missing(v4...); err != nil {
			return nil, err
		}
		if a := f.fields["x-amz-algorithm"]; a != "AWS4-HMAC-SHA256" {
			return nil, invalidValue("X-Amz-Algorithm", a, "Only AWS4-HMAC-SHA256 is supported")
		}
		if d := f.fields["x-amz-date"]; !basicTime(d) {
			return nil, invalidValue("X-Amz-Date", d, "X-Amz-Date must be formated via ISO8601 Long format")
		}
		sig.Credential, sig.Signature = f.fields["x-amz-credential"], f.fields["x-amz-signature"]
	default:
		return ctx, nil
	}
	return up.Prove(ctx, sig)
}

// missingField names a field that a form lacks in S3's spelling; the fields of forms are the same in any case.
func missingField(name string) error {
	switch name {
	case "awsaccesskeyid":
		name = "AWSAccessKeyId"
	case "signature":
		name = "Signature"
	case "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature":
		name = http.CanonicalHeaderKey(name)
	}
	return invalidArgument("Bucket POST must contain a field named '%s'.  If it is specified, please check the order of the fields.", name).
		WithDetail(&InvalidArgument{name, ""})
}

func basicTime(s string) bool {
	_, err := time.Parse("20060102T150405Z", s)
	return err == nil
}

// request returns what the fields ask for.
func (f *form) request(ctx context.Context) (*request, expect, error) {
	key, ok := f.fields["key"]
	if !ok {
		return nil, expect{}, missingField("key")
	}
	name := path.Base(strings.ReplaceAll(f.file.FileName(), `\`, "/"))
	if f.file.FileName() == "" {
		name = ""
	}
	q := &request{
		bucket: f.bucket, key: strings.ReplaceAll(key, "${filename}", name), class: f.fields["x-amz-storage-class"],
		headers: headers{
			ContentType: f.fields["content-type"], CacheControl: f.fields["cache-control"], ContentDisposition: f.fields["content-disposition"],
			ContentEncoding: f.fields["content-encoding"], ContentLanguage: f.fields["content-language"], Expires: f.fields["expires"],
			Redirect: f.fields["x-amz-website-redirect-location"],
		},
		acl:  aclInput{canned: f.fields["acl"]},
		mode: f.fields["x-amz-object-lock-mode"], hold: f.fields["x-amz-object-lock-legal-hold"],
		seal: sealInput{
			algorithm: f.fields["x-amz-server-side-encryption"], key: f.field("x-amz-server-side-encryption-aws-kms-key-id"),
			kmsContext: f.field("x-amz-server-side-encryption-context"),
			customer: customerKey{
				f.field("x-amz-server-side-encryption-customer-algorithm"), f.field("x-amz-server-side-encryption-customer-key"),
				f.field("x-amz-server-side-encryption-customer-key-md5"),
			},
		},
	}
	for _, n := range f.order {
		if name, ok := strings.CutPrefix(n, "x-amz-meta-"); ok {
			if q.headers.Meta == nil {
				q.headers.Meta = map[string]string{}
			}
			q.headers.Meta[name] = f.fields[n]
		}
	}
	if until := f.fields["x-amz-object-lock-retain-until-date"]; until != "" {
		t, err := time.Parse(time.RFC3339, until)
		if err != nil {
			return nil, expect{}, invalidValue("x-amz-object-lock-retain-until-date", until, "The retain until date must be provided in ISO 8601 format")
		}
		q.until = &t
	}
	if raw, ok := f.fields["tagging"]; ok {
		tags, err := formTags(ctx, raw)
		if err != nil {
			return nil, expect{}, err
		}
		q.tagging = &tags
	}
	e, err := f.expect()
	return q, e, err
}

func (f *form) field(name string) *string { return optional(f.fields[name]) }

// formTags turns the XML of a form's tags into the form that the header has.
func formTags(ctx context.Context, raw string) (string, error) {
	var doc struct {
		XMLName xml.Name  `xml:"Tagging"`
		Tags    []api.Tag `xml:"TagSet>Tag"`
	}
	if err := xml.Unmarshal([]byte(raw), &doc); err != nil {
		if xml.Unmarshal([]byte(raw), new(struct{})) == nil {
			return "", nil // S3 takes another document for one without tags
		}
		return "", malformedXML()
	}
	if err := checkTags(ctx, doc.Tags, maxObjectTags); err != nil {
		return "", err
	}
	var pairs []string
	for _, t := range doc.Tags {
		pairs = append(pairs, url.QueryEscape(t.Key)+"="+url.QueryEscape(t.Value))
	}
	return strings.Join(pairs, "&"), nil
}

// expect returns what the checksum fields promise of the file.
func (f *form) expect() (expect, error) {
	e := expect{length: -1, proven: true, md5: f.fields["content-md5"]}
	if e.md5 != "" {
		if _, valid := sameMD5(e.md5, ""); !valid {
			return e, fail("InvalidDigest", http.StatusBadRequest, "The Content-MD5 you specified was invalid.")
		}
	}
	for _, n := range f.order {
		name, ok := strings.CutPrefix(n, "x-amz-checksum-")
		if !ok || name == "algorithm" || name == "type" {
			continue
		}
		if integrity.New(strings.ToUpper(name)) == nil {
			return e, invalidRequest("The algorithm type you specified in x-amz-checksum- header is invalid.")
		}
		if e.algorithm != "" {
			return e, invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		e.algorithm, e.value = strings.ToUpper(name), f.fields[n]
	}
	if e.algorithm != "" && e.value == "" {
		return e, invalidRequest("Value for x-amz-checksum-%s header is invalid.", strings.ToLower(e.algorithm))
	}
	return e, e.checkValue()
}

// answerForm says that the object is there, in the way that the form asks for.
func (s *Service) answerForm(ctx context.Context, w http.ResponseWriter, f *form, v *version) error {
	etag := *quoted(v.ETag)
	h := w.Header()
	h["Etag"] = []string{etag} // the spelling that Go gives it
	if id := v.newID(); id != nil {
		h.Set("X-Amz-Version-Id", *id)
	}
	if x := v.Seal.shown(); x.algorithm != "" {
		h.Set("X-Amz-Server-Side-Encryption", x.algorithm)
	}
	if v.Sum.Value != "" {
		h.Set("X-Amz-Checksum-"+v.Sum.Algorithm, v.Sum.Value)
		h.Set("X-Amz-Checksum-Type", v.Sum.Type)
	}
	key := f.key(ctx)
	if to, err := url.Parse(cmp.Or(f.fields["success_action_redirect"], f.fields["redirect"])); err == nil && to.Host != "" && (to.Scheme == "http" || to.Scheme == "https") {
		query := to.Query()
		query.Set("bucket", f.bucket)
		query.Set("key", key)
		query.Set("etag", etag)
		to.RawQuery = query.Encode()
		redirectTo(w, http.StatusSeeOther, to.String())
		return nil
	}
	location := s.location(ctx, f.bucket, key)
	h.Set("Location", location)
	status, err := strconv.Atoi(f.fields["success_action_status"])
	if err != nil || status != http.StatusOK && status != http.StatusCreated {
		status = http.StatusNoContent
	}
	if status != http.StatusCreated {
		if status == http.StatusOK {
			h.Set("Content-Length", "0")
		}
		w.WriteHeader(status)
		return nil
	}
	body, err := xml.Marshal(postResponse{Location: location, Bucket: f.bucket, Key: key, ETag: etag})
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	body = append([]byte(xml.Header), body...)
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}

// key returns the object's key, with the name of the file put in.
func (f *form) key(ctx context.Context) string {
	q, _, err := f.request(ctx)
	if err != nil {
		return ""
	}
	return q.key
}

// postResponse is the answer with status 201.
type postResponse struct {
	XMLName  xml.Name `xml:"PostResponse"`
	Location string
	Bucket   string
	Key      string
	ETag     string
}

// SizeLimit is the detail of a file that is larger or smaller than its policy allows.
type SizeLimit struct{ ProposedSize, MaxSizeAllowed, MinSizeAllowed string }

// ranged refuses a body that is longer or shorter than its policy allows.
type ranged struct {
	r              io.Reader
	n, least, most int64
}

// Read counts what it reads.
func (r *ranged) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.n += int64(n)
	switch {
	case r.n > r.most:
		return 0, fail("EntityTooLarge", http.StatusBadRequest, "Your proposed upload exceeds the maximum allowed size").
			WithDetail(&SizeLimit{ProposedSize: strconv.FormatInt(r.n, 10), MaxSizeAllowed: strconv.FormatInt(r.most, 10)})
	case errors.Is(err, io.EOF) && r.n < r.least:
		return 0, fail("EntityTooSmall", http.StatusBadRequest, "Your proposed upload is smaller than the minimum allowed size").
			WithDetail(&SizeLimit{ProposedSize: strconv.FormatInt(r.n, 10), MinSizeAllowed: strconv.FormatInt(r.least, 10)})
	}
	return n, err
}
