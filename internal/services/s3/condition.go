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
	if ifNoneMatch != nil && *ifNoneMatch != "*" {
		return notImplementedHeader()
	}
	if ifMatch != nil && ifNoneMatch != nil {
		return notImplementedHeader()
	}
	return nil
}

func notImplementedHeader() error {
	return fail("NotImplemented", http.StatusNotImplemented, "A header you provided implies functionality that is not implemented.")
}

// writeConditions decides If-Match and If-None-Match of a write over prev.
func writeConditions(ifMatch, ifNoneMatch *string, prev *version, exists bool) error {
	if ifNoneMatch != nil && exists {
		return preconditionFailed()
	}
	if ifMatch == nil {
		return nil
	}
	if !exists {
		return noSuchKey()
	}
	if !etagIn(*ifMatch, prev.ETag) {
		return preconditionFailed()
	}
	return nil
}

// readConditions are the conditions of a read: RFC 9110, section 13.2.2, in S3's order
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
type readConditions struct {
	match, noneMatch    *string
	modified, unmodifed *time.Time
}

// check returns nil, a PreconditionFailed or a NotModified error.
func (c readConditions) check(v *version) error {
	if c.match != nil {
		if !etagIn(*c.match, v.ETag) {
			return preconditionFailed()
		}
	} else if c.unmodifed != nil && v.Modified.After(*c.unmodifed) {
		return preconditionFailed()
	}
	if c.noneMatch != nil {
		if etagIn(*c.noneMatch, v.ETag) {
			return notModified(v)
		}
	} else if c.modified != nil && !v.Modified.After(*c.modified) {
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
func (c readConditions) checkCopy(v *version) error {
	err := c.check(v)
	if service.Code(err) == "NotModified" {
		return preconditionFailed()
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
