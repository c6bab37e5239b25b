package apigatewayv2

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// preflight answers a CORS preflight request when the API has a CORS configuration, and reports whether it did
// (Fetch Standard, section 3.2; https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html).
func (t *table) preflight(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	method := r.Header.Get("Access-Control-Request-Method")
	if t.cors == nil || r.Method != http.MethodOptions || origin == "" || method == "" {
		return false
	}
	h := w.Header()
	if t.allowOrigin(h, r) && (slices.Contains(t.cors.AllowMethods, method) || slices.Contains(t.cors.AllowMethods, "*")) {
		h.Set("Access-Control-Allow-Methods", strings.Join(t.cors.AllowMethods, ","))
		if len(t.cors.AllowHeaders) > 0 {
			h.Set("Access-Control-Allow-Headers", strings.Join(t.cors.AllowHeaders, ","))
		}
		if t.cors.MaxAge != nil {
			h.Set("Access-Control-Max-Age", strconv.Itoa(int(*t.cors.MaxAge)))
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// allowOrigin adds the CORS headers of a response when the API's configuration allows the request's origin.
func (t *table) allowOrigin(h http.Header, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if t.cors == nil || origin == "" {
		return false
	}
	credentials := t.cors.AllowCredentials != nil && *t.cors.AllowCredentials
	i := slices.IndexFunc(t.cors.AllowOrigins, func(p string) bool { return originMatches(p, origin) })
	if i < 0 {
		return false
	}
	if t.cors.AllowOrigins[i] == "*" && !credentials {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Add("Vary", "Origin")
	}
	if credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if len(t.cors.ExposeHeaders) > 0 && r.Method != http.MethodOptions {
		h.Set("Access-Control-Expose-Headers", strings.Join(t.cors.ExposeHeaders, ","))
	}
	return true
}

// originMatches compares an origin with an allowed one: itself, "*", or a scheme with a wildcard such as "https://*".
func originMatches(allowed, origin string) bool {
	if prefix, ok := strings.CutSuffix(allowed, "*"); ok {
		return strings.HasPrefix(strings.ToLower(origin), strings.ToLower(prefix))
	}
	return strings.EqualFold(allowed, origin)
}
