package dispatch

import (
	"net/http"
	"sync/atomic"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/wire"
)

const (
	// maxArchive is the limit of a call that carries an archive of 50 MiB in base64, in bytes. AWS cuts Lambda's calls off there (its
	// RequestEntityTooLargeException says so).
	maxArchive = 70_167_211
	// maxUnproven is how many bytes of bodies whose signatures are not proven are held at most, over all connections.
	maxUnproven = 512 << 20
	// smallBody is up to which length a body is not counted: as much as a connection's buffers may hold anyway.
	smallBody = 64 << 10
	// bodyPatience and bodyRate bound the time that a large unproven body may take: so long, and a second more for so many bytes.
	bodyPatience = 30 * time.Second
	bodyRate     = 256 << 10
)

// carriesArchive tells which operations of Lambda have a body of up to maxArchive.
func carriesArchive(operation string) bool {
	switch operation {
	case "CreateFunction", "UpdateFunctionCode", "PublishLayerVersion":
		return true
	}
	return false
}

// limitBody sets the limit of a buffered body. Lambda's depends on the operation, which its path tells; whether that exists is nobody's
// business before the caller is known.
func (x *exchange) limitBody() {
	x.wire.MaxBody = wire.DefaultMaxBody
	if x.api.Name != "lambda" {
		return
	}
	if op, err := x.api.Match(&x.wire); err == nil {
		x.op = op
		if carriesArchive(op.Name) {
			x.wire.MaxBody = maxArchive
		}
	}
}

// unproven counts the bytes that are held for callers who have proven nothing yet: a signature over a body that is not announced with its hash
// can be checked only when the whole body is there.
type unproven struct{ held atomic.Int64 }

var errUnproven = &service.Error{
	Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable,
	Message: "Too many large request bodies whose signatures are not proven are being read. Try again, or send the header X-Amz-Content-Sha256, with which a signature is checked first.",
}

// take reserves n bytes, or refuses. What it returns gives them back.
func (u *unproven) take(n int64) (release func(), err error) {
	if u.held.Add(n) > maxUnproven {
		u.held.Add(-n)
		return nil, errUnproven
	}
	return func() { u.held.Add(-n) }, nil
}

// hashBody reads the body of a call whose signature covers its hash, and returns the hash. The room for a large body is taken until the signature
// is checked: the caller calls x.release then.
func (p *Plane) hashBody(x *exchange) (string, error) {
	x.read = true
	n := x.wire.ContentLength
	if n < 0 || n > x.wire.MaxBody {
		n = x.wire.MaxBody
	}
	if n > smallBody {
		release, err := p.unproven.take(n)
		if err != nil {
			return "", err
		}
		x.release = release
		control := http.NewResponseController(x.w)
		end := clock.Unmoved(p.Clock).Now().Add(bodyPatience + time.Duration(n/bodyRate)*time.Second)
		// A connection that cannot have a deadline is not one of a client: the error tells nothing else.
		if control.SetReadDeadline(end) == nil {
			defer func() { _ = control.SetReadDeadline(time.Time{}) }()
		}
	}
	body, err := x.wire.ReadBody()
	return sigv4.Hash(body), err
}
