package service

import (
	"context"
	"net/http"
)

// Route sends requests to a service by host or by path. Exactly one of Host, Hosts and Path is set, and exactly one of API and Handler.
//
// Patterns name their variable parts in braces. A host pattern is matched against the labels of the Host header without its
// port, whatever the suffix: "{api}.execute-api.{region}.*" matches abc.execute-api.us-east-1.amazonaws.com and
// abc.execute-api.us-east-1.localhost. "{bucket+}" takes one or more labels. A path pattern is matched against the start of the raw,
// undecoded path, and the rest of the path reaches the handler: "/_aws/execute-api/{api}/{stage}".
type Route struct {
	Host string
	Path string
	// Hosts reports whether a host, without its port, is one of the route's, for hosts that are data, such as custom domain names. It is asked for hosts that
	// no pattern takes and that are neither addresses nor single labels.
	Hosts func(ctx context.Context, host string) bool
	// API names the AWS API whose protocol the request speaks, for hosts such as "{bucket+}.s3.{region}.*"; the bucket
	// then becomes the first element of the path.
	API string
	// Handler serves a data plane. It takes the values of the pattern with [RouteVar], the rest of the raw path with [RoutePath],
	// and is responsible for authentication; permissions go through [Door.Allow].
	Handler http.Handler
	// RootOnly makes Handler one of the platform's own administration: only the root user gets in, with a request signed for the service "lambent" and
	// without a body. Its text completes "Only the root user may …". The path begins with /_lambent/.
	RootOnly string
	// Owner is the name of the API whose data plane Handler is, for the access log. The server fills it in.
	Owner string
	// Public tells that web pages of any origin may call this plane: the protection of loopback against forged browser requests is left to it.
	Public bool
}
