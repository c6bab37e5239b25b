package front

import (
	"bytes"
	"net/http"
)

// settle refuses a request that is ambiguous. Where the head of a request was not kept, and it may be, the connection ends with it: what follows is no request then.
func settle(w http.ResponseWriter, r *http.Request) (refused bool) {
	switch {
	case len(r.TransferEncoding) == 0:
		return false
	case ambiguous(r):
		refuseAmbiguous(w)
		return true
	case RawHead(r) == nil:
		w.Header()["Connection"] = []string{"close"}
	}
	return false
}

// ambiguous tells that a request in chunks says twice where its body ends, by a length and by chunks. Servers in front of this one may go by the other, and take for a body what
// is a request here: such a message ought to be refused and its connection closed (RFC 9112, section 6.3, item 3). Package net/http goes by the chunks.
func ambiguous(r *http.Request) bool {
	return hasField(RawHead(r), "content-length")
}

// hasField tells whether a raw head has a line of the name, which is in lower case.
func hasField(head []byte, name string) bool {
	for len(head) > 0 {
		var line []byte
		line, head, _ = bytes.Cut(head, []byte("\n"))
		if before, _, ok := bytes.Cut(line, []byte(":")); ok && len(before) == len(name) && bytes.EqualFold(before, []byte(name)) {
			return true
		}
	}
	return false
}

// refuseAmbiguous answers such a request.
func refuseAmbiguous(w http.ResponseWriter) {
	w.Header()["Connection"] = []string{"close"}
	http.Error(w, "400 Bad Request: the request has a Content-Length and a Transfer-Encoding", http.StatusBadRequest)
}
