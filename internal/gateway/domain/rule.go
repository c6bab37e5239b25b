package domain

import (
	"context"
	"strings"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxPriority is the greatest priority of a rule.
const maxPriority = 1_000_000

// PutRule stores a routing rule of a name: a new one gets an ID. Its plane is found by its API.
func (d *Domains) PutRule(ctx context.Context, s Scope, name string, rule *Rule) error {
	if err := rule.check(); err != nil {
		return err
	}
	id := rule.ID
	if id == "" {
		var err error
		if id, err = d.newID(12); err != nil {
			return err
		}
	}
	return d.deps.Store.Update(ctx, func(tx store.Txn) error {
		n, err := Load(tx, s, name)
		if err != nil {
			return err
		}
		all, err := record.List[Rule](tx, s.rules(n.Key()).Span())
		if err != nil {
			return err
		}
		for i := range all {
			if all[i].Priority == rule.Priority && all[i].ID != id {
				return conflict("A routing rule with the priority %d already exists for this domain name", rule.Priority)
			}
		}
		if len(all) >= maxRules && rule.ID == "" {
			return badRequest("A custom domain name has at most %d routing rules.", maxRules)
		}
		if rule.Plane, err = d.findPlane(tx, s, &n, rule.API, rule.Stage); err != nil {
			return err
		}
		rule.ID = id
		return record.Set(tx, s.rule(n.Key(), id), *rule)
	})
}

func (r *Rule) check() error {
	if r.Priority < 1 || r.Priority > maxPriority {
		return badRequest("Invalid priority %d: give 1 to %d.", r.Priority, maxPriority)
	}
	for _, p := range r.BasePaths {
		if p == "" || !mappingPath.MatchString(p) {
			return badRequest("Invalid base path %q: give letters, digits and $-_.+!*'() between slashes, without a slash in front.", p)
		}
	}
	for _, h := range r.Headers {
		inner := strings.TrimSuffix(strings.TrimPrefix(h.Glob, "*"), "*")
		if h.Name == "" || h.Glob == "" || strings.Contains(inner, "*") {
			return badRequest("Invalid header condition %s=%s: the value may have a * at its beginning and at its end.", h.Name, h.Glob)
		}
	}
	return nil
}

// Rule returns a rule of a name, or NotFoundException.
func (d *Domains) Rule(ctx context.Context, s Scope, name, id string) (rule Rule, err error) {
	err = d.deps.Store.View(ctx, func(r store.Reader) error {
		n, err := Load(r, s, name)
		if err != nil {
			return err
		}
		var ok bool
		if rule, ok, err = record.Get[Rule](r, s.rule(n.Key(), id)); err == nil && !ok {
			err = notFound("Invalid routing rule identifier specified %s", id)
		}
		return err
	})
	return rule, err
}

// Rules calls show with a page of the rules of a name, and returns the token of the next page.
func (d *Domains) Rules(ctx context.Context, s Scope, name string, token *string, limit int, show func(r *Rule)) (*string, error) {
	n, err := d.Get(ctx, s, name)
	if err != nil {
		return nil, err
	}
	return pageOf(ctx, d, s.rules(n.Key()), token, limit, func(r *Rule) bool {
		show(r)
		return true
	})
}

// DeleteRule removes a rule of a name, or returns NotFoundException.
func (d *Domains) DeleteRule(ctx context.Context, s Scope, name, id string) error {
	if _, err := d.Rule(ctx, s, name, id); err != nil {
		return err
	}
	return d.deps.Store.Update(ctx, func(tx store.Txn) error {
		tx.Delete(s.rule(strings.ToLower(name), id))
		return nil
	})
}
