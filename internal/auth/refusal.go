package auth

import (
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
		detail := s3Detail(e.Detail())
		out.Detail = &detail
	}
	return out
}

// s3Detail holds the members that S3 adds to an error, in their order.
type s3Detail []sigv4.Field

// ErrorElements returns the names and texts of the members.
func (d *s3Detail) ErrorElements() [][2]string {
	out := make([][2]string, len(*d))
	for i, f := range *d {
		out[i] = [2]string{f.Name, f.Value}
	}
	return out
}
