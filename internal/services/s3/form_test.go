package s3

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
)

// formBody is a form with fields, name and value in turn, and a file.
func formBody(t testing.TB, file string, fields ...string) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	f, err := w.CreateFormFile("file", "cat.png")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte(file)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}

func formPolicyOf(conditions string) string {
	return base64.StdEncoding.EncodeToString([]byte(`{"expiration":"2030-01-01T00:00:00Z","conditions":[{"bucket":"pictures"},["starts-with","$key","in/"],["starts-with","$x-amz-algorithm",""],` +
		`["starts-with","$x-amz-credential",""],["starts-with","$x-amz-date",""]` + conditions + `]}`))
}

// send posts a signed form.
func (f *fixture) send(policy, file string, fields ...string) (*httptest.ResponseRecorder, error) {
	f.t.Helper()
	body, contentType := formBody(f.t, file, append([]string{
		"policy", policy, "X-Amz-Algorithm", "AWS4-HMAC-SHA256", "X-Amz-Credential", "AKID/20261125/us-east-1/s3/aws4_request", "X-Amz-Date", "20261125T120000Z", "X-Amz-Signature", "good",
	}, fields...)...)
	w := httptest.NewRecorder()
	err := f.postForm(f.t.Context(), w, &service.FormUpload{
		RawPath: "/pictures", ContentType: contentType, Length: int64(len(body)), Body: bytes.NewReader(body),
		Prove: func(_ context.Context, s service.FormSignature) (context.Context, error) {
			if s.Signature != "good" || s.Policy != policy {
				return nil, accessDenied("no")
			}
			return f.ctx(), nil
		},
	})
	return w, err
}

func TestFormsUploadWhatTheirPolicyAllows(t *testing.T) {
	f := newFixture(t)
	w, err := f.send(formPolicyOf(`,["starts-with","$x-amz-meta-by",""],{"success_action_status":"201"},["content-length-range",3,10]`), "meow", "key", "in/${filename}", "x-amz-meta-by", "me", "success_action_status", "201")
	if err != nil || w.Code != http.StatusCreated || !strings.Contains(w.Body.String(), "<Key>in/cat.png</Key>") {
		t.Fatalf("status %d, %s, %v", w.Code, w.Body, err)
	}
	out, body, err := f.get(&api.GetObjectInput{Key: "in/cat.png"})
	if err != nil || string(body) != "meow" || out.Metadata["by"] != "me" {
		t.Errorf("the object is %q, %+v, %v", body, out, err)
	}
	w, err = f.send(formPolicyOf(`,{"success_action_redirect":"https://example.com/done?a=1"}`), "meow", "key", "in/b", "success_action_redirect", "https://example.com/done?a=1")
	if err != nil || w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "https://example.com/done?a=1&bucket=pictures&etag=") {
		t.Errorf("status %d, %v, %v", w.Code, w.Header(), err)
	}
}

func TestFormsThatTheirPolicyDoesNotAllowLeaveNothing(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]struct {
		conditions string
		fields     []string
		want       string
	}{
		"key outside":    {"", []string{"key", "out/x"}, "AccessDenied"},
		"extra field":    {"", []string{"key", "in/x", "acl", "private"}, "AccessDenied"},
		"other value":    {`,{"acl":"private"}`, []string{"key", "in/x", "acl", "public-read"}, "AccessDenied"},
		"too large":      {`,["content-length-range",0,3]`, []string{"key", "in/x"}, "EntityTooLarge"},
		"too small":      {`,["content-length-range",5,9]`, []string{"key", "in/x"}, "EntityTooSmall"},
		"bad operation":  {`,["like","$key","x"]`, []string{"key", "in/x"}, "InvalidPolicyDocument"},
		"bad checksum":   {`,["starts-with","$x-amz-checksum-crc32",""]`, []string{"key", "in/x", "x-amz-checksum-crc32", "AAAAAA=="}, "BadDigest"},
		"no key":         {`,{"key":"in/x"}`, nil, "AccessDenied"},
		"fields too big": {"", []string{"key", "in/" + strings.Repeat("x", maxFormFields)}, "MaxPostPreDataLengthExceeded"},
	} {
		_, err := f.send(formPolicyOf(c.conditions), "meow", c.fields...)
		if got := service.Code(err); got != c.want {
			t.Errorf("%s: code is %q, want %q: %v", name, got, c.want, err)
		}
	}
	if names := f.names(); names != nil {
		t.Errorf("stored %v", names)
	}
}

func TestFormsThatEndEarlyLeaveNothing(t *testing.T) {
	f := newFixture(t)
	body, contentType := formBody(t, strings.Repeat("x", 100_000), "key", "k")
	err := f.postForm(f.ctx(), httptest.NewRecorder(), &service.FormUpload{RawPath: "/pictures", ContentType: contentType, Body: bytes.NewReader(body[:60_000])})
	code(t, err, "IncompleteBody")
	if names := f.names(); names != nil {
		t.Errorf("stored %v", names)
	}
}

func FuzzForm(f *testing.F) {
	body, contentType := formBody(f, "meow", "key", "k", "policy", formPolicyOf(""))
	f.Add(body, contentType)
	f.Add([]byte("--x\r\n\r\n"), "multipart/form-data; boundary=x")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		form, err := readForm(&service.FormUpload{RawPath: "/b", ContentType: contentType, Body: bytes.NewReader(body)})
		if err == nil && form.file == nil {
			t.Error("a form without a file was read")
		}
	})
}

func FuzzFormPolicy(f *testing.F) {
	f.Add(formPolicyOf(`,["content-length-range",0,3]`))
	f.Add(base64.StdEncoding.EncodeToString(fmt.Append(nil, `{"conditions":[[]],"expiration":"x"}`)))
	f.Fuzz(func(t *testing.T, encoded string) {
		if p, err := parseFormPolicy(encoded); err == nil && (p.least < 0 || p.most > maxUpload) {
			t.Errorf("range %d to %d", p.least, p.most)
		}
	})
}
