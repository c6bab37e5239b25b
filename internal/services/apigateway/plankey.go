package apigateway

import (
	"context"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// keyType is the only type of a plan's keys.
const keyType = "API_KEY"

func planKeyView(k *api.APIKey) *aws.UsagePlanKey {
	return &aws.UsagePlanKey{Id: ptr(k.ID), Type: ptr(keyType), Value: ptr(k.Value), Name: optional(k.Name)}
}

// joinPlan adds a key to a plan.
func joinPlan(tx store.Txn, s api.Scope, plan, id string) error {
	pk := api.PlanKey{Plan: plan, Key: id, Type: keyType}
	if err := record.Set(tx, s.PlanKey(plan, id), pk); err != nil {
		return err
	}
	return record.Set(tx, s.KeyPlan(id, plan), pk)
}

// quitPlan takes a key out of a plan, with what it used.
func quitPlan(tx store.Txn, s api.Scope, plan, id string) {
	tx.Delete(s.PlanKey(plan, id))
	tx.Delete(s.KeyPlan(id, plan))
	tx.Delete(s.Quota(plan, id))
	used := s.Usage(plan).Str(id)
	tx.DeleteRange(used, used.End())
}

func (g *Gateway) createPlanKey(ctx context.Context, in *aws.CreateUsagePlanKeyInput) (*aws.CreateUsagePlanKeyOutput, error) {
	s := scopeOf(ctx)
	if in.KeyType != keyType {
		return nil, badRequest("Invalid key type specified: %s. The only one is API_KEY.", in.KeyType)
	}
	var k api.APIKey
	err := g.deps.Store.Update(ctx, func(tx store.Txn) (err error) {
		p, err := loadPlan(tx, s, in.UsagePlanId)
		if err != nil {
			return err
		}
		if k, err = loadKey(tx, s, in.KeyId); err != nil {
			return err
		}
		if err := checkOverlap(tx, s, &p, &k); err != nil {
			return err
		}
		return joinPlan(tx, s, in.UsagePlanId, k.ID)
	})
	if err != nil {
		return nil, err
	}
	return planKeyView(&k), nil
}

// checkOverlap tells whether a key may join a plan: a key has one plan for a stage at most.
func checkOverlap(r store.Reader, s api.Scope, p *api.UsagePlan, k *api.APIKey) error {
	others, err := api.PlansOf(r, s, k.ID)
	if err != nil {
		return err
	}
	for _, o := range others {
		if *o.Id == *p.Id {
			return conflict("Usage Plan %s cannot be added because API Key %s is already in it", *p.Id, k.ID)
		}
		for _, st := range p.ApiStages {
			if slices.ContainsFunc(o.ApiStages, func(t aws.ApiStage) bool { return text(t.ApiId) == text(st.ApiId) && text(t.Stage) == text(st.Stage) }) {
				return conflict("Usage Plan %s cannot be added because API Key %s cannot reference multiple Usage Plans with the same API stage: %s:%s", *p.Id, k.ID, text(st.ApiId), text(st.Stage))
			}
		}
	}
	return nil
}

// findPlanKey returns a key of a plan.
func findPlanKey(r store.Reader, s api.Scope, plan, id string) (api.APIKey, error) {
	if _, err := loadPlan(r, s, plan); err != nil {
		return api.APIKey{}, err
	}
	there, err := record.Has(r, s.PlanKey(plan, id))
	if err == nil && !there {
		err = notFound("Invalid Usage Plan Key ID specified")
	}
	if err != nil {
		return api.APIKey{}, err
	}
	return loadKey(r, s, id)
}

func (g *Gateway) getPlanKey(ctx context.Context, in *aws.GetUsagePlanKeyInput) (out *aws.GetUsagePlanKeyOutput, err error) {
	s := scopeOf(ctx)
	err = g.deps.Store.View(ctx, func(r store.Reader) error {
		k, err := findPlanKey(r, s, in.UsagePlanId, in.KeyId)
		out = planKeyView(&k)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// getPlanKeys returns the keys of a plan; a plan that does not exist has none.
func (g *Gateway) getPlanKeys(ctx context.Context, in *aws.GetUsagePlanKeysInput) (*aws.GetUsagePlanKeysOutput, error) {
	s, out := scopeOf(ctx), &aws.GetUsagePlanKeysOutput{}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		var all []api.APIKey
		for row, err := range record.Range[api.PlanKey](r, s.PlanKeys(in.UsagePlanId).Span()) {
			if err != nil {
				return err
			}
			k, err := loadKey(r, s, row.Value.Key)
			if err != nil {
				return err
			}
			if in.NameQuery == nil || strings.HasPrefix(k.Name, *in.NameQuery) {
				all = append(all, k)
			}
		}
		items, next, err := page(all, func(k *api.APIKey) string { return newest(k.Created, k.ID) }, in.Position, in.Limit)
		out.Items, out.Position = make([]aws.UsagePlanKey, len(items)), next
		for i := range items {
			out.Items[i] = *planKeyView(&items[i])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (g *Gateway) deletePlanKey(ctx context.Context, in *aws.DeleteUsagePlanKeyInput) (*aws.DeleteUsagePlanKeyOutput, error) {
	s := scopeOf(ctx)
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := findPlanKey(tx, s, in.UsagePlanId, in.KeyId); err != nil {
			return err
		}
		quitPlan(tx, s, in.UsagePlanId, in.KeyId)
		return nil
	})
	return &aws.DeleteUsagePlanKeyOutput{}, err
}
