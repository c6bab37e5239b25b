package s3

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

func ptr[T any](v T) *T { return &v }

// optional returns nil for the zero value.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func anySet(ps ...*string) bool {
	return slices.ContainsFunc(ps, func(p *string) bool { return p != nil && *p != "" })
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

func quoted(etag string) *string { return ptr(`"` + etag + `"`) }

func httpTime(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") }

// encodeToken returns the continuation token of a listing that ended with name.
func encodeToken(name string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("1" + name))
}

func decodeToken(token *string) (string, error) {
	if token == nil {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*token)
	if err != nil || len(b) == 0 || b[0] != '1' {
		return "", invalidValue("continuation-token", *token, "The continuation token provided is incorrect")
	}
	return string(b[1:]), nil
}

// location returns the URL of an object at the endpoint that the request was sent to.
func (s *Service) location(ctx context.Context, bucketName, object string) string {
	base := s.baseURL
	if h := service.RequestFrom(ctx).HTTP; h != nil && h.Host != "" {
		scheme, _, _ := strings.Cut(base, "://")
		base = scheme + "://" + h.Host
	}
	return base + "/" + bucketName + "/" + escapeKey(object)
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }

// asError returns the error that a client would see, if there is one.
func asError(err error) (*service.Error, bool) {
	var e *service.Error
	ok := errors.As(err, &e)
	return e, ok
}

func notFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
