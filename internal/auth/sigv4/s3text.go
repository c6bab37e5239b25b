package sigv4

import (
	"strconv"
	"strings"
)

// The texts of S3 about authentication that cannot be read. They are those of AWS as public recordings and issues of other S3 servers show them.

// s3Scope completes an error about the credential with the text of S3. format begins behind the words that name the place.
func (s *Signature) s3Scope(e *Error, text string) *Error {
	e.S3 = "The authorization header is malformed; " + text
	if s.Query {
		e.S3 = "Error parsing the X-Amz-Credential parameter; " + text
	}
	return e
}

const s3Credential = `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`

// s3Date returns the text about a day of the scope that is no date, or is not that of the request.
func (s *Signature) s3Date(e *Error, day string) *Error {
	switch {
	case len(s.Date) != 8 || strings.Trim(s.Date, "0123456789") != "":
		return s.s3Scope(e, "incorrect date format "+strconv.Quote(clip(s.Date))+`. This date in the credential must be in the format "yyyyMMdd".`)
	case s.Query:
		e.S3 = "Invalid credential date " + strconv.Quote(clip(s.Date)) + ". This date is not the same as X-Amz-Date: " + strconv.Quote(day) + "."
		return e
	}
	return s.s3Scope(e, "Invalid credential date. Date is not the same as X-Amz-Date.")
}

// s3Components completes an error about the parts of an Authorization header, which are in rest.
func (s *Signature) s3Components(e *Error, rest string) *Error {
	parts := strings.Split(rest, ",")
	if len(parts) != 3 {
		return s.s3Scope(e, "the authorization header requires three components: Credential, SignedHeaders, and Signature.")
	}
	given := map[string]bool{}
	for _, part := range parts {
		name, _, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return s.s3Scope(e, "the authorization component "+strconv.Quote(clip(strings.TrimSpace(part)))+" is malformed.")
		}
		given[name] = true
	}
	for _, name := range [...]string{"Credential", "SignedHeaders", "Signature"} {
		if !given[name] {
			return s.s3Scope(e, "missing "+name+".")
		}
	}
	return e
}

// badScheme refuses an Authorization header of no known scheme.
func badScheme(auth, alg string) *Error {
	e := &Error{Kind: Scheme, Message: "Unsupported AWS 'algorithm': '" + clip(alg) + "'.", S3: "Unsupported Authorization Type"}
	if !strings.Contains(strings.TrimSpace(auth), " ") {
		e.S3 = "Authorization header is invalid -- one and only one ' ' (space) required"
	}
	e.Extra = []Field{{"ArgumentName", "Authorization"}, {"ArgumentValue", clip(alg)}}
	return e
}

// noDate refuses a header that has no time, or one that cannot be read.
func noDate(s *Signature, msg string) *Error {
	return &Error{Kind: NoDate, Message: msg, AccessKeyID: s.AccessKeyID}
}
