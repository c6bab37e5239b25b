package sigv4

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// The names of the algorithms.
const (
	algV4  = "AWS4-HMAC-SHA256"
	algV4a = "AWS4-ECDSA-P256-SHA256"
)

// timeFormat is ISO 8601's basic form, as X-Amz-Date carries it.
const timeFormat = "20060102T150405Z"

// terminator ends every credential scope.
const terminator = "aws4_request"

// maxSignedHeaders bounds the list of signed headers.
const maxSignedHeaders = 256

// Version is the kind of a signature.
type Version uint8

// The versions.
const (
	// Anonymous is a request that carries no signature.
	Anonymous Version = iota
	// V4 is HMAC-SHA256 with a key derived for a day, a region and a service.
	V4
	// V4a is ECDSA P-256 with a key derived from the secret, for a set of regions.
	V4a
	// V2 is S3's older HMAC-SHA1 form.
	V2
)

// Options say how a service wants its requests signed.
type Options struct {
	// S3 selects S3's rules: the path as sent, a required x-amz-content-sha256, unsigned
	// payloads for presigned requests, and its chunked bodies.
	S3 bool
	// Services are the names that the credential scope may carry; empty accepts any.
	Services []string
	// Region is the region that the scope must carry; empty accepts any.
	Region string
	// Bucket is the bucket that the host names (virtual-hosted style); Version 2 signs it as a
	// part of the path.
	Bucket string
	// NoV2 refuses Version 2.
	NoV2 bool
	// BodyHash is the hex SHA-256 of the body, for a [Signature] that NeedsBody.
	BodyHash string
}

// Signature is the authentication that a request carries, as parsed and not yet verified.
type Signature struct {
	// Version is Anonymous when there is none; then no other field is set.
	Version Version
	// Query tells that it came in the query, as in a presigned URL.
	Query bool
	// AccessKeyID, Date (YYYYMMDD), Region and Service are the credential scope. Region is
	// empty for V4a, and only the key id is set for V2.
	AccessKeyID, Date, Region, Service string
	// Regions is the region set of V4a, such as "us-east-1,eu-*".
	Regions string
	// SignedHeaders are lower case and sorted.
	SignedHeaders []string
	// Value is the signature as sent.
	Value string
	// Time is when the request was signed (V4 and V4a).
	Time time.Time
	// Expires is how long after Time a presigned request is good. For V2, Deadline is set.
	Expires time.Duration
	// Deadline is the end of a presigned request; zero without one.
	Deadline time.Time
	// Token is the session token, or empty.
	Token string
	// Hash is the payload hash that was signed: a hex SHA-256, UNSIGNED-PAYLOAD, a STREAMING-
	// name, or empty when the body's own hash was signed without being sent.
	Hash string

	params []param
	room   [8]string // for SignedHeaders
}

// NeedsBody reports whether the signature covers a body hash that the request does not carry,
// so that the caller has to read the whole body and put its hash into [Options.BodyHash].
func (s *Signature) NeedsBody() bool {
	return (s.Version == V4 || s.Version == V4a) && s.Hash == ""
}

// Parse reads the authentication of r. A request without any gives a Signature of version
// Anonymous; a broken one gives an [*Error].
func Parse(r *Request, opt Options) (*Signature, error) {
	auth, n := r.lookup("Authorization")
	if n > 1 {
		return nil, &Error{Kind: Duplicate, Message: "Only one Authorization header is allowed."}
	}
	_, query := r.split()
	if n == 0 && !strings.Contains(query, "X-Amz-") && !strings.Contains(query, "Signature=") && !strings.Contains(query, "AWSAccessKeyId=") {
		return &Signature{}, nil
	}
	list, ok := params(query)
	if !ok {
		return nil, &Error{Kind: Malformed, Message: "The query has more than " + strconv.Itoa(maxParams) + " parameters.", InQuery: true}
	}
	alg, hasAlg := find(list, "X-Amz-Algorithm")
	_, hasV2 := find(list, "Signature")
	if _, ok := find(list, "AWSAccessKeyId"); ok {
		hasV2 = true
	}
	hasV2 = hasV2 && opt.S3
	if count(n > 0, hasAlg, hasV2) > 1 {
		return nil, &Error{Kind: Duplicate, Message: "Only one of the Authorization header and the X-Amz-Algorithm or Signature query parameter may be sent.", InQuery: true}
	}
	switch {
	case n > 0:
		return parseHeader(r, auth, list, opt)
	case hasAlg:
		return parseQuery(r, alg, list, opt)
	case hasV2:
		return parseV2(r, list, opt)
	}
	return &Signature{}, nil
}

func count(conds ...bool) (n int) {
	for _, c := range conds {
		if c {
			n++
		}
	}
	return n
}

// find returns the decoded value of the first parameter of that name.
func find(list []param, name string) (string, bool) {
	for i := range list {
		if list[i].key == name {
			return decode(list[i].value, false), true
		}
	}
	return "", false
}

// parseHeader reads an Authorization header.
func parseHeader(r *Request, auth string, list []param, opt Options) (*Signature, error) {
	alg, rest, _ := strings.Cut(strings.TrimSpace(auth), " ")
	s := &Signature{params: list}
	switch alg {
	case algV4:
		s.Version = V4
	case algV4a:
		s.Version = V4a
	case "AWS": // Version 2
		return nil, &Error{Kind: Unsupported, Message: "Unsupported AWS 'algorithm': '" + clip(alg) + "'."}
	default:
		return nil, badScheme(auth, alg)
	}
	var cred, signed string
	parts := [...]struct {
		name string
		to   *string
		seen bool
	}{{name: "Credential", to: &cred}, {name: "SignedHeaders", to: &signed}, {name: "Signature", to: &s.Value}}
	for part := range strings.SplitSeq(rest, ",") {
		k, v, ok := strings.Cut(strings.TrimSpace(part), "=")
		known := -1
		for i := range parts {
			if parts[i].name == k {
				known = i
			}
		}
		switch {
		case !ok || known >= 0 && parts[known].seen:
			return nil, s.s3Components(malformed(s, "Authorization header has an unreadable or repeated part '"+clip(part)+"'."), rest)
		case known < 0:
			return nil, s.s3Components(malformed(s, "Authorization header has an unknown part '"+clip(k)+"'."), rest)
		}
		*parts[known].to, parts[known].seen = v, true
	}
	var missing strings.Builder
	for _, f := range [...]struct{ name, v string }{{"Credential", cred}, {"Signature", s.Value}, {"SignedHeaders", signed}} {
		if f.v == "" {
			missing.WriteString("Authorization header requires '" + f.name + "' parameter. ")
		}
	}
	date := r.Get("X-Amz-Date")
	if date == "" {
		date = r.Get("Date")
	}
	complete := missing.Len() == 0
	if date == "" {
		missing.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
	}
	switch text := strings.TrimSpace(missing.String()); {
	case !complete:
		return nil, s.s3Components(malformed(s, text), rest)
	case text != "":
		return nil, noDate(s, text)
	}
	s.Token = r.Get("X-Amz-Security-Token")
	s.Regions = r.Get("X-Amz-Region-Set")
	s.Hash = r.Get("X-Amz-Content-Sha256")
	if s.Hash == "" && opt.S3 {
		return nil, &Error{Kind: PayloadHash, Message: "Missing required header for this request: x-amz-content-sha256", AccessKeyID: s.AccessKeyID}
	}
	return s.finish(r, cred, signed, date)
}

// maxPresign is the longest life of a presigned request.
const maxPresign = 7 * 24 * time.Hour

// parseQuery reads the X-Amz- parameters of a presigned request.
func parseQuery(r *Request, alg string, list []param, opt Options) (*Signature, error) {
	s := &Signature{Query: true, params: list}
	switch alg {
	case algV4:
		s.Version = V4
	case algV4a:
		s.Version = V4a
	default:
		return nil, malformed(s, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"")
	}
	var cred, signed, date, expires string
	for _, f := range [...]struct {
		name     string
		to       *string
		required bool
	}{
		{"X-Amz-Credential", &cred, true},
		{"X-Amz-Signature", &s.Value, true},
		{"X-Amz-Date", &date, true},
		{"X-Amz-SignedHeaders", &signed, true},
		{"X-Amz-Expires", &expires, opt.S3},
		{"X-Amz-Security-Token", &s.Token, false},
		{"X-Amz-Region-Set", &s.Regions, s.Version == V4a},
		{"X-Amz-Content-Sha256", &s.Hash, false},
	} {
		n := 0
		for i := range list {
			if list[i].key == f.name {
				*f.to, n = decode(list[i].value, false), n+1
			}
		}
		if n > 1 || f.required && *f.to == "" {
			const required = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, " +
				"X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters"
			e := malformed(s, required+", each exactly once; see "+f.name+".")
			e.S3 = required + "."
			return nil, e
		}
	}
	// A request without X-Amz-Expires is good for the same time as a signed header.
	s.Expires = maxSkew
	if expires != "" {
		secs, err := strconv.ParseInt(expires, 10, 32)
		switch {
		case err != nil:
			return nil, malformed(s, "X-Amz-Expires should be a number")
		case secs < 0:
			return nil, malformed(s, "X-Amz-Expires must be non-negative")
		case time.Duration(secs)*time.Second > maxPresign:
			return nil, malformed(s, "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
		}
		s.Expires = time.Duration(secs) * time.Second
	}
	if h := r.Get("X-Amz-Content-Sha256"); h != "" {
		s.Hash = h
	}
	if s.Hash == "" && opt.S3 {
		s.Hash = Unsigned256
	}
	out, err := s.finish(r, cred, signed, date)
	if err == nil {
		out.Deadline = out.Time.Add(out.Expires)
	}
	return out, err
}

// finish reads what header and query have in common.
func (s *Signature) finish(r *Request, cred, signed, date string) (*Signature, error) {
	if err := s.scope(cred); err != nil {
		return nil, err
	}
	t, err := parseTime(date)
	if err != nil {
		msg := "Date must be in ISO-8601 'basic format'. Got '" + clip(date) + "'. See http://en.wikipedia.org/wiki/ISO_8601"
		if !s.Query {
			return nil, noDate(s, msg)
		}
		e := malformed(s, msg)
		e.S3 = `X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`
		return nil, e
	}
	s.Time = t
	s.SignedHeaders = s.room[:0]
	for name := range strings.SplitSeq(signed, ";") {
		s.SignedHeaders = append(s.SignedHeaders, name)
	}
	if len(s.SignedHeaders) > maxSignedHeaders || !sortedNames(s.SignedHeaders) {
		return nil, malformed(s, "SignedHeaders must be lower-case names in their order, without repetition.")
	}
	if !slices.ContainsFunc(s.SignedHeaders, isHost) {
		return nil, malformed(s, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	if s.Hash != "" && !validHash(s.Hash) {
		return nil, &Error{
			Kind: BadHash, InQuery: s.Query, AccessKeyID: s.AccessKeyID,
			Extra: []Field{{"ArgumentName", "x-amz-content-sha256"}, {"ArgumentValue", clip(s.Hash)}},
			Message: "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, " +
				"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, " +
				"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
		}
	}
	var room [8]byte
	if day := t.AppendFormat(room[:0], "20060102"); s.Date != string(day) {
		return nil, s.s3Date(&Error{
			Kind: Scope, InQuery: s.Query, AccessKeyID: s.AccessKeyID,
			Message: "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
				clip(s.Date) + "' != '" + string(day) + "', from '" + clip(date) + "'.",
		}, string(day))
	}
	return s, s.covers(r)
}

// scope reads the credential: key id, date, region (V4), service and terminator.
func (s *Signature) scope(cred string) error {
	var room [6]string
	parts := room[:0]
	for part := range strings.SplitSeq(cred, "/") {
		if len(parts) < len(room) {
			parts = append(parts, part)
		}
	}
	want := 5
	if s.Version == V4a {
		want = 4
	}
	if len(parts) != want || slices.Contains(parts, "") {
		return s.s3Scope(malformed(s, "Credential must have exactly "+strconv.Itoa(want)+" slash-delimited elements, e.g. "+
			"keyid/date/region/service/term, got '"+clip(cred)+"'"), s3Credential)
	}
	if parts[want-1] != terminator {
		return s.s3Scope(malformed(s, "Credential should be scoped with a valid terminator: 'aws4_request', not '"+clip(parts[want-1])+"'."),
			"incorrect terminal "+strconv.Quote(clip(parts[want-1]))+`. This endpoint uses "aws4_request".`)
	}
	s.AccessKeyID, s.Date, s.Service = parts[0], parts[1], parts[want-2]
	if s.Version == V4 {
		s.Region = parts[2]
	}
	return nil
}

// covers refuses x-amz- fields that are not signed: they would change the meaning of a request
// under a signature that does not speak of them. The session token is excepted, because the
// secret itself depends on it and some clients add it after signing.
func (s *Signature) covers(r *Request) error {
	var open []string
	for i := range r.Fields {
		name := r.Fields[i].Name
		if len(name) < 6 || !strings.EqualFold(name[:6], "x-amz-") || strings.EqualFold(name, "x-amz-security-token") {
			continue
		}
		if signed := func(n string) bool { return strings.EqualFold(n, name) }; !slices.ContainsFunc(s.SignedHeaders, signed) && !slices.ContainsFunc(open, signed) {
			open = append(open, strings.ToLower(name))
		}
	}
	if !s.Query && r.Get("X-Amz-Date") == "" && !slices.Contains(s.SignedHeaders, "date") {
		open = append(open, "date")
	}
	if len(open) == 0 {
		return nil
	}
	slices.Sort(open) // as signed headers are
	return &Error{
		Kind: Unsigned, InQuery: s.Query, AccessKeyID: s.AccessKeyID,
		Message: "There were headers present in the request which were not signed: " + clip(strings.Join(open, ", ")),
		Extra:   []Field{{"HeadersNotSigned", clip(strings.Join(open, ", "))}},
	}
}

// isHost tells whether a signed header is the host, which clients on HTTP/2 may sign under the name that it has there.
func isHost(name string) bool { return name == "host" || name == ":authority" }

// sortedNames reports whether names are lower case, not empty, and in strictly rising order.
func sortedNames(names []string) bool {
	for i, n := range names {
		if n == "" || i > 0 && names[i-1] >= n {
			return false
		}
		for j := range len(n) {
			if 'A' <= n[j] && n[j] <= 'Z' {
				return false
			}
		}
	}
	return true
}

// parseTime reads X-Amz-Date, and the forms that a Date field may have.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(timeFormat, s)
	if err == nil {
		return t, nil
	}
	for _, layout := range [...]string{time.RFC1123, time.RFC1123Z, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, err
}

func malformed(s *Signature, msg string) *Error {
	return &Error{Kind: Malformed, Message: msg, InQuery: s.Query, AccessKeyID: s.AccessKeyID}
}

// clip bounds what an error echoes of a request.
func clip(s string) string {
	const most = 256
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return strings.ToValidUTF8(s, "")
}
