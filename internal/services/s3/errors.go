package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// fail returns an error of S3. Codes and statuses are those of
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
func fail(code string, status int, format string, args ...any) *service.Error {
	return service.Errorf(code, format, args...).WithStatus(status)
}

func invalidArgument(format string, args ...any) *service.Error {
	return fail("InvalidArgument", http.StatusBadRequest, format, args...)
}

func invalidRequest(format string, args ...any) *service.Error {
	return fail("InvalidRequest", http.StatusBadRequest, format, args...)
}

func malformedXML() *service.Error {
	return fail("MalformedXML", http.StatusBadRequest, "The XML you provided was not well-formed or did not validate against our published schema")
}

// NamedBucket is what S3 tells of a bucket beside an error's message.
type NamedBucket struct{ BucketName string }

func noSuchBucket(name string) *service.Error {
	return fail("NoSuchBucket", http.StatusNotFound, "The specified bucket does not exist").WithDetail(&NamedBucket{name})
}

// NamedKey is what S3 tells of an object beside an error's message.
type NamedKey struct{ Key string }

func noSuchKey(object string) *service.Error {
	return fail("NoSuchKey", http.StatusNotFound, "The specified key does not exist.").WithDetail(&NamedKey{object})
}

// NamedUpload is what S3 tells of an upload beside an error's message.
type NamedUpload struct {
	UploadId string //nolint:revive // the name of the element in S3's answer.
}

func noSuchUpload(id string) *service.Error {
	return fail("NoSuchUpload", http.StatusNotFound, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.").
		WithDetail(&NamedUpload{id})
}

func methodNotAllowed() *service.Error {
	return fail("MethodNotAllowed", http.StatusMethodNotAllowed, "The specified method is not allowed against this resource.")
}

// MethodOfResource is the detail of a method that a resource, a BUCKET or an OBJECT, does not take.
type MethodOfResource struct{ Method, ResourceType string }

// errorElements returns the elements of an error's document where no operation answers: code, message and what else S3 tells, in this order.
func errorElements(e *service.Error) [][2]string {
	out := [][2]string{{"Code", e.Code}, {"Message", e.Message}}
	switch d := e.Detail.(type) {
	case *NamedBucket:
		out = append(out, [2]string{"BucketName", d.BucketName})
	case *NamedKey:
		out = append(out, [2]string{"Key", d.Key})
	case *MethodOfResource:
		out = append(out, [2]string{"Method", d.Method}, [2]string{"ResourceType", d.ResourceType})
	}
	return out
}

// Condition is the detail of a failed precondition: the header, or what else was not as it must be.
type Condition struct{ Condition string }

func preconditionFailed(condition string) *service.Error {
	return fail("PreconditionFailed", http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold").WithDetail(&Condition{condition})
}

func accessDenied(format string, args ...any) *service.Error {
	return fail("AccessDenied", http.StatusForbidden, format, args...)
}

// unsupported refuses a parameter that this version does not honour.
func unsupported(operation, parameter string) *service.Error {
	e := service.Unsupported("NotImplemented", operation, parameter)
	return e.WithStatus(http.StatusNotImplemented)
}

// fromStore turns the errors of store and blob that a client can do something about into S3's.
func fromStore(err error) error {
	var known *service.Error
	var away *blob.UnavailableError
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &away):
		code := "ServiceUnavailable"
		if away.Busy {
			code = "SlowDown"
		}
		return &service.Error{
			Code: code, Status: http.StatusServiceUnavailable, Err: err,
			Message: "The cluster that keeps the bodies of objects cannot be used at the moment: " + away.Reason + ". Nothing was changed; please try again.",
		}
	case errors.Is(err, blob.ErrBusy):
		return &service.Error{Code: "SlowDown", Status: http.StatusServiceUnavailable, Err: err, Message: "Please reduce your request rate."}
	case errors.Is(err, store.ErrConflict):
		return &service.Error{
			Code: "ConditionalRequestConflict", Status: http.StatusConflict, Err: err,
			Message: "The conditional request cannot succeed due to a conflicting operation against this resource. Try again.",
		}
	case errors.Is(err, store.ErrFull), errors.Is(err, blob.ErrFull):
		return &service.Error{
			Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable, Err: err,
			Message: "The disk has no room for this object. Nothing was stored; free space in the data directory and try again.",
		}
	}
	return err
}

// NotModified is the detail of a 304 answer: what its head repeats of the object.
type NotModified struct {
	ETag         string
	LastModified string
	CacheControl string
	Expires      string
}

// ResponseHeader returns the fields of the answer's head (RFC 9110, section 15.4.5).
func (n *NotModified) ResponseHeader() http.Header {
	h := http.Header{"Etag": {n.ETag}, "Last-Modified": {n.LastModified}}
	if n.CacheControl != "" {
		h.Set("Cache-Control", n.CacheControl)
	}
	if n.Expires != "" {
		h.Set("Expires", n.Expires)
	}
	return h
}

// Fields are what S3 tells beside an error's message, under names that no Go field can have.
type Fields [][2]string

// ErrorElements returns the names and texts of the elements.
func (f *Fields) ErrorElements() [][2]string { return *f }

// about completes an error of an operation on bucket b: S3 names the bucket that lacks something, and the method that a delete marker refused.
func about(ctx context.Context, name string, err error) error {
	var e *service.Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Detail == nil && e.Status == http.StatusNotFound {
		return e.WithDetail(&NamedBucket{name})
	}
	if v, ok := e.Detail.(*VersionError); ok && e.Status == http.StatusMethodNotAllowed {
		told := *v
		told.ResourceType = "DeleteMarker"
		if h := service.RequestFrom(ctx).HTTP; h != nil {
			told.Method = h.Method
		}
		return e.WithDetail(&told)
	}
	return err
}

// wrap adds what was being done to an error that no client may see.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	var known *service.Error
	if errors.As(err, &known) {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}
