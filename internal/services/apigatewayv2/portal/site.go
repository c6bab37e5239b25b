package portal

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	sitePath    = "/_aws/portals/"
	previewPath = "/_aws/portal-previews/"

	// maxSites bounds the indexes that are kept decoded.
	maxSites = 64
)

// siteKey names a portal or, with a token, its preview.
type siteKey struct{ portal, token string }

// site is an edition that can be seen. It is shared and must not be changed.
type site struct {
	Scope
	index

	portal, edition string
	until           int64 // the end of a preview in Unix seconds; 0 for none
}

// Routes are the hosts and paths of portals and of their previews.
func (p *Portals) Routes() []service.Route {
	return []service.Route{
		{Host: "p-{portal}.apigw-portal.{region}.*", Handler: http.HandlerFunc(p.serveHost), Public: true},
		{Path: sitePath + "{portal}", Handler: http.HandlerFunc(p.servePath), Public: true},
		{Path: previewPath + "{portal}/{token}", Handler: http.HandlerFunc(p.servePreview), Public: true},
		{Hosts: p.knows, Handler: http.HandlerFunc(p.serveDomain), Public: true},
	}
}

// find returns what a portal shows; nil when it shows nothing.
func (p *Portals) find(ctx context.Context, k siteKey) (*site, error) {
	found, err := p.sites.Get(ctx, struct{}{}, k, func(r store.Reader) (*site, error) {
		o, ok, err := record.Get[owner](r, ownerKey(k.portal))
		if err != nil || !ok {
			return nil, err
		}
		v, err := loadPortal(r, o.Scope, k.portal)
		if err != nil {
			return nil, err
		}
		out := &site{Scope: o.Scope, portal: v.ID, edition: v.Live}
		if k.token != "" {
			if v.Preview == nil || v.Preview.Token != k.token {
				return nil, nil
			}
			out.edition, out.until = v.Preview.Edition, v.Preview.Until.Unix()
		}
		if out.edition == "" {
			return nil, nil
		}
		out.index, ok, err = record.Get[index](r, indexKey(v.ID, out.edition))
		if err != nil || !ok {
			return nil, err
		}
		return out, nil
	})
	if found != nil && found.until != 0 && p.deps.Clock.Now().Unix() >= found.until {
		return nil, err
	}
	return found, err
}

// atDomain returns the portal of a domain name; empty when it is none.
func (p *Portals) atDomain(ctx context.Context, host string) (portal string, err error) {
	err = p.deps.Store.View(ctx, func(r store.Reader) error {
		o, _, err := record.Get[owner](r, domainKey(host))
		portal = o.Portal
		return err
	})
	return portal, err
}

// knows tells whether a host is the domain name of a portal.
func (p *Portals) knows(ctx context.Context, host string) bool {
	id, err := p.atDomain(ctx, strings.ToLower(host))
	return err == nil && id != ""
}

// serveHost answers at the name that every portal has, unless it has another
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-portals-use-portal.html).
func (p *Portals) serveHost(w http.ResponseWriter, r *http.Request) {
	found, err := p.find(r.Context(), siteKey{portal: front.RouteVar(r, "portal")})
	if found != nil && (found.Region != front.RouteVar(r, "region") || found.Domain != "") {
		found = nil
	}
	p.serve(w, r, found, err, "")
}

// serveDomain answers at the domain name of a portal.
func (p *Portals) serveDomain(w http.ResponseWriter, r *http.Request) {
	host, _, _ := strings.Cut(strings.ToLower(r.Host), ":")
	id, err := p.atDomain(r.Context(), strings.TrimSuffix(host, "."))
	var found *site
	if err == nil {
		found, err = p.find(r.Context(), siteKey{portal: id})
	}
	if found != nil && found.Domain != host {
		found = nil // it was published with another name
	}
	p.serve(w, r, found, err, "")
}

// servePath answers clients that resolve no names.
func (p *Portals) servePath(w http.ResponseWriter, r *http.Request) {
	id := front.RouteVar(r, "portal")
	found, err := p.find(r.Context(), siteKey{portal: id})
	p.serve(w, r, found, err, sitePath+id)
}

func (p *Portals) servePreview(w http.ResponseWriter, r *http.Request) {
	id, token := front.RouteVar(r, "portal"), front.RouteVar(r, "token")
	found, err := p.find(r.Context(), siteKey{id, token})
	p.serve(w, r, found, err, previewPath+id+"/"+token)
}

// serve answers a request for what is below base.
func (p *Portals) serve(w http.ResponseWriter, r *http.Request, s *site, err error, base string) {
	secure(w.Header())
	switch {
	case err != nil:
		p.deps.Log.ErrorContext(r.Context(), "portal could not be loaded", slog.Any("error", err))
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	case s == nil:
		http.Error(w, "There is no portal here, or it is not published.", http.StatusNotFound)
		return
	}
	v := &visit{portals: p, site: s, base: base, w: w, r: r}
	path := strings.TrimPrefix(front.RoutePath(r), "/")
	if path == "style.css" { // also for those who are not signed in
		v.style()
		return
	}
	if !v.admit(path) {
		return
	}
	v.route(strings.Split(strings.TrimSuffix(path, "/"), "/"))
}

// secure sets the headers that all answers have. Nothing on a page runs, whatever its texts say. A form of another site must not send requests in a visitor's name, for which
// the browser has to say where it comes from.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' https: data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
}
