package apigatewayv2

import (
	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/httpevent"
)

// newCORS is what the plane does for an API's CORS configuration; nil for none.
func newCORS(c *api.Cors) *httpevent.CORS {
	if c == nil {
		return nil
	}
	return &httpevent.CORS{
		AllowCredentials: c.AllowCredentials != nil && *c.AllowCredentials, AllowHeaders: c.AllowHeaders, AllowMethods: c.AllowMethods, AllowOrigins: c.AllowOrigins,
		ExposeHeaders: c.ExposeHeaders, MaxAge: c.MaxAge,
	}
}
