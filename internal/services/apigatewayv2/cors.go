package apigatewayv2

import (
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/httpevent"
)

// checkCORS checks a CORS configuration; nil is none
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html).
func checkCORS(c *api.Cors) error {
	if c == nil {
		return nil
	}
	for _, o := range c.AllowOrigins {
		if o != "*" && !strings.HasPrefix(o, "http://") && !strings.HasPrefix(o, "https://") && !strings.Contains(o, "://") {
			return badRequest("Invalid origin %q in CORS configuration: give *, or an origin with its scheme such as https://example.com.", o)
		}
	}
	for _, m := range c.AllowMethods {
		if m != "*" && (m == "ANY" || !slices.Contains(methods, m)) {
			return badRequest("Invalid method %q in CORS configuration: give * or an HTTP method in upper case.", m)
		}
	}
	if value(c.AllowCredentials) && slices.Contains(c.AllowOrigins, "*") {
		return badRequest("allow-credentials is not supported when allow-origins contains *. Name the origins.")
	}
	if age := value(c.MaxAge); age < -1 || age > 86400 {
		return badRequest("Invalid MaxAge %d in CORS configuration: give -1 to 86400 seconds.", age)
	}
	return nil
}

// newCORS is what the plane does for an API's CORS configuration; nil for none.
func newCORS(c *api.Cors) *httpevent.CORS {
	if c == nil {
		return nil
	}
	return &httpevent.CORS{
		AllowCredentials: value(c.AllowCredentials), AllowHeaders: c.AllowHeaders, AllowMethods: c.AllowMethods, AllowOrigins: c.AllowOrigins,
		ExposeHeaders: c.ExposeHeaders, MaxAge: c.MaxAge,
	}
}
