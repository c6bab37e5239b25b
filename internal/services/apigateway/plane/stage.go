package plane

import (
	"context"
	"log/slog"
	"maps"
	"strconv"
	"sync"

	"lambent.dev/lambent/internal/gateway/accesslog"
	"lambent.dev/lambent/internal/gateway/throttle"
	"lambent.dev/lambent/internal/lib/lru"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/lib/tokenbucket"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/memo"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// maxStages bounds the compiled stages of an account and region, maxTrees the compiled trees.
	maxStages = 1024
	maxTrees  = 1024
)

// stage is a stage of an API, compiled. It is immutable.
type stage struct {
	api.Served

	name      string
	plain     *tree
	second    *tree // of the canary; nil where there is none, or one of the same deployment
	variables struct{ plain, canary map[string]string }
	percent   float64 // of the requests that the canary gets
	access    *accesslog.Format
	accessTo  *accesslog.Destination
	flushed   string // counts the flushes of the authorizers' results
	logRole   bool
	counts    *meter.Registry
	meter     *meter.Meter

	mu sync.Mutex // guards the fields below; it is a leaf
	// settings are those of methods that were called.
	settings map[*method]*settings
}

// settings are those of one method in one stage.
type settings struct {
	limit    throttle.Claim
	limited  bool
	cached   bool
	ttl      int32 // of cached answers, in seconds
	guarded  bool  // invalidation needs a permission
	strategy string
	level    string       // of the execution log: ERROR, INFO or OFF
	data     bool         // the execution log has bodies
	meter    *meter.Meter // of a method with detailed metrics; nil for every other
}

// stages keeps what was read and compiled.
type stages struct {
	owners *memo.Cache[struct{}, string, *api.Scope]
	stages *memo.Cache[api.Scope, stageKey, *stage]
	trees  *lru.Cache[treeKey, *tree]
}

type stageKey struct{ api, stage string }

type treeKey struct {
	api.Scope
	api, hash string
}

func newStages(s store.Store) *stages {
	return &stages{
		owners: memo.New[struct{}, string, *api.Scope](s, 4096, func(struct{}) [][]byte { return [][]byte{key.New("apigateway", "", "", "i")} }),
		stages: memo.New[api.Scope, stageKey, *stage](s, maxStages, func(s api.Scope) [][]byte {
			kind := func(k string) []byte { return key.New("apigateway", s.Account, s.Region, k) }
			return [][]byte{s.APIs(), kind("s"), kind("d"), kind("t"), s.Settings(), key.New("apigateway", "", "", "i")}
		}),
		trees: lru.New[treeKey, *tree](maxTrees),
	}
}

// close ends the watches.
func (c *stages) close() {
	c.owners.Close()
	c.stages.Close()
}

// owner returns whose an API is, or nil when it is no REST API.
func (c *stages) owner(ctx context.Context, id string) (*api.Scope, error) {
	return c.owners.Get(ctx, struct{}{}, id, func(r store.Reader) (*api.Scope, error) {
		o, ok, err := record.Get[api.Owner](r, api.OwnerKey(id))
		if err != nil || !ok {
			return nil, err
		}
		s := api.Scope(o)
		return &s, nil
	})
}

// stage returns a stage, or nil when there is none of that name.
func (p *Plane) stage(ctx context.Context, s api.Scope, id, name string) (*stage, error) {
	return p.stages.stages.Get(ctx, s, stageKey{id, name}, func(r store.Reader) (*stage, error) {
		served, err := api.Load(r, id, name)
		if err != nil || served == nil {
			return nil, err
		}
		return p.compileStage(r, served)
	})
}

func (p *Plane) compileStage(r store.Reader, served *api.Served) (*stage, error) {
	st := &stage{Served: *served, name: deref(served.Stage.StageName), settings: map[*method]*settings{}, flushed: strconv.FormatInt(served.Stage.AuthorizersFlushed, 10)}
	st.counts, st.meter = p.o.Meters, st.newMeter(p.o.Meters, nil)
	var err error
	if st.plain, err = p.tree(r, served, served.Hash); err != nil {
		return nil, err
	}
	st.variables.plain, st.variables.canary = served.Stage.Variables, served.Stage.Variables
	if c := served.Stage.CanarySettings; c != nil {
		st.percent = deref(c.PercentTraffic)
		if served.Canary != "" {
			if st.second, err = p.tree(r, served, served.Canary); err != nil {
				return nil, err
			}
		}
		st.variables.canary = merged(served.Stage.Variables, c.StageVariableOverrides)
	}
	if a := served.Stage.AccessLogSettings; a != nil && deref(a.DestinationArn) != "" {
		st.access = accesslog.Parse(deref(a.Format))
		if st.accessTo, err = accesslog.ParseDestination(*a.DestinationArn, served.API.ID, st.name); err != nil {
			p.o.Log.Warn("access log of a stage has no destination", slog.String("api", served.API.ID), slog.String("stage", st.name), slog.Any("error", err))
			st.access = nil
		}
	}
	account, _, err := record.Get[api.Account](r, served.Settings())
	st.logRole = account.LogRole != ""
	return st, err
}

// merged returns the variables with overrides.
func merged(variables, overrides map[string]string) map[string]string {
	if len(overrides) == 0 {
		return variables
	}
	out := make(map[string]string, len(variables)+len(overrides))
	maps.Copy(out, variables)
	maps.Copy(out, overrides)
	return out
}

// tree returns a deployed tree, compiled.
func (p *Plane) tree(r store.Reader, s *api.Served, hash string) (*tree, error) {
	k := treeKey{s.Scope, s.API.ID, hash}
	if t, ok := p.stages.trees.Get(k); ok {
		return t, nil
	}
	from, err := api.LoadTree(r, s.Scope, s.API.ID, hash)
	if err != nil {
		return nil, err
	}
	t, err := compileTree(s.Scope, s.API.ID, from)
	if err == nil {
		p.stages.trees.Put(k, t)
	}
	return t, err
}

// deployment is the id of the deployment that serves.
func (st *stage) deployment(canary bool) string {
	if canary && st.Stage.CanarySettings != nil && deref(st.Stage.CanarySettings.DeploymentId) != "" {
		return *st.Stage.CanarySettings.DeploymentId
	}
	return deref(st.Stage.DeploymentId)
}

// settingsOf returns the settings of a method: its own before those of all methods.
func (st *stage) settingsOf(m *method, httpMethod string) *settings {
	st.mu.Lock()
	defer st.mu.Unlock()
	if s := st.settings[m]; s != nil {
		return s
	}
	s := &settings{ttl: 300, guarded: true, level: "OFF"}
	k := throttle.Key{Account: st.Account, Region: st.Region, API: st.API.ID, Stage: st.name}
	var limit tokenbucket.Limit
	detailed := false
	for _, name := range []string{"*/*", api.MethodKey(m.resource.path, m.name), api.MethodKey(m.resource.path, httpMethod)} {
		c, ok := st.Stage.MethodSettings[name]
		if !ok {
			continue
		}
		if c.ThrottlingRateLimit != nil && *c.ThrottlingRateLimit >= 0 && c.ThrottlingBurstLimit != nil && *c.ThrottlingBurstLimit >= 0 {
			s.limited = true
			limit = tokenbucket.Limit{Rate: *c.ThrottlingRateLimit, Burst: float64(*c.ThrottlingBurstLimit)}
			if name != "*/*" {
				k.Method = name
			}
		}
		if name != "*/*" || m.name == "GET" { // what is set for a whole stage caches nothing but GET
			pick(&s.cached, c.CachingEnabled)
		}
		pick(&s.ttl, c.CacheTtlInSeconds)
		pick(&s.guarded, c.RequireAuthorizationForCacheControl)
		if c.UnauthorizedCacheControlHeaderStrategy != "" {
			s.strategy = c.UnauthorizedCacheControlHeaderStrategy
		}
		pick(&s.level, c.LoggingLevel)
		pick(&s.data, c.DataTraceEnabled)
		pick(&detailed, c.MetricsEnabled)
	}
	s.cached = s.cached && deref(st.Stage.CacheClusterEnabled)
	if detailed {
		s.meter = st.newMeter(st.counts, m)
	}
	s.limit = throttle.Claim{Key: k, Limit: limit}
	st.settings[m] = s
	return s
}

// pick sets what is given.
func pick[T any](into *T, given *T) {
	if given != nil {
		*into = *given
	}
}
