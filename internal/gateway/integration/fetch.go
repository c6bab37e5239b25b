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
	body, err := ReadWhole(got)
	if err != nil {
		return nil, err
	}
	return &Answer{Status: got.StatusCode, Header: got.Header, Body: body}, nil
}

// ReadWhole reads the body of an answer to its end, so that the connection is kept, and closes it.
func ReadWhole(got *http.Response) (body []byte, err error) {
	defer func() { _ = got.Body.Close() }()
	switch {
	case got.Body == http.NoBody:
	case got.ContentLength > maxAnswerBody:
		return nil, ErrAnswerTooLarge
	case got.ContentLength > 0:
		body = make([]byte, got.ContentLength)
		if _, err = io.ReadFull(got.Body, body); err == nil {
			_, err = io.Copy(io.Discard, got.Body)
		}
	default:
		body, err = io.ReadAll(io.LimitReader(got.Body, maxAnswerBody+1))
	}
	if len(body) > maxAnswerBody {
		err = ErrAnswerTooLarge
	}
	return body, err
}
