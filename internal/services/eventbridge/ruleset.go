package eventbridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/jsonpath"
	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// minRecent is how many rules may differ from the base of a set before it is made again; a large set waits until one in recentPart differs.
const (
	minRecent  = 64
	recentPart = 16
)

// rule is a rule that is ready. It does not change.
type rule struct {
	// key and row are those of its record in the store.
	key, row  string
	name, arn string
	on        bool
	source    port.Source
	targets   []*target
	pattern   *compiled // nil for a rule that has a schedule alone
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

// newRule makes a rule of its record. The targets and the pattern of one that is not enabled are left out: schedules and replays do not run it either.
func newRule(k busKey, known *patternCache, row store.Pair) (*rule, error) {
	var r ruleRecord
	if err := json.Unmarshal(row.Value, &r); err != nil {
		return nil, fmt.Errorf("decode record %q: %w", row.Key, err)
	}
	x := &rule{key: string(row.Key), row: string(row.Value), name: r.Name, arn: k.ruleARN(k.name, r.Name), on: r.on(), all: r.State == enabledAll}
	if !x.on {
		return x, nil
	}
	x.source = port.Source{Service: principal, ARN: x.arn, Account: k.account}
	for i := range r.Targets {
		t, err := newTarget(&r.Targets[i])
		if err != nil {
			return nil, fmt.Errorf("target %s of %s: %w", r.Targets[i].Id, x.arn, err)
		}
		x.targets = append(x.targets, t)
	}
	if r.Pattern == "" {
		return x, nil
	}
	var err error
	if x.pattern, err = known.compile(r.Pattern); err != nil {
		return nil, fmt.Errorf("pattern of %s: %w", x.arn, err)
	}
	x.calls = k.asksForCalls(x.pattern)
	return x, nil
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

// ruleSet holds the rules of a bus. It does not change; the next one shares with it what is the same, so that a change of one rule among ten thousand neither
// decodes nor files the others again.
type ruleSet struct {
	list []*rule // by key
	// base finds rules by their patterns. It is shared by many sets: gone are the rules of it that are no longer so, recent those that are not in it, which fresh finds.
	base, fresh *pattern.Set[*rule]
	gone        map[*rule]struct{}
	recent      []*rule
}

// readRules returns the rules that a bus has in the store, made of those that it had before.
func readRules(r store.Reader, k busKey, known *patternCache, before *ruleSet) (*ruleSet, error) {
	out, old := &ruleSet{list: make([]*rule, 0, len(before.list)+1)}, before.list
	var came, went []*rule
	for row, err := range r.Range(k.rules(k.name).Span()) {
		if err != nil {
			return nil, err
		}
		for len(old) > 0 && old[0].key < string(row.Key) {
			went, old = append(went, old[0]), old[1:]
		}
		if len(old) > 0 && old[0].key == string(row.Key) {
			x := old[0]
			old = old[1:]
			if x.row == string(row.Value) {
				out.list = append(out.list, x)
				continue
			}
			went = append(went, x)
		}
		x, err := newRule(k, known, row)
		if err != nil {
			return nil, err
		}
		out.list, came = append(out.list, x), append(came, x)
	}
	out.file(before, came, append(went, old...))
	return out, nil
}

// file makes the rules findable by their patterns: those of before, without the ones that went and with the ones that came.
func (s *ruleSet) file(before *ruleSet, came, went []*rule) {
	if before.base == nil || len(before.gone)+len(before.recent)+len(came)+len(went) > max(minRecent, len(s.list)/recentPart) {
		s.base = filed(s.list)
		return
	}
	s.base, s.gone = before.base, make(map[*rule]struct{}, len(before.gone)+len(went))
	for x := range before.gone {
		s.gone[x] = struct{}{}
	}
	for _, x := range went {
		s.gone[x] = struct{}{}
	}
	for _, x := range before.recent {
		if _, gone := s.gone[x]; gone {
			delete(s.gone, x) // base never had it
			continue
		}
		s.recent = append(s.recent, x)
	}
	s.recent = append(s.recent, came...)
	s.fresh = filed(s.recent)
}

// filed returns what finds the enabled ones of rules.
func filed(rules []*rule) *pattern.Set[*rule] {
	set := &pattern.Set[*rule]{}
	for _, x := range rules {
		if x.pattern != nil {
			set.Add(x, x.pattern.Pattern)
		}
	}
	return set
}

// matches returns the rules that an event meets.
func (s *ruleSet) matches(e *event) ([]*rule, error) {
	found, err := s.base.Match(e.JSON)
	if len(s.gone) > 0 {
		found = slices.DeleteFunc(found, func(x *rule) bool { _, gone := s.gone[x]; return gone })
	}
	if err == nil && len(s.recent) > 0 {
		found, err = s.fresh.AppendMatches(found, e.JSON)
	}
	if err != nil {
		return nil, fmt.Errorf("match %s: %w", e.ID, err)
	}
	return found, nil
}

// at returns the enabled rule whose record has a key, or nil.
func (s *ruleSet) at(key string) *rule {
	i, ok := slices.BinarySearchFunc(s.list, key, func(x *rule, key string) int { return strings.Compare(x.key, key) })
	if !ok || !s.list[i].on {
		return nil
	}
	return s.list[i]
}
