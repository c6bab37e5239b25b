package sigv4

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Kind says what is wrong with the authentication of a request.
type Kind uint8

// The kinds of failures.
const (
	// Missing is a request without authentication where one is needed.
	Missing Kind = iota + 1
	// Malformed is an Authorization header, or authentication parameters, that cannot be read.
	Malformed
	// Duplicate is authentication in the header and in the query at once.
	Duplicate
	// Unsupported is an authentication scheme that is not accepted.
	Unsupported
	// UnknownKey is an access key id that does not exist or is not active.
	UnknownKey
	// InvalidToken is a session token that was not issued here, or not for the access key.
	InvalidToken
	// ExpiredToken is a session token after its end.
	ExpiredToken
	// Scope is a credential scope of another region, service or day.
	Scope
	// Skewed is a request signed too far from now.
	Skewed
	// Expired is a presigned request after its end.
	Expired
	// Unsigned is a request with x-amz- fields that the signature does not cover.
	Unsigned
	// Mismatch is a signature that differs from the computed one.
	Mismatch
	// PayloadHash is a missing or unreadable x-amz-content-sha256 field.
	PayloadHash
	// PayloadMismatch is a body that differs from its signed hash.
	PayloadMismatch
	// Chunk is a chunked body that breaks the rules of its framing.
	Chunk
	// Truncated is a body that ends early, or whose length differs from the announced one.
	Truncated
	// Trailer is a trailer that is missing, not announced, or unreadable.
	Trailer
	// NoLength is a chunked upload without x-amz-decoded-content-length.
	NoLength
	// FormField is a field of an upload form that cannot be read.
	FormField
	// Scheme is an Authorization header of no known scheme.
	Scheme
	// NoDate is a signed header without a time that can be read.
	NoDate
	// BadHash is an x-amz-content-sha256 field that is no hash and none of the names.
	BadHash
	// MalformedV2 is a query of Signature Version 2 that lacks something.
	MalformedV2
	// ChunkSize is a chunk that is smaller than all but the last may be.
	ChunkSize
)

// Family is the set of error codes that a service answers with.
type Family uint8

// The families. Which one a service belongs to follows from its protocol, except for S3.
const (
	// FamilyQuery is for awsQuery and restXml services: IAM, STS, SNS, CloudFront.
	FamilyQuery Family = iota
	// FamilyJSON is for awsJson and rpcV2Cbor services: DynamoDB, KMS, Logs.
	FamilyJSON
	// FamilyREST is for restJson services: Lambda, API Gateway.
	FamilyREST
	// FamilyEC2 is for ec2Query.
	FamilyEC2
	// FamilyS3 is for S3.
	FamilyS3
	families
)

// Error is a refused request. It tells what was computed, which S3 echoes to the caller.
type Error struct {
	Kind Kind
	// Message says what is wrong, in AWS's words where they are known. It may be empty: then
	// the usual message of the kind is used.
	Message string
	// S3 is the message of S3, where that is another one than those of its kind.
	S3 string
	// InQuery tells that the authentication came in the query.
	InQuery bool
	// AccessKeyID is the key id of the request, when it could be read.
	AccessKeyID string
	// StringToSign and Canonical are what the signature was computed over (Mismatch only).
	StringToSign, Canonical string
	// Signature is the signature that was provided.
	Signature string
	// Extra are further members of S3's error body, in their order.
	Extra []Field
}

// Error returns the message with the kind's code.
func (e *Error) Error() string {
	code, _, msg := e.Wire(FamilyQuery)
	return code + ": " + msg
}

// answer is a code and a status.
type answer struct {
	code   string
	status int
}

// answers returns the codes of a kind, in the order of the families.
func answers(k Kind, inQuery bool) [families]answer {
	s3Malformed := answer{"AuthorizationHeaderMalformed", 400}
	if inQuery {
		s3Malformed = answer{"AuthorizationQueryParametersError", 400}
	}
	incomplete := [families]answer{
		{"IncompleteSignature", 400},
		{"IncompleteSignatureException", 400},
		{"IncompleteSignatureException", 403},
		{"IncompleteSignature", 400},
		s3Malformed,
	}
	mismatch := [families]answer{
		{"SignatureDoesNotMatch", 403},
		{"InvalidSignatureException", 400},
		{"InvalidSignatureException", 403},
		{"AuthFailure", 401},
		{"SignatureDoesNotMatch", 403},
	}
	unknown := [families]answer{
		{"InvalidClientTokenId", 403},
		{"UnrecognizedClientException", 400},
		{"UnrecognizedClientException", 403},
		{"AuthFailure", 401},
		{"InvalidAccessKeyId", 403},
	}
	with := func(a [families]answer, s3 answer) [families]answer {
		a[FamilyS3] = s3
		return a
	}
	switch k {
	case Missing:
		return [families]answer{
			{"MissingAuthenticationToken", 403},
			{"MissingAuthenticationTokenException", 400},
			{"MissingAuthenticationTokenException", 403},
			{"AuthFailure", 401},
			{"AccessDenied", 403},
		}
	case Duplicate:
		return with(incomplete, answer{"InvalidArgument", 400})
	case Unsupported:
		return with(incomplete, answer{"InvalidRequest", 400})
	case UnknownKey:
		return unknown
	case InvalidToken:
		return with(unknown, answer{"InvalidToken", 400})
	case ExpiredToken:
		return [families]answer{
			{"ExpiredToken", 403},
			{"ExpiredTokenException", 400},
			{"ExpiredTokenException", 403},
			{"RequestExpired", 400},
			{"ExpiredToken", 400},
		}
	case Scope:
		return with(mismatch, s3Malformed)
	case Skewed:
		a := with(mismatch, answer{"RequestTimeTooSkewed", 403})
		a[FamilyEC2] = answer{"RequestExpired", 400}
		return a
	case Expired:
		a := with(mismatch, answer{"AccessDenied", 403})
		a[FamilyQuery], a[FamilyEC2] = answer{"RequestExpired", 400}, answer{"RequestExpired", 400}
		return a
	case Unsigned:
		return with(mismatch, answer{"AccessDenied", 403})
	case PayloadHash:
		return with(mismatch, answer{"InvalidRequest", 400})
	case PayloadMismatch:
		return with(mismatch, answer{"XAmzContentSHA256Mismatch", 400})
	case Chunk:
		return with(incomplete, answer{"IncompleteBody", 400})
	case Truncated:
		return with(incomplete, answer{"IncompleteBody", 400})
	case Trailer:
		return with(incomplete, answer{"MalformedTrailerError", 400})
	case NoLength:
		return with(incomplete, answer{"MissingContentLength", 411})
	case FormField, Scheme:
		return with(incomplete, answer{"InvalidArgument", 400})
	case NoDate, MalformedV2:
		return with(incomplete, answer{"AccessDenied", 403})
	case BadHash:
		return with(mismatch, answer{"InvalidArgument", 400})
	case ChunkSize:
		return with(incomplete, answer{"InvalidChunkSizeError", 403})
	case Malformed:
		return incomplete
	case Mismatch:
		return mismatch
	}
	return mismatch
}

// Wire returns the code, the HTTP status and the message that a service of the family answers.
func (e *Error) Wire(f Family) (code string, status int, message string) {
	a := answers(e.Kind, e.InQuery)[min(f, families-1)]
	if f == FamilyS3 && e.S3 != "" {
		return a.code, a.status, e.S3
	}
	if f == FamilyS3 {
		if m := s3Message(e.Kind); m != "" && (e.Message == "" || e.Kind != Malformed && e.Kind != Scope && e.Kind != UnknownKey) {
			return a.code, a.status, m
		}
	}
	if e.Message != "" {
		return a.code, a.status, e.Message
	}
	if f == FamilyEC2 && a.code == "AuthFailure" {
		return a.code, a.status, "AWS was not able to validate the provided access credentials"
	}
	return a.code, a.status, message4(e.Kind)
}

func message4(k Kind) string {
	switch k {
	case Missing:
		return "Missing Authentication Token"
	case UnknownKey, InvalidToken:
		return "The security token included in the request is invalid."
	case ExpiredToken:
		return "The security token included in the request is expired"
	case Expired:
		return "Request has expired."
	case PayloadHash:
		return "The x-amz-content-sha256 header is missing or is not a SHA-256 value."
	case Mismatch, PayloadMismatch:
		return "The request signature we calculated does not match the signature you provided. " +
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	default:
		return "The request signature is not valid."
	}
}

// s3Message returns the text with which S3 replaces the general one, or "".
func s3Message(k Kind) string {
	switch k {
	case Missing:
		return "Access Denied"
	case Duplicate:
		return "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query " +
			"string parameter or the Authorization header should be specified"
	case Unsupported:
		return "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
	case UnknownKey:
		return "The AWS Access Key Id you provided does not exist in our records."
	case InvalidToken:
		return "The provided token is malformed or otherwise invalid."
	case ExpiredToken:
		return "The provided token has expired."
	case Skewed:
		return "The difference between the request time and the current time is too large."
	case Expired:
		return "Request has expired"
	case Unsigned:
		return "There were headers present in the request which were not signed"
	case Mismatch:
		return "The request signature we calculated does not match the signature you provided. Check your key and signing method."
	case PayloadMismatch:
		return "The provided 'x-amz-content-sha256' header does not match what was computed."
	case Chunk:
		return "The request body terminated unexpectedly"
	case Trailer:
		return "The request contained trailing data that was not well-formed or did not conform to our published schema."
	case Truncated:
		return "You did not provide the number of bytes specified by the Content-Length HTTP header"
	case NoLength:
		return "You must provide the Content-Length HTTP header."
	case NoDate:
		return "AWS authentication requires a valid Date or x-amz-date header"
	case ChunkSize:
		return "Only the last chunk is allowed to have a size less than 8192 bytes"
	default:
		return ""
	}
}

// Detail returns the members that S3 adds to its error body, such as StringToSign and
// CanonicalRequest, which show a caller where its own computation differs.
func (e *Error) Detail() []Field {
	var out []Field
	add := func(name, value string) {
		if value != "" {
			out = append(out, Field{name, value})
		}
	}
	if e.Kind == UnknownKey || e.Kind == Mismatch {
		add("AWSAccessKeyId", e.AccessKeyID)
	}
	if e.Kind == Mismatch {
		add("StringToSign", e.StringToSign)
		add("SignatureProvided", e.Signature)
		add("StringToSignBytes", spacedHex(e.StringToSign))
		add("CanonicalRequest", e.Canonical)
		add("CanonicalRequestBytes", spacedHex(e.Canonical))
	}
	return append(out, e.Extra...)
}

func spacedHex(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(hex.EncodeToString([]byte{s[i]}))
	}
	return b.String()
}

// skewed builds the error for a request signed at t.
func skewed(t, now time.Time, inQuery bool, window time.Duration) *Error {
	const stamp = timeFormat
	mins := strconv.Itoa(int(window / time.Minute))
	msg := "Signature expired: " + t.Format(stamp) + " is now earlier than " + now.Add(-window).Format(stamp) +
		" (" + now.Format(stamp) + " - " + mins + " min.)"
	if t.After(now) {
		msg = "Signature not yet current: " + t.Format(stamp) + " is still later than " + now.Add(window).Format(stamp) +
			" (" + now.Format(stamp) + " + " + mins + " min.)"
	}
	return &Error{Kind: Skewed, Message: msg, InQuery: inQuery, Extra: []Field{
		{"RequestTime", t.Format(stamp)},
		{"ServerTime", now.Format(time.RFC3339)},
		{"MaxAllowedSkewMilliseconds", strconv.FormatInt(window.Milliseconds(), 10)},
	}}
}
