package front

import (
	"cmp"
	"net/http"
	"net/netip"
	"strings"

	"lambent.dev/lambent/internal/observe/access"
)

// logged serves a request and writes its line to the access log, however the request ends.
func (h *handler) logged(w http.ResponseWriter, r *http.Request) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	e := &access.Entry{Time: h.options.Clock.Now(), SourceIP: Peer(r), Method: r.Method, Host: r.Host, Path: path, UserAgent: r.UserAgent()}
	rec := Record(w, new(Recorder))
	defer func() {
		e.Status, e.Bytes, e.Duration = rec.Status, rec.Written, h.options.Clock.Now().Sub(e.Time)
		e.RequestID = cmp.Or(e.RequestID, requestID(rec.Header()))
		h.options.Access.Write(e)
	}()
	h.serve(rec, r, e)
}

// requestID returns the id that the client of a data plane was told.
func requestID(h http.Header) string {
	return cmp.Or(h.Get("X-Amzn-Requestid"), h.Get("X-Amz-Request-Id"), h.Get("Apigw-Requestid"))
}

// Peer returns the address of the client of r; it is not valid for a connection without one.
func Peer(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}
