package eventbridge

import (
	"context"
	"strings"
	"sync"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/memo"
)

const (
	// principal is the service that calls targets.
	principal = "events.amazonaws.com"
	// maxKnownPatterns bounds the compiled patterns that are kept.
	maxKnownPatterns = 32_768
)

// busKey names a bus.
type busKey struct {
	place

	name string
}

// router is a bus with its rules, ready to take events. It does not change.
type router struct {
	busKey

	exists   bool
	rules    *ruleSet
	archives []*archiveRule
	calls    callRules
	// log says what the bus logs; nil is nothing.
	log *api.LogConfig
}

// archiveRule is an archive of the bus, with its pattern; nil takes every event.
type archiveRule struct {
	name    string
	pattern *pattern.Pattern
	// calls tells that the archive keeps events about calls.
	calls bool
}

// maxBuses bounds the sets of rules that are remembered for the next ones.
const maxBuses = 64

// routers keeps the buses in memory.
type routers struct {
	memo     *memo.Cache[busKey, struct{}, *router]
	patterns *patternCache

	mu   sync.Mutex // guards the field below
	last map[busKey]*ruleSet
}

func newRouters(s store.Store) *routers {
	return &routers{
		memo:     memo.New[busKey, struct{}, *router](s, 1, func(k busKey) [][]byte { return busPrefixes(k.place, k.name) }),
		patterns: &patternCache{known: map[string]*compiled{}},
		last:     map[busKey]*ruleSet{},
	}
}

// get returns a bus. One that does not exist is a router that says so.
func (r *routers) get(ctx context.Context, k busKey) (*router, error) {
	return r.memo.Get(ctx, k, struct{}{}, func(reader store.Reader) (*router, error) { return r.load(reader, k) })
}

func (r *routers) load(reader store.Reader, k busKey) (*router, error) {
	out := &router{busKey: k, exists: true, rules: &ruleSet{base: &pattern.Set[*rule]{}}}
	b, err := bus(reader, k.place, k.name)
	if err != nil {
		if service.Code(err) != codeNotFound {
			return nil, err
		}
		out.exists = false
		return out, nil
	}
	if logs(b.Log) {
		out.log = b.Log
	}
	if out.rules, err = readRules(reader, k, r.patterns, r.before(k)); err != nil {
		return nil, err
	}
	r.remember(k, out.rules)
	for _, x := range out.rules.list {
		if x.calls {
			out.calls.add(x.name, x.pattern, x.all)
		}
	}
	return out, out.addArchives(reader, r.patterns)
}

// before returns rules that a bus had, from which those that it has are made. They may be of any time.
func (r *routers) before(k busKey) *ruleSet {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x := r.last[k]; x != nil {
		return x
	}
	return &ruleSet{}
}

func (r *routers) remember(k busKey, x *ruleSet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.last) >= maxBuses {
		clear(r.last)
	}
	r.last[k] = x
}

func isDestination(a arn.ARN) bool {
	return a.Service == "events" && strings.HasPrefix(a.Resource, "api-destination/")
}

func isBus(a arn.ARN) bool {
	return a.Service == "events" && strings.HasPrefix(a.Resource, "event-bus/")
}

// named returns an enabled rule, or nil.
func (o *router) named(name string) *rule { return o.rules.at(string(o.rule(o.name, name))) }
