package s3

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // Content-MD5 is defined with it.
	"crypto/sha1" //nolint:gosec // Signature Version 2 is defined with it.
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/template"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
)

// request is a request of a case, as its lines say.
type request struct {
	method, target string
	fields         []sigv4.Field
	body           []string
	// sign is how it is signed: header, query, v2 or none.
	sign string
	// at is how far from now its signature is made, expires how long a presigned one lasts.
	at, expires time.Duration
	// set are parts of the signer that are not the usual ones: key, secret, region, service.
	set map[string]string
	// payload is what x-amz-content-sha256 says; empty for the hash of the body.
	payload string
	// bare leaves the Content-MD5 out that settings have otherwise.
	bare bool
	// length is the Content-Length, where it is not that of the body.
	length string
	// half ends the connection's sending side behind the body.
	half bool
	// chunks are the data of a body in signed chunks; nil for another body.
	chunks []string
	// form are the fields of an upload by a form; nil for another request.
	form []sigv4.Field
	// edits are replacements in the head after it was signed.
	edits [][2]string
}

func newRequest() *request {
	return &request{sign: "header", expires: time.Minute, set: map[string]string{}}
}

// add reads a line of a request.
func (r *request) add(line string) error {
	switch {
	case r.method == "":
		method, target, ok := strings.Cut(line, " ")
		if !ok {
			return errors.New("a request begins with a method and a target")
		}
		r.method, r.target = method, target
	case line[0] == '|':
		r.body = append(r.body, strings.TrimPrefix(line[1:], " "))
	case line[0] == '+':
		name, value, _ := strings.Cut(strings.TrimSpace(line[1:]), "=")
		r.form = append(r.form, sigv4.Field{Name: name, Value: value})
	case line[0] == '@':
		return r.direct(strings.TrimSpace(line[1:]))
	default:
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return errors.New("a header has no colon")
		}
		r.fields = append(r.fields, sigv4.Field{Name: name, Value: strings.TrimSpace(value)})
	}
	return nil
}

// direct reads a line that says how a request is sent.
func (r *request) direct(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "header", "query", "v2", "none":
		r.sign = word
		for _, pair := range strings.Fields(rest) {
			name, value, _ := strings.Cut(pair, "=")
			var err error
			switch name {
			case "at":
				r.at, err = time.ParseDuration(value)
			case "expires":
				r.expires, err = time.ParseDuration(value)
			default:
				r.set[name] = value
			}
			if err != nil {
				return err
			}
		}
	case "payload":
		r.payload = rest
	case "bare":
		r.bare = true
	case "length":
		r.length = rest
	case "half":
		r.half = true
	case "chunk":
		r.chunks = append(r.chunks, rest)
	case "edit":
		from, to, ok := strings.Cut(rest, " => ")
		if !ok {
			from, ok = strings.CutSuffix(rest, " =>")
		}
		if !ok {
			return errors.New("an edit has no =>")
		}
		r.edits = append(r.edits, [2]string{from, to})
	default:
		return fmt.Errorf("unknown directive %q", word)
	}
	return nil
}

// build returns the bytes of a request.
func (p *peer) build(r *request) (head string, body []byte, err error) {
	now := time.Now().Add(r.at)
	body = []byte(strings.Join(r.body, "\r\n"))
	if r.form != nil {
		body = p.formBody(r, now)
		r.fields = append(r.fields, sigv4.Field{Name: "Content-Type", Value: "multipart/form-data; boundary=" + boundary})
	}
	signed := &sigv4.Request{Method: r.method, Target: r.target, Host: p.host, Fields: r.fields}
	_, query, _ := strings.Cut(r.target, "?")
	if r.sign == "header" && query != "" && len(body) > 0 && !r.bare {
		sum := md5.Sum(body) //nolint:gosec // as above
		signed.Fields = append(signed.Fields, sigv4.Field{Name: "Content-MD5", Value: base64.StdEncoding.EncodeToString(sum[:])})
	}
	key := p.server.RootKey()
	s := &sigv4.Signer{AccessKeyID: key.AccessKeyID, Secret: key.Secret, Region: "us-east-1", Service: "s3", S3: true}
	for name, to := range map[string]*string{"key": &s.AccessKeyID, "secret": &s.Secret, "region": &s.Region, "service": &s.Service, "token": &s.Token} {
		if v, ok := r.set[name]; ok {
			*to = v
		}
	}
	switch r.sign {
	case "header":
		hash := r.payload
		if hash == "" {
			hash = sigv4.Hash(body)
		}
		if err = s.Sign(signed, hash, now); err == nil && r.chunks != nil {
			body, err = chunked(s, signed, r.chunks)
		}
	case "query":
		signed.Target, err = s.Presign(signed, now, r.expires)
	case "v2":
		signed.Target = presignV2(r, s, now)
	}
	if err != nil {
		return "", nil, err
	}
	if r.length == "" {
		r.length = strconv.Itoa(len(body))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", r.method, signed.Target, p.host)
	for _, f := range signed.Fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	if r.length != "none" && (r.method != "GET" || len(body) > 0) {
		fmt.Fprintf(&b, "Content-Length: %s\r\n", r.length)
	}
	head = b.String()
	for _, e := range r.edits {
		from := strings.ReplaceAll(e[0], `\r\n`, "\r\n")
		i := strings.Index(head, from)
		if i < 0 {
			return "", nil, fmt.Errorf("%q is not in\n%s", from, head)
		}
		head = head[:i] + strings.ReplaceAll(e[1], `\r\n`, "\r\n") + head[i+len(from):]
	}
	return head + "\r\n", body, nil
}

// chunked returns data in signed chunks. The mark !N before the data of a chunk gives it another size in its header.
func chunked(s *sigv4.Signer, r *sigv4.Request, data []string) ([]byte, error) {
	c, err := s.Chunks(r)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, d := range append(data, "") {
		size := strconv.FormatInt(int64(len(d)), 16)
		if mark, rest, ok := strings.Cut(d, " "); ok && strings.HasPrefix(mark, "!") {
			size, d = mark[1:], rest
		}
		sig, err := c.Chunk([]byte(d))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s;chunk-signature=%s\r\n%s\r\n", size, sig, d)
	}
	return b.Bytes(), nil
}

// presignV2 returns the target with a query of Signature Version 2.
func presignV2(r *request, s *sigv4.Signer, now time.Time) string {
	path, query, _ := strings.Cut(r.target, "?")
	expires := strconv.FormatInt(now.Add(r.expires).Unix(), 10)
	h := hmac.New(sha1.New, []byte(s.Secret))
	h.Write([]byte(r.method + "\n\n\n" + expires + "\n" + path))
	signature := base64.StdEncoding.EncodeToString(h.Sum(nil))
	if query != "" {
		query += "&"
	}
	return path + "?" + query + "AWSAccessKeyId=" + s.AccessKeyID + "&Expires=" + expires + "&Signature=" + strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(signature)
}

// boundary separates the fields of forms.
const boundary = "----field"

// formBody returns the fields of a form as a body. The field "sign" stands for those of a signature, of version 4 or 2, over the field "policy".
func (p *peer) formBody(r *request, now time.Time) []byte {
	var b bytes.Buffer
	add := func(name, value string) {
		if name, f, ok := strings.Cut(name, "@"); ok {
			fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=%q; filename=%q\r\n\r\n%s\r\n", boundary, name, f, value)
			return
		}
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", boundary, name, value)
	}
	policy := ""
	for _, f := range r.form {
		if f.Name == "policy" {
			policy = base64.StdEncoding.EncodeToString([]byte(f.Value))
		}
	}
	for _, f := range r.form {
		switch f.Name {
		case "policy":
			add("policy", policy)
		case "rawpolicy":
			add("policy", f.Value)
		case "sign":
			for _, s := range p.formSignature(f.Value, policy, now) {
				add(s.Name, s.Value)
			}
		default:
			add(f.Name, f.Value)
		}
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return b.Bytes()
}

// formSignature returns the fields of a signature. kind is v4 or v2, and the names of fields that are left out.
func (p *peer) formSignature(kind, policy string, now time.Time) (out []sigv4.Field) {
	key := p.server.RootKey()
	words := strings.Fields(kind)
	var all []sigv4.Field
	if words[0] == "v2" {
		h := hmac.New(sha1.New, []byte(key.Secret))
		h.Write([]byte(policy))
		all = []sigv4.Field{{Name: "AWSAccessKeyId", Value: key.AccessKeyID}, {Name: "signature", Value: base64.StdEncoding.EncodeToString(h.Sum(nil))}}
	} else {
		now = now.UTC()
		scope := now.Format("20060102") + "/us-east-1/s3/aws4_request"
		sum := []byte("AWS4" + key.Secret)
		for _, part := range append(strings.Split(scope, "/"), policy) {
			h := hmac.New(sha256.New, sum)
			h.Write([]byte(part))
			sum = h.Sum(nil)
		}
		all = []sigv4.Field{
			{Name: "x-amz-algorithm", Value: "AWS4-HMAC-SHA256"},
			{Name: "x-amz-credential", Value: key.AccessKeyID + "/" + scope},
			{Name: "x-amz-date", Value: now.Format("20060102T150405Z")},
			{Name: "x-amz-signature", Value: hex.EncodeToString(sum)},
		}
	}
	for _, f := range all {
		keep := true
		for _, w := range words[1:] {
			name, value, replaced := strings.Cut(w, "=")
			if name != f.Name {
				continue
			}
			f.Value, keep = value, replaced
		}
		if keep {
			out = append(out, f)
		}
	}
	return out
}

// expand executes a case as a template.
func (p *peer) expand(text string) (string, error) {
	now := time.Now().UTC()
	t, err := template.New("case").Option("missingkey=error").Funcs(template.FuncMap{
		"repeat": func(n int, s string) string { return strings.Repeat(s, n) },
		"times": func(n int, form string) string {
			var b strings.Builder
			for i := range n {
				b.WriteString(strings.ReplaceAll(form, "#", strconv.Itoa(i+1)))
			}
			return b.String()
		},
		"key": func() string { return p.server.RootKey().AccessKeyID },
		"md5": func(s string) string {
			sum := md5.Sum([]byte(s)) //nolint:gosec // as above
			return base64.StdEncoding.EncodeToString(sum[:])
		},
		"md5hex": func(s string) string {
			sum := md5.Sum([]byte(s)) //nolint:gosec // as above
			return hex.EncodeToString(sum[:])
		},
		"b64":    func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"sha256": func(s string) string { return sigv4.Hash([]byte(s)) },
		"in": func(d string) (string, error) {
			by, err := time.ParseDuration(d)
			return now.Add(by).Format("2006-01-02T15:04:05.000Z"), err
		},
		"day": func() string { return now.Format("20060102") },
	}).Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, p.saved)
	return b.String(), err
}
