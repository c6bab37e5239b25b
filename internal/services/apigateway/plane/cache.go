package plane

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/gateway/respcache"
	"lambent.dev/lambent/internal/service"
)

// The strategies for requests that may not invalidate what is cached.
const (
	failForbidden   = "FAIL_WITH_403"
	succeedSilently = "SUCCEED_WITHOUT_RESPONSE_HEADER"
)

// cacheKey names the response that a request has in the cache: by stage, namespace, method, and the parameters that the integration names.
func (x *exchange) cacheKey() string {
	c := x.method.call
	var b strings.Builder
	part := func(s string) {
		b.WriteString(strconv.Itoa(len(s)))
		b.WriteByte(':')
		b.WriteString(s)
	}
	part(x.API.ID)
	part(x.name)
	part(strconv.FormatInt(x.Stage.Flushed, 10))
	if x.canary && !(x.Stage.CanarySettings != nil && deref(x.Stage.CanarySettings.UseStageCache)) {
		part("canary")
	}
	part(x.deployment(x.canary))
	part(c.namespace)
	part(x.http.Method)
	for _, name := range c.CacheKeyParameters {
		s, ok := parseSource(name)
		if !ok {
			continue
		}
		part(name)
		for _, v := range s.values(x) {
			part(v)
		}
	}
	return b.String()
}

// fromCache answers from the cache, and reports whether it did.
func (x *exchange) fromCache(ctx context.Context, w http.ResponseWriter, key string) (hit bool, f *failed) {
	step := x.trace.Step("cache", "")
	if control, _ := x.fields.get("Cache-Control"); strings.Contains(strings.ReplaceAll(strings.ToLower(control), " ", ""), "max-age=0") {
		if !x.settings.guarded || x.mayInvalidate(ctx) {
			x.plane.responses.Delete(key)
			step.End("invalidated")
			return false, nil
		}
		if x.settings.strategy == failForbidden {
			f := &failed{kind: "ACCESS_DENIED", message: "User is not authorized to access this resource"}
			step.End(outcome(f, ""))
			return false, f
		}
		if x.settings.strategy != succeedSilently {
			w.Header()["Warning"] = []string{`199 - "the cache was not invalidated: the caller lacks the permission execute-api:InvalidateCache"`}
		}
	}
	e, ok := x.plane.responses.Get(key)
	if !ok {
		step.End("miss")
		return false, nil
	}
	step.End("hit")
	x.answer = &answer{status: e.Status, cached: true}
	h := w.Header()
	for i := 0; i+1 < len(e.Header); i += 2 {
		h[e.Header[i]] = append(h[e.Header[i]], e.Header[i+1])
	}
	x.status = e.Status
	x.send(w, e.Status, e.Body)
	return true, nil
}

// mayInvalidate tells whether the caller of a signed request may invalidate the cache
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html).
func (x *exchange) mayInvalidate(ctx context.Context) bool {
	if x.principal == nil {
		return false
	}
	r := x.serviceRequest()
	r.Principal = *x.principal
	return x.plane.o.Door.Allow(service.WithRequest(ctx, r), service.Target{Action: "execute-api:InvalidateCache", ARN: x.source(), Owner: x.Account}) == nil
}

// toCache keeps a response.
func (x *exchange) toCache(key string, out *response) {
	e := respcache.Entry{Status: out.status, Body: out.body}
	for _, name := range slices.Sorted(maps.Keys(out.header)) {
		for _, v := range out.header[name] {
			e.Header = append(e.Header, name, v)
		}
	}
	x.plane.responses.Put(key, e, time.Duration(x.settings.ttl)*time.Second)
}
