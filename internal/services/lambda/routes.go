package lambda

import (
	"net/http"

	"lambent.dev/lambent/internal/service"
)

// routes are what the service answers beside its API.
func (l *Lambda) routes() []service.Route {
	return []service.Route{
		{Path: downloadPath, Handler: http.HandlerFunc(l.serveDownload)},
	}
}
