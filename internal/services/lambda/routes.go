package lambda

import (
	"net/http"

	"lambent.dev/lambent/internal/service"
)

// routes are what the service answers beside its API.
func (l *Lambda) routes() []service.Route {
	return []service.Route{
		{Path: downloadPath, Handler: http.HandlerFunc(l.serveDownload)},
		{Host: "{id}.lambda-url.{region}.*", Handler: http.HandlerFunc(l.serveURL), Public: true},
		{Path: urlPath + "{id}", Handler: http.HandlerFunc(l.serveURL), Public: true},
	}
}
