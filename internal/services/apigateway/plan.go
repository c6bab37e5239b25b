package apigateway

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func noPlan() error { return notFound("Invalid Usage Plan ID specified") }

func loadPlan(r store.Reader, s api.Scope, id string) (api.UsagePlan, error) {
	p, ok, err := record.Get[api.UsagePlan](r, s.Plan(id))
	if err == nil && !ok {
		err = noPlan()
	}
	return p, err
}

// planDraft is a usage plan while it is changed.
type planDraft struct {
	*api.UsagePlan

	reader store.Reader
	scope  api.Scope
}

// checkPlan validates a usage plan and fills in its defaults.
func checkPlan(p *api.UsagePlan) error {
	if text(p.Name) == "" {
		return badRequest("Usage Plan name must be non-empty")
	}
	if p.ApiStages == nil {
		p.ApiStages = []aws.ApiStage{}
	}
	if t := p.Throttle; t != nil {
		if t.BurstLimit != nil && *t.BurstLimit < 0 || t.RateLimit != nil && *t.RateLimit < 0 {
			return badRequest("Usage Plan throttle limits must not be negative")
		}
	}
	q := p.Quota
	if q == nil {
		return nil
	}
	most := map[string]int32{aws.QuotaPeriodTypeDay: 0, aws.QuotaPeriodTypeWeek: 6, aws.QuotaPeriodTypeMonth: 27}
	if q.Offset == nil {
		q.Offset = new(int32)
	}
	limit, ok := most[q.Period]
	switch {
	case !ok:
		return badRequest("Usage Plan quota period must be one of DAY, WEEK, MONTH")
	case q.Limit == nil || *q.Limit < 0:
		return badRequest("Usage Plan quota limit must not be negative")
	case *q.Offset < 0 || *q.Offset > limit:
		if limit == 0 {
			return badRequest("Usage Plan quota offset must be zero in the DAY period")
		}
		return badRequest("Usage Plan quota offset must be between zero and %d inclusive in the %s period", limit, q.Period)
	}
	return nil
}

// checkStages tells whether the stages of a plan are there.
func checkStages(r store.Reader, s api.Scope, p *api.UsagePlan) error {
	seen := map[string]bool{}
	for _, st := range p.ApiStages {
		name := text(st.ApiId) + ":" + text(st.Stage)
		if seen[name] {
			return conflict("Usage Plan %s cannot be added because API Stage %s is listed twice", *p.Name, name)
		}
		seen[name] = true
		there, err := record.Has(r, s.Stage(text(st.ApiId), text(st.Stage)))
		if err != nil {
			return err
		}
		if !there {
			return noAPIStage(&st, p)
		}
	}
	return nil
}

func noAPIStage(st *aws.ApiStage, p *api.UsagePlan) error {
	return notFound("Invalid API Stage {api: %s, stage: %s} specified for usageplan %s", text(st.ApiId), text(st.Stage), text(p.Id))
}

func (g *Gateway) createPlan(ctx context.Context, in *aws.CreateUsagePlanInput) (*aws.CreateUsagePlanOutput, error) {
	s := scopeOf(ctx)
	id, err := g.idFor(ctx, 6)
	if err != nil {
		return nil, err
	}
	p := api.UsagePlan{UsagePlan: aws.UsagePlan{
		Id: ptr(id), Name: ptr(in.Name), Description: optional(text(in.Description)), ApiStages: in.ApiStages, Throttle: in.Throttle, Quota: in.Quota, Tags: in.Tags,
	}}
	if err := checkPlan(&p); err != nil {
		return nil, err
	}
	err = g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if err := checkStages(tx, s, &p); err != nil {
			return err
		}
		return record.Set(tx, s.Plan(id), p)
	})
	if err != nil {
		return nil, err
	}
	return &p.UsagePlan, nil
}

func (g *Gateway) getPlan(ctx context.Context, in *aws.GetUsagePlanInput) (*aws.GetUsagePlanOutput, error) {
	s := scopeOf(ctx)
	var p api.UsagePlan
	err := g.deps.Store.View(ctx, func(r store.Reader) (err error) {
		p, err = loadPlan(r, s, in.UsagePlanId)
		return err
	})
	if err != nil {
		return nil, err
	}
	p.Tags = shownTags(p.Tags)
	return &p.UsagePlan, nil
}

func (g *Gateway) getPlans(ctx context.Context, in *aws.GetUsagePlansInput) (*aws.GetUsagePlansOutput, error) {
	s, out := scopeOf(ctx), &aws.GetUsagePlansOutput{}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		var all []api.UsagePlan
		var err error
		if in.KeyId != nil {
			all, err = api.PlansOf(r, s, *in.KeyId)
		} else {
			all, err = record.List[api.UsagePlan](r, s.Plans().Span())
		}
		if err != nil {
			return err
		}
		var items []api.UsagePlan
		items, out.Position, err = page(all, func(p *api.UsagePlan) string { return *p.Id }, in.Position, in.Limit)
		out.Items = make([]aws.UsagePlan, len(items))
		for i := range items {
			out.Items[i] = items[i].UsagePlan
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// quota returns the quota of a plan that is patched, and makes it when there is none.
func (p *planDraft) quota() *aws.QuotaSettings {
	if p.Quota == nil {
		p.Quota = &aws.QuotaSettings{Offset: new(int32), Limit: new(int32), Period: aws.QuotaPeriodTypeDay}
	}
	return p.Quota
}

func (p *planDraft) throttle() *aws.ThrottleSettings {
	if p.Throttle == nil {
		p.Throttle = &aws.ThrottleSettings{BurstLimit: new(int32), RateLimit: new(float64)}
	}
	return p.Throttle
}

var planPatches = patch.Table[planDraft]{Wording: patch.Terse, Paths: []patch.Path[planDraft]{
	{Pattern: "/name", Ops: "replace", Apply: patch.Text(func(p *planDraft) **string { return &p.Name })},
	{Pattern: "/description", Ops: "replace,remove", Apply: patch.Text(func(p *planDraft) **string { return &p.Description })},
	{Pattern: "/productCode", Ops: "replace,remove,add", Apply: patch.Text(func(p *planDraft) **string { return &p.ProductCode })},
	{Pattern: "/quota", Ops: "remove", Apply: func(p *planDraft, _ patch.Edit) error { p.Quota = nil; return nil }},
	{Pattern: "/quota/limit", Ops: "replace,add", Apply: patch.Int(func(p *planDraft) **int32 { return &p.quota().Limit }, 0, 1<<31-1, "Usage Plan quota limit must not be negative")},
	{Pattern: "/quota/offset", Ops: "replace,add", Apply: patch.Int(func(p *planDraft) **int32 { return &p.quota().Offset }, 0, 27, "Invalid Usage Plan quota offset")},
	{Pattern: "/quota/period", Ops: "replace,add", Apply: patch.Plain(func(p *planDraft) *string { return &p.quota().Period })},
	{Pattern: "/throttle", Ops: "remove", Apply: func(p *planDraft, _ patch.Edit) error { p.Throttle = nil; return nil }},
	{Pattern: "/throttle/burstLimit", Ops: "replace,add", Apply: func(p *planDraft, e patch.Edit) error { return setBurst(p.throttle(), e) }},
	{Pattern: "/throttle/rateLimit", Ops: "replace,add", Apply: func(p *planDraft, e patch.Edit) error { return setRate(p.throttle(), e) }},
	{Pattern: "/apiStages", Ops: "add,remove", Apply: (*planDraft).changeStages},
	{Pattern: "/apiStages/{}/throttle", Ops: "replace,remove", Apply: func(p *planDraft, e patch.Edit) error {
		st, err := p.apiStage(e.Args[0])
		if err == nil && e.Op == "remove" {
			st.Throttle = nil
		}
		if err == nil && e.Op == "replace" {
			st.Throttle, err = readThrottles(e.Text())
		}
		return err
	}},
	{Pattern: "/apiStages/{}/throttle/{+}/rateLimit", Ops: "replace,add", Apply: func(p *planDraft, e patch.Edit) error { return p.setMethod(e, setRate) }},
	{Pattern: "/apiStages/{}/throttle/{+}/burstLimit", Ops: "replace,add", Apply: func(p *planDraft, e patch.Edit) error { return p.setMethod(e, setBurst) }},
	{Pattern: "/apiStages/{}/throttle/{+}", Ops: "remove", Apply: func(p *planDraft, e patch.Edit) error {
		st, err := p.apiStage(e.Args[0])
		if err == nil {
			delete(st.Throttle, methodPath(e.Args[1]))
		}
		return err
	}},
}}

func setRate(t *aws.ThrottleSettings, e patch.Edit) error {
	n, err := patch.Number(e)
	t.RateLimit = &n
	return err
}

func setBurst(t *aws.ThrottleSettings, e patch.Edit) error {
	return patch.Int(func(t *aws.ThrottleSettings) **int32 { return &t.BurstLimit }, 0, 1<<31-1, "Usage Plan throttle limits must not be negative")(t, e)
}

// methodPath is the key of a method in the throttles of a stage: "/pets/GET".
func methodPath(s string) string { return "/" + strings.TrimLeft(s, "/") }

// apiStage returns a stage of the plan by "api:stage".
func (p *planDraft) apiStage(name string) (*aws.ApiStage, error) {
	id, stage, ok := strings.Cut(name, ":")
	if !ok {
		return nil, badRequest("Invalid API Stage specified")
	}
	i := slices.IndexFunc(p.ApiStages, func(st aws.ApiStage) bool { return text(st.ApiId) == id && text(st.Stage) == stage })
	if i < 0 {
		return nil, noAPIStage(&aws.ApiStage{ApiId: &id, Stage: &stage}, p.UsagePlan)
	}
	return &p.ApiStages[i], nil
}

// setMethod changes the throttle of one method of a stage.
func (p *planDraft) setMethod(e patch.Edit, set func(t *aws.ThrottleSettings, e patch.Edit) error) error {
	st, err := p.apiStage(e.Args[0])
	if err != nil {
		return err
	}
	t, ok := st.Throttle[methodPath(e.Args[1])]
	if !ok {
		t = aws.ThrottleSettings{BurstLimit: new(int32), RateLimit: new(float64)}
	}
	if err := set(&t, e); err != nil {
		return err
	}
	changed := maps.Clone(st.Throttle)
	if changed == nil {
		changed = map[string]aws.ThrottleSettings{}
	}
	changed[methodPath(e.Args[1])] = t
	st.Throttle = changed
	return nil
}

// changeStages adds a stage to the plan, or removes one.
func (p *planDraft) changeStages(e patch.Edit) error {
	id, stage, ok := strings.Cut(e.Text(), ":")
	if !ok {
		return badRequest("Invalid API Stage specified")
	}
	st := aws.ApiStage{ApiId: &id, Stage: &stage}
	if e.Op == "add" {
		p.ApiStages = append(slices.Clone(p.ApiStages), st)
		return checkStages(p.reader, p.scope, p.UsagePlan)
	}
	if _, err := p.apiStage(e.Text()); err != nil {
		return err
	}
	p.ApiStages = slices.DeleteFunc(slices.Clone(p.ApiStages), func(o aws.ApiStage) bool { return text(o.ApiId) == id && text(o.Stage) == stage })
	return nil
}

func (g *Gateway) updatePlan(ctx context.Context, in *aws.UpdateUsagePlanInput) (*aws.UpdateUsagePlanOutput, error) {
	s := scopeOf(ctx)
	var p api.UsagePlan
	err := g.deps.Store.Update(ctx, func(tx store.Txn) (err error) {
		if p, err = loadPlan(tx, s, in.UsagePlanId); err != nil {
			return err
		}
		if err := planPatches.Apply(&planDraft{&p, tx, s}, in.PatchOperations); err != nil {
			return err
		}
		if err := checkPlan(&p); err != nil {
			return err
		}
		return record.Set(tx, s.Plan(in.UsagePlanId), p)
	})
	if err != nil {
		return nil, err
	}
	p.Tags = shownTags(p.Tags)
	return &p.UsagePlan, nil
}

func (g *Gateway) deletePlan(ctx context.Context, in *aws.DeleteUsagePlanInput) (*aws.DeleteUsagePlanOutput, error) {
	s := scopeOf(ctx)
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		p, err := loadPlan(tx, s, in.UsagePlanId)
		if err != nil {
			return err
		}
		if len(p.ApiStages) > 0 {
			return inUse("Cannot delete Usage Plan %s because it still has API Stages associated with it: %s", *p.Id, stageNames(&p))
		}
		for row, err := range record.Range[api.PlanKey](tx, s.PlanKeys(*p.Id).Span()) {
			if err != nil {
				return err
			}
			quitPlan(tx, s, *p.Id, row.Value.Key)
		}
		tx.Delete(s.Plan(*p.Id))
		return nil
	})
	return &aws.DeleteUsagePlanOutput{}, err
}

func stageNames(p *api.UsagePlan) string {
	names := make([]string, len(p.ApiStages))
	for i, st := range p.ApiStages {
		names[i] = fmt.Sprintf("%s:%s", text(st.ApiId), text(st.Stage))
	}
	return strings.Join(names, ", ")
}

// leavePlans takes a stage of an API, or all of them, out of the usage plans.
func leavePlans(tx store.Txn, s api.Scope, id, stage string) error {
	for row, err := range record.Range[api.UsagePlan](tx, s.Plans().Span()) {
		if err != nil {
			return err
		}
		p, before := row.Value, len(row.Value.ApiStages)
		p.ApiStages = slices.DeleteFunc(p.ApiStages, func(st aws.ApiStage) bool { return text(st.ApiId) == id && (stage == "" || text(st.Stage) == stage) })
		if len(p.ApiStages) < before {
			if err := record.Set(tx, s.Plan(*p.Id), p); err != nil {
				return err
			}
		}
	}
	return nil
}
