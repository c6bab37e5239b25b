package apigateway

import (
	"context"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// accountView shows the settings of an account, with the throttle that every account has
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html).
func (g *Gateway) accountView(a *api.Account) *aws.Account {
	limit := g.options.Rates.AccountLimit()
	return &aws.Account{
		CloudwatchRoleArn: optional(a.LogRole), ThrottleSettings: &aws.ThrottleSettings{BurstLimit: ptr(int32(limit.Burst)), RateLimit: ptr(limit.Rate)},
		Features: []string{"UsagePlans"}, ApiKeyVersion: ptr("4"),
	}
}

func (g *Gateway) getAccount(ctx context.Context, _ *aws.GetAccountInput) (*aws.GetAccountOutput, error) {
	var a api.Account
	err := g.deps.Store.View(ctx, func(r store.Reader) (err error) {
		a, _, err = record.Get[api.Account](r, scopeOf(ctx).Settings())
		return err
	})
	if err != nil {
		return nil, err
	}
	return g.accountView(&a), nil
}

var accountPatches = patch.Table[api.Account]{Wording: patch.Listed, Paths: []patch.Path[api.Account]{
	{Pattern: "/cloudwatchRoleArn", Ops: "replace", Apply: func(a *api.Account, e patch.Edit) error {
		if e.Text() != "" && (!strings.HasPrefix(e.Text(), "arn:") || !strings.Contains(e.Text(), ":role/")) {
			return badRequest("Invalid ARN specified in the request")
		}
		a.LogRole = e.Text()
		return nil
	}},
	{Pattern: "/features", Ops: "add,remove", Apply: func(_ *api.Account, e patch.Edit) error {
		if e.Op != "add" || e.Text() != "UsagePlans" {
			return badRequest("Invalid feature specified: UsagePlans is the only one, and is always there.")
		}
		return nil
	}},
}}

func (g *Gateway) updateAccount(ctx context.Context, in *aws.UpdateAccountInput) (*aws.UpdateAccountOutput, error) {
	for _, o := range in.PatchOperations {
		if text(o.Path) == "/cloudwatchRoleArn" {
			if err := g.mayPass(ctx, o.Value); err != nil {
				return nil, err
			}
		}
	}
	var a api.Account
	err := g.deps.Store.Update(ctx, func(tx store.Txn) (err error) {
		if a, _, err = record.Get[api.Account](tx, scopeOf(ctx).Settings()); err != nil {
			return err
		}
		if err := accountPatches.Apply(&a, in.PatchOperations); err != nil {
			return err
		}
		return record.Set(tx, scopeOf(ctx).Settings(), a)
	})
	if err != nil {
		return nil, err
	}
	return g.accountView(&a), nil
}
