package eventbridge

import (
	"context"
	"errors"
	"fmt"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/jsonpath"
	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/memo"
	"lambent.dev/lambent/internal/store/record"
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

	exists bool
	rules  []*rule
	byName map[string]*rule
	// set finds the places in rules of those that match an event.
	set      pattern.Set[int]
	archives []*archiveRule
	calls    callRules
}

// rule is an enabled rule that is ready.
type rule struct {
	name, arn string
	source    port.Source
	targets   []*target
	// calls tells that the rule takes events about calls, and all that it takes those about read-only calls too.
	calls, all bool
}

// target is a target that is ready.
type target struct {
	api.Target

	at          arn.ARN
	input       []byte
	path        *jsonpath.Path
	transformer *transformer
	partition   *jsonpath.Path
}

// archiveRule is an archive of the bus, with its pattern; nil takes every event.
type archiveRule struct {
	name    string
	pattern *pattern.Pattern
	// calls tells that the archive keeps events about calls.
	calls bool
}

// routers keeps the buses in memory.
type routers struct {
	memo     *memo.Cache[busKey, struct{}, *router]
	patterns *patternCache
}

func newRouters(s store.Store) *routers {
	return &routers{
		memo:     memo.New[busKey, struct{}, *router](s, 1, func(k busKey) [][]byte { return busPrefixes(k.place, k.name) }),
		patterns: &patternCache{known: map[string]*compiled{}},
	}
}

// get returns a bus. One that does not exist is a router that says so.
func (r *routers) get(ctx context.Context, k busKey) (*router, error) {
	return r.memo.Get(ctx, k, struct{}{}, func(reader store.Reader) (*router, error) { return r.load(reader, k) })
}

func (r *routers) load(reader store.Reader, k busKey) (*router, error) {
	out := &router{busKey: k, exists: true, byName: map[string]*rule{}}
	if err := exist(reader, k.place, k.name); err != nil {
		if service.Code(err) != codeNotFound {
			return nil, err
		}
		out.exists = false
		return out, nil
	}
	for row, err := range record.Range[ruleRecord](reader, k.rules(k.name).Span()) {
		if err != nil {
			return nil, err
		}
		if err := out.add(r.patterns, &row.Value); err != nil {
			return nil, err
		}
	}
	return out, out.addArchives(reader, r.patterns)
}

// add adds a rule. A rule that is not enabled is known by its name, for schedules and replays do not run it either.
func (o *router) add(known *patternCache, r *ruleRecord) error {
	if !r.on() {
		return nil
	}
	ready := &rule{name: r.Name, arn: o.ruleARN(o.name, r.Name), all: r.State == enabledAll}
	ready.source = port.Source{Service: principal, ARN: ready.arn, Account: o.account}
	for i := range r.Targets {
		t, err := newTarget(&r.Targets[i])
		if err != nil {
			return fmt.Errorf("target %s of %s: %w", r.Targets[i].Id, ready.arn, err)
		}
		ready.targets = append(ready.targets, t)
	}
	o.byName[r.Name] = ready
	o.rules = append(o.rules, ready)
	if r.Pattern == "" {
		return nil
	}
	p, err := known.compile(r.Pattern)
	if err != nil {
		return fmt.Errorf("pattern of %s: %w", ready.arn, err)
	}
	o.set.Add(len(o.rules)-1, p.Pattern)
	ready.calls = o.asksForCalls(r.Name, p, ready.all)
	return nil
}

func newTarget(in *api.Target) (*target, error) {
	t := &target{Target: *in}
	var errs [4]error
	t.at, errs[0] = arn.Parse(in.Arn)
	switch {
	case in.Input != nil:
		t.input = []byte(*in.Input)
	case in.InputPath != nil:
		t.path, errs[1] = jsonpath.Parse(*in.InputPath)
	case in.InputTransformer != nil:
		t.transformer, errs[2] = newTransformer(in)
	}
	if in.KinesisParameters != nil {
		t.partition, errs[3] = jsonpath.Parse(in.KinesisParameters.PartitionKeyPath)
	}
	return t, errors.Join(errs[:]...)
}

// inputOf returns what a target is given for an event. A path that leads nowhere leaves the event out.
func (t *target) inputOf(r *rule, e *event) ([]byte, error) {
	switch {
	case t.input != nil:
		return t.input, nil
	case t.path != nil:
		v, ok := t.path.Get(e.JSON)
		if !ok {
			return nil, fmt.Errorf("the input path %s leads to nothing in the event", t.path)
		}
		return v, nil
	case t.transformer != nil:
		return t.transformer.render(r.arn, r.name, e)
	}
	return e.JSON, nil
}

func isDestination(a arn.ARN) bool {
	return a.Service == "events" && strings.HasPrefix(a.Resource, "api-destination/")
}

func isBus(a arn.ARN) bool {
	return a.Service == "events" && strings.HasPrefix(a.Resource, "event-bus/")
}

// matches returns the rules that an event meets.
func (o *router) matches(e *event) ([]*rule, error) {
	found, err := o.set.Match(e.JSON)
	if err != nil {
		return nil, fmt.Errorf("match %s: %w", e.ID, err)
	}
	out := make([]*rule, len(found))
	for i, n := range found {
		out[i] = o.rules[n]
	}
	return out, nil
}
