package apigatewayv2

import (
	"context"
	"strconv"

	"lambent.dev/lambent/internal/gateway/accesslog"
	"lambent.dev/lambent/internal/gateway/throttle"
	"lambent.dev/lambent/internal/lib/tokenbucket"
)

// logged is where the access log of a stage goes, and how it looks; nil for none.
type logged struct {
	format      *accesslog.Format
	destination *accesslog.Destination
}

// compileLog compiles the access log settings of a stage.
func compileLog(id string, st *stage) (*logged, error) {
	s := st.AccessLogSettings
	if s == nil {
		return nil, nil
	}
	d, err := accesslog.ParseDestination(value(s.DestinationArn), id, st.StageName)
	if err != nil {
		return nil, err
	}
	return &logged{accesslog.Parse(value(s.Format)), d}, nil
}

// stageARN is the source of access logs.
func (t *table) stageARN() string {
	return "arn:aws:apigateway:" + t.region + "::/apis/" + t.api + "/stages/" + t.stage
}

// logRequest writes the line of a request to an HTTP API.
func (g *Gateway) logRequest(ctx context.Context, x *exchange) {
	if x.log == nil || g.options.Access == nil {
		return
	}
	g.options.Access.Write(ctx, x.log.destination, x.stageARN(), x.account, x.now, x.log.format.Line(x.contextValue))
}

// logAccess writes the line of an event of a connection.
func (g *Gateway) logAccess(ctx context.Context, m *message, status int, err error) {
	l := m.table.log
	if l == nil || g.options.Access == nil {
		return
	}
	line := l.format.Line(func(name string) string {
		switch name {
		case "status":
			return strconv.Itoa(status)
		case "integrationErrorMessage", "integration.error", "error.message":
			if err != nil {
				return err.Error()
			}
			return ""
		case "accountId":
			return m.Account
		case "integrationLatency", "responseLatency", "integration.latency":
			return strconv.FormatInt(g.deps.Clock.Now().Sub(m.now).Milliseconds(), 10)
		}
		return bodyPath(m.requestContext(), name)
	})
	g.options.Access.Write(ctx, l.destination, m.table.stageARN(), m.Account, m.now, line)
}

// limits are the rates that a request to a route is under: the account's, the stage's, and the route's own.
func (t *table) limits(rates *throttle.Rates, routeKey string) []throttle.Claim {
	claims := []throttle.Claim{rates.Account(t.account, t.region)}
	key := throttle.Key{Account: t.account, Region: t.region, API: t.api, Stage: t.stage}
	if t.rate != nil {
		claims = append(claims, throttle.Claim{Key: key, Limit: *t.rate})
	}
	if l, ok := t.rates[routeKey]; ok {
		key.Method = routeKey
		claims = append(claims, throttle.Claim{Key: key, Limit: l})
	}
	return claims
}

// compileRates puts the rates of a stage into its table.
func (t *table) compileRates(st *stage) {
	if s := st.DefaultRouteSettings; s != nil && s.ThrottlingRateLimit != nil {
		t.rate = &tokenbucket.Limit{Rate: *s.ThrottlingRateLimit, Burst: float64(value(s.ThrottlingBurstLimit))}
	}
	for key, s := range st.RouteSettings {
		if s.ThrottlingRateLimit == nil {
			continue
		}
		if t.rates == nil {
			t.rates = map[string]tokenbucket.Limit{}
		}
		t.rates[key] = tokenbucket.Limit{Rate: *s.ThrottlingRateLimit, Burst: float64(value(s.ThrottlingBurstLimit))}
	}
}
