package apigatewayv2

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/gateway/authorizer"
	backend "lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/service"
)

// admit admits the caller, or says why not.
func (x *exchange) admit(ctx context.Context, w http.ResponseWriter) *refusal {
	a := x.route.admission
	if a == nil {
		return nil
	}
	from := x.gateway.deps.Clock.Now()
	defer func() { x.times.authorizer = x.gateway.deps.Clock.Now().Sub(from) }()
	switch {
	case a.broken != nil:
		return misconfigured(a.broken)
	case a.kind == authIAM:
		return x.admitSigned(ctx, w)
	case a.kind == authJWT:
		return x.admitToken(ctx, a)
	}
	return x.admitFunction(ctx, a)
}

// admitSigned admits callers who signed the request and may make it.
func (x *exchange) admitSigned(ctx context.Context, w http.ResponseWriter) *refusal {
	if refused := x.readBody(w); refused != nil { // the signature is over the body too
		return refused
	}
	caller, refused := x.gateway.allowCaller(ctx, x.request, x.body, x.serviceRequest(), x.arn(x.request.Method, x.to.Path), x.account)
	if refused == nil {
		x.caller = &caller
	}
	return refused
}

// admitToken admits callers with a token of the authorizer's issuer
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html).
func (x *exchange) admitToken(ctx context.Context, a *admission) *refusal {
	token := ""
	if len(a.sources) > 0 {
		token = x.resolve(a.sources[0])
	}
	claims, err := x.gateway.options.Tokens.Verify(ctx, token, &a.rule)
	if err == nil {
		x.claims = claims
		return nil
	}
	var bad *authorizer.TokenError
	if !errors.As(err, &bad) {
		return misconfigured(err)
	}
	return &refusal{status: bad.Status, message: http.StatusText(bad.Status), challenge: bad.Challenge(a.rule.Scopes), err: err}
}

// admitFunction admits callers whom a Lambda authorizer admits.
func (x *exchange) admitFunction(ctx context.Context, a *admission) *refusal {
	values := make([]string, 0, len(a.sources))
	for _, s := range a.sources {
		v := x.resolve(s)
		if v == "" {
			return &refusal{status: http.StatusUnauthorized, message: "Unauthorized", err: errors.New("the request has no " + s + ", which is an identity source of the authorizer")}
		}
		values = append(values, v)
	}
	key := authorizer.ResultKey{
		Authorizer: x.api + "/" + x.stage + "/" + strconv.Itoa(x.resets) + "/" + a.id + "/" + a.function, Identity: authorizer.Identity(values),
	}
	d, ok := (*decision)(nil), false
	if a.ttl > 0 {
		d, ok = x.gateway.results.Get(key, x.now)
	}
	if !ok {
		var refused *refusal
		if d, refused = x.ask(ctx, a, values); refused != nil {
			return refused
		}
		x.gateway.results.Put(key, d, x.now, a.ttl)
	}
	x.decision = d
	if !d.allows(x.arn(x.request.Method, x.to.Path), authorizer.RequestKeys{Request: x.request, Time: x.now, Region: x.region}) {
		return &refusal{status: http.StatusForbidden, message: "Forbidden", err: errors.New("the authorizer " + a.function + " does not allow the request")}
	}
	return nil
}

// ask invokes the authorizer function.
func (x *exchange) ask(ctx context.Context, a *admission, values []string) (*decision, *refusal) {
	ctx, cancel := context.WithTimeout(service.WithRequest(ctx, x.serviceRequest()), authorizerTimeout)
	defer cancel()
	out, err := x.gateway.options.Functions.Invoke(ctx, &backend.Call{
		Function: a.function, Source: authorizerARN(x.scope, x.api, a.id), Account: x.account, Role: a.role, Payload: x.question(a, values),
	})
	switch {
	case err != nil:
		return nil, misconfigured(err)
	case out.Error != "" && bodyPath(out.Payload, "errorMessage") == "Unauthorized":
		return nil, &refusal{status: http.StatusUnauthorized, message: "Unauthorized"}
	case out.Error != "":
		return nil, misconfigured(errors.New("the authorizer " + a.function + " failed: " + out.Error + ": " + bodyPath(out.Payload, "errorMessage")))
	}
	d, err := parseDecision(out.Payload, a.simple)
	if err != nil {
		return nil, misconfigured(err)
	}
	return d, nil
}

// parseDecision reads what an authorizer function answered: in the simple form, or as a policy.
func parseDecision(payload []byte, simple bool) (*decision, error) {
	if simple {
		s, err := authorizer.ParseSimple(payload)
		if err != nil {
			return nil, err
		}
		return &decision{allowed: s.Allowed, context: s.Context}, nil
	}
	p, err := authorizer.ParsePolicy(payload)
	if err != nil {
		return nil, err
	}
	return &decision{policy: p, context: p.Context}, nil
}

// admissionText is what the trace shows of how callers are admitted.
func (x *exchange) admissionText() string {
	a := x.route.admission
	if x.trace == nil || a == nil {
		return ""
	}
	return a.kind + " " + a.id + " by " + strings.Join(a.sources, ", ") + " on " + x.arn(x.request.Method, x.to.Path)
}

// admitted is what the trace shows of who was admitted.
func (x *exchange) admitted() trace.Text {
	switch {
	case x.caller != nil:
		return trace.Text{Line: "allowed for " + x.caller.ARN}
	case x.claims != nil:
		sub, _ := x.claims.Text("sub")
		return trace.Text{Line: "allowed for " + sub}
	case x.decision != nil:
		text, err := json.Marshal(x.decision.members())
		if err != nil {
			return trace.Text{Line: "allowed"}
		}
		return trace.Text{Line: "allowed with " + string(text)}
	}
	return trace.Text{Line: "open to everybody"}
}
