package server

import (
	"time"

	"lambent.dev/lambent/internal/auth"
)

// describe turns a record of the journal into what clients see. Condition values of a request are not shown: they may hold data.
func describe(d *auth.Record) Decision {
	message := ""
	if !d.Decision.Allowed {
		message = d.Decision.Message(d.Request)
	}
	return Decision{
		RequestID: d.RequestID, Time: d.Time.UTC().Format(time.RFC3339Nano), API: d.API, Operation: d.Operation,
		Principal: d.Request.Principal.ARN, Action: d.Request.Action, Resource: d.Request.Resource,
		Allowed: d.Decision.Allowed, Message: message, Trace: d.Trace,
	}
}
