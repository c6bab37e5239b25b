package httpevent

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// CORS says which web pages of other origins may call an endpoint. A nil CORS allows none.
type CORS struct {
	AllowCredentials                                        bool
	AllowHeaders, AllowMethods, AllowOrigins, ExposeHeaders []string
	// MaxAge is how long a browser may remember the answer of a preflight request, in seconds; nil says nothing about it.
	MaxAge *int32
}

// Preflight answers a preflight request, and reports whether it did (Fetch Standard, section 3.2;
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html).
func (c *CORS) Preflight(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	method := r.Header.Get("Access-Control-Request-Method")
	if c == nil || r.Method != http.MethodOptions || origin == "" || method == "" {
		return false
	}
	h := w.Header()
	if c.Allow(h, r) && (slices.Contains(c.AllowMethods, method) || slices.Contains(c.AllowMethods, "*")) {
		h.Set("Access-Control-Allow-Methods", strings.Join(c.AllowMethods, ","))
		if len(c.AllowHeaders) > 0 {
			h.Set("Access-Control-Allow-Headers", strings.Join(c.AllowHeaders, ","))
		}
		if c.MaxAge != nil {
			h.Set("Access-Control-Max-Age", strconv.Itoa(int(*c.MaxAge)))
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// Allow adds the CORS headers of a response to h when the request's origin is allowed, and reports whether it is.
func (c *CORS) Allow(h http.Header, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if c == nil || origin == "" {
		return false
	}
	i := slices.IndexFunc(c.AllowOrigins, func(p string) bool { return originMatches(p, origin) })
	if i < 0 {
		return false
	}
	if c.AllowOrigins[i] == "*" && !c.AllowCredentials {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Add("Vary", "Origin")
	}
	if c.AllowCredentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if len(c.ExposeHeaders) > 0 && r.Method != http.MethodOptions {
		h.Set("Access-Control-Expose-Headers", strings.Join(c.ExposeHeaders, ","))
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
