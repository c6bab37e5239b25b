package logs

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/logs/transform"
	"lambent.dev/lambent/internal/store"
)

const (
	// maxScopedTransformers is how many transformer policies of an account choose groups
	// (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutAccountPolicy.html).
	maxScopedTransformers = 20
	// maxTransformers bounds the compiled transformers in memory.
	maxTransformers = 256
)

// transformer is the transformer of a group; it is part of the group's record. Times are Unix milliseconds.
type transformer struct {
	Processors string // JSON, as [encodeProcessors] writes it
	Created    int64
	Modified   int64
}

// encodeProcessors returns a list of processors as JSON, without what it does not say.
func encodeProcessors(list []api.Processor) (string, error) {
	b, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	var said any
	if err := json.Unmarshal(b, &said); err != nil {
		return "", err
	}
	b, err = json.Marshal(compact(said))
	return string(b), err
}

// compact leaves out what is null or the empty text.
func compact(v any) any {
	switch x := v.(type) {
	case map[string]any:
		maps.DeleteFunc(x, func(_ string, v any) bool { return v == nil || v == "" })
		for k := range x {
			x[k] = compact(x[k])
		}
	case []any:
		for i := range x {
			x[i] = compact(x[i])
		}
	}
	return v
}

// decodeProcessors reads a list of processors.
func decodeProcessors(text string) (list []api.Processor, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("more follows the list")
	}
	return list, nil
}

// compileTransformer checks a list of processors for a caller.
func compileTransformer(list []api.Processor) (*transform.Transformer, error) {
	t, err := transform.Compile(list)
	if errors.Is(err, transform.ErrUnsupported) {
		return nil, invalid("Lambent does not support this transformer: %v.", err)
	}
	if err != nil {
		return nil, invalid("Invalid transformer: %v.", err)
	}
	return t, nil
}

// transformerOf returns the compiled transformer of the events of a group, and since when it has been what it is: its own, or the one that a policy of the account puts on it; nil for none.
func (l *Logs) transformerOf(g *group, rules *accountRules) (t *transform.Transformer, since int64, err error) {
	processors, since := rules.transformer(g.Name)
	if g.Transformer != nil {
		processors, since = g.Transformer.Processors, g.Transformer.Modified
	}
	if processors == "" {
		return nil, 0, nil
	}
	if t, ok := l.transformers.Get(processors); ok {
		return t, since, nil
	}
	list, err := decodeProcessors(processors)
	if err != nil {
		return nil, 0, err
	}
	if t, err = transform.Compile(list); err != nil {
		return nil, 0, err
	}
	l.transformers.Put(processors, t)
	return t, since, nil
}

func (l *Logs) putTransformer(ctx context.Context, in *api.PutTransformerInput) (*api.PutTransformerOutput, error) {
	if _, err := compileTransformer(in.TransformerConfig); err != nil {
		return nil, err
	}
	processors, err := encodeProcessors(in.TransformerConfig)
	if err != nil {
		return nil, err
	}
	return &api.PutTransformerOutput{}, l.changeGroup(ctx, in.LogGroupIdentifier, func(_ store.Txn, _ scope, g *group) error {
		t := transformer{Processors: processors, Created: l.nowMS(), Modified: l.nowMS()}
		if g.Transformer != nil {
			t.Created = g.Transformer.Created
		}
		g.Transformer = &t
		return nil
	})
}

func (l *Logs) getTransformer(ctx context.Context, in *api.GetTransformerInput) (*api.GetTransformerOutput, error) {
	var g group
	s := scopeOf(ctx)
	err := l.deps.Store.View(ctx, func(r store.Reader) (err error) {
		g, err = getGroup(r, s, in.LogGroupIdentifier)
		return err
	})
	if err != nil {
		return nil, err
	}
	if g.Transformer == nil {
		return nil, notFound("transformer")
	}
	list, err := decodeProcessors(g.Transformer.Processors)
	return &api.GetTransformerOutput{
		LogGroupIdentifier: ptr(groupARN(s, g.Name)), CreationTime: &g.Transformer.Created, LastModifiedTime: &g.Transformer.Modified, TransformerConfig: list,
	}, err
}

func (l *Logs) deleteTransformer(ctx context.Context, in *api.DeleteTransformerInput) (*api.DeleteTransformerOutput, error) {
	return &api.DeleteTransformerOutput{}, l.changeGroup(ctx, in.LogGroupIdentifier, func(_ store.Txn, _ scope, g *group) error {
		if g.Transformer == nil {
			return notFound("transformer")
		}
		g.Transformer = nil
		return nil
	})
}

func (l *Logs) testTransformer(ctx context.Context, in *api.TestTransformerInput) (*api.TestTransformerOutput, error) {
	t, err := compileTransformer(in.TransformerConfig)
	if err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	out := &api.TestTransformerOutput{TransformedLogs: []api.TransformedLogRecord{}}
	for i, text := range in.LogEventMessages {
		r := api.TransformedLogRecord{EventNumber: ptr(int64(i + 1)), EventMessage: &text}
		if transformed, ok := t.Apply(transform.Event{Account: s.account, Region: s.region, Message: text}); ok {
			r.TransformedEventMessage = &transformed
		}
		out.TransformedLogs = append(out.TransformedLogs, r)
	}
	return out, nil
}

// prefixes is the selection criteria of a transformer policy.
var prefixes = regexp.MustCompile(`(?s)^\s*LogGroupNamePrefix\s+IN\s*(\[.*\])\s*$`)

// accountTransformer reads a policy of type TRANSFORMER_POLICY.
func (l *Logs) accountTransformer(_ context.Context, in *api.PutAccountPolicyInput) (p accountPolicy, err error) {
	if criteria := opt.Value(in.SelectionCriteria); criteria != "" {
		if p.Prefixes, err = readNames(prefixes, criteria); err != nil || len(p.Prefixes) == 0 || slices.Contains(p.Prefixes, "") {
			return p, invalid(`selectionCriteria %q are none: a policy of this type takes LogGroupNamePrefix IN ["a"].`, criteria)
		}
	}
	list, err := decodeProcessors(in.PolicyDocument)
	if err != nil {
		return p, invalid("The policy document is malformed: it is a JSON list of processors. (%v)", err)
	}
	if _, err := compileTransformer(list); err != nil {
		return p, err
	}
	p.Processors, err = encodeProcessors(list)
	return p, err
}

// transformer returns the processors that a policy puts on the events of a group, and since when; empty for none.
func (a *accountRules) transformer(group string) (processors string, since int64) {
	for _, p := range a.transformers {
		if len(p.Prefixes) == 0 || slices.ContainsFunc(p.Prefixes, func(prefix string) bool { return strings.HasPrefix(group, prefix) }) {
			return p.Processors, p.Updated
		}
	}
	return "", 0
}

// takeTransformer tells whether a transformer policy may be put beside the others.
func (a *accountRules) takeTransformer(name string, p *accountPolicy) error {
	others := maps.Clone(a.transformers)
	delete(others, name)
	if len(others) >= maxScopedTransformers {
		return service.Errorf("LimitExceededException", "Resource limit exceeded. An account has at most %d transformer policies in a region: delete one first.", maxScopedTransformers)
	}
	for _, other := range slices.Sorted(maps.Keys(others)) {
		if have := others[other]; overlap(have.Prefixes, p.Prefixes) {
			return invalid("The transformer policy %s is for some of the same log groups. No two policies may have overlapping prefixes of names: change one of them.", other)
		}
	}
	return nil
}

// overlap tells whether there are names that begin with a prefix of each list; an empty list stands for all names.
func overlap(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	return slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return strings.HasPrefix(x, y) || strings.HasPrefix(y, x) })
	})
}
