package integration

import (
	"fmt"
	"io"
	"net/http"
)

// ErrAnswerTooLarge tells that a backend answered more than an API passes on.
var ErrAnswerTooLarge = fmt.Errorf("the answer of the backend has more than %d bytes", maxAnswerBody)

// Fetch sends a request and reads the whole answer. The error is [ErrAnswerTooLarge], or that of the connection.
func (t *Transport) Fetch(r *http.Request) (*Answer, error) {
	got, err := t.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = got.Body.Close() }()
	a := &Answer{Status: got.StatusCode, Header: got.Header}
	switch {
	case got.Body == http.NoBody:
	case got.ContentLength > maxAnswerBody:
		return nil, ErrAnswerTooLarge
	case got.ContentLength > 0:
		a.Body = make([]byte, got.ContentLength)
		if _, err = io.ReadFull(got.Body, a.Body); err == nil {
			_, err = io.Copy(io.Discard, got.Body) // to the end, so that the connection is kept
		}
	default:
		a.Body, err = io.ReadAll(io.LimitReader(got.Body, maxAnswerBody+1))
	}
	if err != nil {
		return nil, err
	}
	if len(a.Body) > maxAnswerBody {
		return nil, ErrAnswerTooLarge
	}
	return a, nil
}
