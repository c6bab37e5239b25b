package front

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Forgeable reports whether a web page in a browser could have made r, and why it looks so.
//
// A page can send simple requests to a loopback port (CSRF), or make a name of its own resolve to it (DNS rebinding). Browsers mark
// such requests: Origin and Sec-Fetch-Site on the first (Fetch Standard, section 3.2; W3C Fetch Metadata), a
// foreign Host on the second. A request without these marks did not come from a page of another site.
func Forgeable(r *http.Request) (reason string, forgeable bool) {
	if !LocalHost(r.Host) {
		return "the Host header " + r.Host + " is not a name of this machine", true
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "", "same-origin", "none":
	default:
		return "a web page of another site made it (Sec-Fetch-Site: " + site + ")", true
	}
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || !strings.EqualFold(u.Host, r.Host) {
			return "a web page of another origin made it (Origin: " + origin + ")", true
		}
	}
	return "", false
}

// LocalHost reports whether a Host header names this machine in a form that a web page cannot take over: a loopback
// address, localhost or a name below it (RFC 6761, section 6.3), a name under amazonaws.com, which no attacker can point here, or
// a label in front of 127.0.0.1, which some clients make of the endpoint and browsers refuse (URL Standard, host parsing: a host that
// ends in a number is an IPv4 address or invalid).
func LocalHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".127.0.0.1") ||
		strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}
