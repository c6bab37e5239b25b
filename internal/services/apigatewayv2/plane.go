package apigatewayv2

import (
	"log/slog"
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Limits of a request and of a function's event, in bytes
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html).
const (
	maxRequestBody = 10 << 20
	maxHeaders     = 10_240
	maxEvent       = 6 << 20
)

// planeName is the name of this plane to custom domain names.
const planeName = "v2"

// plane serves requests to APIs.
type plane struct{ gateway *Gateway }

// ServeHTTP answers a request to an API's stage.
func (p *plane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, path, err := p.resolve(r)
	p.answer(w, r, t, domain.Target{Path: path}, err)
}

// Has implements [domain.Plane].
func (p *plane) Has(r store.Reader, s domain.Scope, api, stageName string) (found domain.Found, err error) {
	own := scope{s.Account, s.Region}
	if found.API, err = record.Has(r, own.api(api)); err != nil || !found.API {
		return found, err
	}
	found.Stage, err = record.Has(r, own.stage(api, stageName))
	return found, err
}

// ServeDomain implements [domain.Plane]: an API answers under its custom domain names also when its own endpoint is switched off.
func (p *plane) ServeDomain(w http.ResponseWriter, r *http.Request, to domain.Target) {
	t, err := p.gateway.table(r.Context(), to.API, to.Stage)
	p.answer(w, r, t, to, err)
}

// answer answers a request to a stage, which is nil when there is none. to has the raw path within it, and the custom domain name that led there.
func (p *plane) answer(w http.ResponseWriter, r *http.Request, t *table, to domain.Target, err error) {
	if err != nil {
		p.gateway.deps.Log.ErrorContext(r.Context(), "api could not be loaded", slog.Any("error", err))
		fail(w, nil, r, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	if t == nil {
		fail(w, nil, r, http.StatusNotFound, "Not Found")
		return
	}
	if t.socket != nil {
		p.serveSocket(w, r, t, to.Path)
		return
	}
	p.gateway.serveHTTP(w, r, t, to)
}

// resolve finds the stage that a request is for, and the raw path within it. The first path element names a stage when there is
// one of that name; otherwise the $default stage takes the whole path.
func (p *plane) resolve(r *http.Request) (*table, string, error) {
	id, path := front.RouteVar(r, "api"), front.RoutePath(r)
	if path == "" {
		path = "/"
	}
	first, rest, _ := strings.Cut(path[1:], "/")
	if first != "" {
		t, err := p.gateway.table(r.Context(), id, httpevent.Unescape(first))
		if err != nil || t != nil {
			return t.at(r), "/" + rest, err
		}
	}
	t, err := p.gateway.table(r.Context(), id, defaultStage)
	return t.at(r), path, err
}

// at hides an API whose default endpoint is switched off, and one that the host of a request looks for in another region.
func (t *table) at(r *http.Request) *table {
	if t == nil || t.disabled {
		return nil
	}
	if region := front.RouteVar(r, "region"); region != "" && region != t.region {
		return nil
	}
	return t
}
