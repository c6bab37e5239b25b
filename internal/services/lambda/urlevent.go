package lambda

import (
	"crypto/tls"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/jsonenc"
)

// event is what the function gets of a request in a trace, see https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads.
func (x *exchange) event(trace string) []byte {
	r := x.r
	root, _, _ := strings.Cut(trace, ";")
	if brought := r.Header.Get(traceHeader); brought != "" { // as load balancers do, which have the same front
		self, _, _ := strings.Cut(newRoot(x.request.ID, x.request.Time, false), ";")
		root = "Self=" + strings.TrimPrefix(self, "Root=") + ";" + brought
	}
	r.Header.Set(traceHeader, root)
	if r.TLS != nil {
		r.Header.Set("X-Amzn-Tls-Version", strings.ReplaceAll(tls.VersionName(r.TLS.Version), "TLS ", "TLSv"))
		r.Header.Set("X-Amzn-Tls-Cipher-Suite", tls.CipherSuiteName(r.TLS.CipherSuite))
	}
	path := "/" + strings.TrimLeft(front.RoutePath(r), "/") // one slash, as on AWS: URLs end with one, and paths begin with one
	_, query, _ := strings.Cut(r.RequestURI, "?")
	b := make([]byte, 0, 2048+len(x.body))
	b = append(b, `{"version":"2.0","routeKey":"$default","rawPath":`...)
	b = jsonenc.String(b, path)
	b = append(b, `,"rawQueryString":`...)
	b = jsonenc.String(b, query)
	b = httpevent.AppendCookies(b, r)
	b = httpevent.AppendHeaders(b, r)
	b = httpevent.AppendQuery(b, query)
	b = x.context(b, httpevent.Unescape(path)) // rawPath is as it was sent, the path of the context decoded
	b = httpevent.AppendBody(b, r.Header.Get("Content-Type"), x.body)
	return append(b, '}')
}

// context appends the member requestContext.
func (x *exchange) context(b []byte, path string) []byte {
	r := x.r
	account := "anonymous"
	if x.url.Auth == api.FunctionUrlAuthTypeAwsIam {
		account = x.request.Principal.Account
	}
	field := func(name, value string) {
		b = append(b, name...)
		b = jsonenc.String(b, value)
	}
	field(`,"requestContext":{"accountId":`, account)
	field(`,"apiId":`, x.url.ID)
	b = x.authorizer(b)
	field(`,"domainName":`, r.Host)
	field(`,"domainPrefix":`, x.url.ID)
	field(`,"http":{"method":`, r.Method)
	field(`,"path":`, path)
	field(`,"protocol":`, r.Proto)
	field(`,"sourceIp":`, httpevent.ClientIP(r))
	field(`,"userAgent":`, r.UserAgent())
	field(`},"requestId":`, x.request.ID)
	b = append(b, `,"routeKey":"$default","stage":"$default","time":"`...)
	b = x.request.Time.UTC().AppendFormat(b, "02/Jan/2006:15:04:05 +0000")
	b = append(b, `","timeEpoch":`...)
	b = strconv.AppendInt(b, x.request.Time.UnixMilli(), 10)
	return append(b, '}')
}

// authorizer appends who has signed the request, if somebody has.
func (x *exchange) authorizer(b []byte) []byte {
	if x.url.Auth != api.FunctionUrlAuthTypeAwsIam {
		return b
	}
	p := &x.request.Principal
	field := func(name, value string) {
		b = append(b, name...)
		b = jsonenc.String(b, value)
	}
	field(`,"authorizer":{"iam":{"accessKey":`, p.AccessKeyID)
	field(`,"accountId":`, p.Account)
	field(`,"callerId":`, p.UserID)
	b = append(b, `,"cognitoIdentity":null,"principalOrgId":null`...)
	field(`,"userArn":`, p.ARN)
	field(`,"userId":`, p.UserID)
	return append(b, `}}`...)
}
