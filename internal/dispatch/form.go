package dispatch

import (
	"context"
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/service"
)

// isUploadForm tells whether a request is an upload by an HTML form, or what would be one if its type were right: a POST without a query that no
// header signs, which is no operation.
func isUploadForm(r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	return strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") ||
		r.Header.Get("Authorization") == "" && !strings.Contains(r.RequestURI, "?")
}

// serveForm hands an upload by a form to its service. The caller is proven when the service has read the fields.
func (p *Plane) serveForm(ctx context.Context, x *exchange, e *entry) error {
	x.wire.Protocol = awsapi.RESTXML
	x.request.Operation = "PostObject"
	x.w.Header().Set("X-Amz-Request-Id", x.request.ID)
	x.w.Header().Set("X-Amz-Id-2", x.request.ID)
	_, forgeable := front.Forgeable(x.http)
	up := &service.FormUpload{
		RawPath: x.wire.RawPath, ContentType: x.http.Header.Get("Content-Type"), Length: x.http.ContentLength, Body: x.http.Body,
		Prove: func(ctx context.Context, s service.FormSignature) (context.Context, error) {
			proof, err := p.Authenticator.AuthenticateForm(ctx, &sigv4.Form{
				Policy: s.Policy, Credential: s.Credential, AccessKeyID: s.AccessKeyID, Signature: s.Signature, Token: s.Token,
			}, p.local(x.http, forgeable))
			if err != nil {
				return nil, err
			}
			x.identified(proof)
			return service.WithRequest(ctx, &x.request), nil
		},
	}
	defer func() { x.in = up.Input }()
	return e.form(service.WithRequest(ctx, &x.request), x.w, up)
}

// identified notes who makes the call.
func (x *exchange) identified(proof *auth.Proof) {
	x.request.Principal = proof.Principal
	if proof.Principal.Account != "" {
		x.request.Account = proof.Principal.Account
	}
	if proof.Region != "" {
		x.request.Region = proof.Region
	}
}
