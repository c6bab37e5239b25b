package deliver

import (
	"net/http"
	"time"
)

// NewClient returns a client for HTTP endpoints that users name. It follows no redirect: the answer counts as what it is, as AWS does. A nil transport
// means [http.DefaultTransport]; limit bounds a whole call, 0 leaves it to the context.
func NewClient(transport http.RoundTripper, limit time.Duration) *http.Client {
	return &http.Client{Transport: transport, Timeout: limit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
