package auth

import (
	"reflect"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/service"
)

// Refusal returns the answer to a request whose authentication, or whose signed body, was refused,
// with the codes of the family. S3's answers carry what was computed, so that a caller can see
// where its own computation differs.
func Refusal(e *sigv4.Error, family sigv4.Family) *service.Error {
	code, status, msg := e.Wire(family)
	out := &service.Error{Code: code, Status: status, Message: msg, Err: e}
	if family == sigv4.FamilyS3 {
		out.Detail = detailOf(e)
	}
	return out
}

// s3Detail holds the members that S3 adds to an error. Its fields have the names on the wire.
type s3Detail struct {
	AWSAccessKeyId, StringToSign, SignatureProvided, StringToSignBytes, CanonicalRequest, CanonicalRequestBytes string
	HeadersNotSigned, ParametersNotSigned, Region                                                               string
	RequestTime, Expires, ServerTime, MaxAllowedSkewMilliseconds                                                string
	ClientComputedContentSHA256, S3ComputedContentSHA256                                                        string
	ArgumentName, ArgumentValue                                                                                 string
}

func detailOf(e *sigv4.Error) any {
	d := &s3Detail{}
	v := reflect.ValueOf(d).Elem()
	for _, f := range e.Detail() {
		if field := v.FieldByName(f.Name); field.IsValid() {
			field.SetString(f.Value)
		}
	}
	return d
}
