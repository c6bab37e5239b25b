package apigateway

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxUsageDays is how many days of usage are shown at once.
const maxUsageDays = 90

// readThrottles reads the throttles of a stage's methods: an object in JSON by "/pets/GET".
func readThrottles(document string) (map[string]aws.ThrottleSettings, error) {
	var read map[string]struct {
		RateLimit  *float64 `json:"rateLimit"`
		BurstLimit *int32   `json:"burstLimit"`
	}
	if err := json.Unmarshal([]byte(document), &read); err != nil {
		return nil, badRequest("Invalid throttle settings: %v", err)
	}
	out := make(map[string]aws.ThrottleSettings, len(read))
	for method, t := range read {
		out[methodPath(method)] = aws.ThrottleSettings{RateLimit: t.RateLimit, BurstLimit: t.BurstLimit}
	}
	return out, nil
}

func (g *Gateway) getUsage(ctx context.Context, in *aws.GetUsageInput) (*aws.GetUsageOutput, error) {
	from, err := time.Parse(time.DateOnly, in.StartDate)
	if err != nil {
		return nil, badRequest("Usage start date must be YYYY-MM-DD: %q", in.StartDate)
	}
	to, err := time.Parse(time.DateOnly, in.EndDate)
	if err != nil {
		return nil, badRequest("Usage end date must be YYYY-MM-DD: %q", in.EndDate)
	}
	days := int(to.Sub(from).Hours()/24) + 1
	if days < 1 || days > maxUsageDays {
		return nil, badRequest("Usage must be of 1 to %d days; from %s to %s it is %d", maxUsageDays, in.StartDate, in.EndDate, days)
	}
	s := scopeOf(ctx)
	out := &aws.Usage{UsagePlanId: ptr(in.UsagePlanId), StartDate: ptr(in.StartDate), EndDate: ptr(in.EndDate), Items: map[string][][]int64{}}
	err = g.deps.Store.View(ctx, func(r store.Reader) error {
		p, err := loadPlan(r, s, in.UsagePlanId)
		if err != nil {
			return err
		}
		keys, err := record.List[api.PlanKey](r, s.PlanKeys(in.UsagePlanId).Span())
		if err != nil {
			return err
		}
		items, next, err := page(keys, func(k *api.PlanKey) string { return k.Key }, in.Position, in.Limit)
		if err != nil {
			return err
		}
		out.Position = next
		for _, k := range items {
			if in.KeyId != nil && *in.KeyId != k.Key {
				continue
			}
			if out.Items[k.Key], err = used(r, s, &p, k.Key, from, days); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// used returns what a key used on each day, and what was left of its quota after it.
func used(r store.Reader, s api.Scope, p *api.UsagePlan, id string, from time.Time, days int) ([][]int64, error) {
	out := make([][]int64, days)
	left := int64(0)
	if p.Quota != nil && p.Quota.Limit != nil {
		left = int64(*p.Quota.Limit)
	}
	for i := range out {
		day := from.AddDate(0, 0, i)
		u, ok, err := record.Get[api.UsageDay](r, s.UsageDay(*p.Id, id, day))
		if err != nil {
			return nil, err
		}
		if p.Quota != nil && p.Quota.Limit != nil && api.Period(p.Quota, day) == day.Format(time.DateOnly) {
			left = int64(*p.Quota.Limit)
		}
		if ok {
			left = u.Left
		}
		out[i] = []int64{u.Used, left}
	}
	return out, nil
}

// updateUsage grants a key more of its quota, or less, for the current period.
func (g *Gateway) updateUsage(ctx context.Context, in *aws.UpdateUsageInput) (*aws.UpdateUsageOutput, error) {
	s, now := scopeOf(ctx), g.deps.Clock.Now().UTC()
	today := now.Format(time.DateOnly)
	out := &aws.Usage{UsagePlanId: ptr(in.UsagePlanId), StartDate: &today, EndDate: &today, Items: map[string][][]int64{}}
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := findPlanKey(tx, s, in.UsagePlanId, in.KeyId); err != nil {
			return err
		}
		p, err := loadPlan(tx, s, in.UsagePlanId)
		if err != nil {
			return err
		}
		if p.Quota == nil {
			return badRequest("Usage Plan %s has no quota", *p.Id)
		}
		u, _, err := record.Get[api.UsageDay](tx, s.UsageDay(*p.Id, in.KeyId, now))
		if err != nil {
			return err
		}
		for _, o := range in.PatchOperations {
			left, err := strconv.ParseInt(text(o.Value), 10, 64)
			if o.Op != "replace" || text(o.Path) != "/remaining" {
				return badRequest("Invalid patch path  '%s' specified for op '%s'. Must be one of: [/remaining]", text(o.Path), o.Op)
			}
			if err != nil || left < 0 {
				return badRequest("Invalid remaining quota %q: give a number that is not negative.", text(o.Value))
			}
			u.Left = left
			if err := record.Set(tx, s.Quota(*p.Id, in.KeyId), api.Quota{Period: api.Period(p.Quota, now), Left: left}); err != nil {
				return err
			}
		}
		out.Items[in.KeyId] = [][]int64{{u.Used, u.Left}}
		return record.Set(tx, s.UsageDay(*p.Id, in.KeyId, now), u)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
