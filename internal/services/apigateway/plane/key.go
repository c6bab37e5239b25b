package plane

import (
	"context"
	"slices"

	"lambent.dev/lambent/internal/gateway/throttle"
	"lambent.dev/lambent/internal/lib/tokenbucket"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/memo"
)

// client is an API key with its usage plans.
type client struct {
	key   api.APIKey
	plans []api.UsagePlan
}

// newClients returns the cache of API keys by their value; nil stands for a value that no key has.
func newClients(s store.Store) *memo.Cache[api.Scope, string, *client] {
	return memo.New[api.Scope, string, *client](s, 16384, func(s api.Scope) [][]byte {
		kind := func(k string) []byte { return key.New("apigateway", s.Account, s.Region, k) }
		return [][]byte{s.APIKeys(), kind("v"), s.Plans(), kind("n")}
	})
}

// client returns the key that has a value, or nil.
func (p *Plane) client(ctx context.Context, s api.Scope, value string) (*client, error) {
	return p.clients.Get(ctx, s, value, func(r store.Reader) (*client, error) {
		k, ok, err := api.KeyByValue(r, s, value)
		if err != nil || !ok || !k.Enabled {
			return nil, err
		}
		c := &client{key: k}
		c.plans, err = api.PlansOf(r, s, k.ID)
		return c, err
	})
}

// planFor returns the plan by which a key may call a stage, and the plan's throttles of single methods.
func (c *client) planFor(id, stage string) (plan *api.UsagePlan, methods map[string]tokenbucket.Limit) {
	for i := range c.plans {
		p := &c.plans[i]
		n := slices.IndexFunc(p.ApiStages, func(s apiStage) bool { return deref(s.ApiId) == id && deref(s.Stage) == stage })
		if n < 0 {
			continue
		}
		for name, limit := range p.ApiStages[n].Throttle {
			if methods == nil {
				methods = map[string]tokenbucket.Limit{}
			}
			methods[name] = limitOf(limit)
		}
		return p, methods
	}
	return nil, nil
}

func limitOf(t throttleSettings) tokenbucket.Limit {
	l := tokenbucket.Limit{Rate: deref(t.RateLimit), Burst: float64(deref(t.BurstLimit))}
	if t.BurstLimit == nil {
		l.Burst = l.Rate
	}
	return l
}

// identify checks the API key of a request to a method that asks for one, and counts the request against its plan's quota. It returns the plan's throttles.
func (x *exchange) identify(ctx context.Context) ([]throttle.Claim, *failed) {
	if !deref(x.method.ApiKeyRequired) {
		return nil, nil
	}
	forbidden := &failed{kind: "INVALID_API_KEY", message: "Forbidden"}
	value := ""
	if x.tree.keyFromAuthorizer {
		if x.policy != nil {
			value = x.policy.UsageKey
		}
	} else {
		value, _ = x.fields.get("X-Api-Key")
	}
	if value == "" {
		return nil, forbidden
	}
	c, err := x.plane.client(ctx, x.Scope, value)
	if err != nil {
		return nil, &failed{kind: "DEFAULT_5XX", message: "Internal server error", err: err}
	}
	if c == nil {
		return nil, forbidden
	}
	plan, methods := c.planFor(x.API.ID, x.name)
	if plan == nil {
		return nil, forbidden
	}
	x.apiKey, x.keyValue = c.key.ID, c.key.Value
	if q := plan.Quota; q != nil && q.Limit != nil {
		ok, err := x.plane.quotas.take(ctx, x.Scope, plan, c.key.ID, x.now)
		if err != nil {
			return nil, &failed{kind: "DEFAULT_5XX", message: "Internal server error", err: err}
		}
		if !ok {
			return nil, &failed{kind: "QUOTA_EXCEEDED", message: "Limit Exceeded"}
		}
	}
	var claims []throttle.Claim
	k := throttle.Key{Account: x.Account, Region: x.Region, API: deref(plan.Id), Client: c.key.ID}
	if t := plan.Throttle; t != nil {
		claims = append(claims, throttle.Claim{Key: k, Limit: limitOf(*t)})
	}
	for _, name := range []string{x.resource.path + "/" + x.http.Method, x.resource.path + "/" + x.method.name} {
		if l, ok := methods[name]; ok {
			k.Stage, k.Method = x.API.ID+"/"+x.name, name
			claims = append(claims, throttle.Claim{Key: k, Limit: l})
			break
		}
	}
	return claims, nil
}

// throttle takes a token of each bucket that the request needs.
func (x *exchange) throttle(claims []throttle.Claim) *failed {
	all := make([]throttle.Claim, 0, 4)
	all = append(all, x.plane.rates.Account(x.Account, x.Region))
	if x.settings.limited {
		all = append(all, x.settings.limit)
	}
	if x.plane.rates.Admit(x.now, append(all, claims...)...) >= 0 {
		return &failed{kind: "THROTTLED", message: "Too Many Requests"}
	}
	return nil
}
