package lambda

import (
	"net/http"

	"lambent.dev/lambent/internal/service"
)

// routes are what the service answers beside its API.
func (l *Lambda) routes() []service.Route {
	return []service.Route{
		{Path: "/_lambent/invocations", Handler: http.HandlerFunc(l.serveRecorded), RootOnly: "read the events of invocations"},
		{Path: "/_lambent/debug", Handler: http.HandlerFunc(l.serveDebug), RootOnly: "debug functions"},
		{Path: "/_lambent/rehearsals", Handler: http.HandlerFunc(l.serveRehearsals), RootOnly: "read what is rehearsed"},
		{Path: downloadPath, Handler: http.HandlerFunc(l.serveDownload)},
		{Host: "{id}.lambda-url.{region}.*", Handler: http.HandlerFunc(l.serveURL), Public: true},
		{Path: urlPath + "{id}", Handler: http.HandlerFunc(l.serveURL), Public: true},
	}
}
