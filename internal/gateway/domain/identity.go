package domain

import (
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/service"
)

// Identity is who a request to an API comes from.
type Identity struct {
	Request *http.Request
	// Mapped tells that the request came by a custom domain name, where clients may show certificates.
	Mapped bool
	// Caller is who signed the request; nil for nobody.
	Caller *service.Principal
}

// Certificate is what the client showed to a custom domain name; ok is false when it showed none.
func (i Identity) Certificate() (c ClientCertificate, ok bool) {
	if !i.Mapped {
		return ClientCertificate{}, false
	}
	return ClientCertificateOf(i.Request)
}

// Value returns a variable of $context.identity that every kind of API has; empty for what is not known, and for another name
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html).
func (i Identity) Value(name string) string {
	switch name {
	case "sourceIp":
		return httpevent.ClientIP(i.Request)
	case "userAgent":
		return i.Request.UserAgent()
	}
	if rest, ok := strings.CutPrefix(name, "clientCert."); ok {
		if c, ok := i.Certificate(); ok {
			return c.Value(rest)
		}
		return ""
	}
	p := i.Caller
	if p == nil {
		return ""
	}
	switch name {
	case "accountId":
		return p.Account
	case "accessKey":
		return p.AccessKeyID
	case "caller", "user":
		return p.UserID
	case "userArn":
		return p.ARN
	}
	return ""
}
