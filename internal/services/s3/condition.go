package s3

import (
	"net/http"
	"strings"
	"time"

	"lambent.dev/lambent/internal/service"
)

// checkWriteConditions refuses conditions that S3 does not have on writes
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
func checkWriteConditions(ifMatch, ifNoneMatch *string) error {
	switch {
	case ifMatch != nil && ifNoneMatch != nil:
		return refusedHeader("If-Match,If-None-Match", "Multiple conditional request headers present in the request")
	case ifNoneMatch != nil && *ifNoneMatch != "*":
		return refusedHeader("If-None-Match", "We don't accept the provided value of If-None-Match header for this API")
	case ifMatch != nil && *ifMatch == "*":
		return refusedHeader("If-Match", "We don't accept the provided value of If-Match header for this API")
	}
	return nil
}

func refusedHeader(name, why string) error {
	return fail("NotImplemented", http.StatusNotImplemented, "A header you provided implies functionality that is not implemented").
		WithDetail(&Fields{{"Header", name}, {"additionalMessage", why}})
}

// writeConditions decides If-Match and If-None-Match of a write over prev.
func writeConditions(object string, ifMatch, ifNoneMatch *string, prev *version, exists bool) error {
	if ifNoneMatch != nil && exists {
		return preconditionFailed("If-None-Match")
	}
	if ifMatch == nil {
		return nil
	}
	if !exists {
		return noSuchKey(object)
	}
	if !etagIn(*ifMatch, prev.ETag) {
		return preconditionFailed("If-Match")
	}
	return nil
}

// readConditions are the conditions of a read: RFC 9110, section 13.2.2, in S3's order
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
type readConditions struct {
	match, noneMatch    *string
	modified, unmodifed *time.Time
}

// check returns nil, a PreconditionFailed or a NotModified error. A time in the future says nothing of what was modified since.
func (c readConditions) check(v *version, now time.Time) error {
	if c.match != nil {
		if !etagIn(*c.match, v.ETag) {
			return preconditionFailed("If-Match")
		}
	} else if c.unmodifed != nil && v.Modified.After(*c.unmodifed) {
		return preconditionFailed("If-Unmodified-Since")
	}
	if c.noneMatch != nil {
		if etagIn(*c.noneMatch, v.ETag) {
			return notModified(v)
		}
	} else if c.modified != nil && !v.Modified.After(*c.modified) && !c.modified.After(now) {
		return notModified(v)
	}
	return nil
}

func notModified(v *version) error {
	e := &service.Error{Code: "NotModified", Status: http.StatusNotModified, Message: "Not Modified"}
	return e.WithDetail(&NotModified{
		ETag: *quoted(v.ETag), LastModified: httpTime(v.Modified), CacheControl: v.Headers.CacheControl, Expires: v.Headers.Expires,
	})
}

// checkCopy decides the conditions of a copy on its source; whatever does not hold is a failed precondition.
func (c readConditions) checkCopy(v *version, now time.Time) error {
	err := c.check(v, now)
	switch service.Code(err) {
	case "NotModified":
		if c.noneMatch != nil {
			return preconditionFailed("x-amz-copy-source-If-None-Match")
		}
		return preconditionFailed("x-amz-copy-source-If-Modified-Since")
	case "PreconditionFailed":
		if c.match != nil {
			return preconditionFailed("x-amz-copy-source-If-Match")
		}
		return preconditionFailed("x-amz-copy-source-If-Unmodified-Since")
	}
	return err
}

// etagIn tells whether a list of entity tags, quoted or not, has etag or is "*".
func etagIn(list, etag string) bool {
	for t := range strings.SplitSeq(list, ",") {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		if t == "*" || strings.Trim(t, `"`) == etag {
			return true
		}
	}
	return false
}
