package kms

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// question is what a call asks of a key.
type question struct {
	action string
	// id is what the call names the key by; nil when its ciphertext tells.
	id *string
	// abroad tells that the operation works on keys of other accounts, byAlias that it takes aliases.
	abroad, byAlias bool
	context         map[string]string
	hasContext      bool
	tokens          []string
	// keys are condition keys of the operation, without "kms:".
	keys map[string][]string
}

// with adds a condition key, unless it has no value.
func (q *question) with(key string, values ...string) *question {
	values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
	if len(values) == 0 {
		return q
	}
	if q.keys == nil {
		q.keys = map[string][]string{}
	}
	q.keys[key] = values
	return q
}

// target returns what the door must allow for a question about a key: the key's policy, with the grants that fit as statements
// (https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html).
func (s *Service) target(ctx context.Context, f *found, q *question) (service.Target, error) {
	t := service.Target{Action: q.action, ARN: f.arn(), Owner: f.account, Condition: map[string][]string{}}
	p := &service.RequestFrom(ctx).Principal
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		granted, err := grantStatements(r, f, p, q)
		if err != nil {
			return err
		}
		if t.Policy, err = withStatements(f.Policy, granted); err != nil {
			return err
		}
		t.Condition["kms:ResourceAliases"], err = aliasNames(r, f.place, f.ID)
		return err
	})
	if err != nil {
		return t, err
	}
	caller := p.Account
	if caller == "" {
		caller = p.SourceAccount
	}
	for name, value := range map[string]string{
		"kms:CallerAccount": caller, "kms:KeySpec": f.Spec, "kms:KeyUsage": f.Usage, "kms:KeyOrigin": f.Origin, "kms:RequestAlias": f.alias,
		"kms:MultiRegion": strconv.FormatBool(f.MultiRegion), "kms:GrantIsForAWSResource": "false",
	} {
		if value != "" {
			t.Condition[name] = []string{value}
		}
	}
	for k, v := range f.Tags {
		t.Condition["aws:ResourceTag/"+k] = []string{v}
	}
	for k, v := range q.context {
		t.Condition["kms:EncryptionContext:"+k] = []string{v}
	}
	if len(q.context) > 0 {
		t.Condition["kms:EncryptionContextKeys"] = slices.Sorted(maps.Keys(q.context))
	}
	for k, v := range q.keys {
		t.Condition["kms:"+k] = v
	}
	return t, nil
}

// ask returns the target of a question.
func (s *Service) ask(ctx context.Context, q *question) ([]service.Target, error) {
	if err := s.checkTokens(q.tokens); err != nil {
		return nil, err
	}
	f, err := s.find(ctx, *q.id)
	if err != nil {
		return nil, err
	}
	if f.alias != "" && !q.byAlias {
		return nil, refused(codeNotFound, "Invalid keyId '%s'", *q.id)
	}
	if p := placeOf(ctx); f.account != p.account && !q.abroad {
		return nil, refused("AccessDeniedException", "The key %s belongs to another account, from where %s cannot be called.", f.arn(), q.action)
	}
	t, err := s.target(ctx, f, q)
	return []service.Target{t}, err
}
