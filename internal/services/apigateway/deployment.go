package apigateway

import (
	"context"
	"slices"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func deploymentView(d *api.Deployment) *aws.Deployment {
	return &aws.Deployment{Id: ptr(d.ID), Description: d.Description, CreatedDate: ptr(d.Created)}
}

// deployable tells whether an API can be deployed: it has methods, and each of them has an integration.
func deployable(t *api.Tree) error {
	some := false
	for _, r := range byPath(t) {
		for _, m := range r.ResourceMethods {
			if some = true; m.MethodIntegration == nil {
				return badRequest("No integration defined for method")
			}
		}
	}
	if !some {
		return badRequest("The REST API doesn't contain any methods")
	}
	return nil
}

// deploy copies the working tree of an API.
func (g *Gateway) deploy(ctx context.Context, tx store.Txn, s api.Scope, id string, description *string) (api.Deployment, error) {
	d := api.Deployment{Description: optional(text(description)), Created: g.deps.Clock.Now().UTC()}
	tree, err := api.LoadWorking(tx, s, id)
	if err != nil {
		return d, err
	}
	if err := deployable(tree); err != nil {
		return d, err
	}
	stored, hash, err := tree.Encode()
	if err != nil {
		return d, err
	}
	if d.ID, err = g.idFor(ctx, 6); err != nil {
		return d, err
	}
	d.Tree = hash
	tx.Set(s.Tree(id, hash), stored)
	return d, record.Set(tx, s.Deployment(id, d.ID), d)
}

func (g *Gateway) createDeployment(ctx context.Context, in *aws.CreateDeploymentInput) (*aws.CreateDeploymentOutput, error) {
	s := scopeOf(ctx)
	var d api.Deployment
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadAPI(tx, s, in.RestApiId); err != nil {
			return err
		}
		if err := checkCanaryStage(tx, s, in); err != nil {
			return err
		}
		var err error
		if d, err = g.deploy(ctx, tx, s, in.RestApiId, in.Description); err != nil {
			return err
		}
		if text(in.StageName) == "" {
			return nil
		}
		return g.deployTo(tx, s, in, d.ID)
	})
	if err != nil {
		return nil, err
	}
	return deploymentView(&d), nil
}

// checkCanaryStage tells whether the stage of a canary deployment is there.
func checkCanaryStage(r store.Reader, s api.Scope, in *aws.CreateDeploymentInput) error {
	const complaint = "Invalid deployment content specified."
	switch {
	case in.CanarySettings == nil:
		return nil
	case in.StageName == nil:
		return badRequest(complaint + "Non null and non empty stageName must be provided for canary deployment. Provided value is null")
	case *in.StageName == "":
		return badRequest(complaint + "Non null and non empty stageName must be provided for canary deployment. Provided value is ")
	}
	there, err := record.Has(r, s.Stage(in.RestApiId, *in.StageName))
	if err == nil && !there {
		err = badRequest(complaint+"Stage %s must already be created before making a canary release deployment", *in.StageName)
	}
	return err
}

// deployTo makes or changes the stage of a deployment.
func (g *Gateway) deployTo(tx store.Txn, s api.Scope, in *aws.CreateDeploymentInput, deployment string) error {
	st, ok, err := record.Get[api.Stage](tx, s.Stage(in.RestApiId, *in.StageName))
	if err != nil {
		return err
	}
	if !ok {
		st = g.newStage(*in.StageName, deployment)
	}
	switch c := in.CanarySettings; {
	case c != nil:
		st.CanarySettings = &aws.CanarySettings{DeploymentId: ptr(deployment), PercentTraffic: c.PercentTraffic, StageVariableOverrides: c.StageVariableOverrides, UseStageCache: ptr(isTrue(c.UseStageCache))}
		if c.PercentTraffic == nil {
			st.CanarySettings.PercentTraffic = new(float64)
		}
	case st.CanarySettings != nil:
		st.CanarySettings.DeploymentId = ptr(deployment)
	default:
		st.DeploymentId = ptr(deployment)
	}
	if in.StageDescription != nil {
		st.Description = optional(*in.StageDescription)
	}
	if in.Variables != nil {
		st.Variables = in.Variables
	}
	if in.TracingEnabled != nil {
		st.TracingEnabled = in.TracingEnabled
	}
	if in.CacheClusterEnabled != nil || in.CacheClusterSize != "" {
		st.CacheClusterEnabled, st.CacheClusterSize = ptr(isTrue(in.CacheClusterEnabled)), in.CacheClusterSize
	}
	st.LastUpdatedDate = ptr(g.deps.Clock.Now().UTC())
	if err := checkStage(tx, s, in.RestApiId, &st); err != nil {
		return err
	}
	return record.Set(tx, s.Stage(in.RestApiId, *in.StageName), st)
}

func loadDeployment(r store.Reader, s api.Scope, id, deployment string) (api.Deployment, error) {
	d, ok, err := record.Get[api.Deployment](r, s.Deployment(id, deployment))
	if err == nil && !ok {
		err = noDeployment()
	}
	return d, err
}

func (g *Gateway) getDeployment(ctx context.Context, in *aws.GetDeploymentInput) (out *aws.GetDeploymentOutput, err error) {
	s := scopeOf(ctx)
	err = g.deps.Store.View(ctx, func(r store.Reader) error {
		if _, err := loadAPI(r, s, in.RestApiId); err != nil {
			return err
		}
		d, err := loadDeployment(r, s, in.RestApiId, in.DeploymentId)
		if err != nil {
			return err
		}
		out = deploymentView(&d)
		if !slices.Contains(in.Embed, "apisummary") {
			return nil
		}
		tree, err := api.LoadTree(r, s, in.RestApiId, d.Tree)
		if err == nil {
			out.ApiSummary = summary(tree)
		}
		return err
	})
	return out, err
}

// summary tells of each method of a tree what it asks of its callers.
func summary(t *api.Tree) map[string]map[string]aws.MethodSnapshot {
	out := map[string]map[string]aws.MethodSnapshot{}
	for _, r := range t.Resources {
		for name, m := range r.ResourceMethods {
			if out[*r.Path] == nil {
				out[*r.Path] = map[string]aws.MethodSnapshot{}
			}
			out[*r.Path][name] = aws.MethodSnapshot{AuthorizationType: m.AuthorizationType, ApiKeyRequired: m.ApiKeyRequired}
		}
	}
	return out
}

func (g *Gateway) getDeployments(ctx context.Context, in *aws.GetDeploymentsInput) (*aws.GetDeploymentsOutput, error) {
	s, out := scopeOf(ctx), &aws.GetDeploymentsOutput{}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		if _, err := loadAPI(r, s, in.RestApiId); err != nil {
			return err
		}
		all, err := record.List[api.Deployment](r, s.Deployments(in.RestApiId).Span())
		if err != nil {
			return err
		}
		var items []api.Deployment
		items, out.Position, err = page(all, func(d *api.Deployment) string { return d.ID }, in.Position, in.Limit)
		out.Items = make([]aws.Deployment, len(items))
		for i := range items {
			out.Items[i] = *deploymentView(&items[i])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

var deploymentPatches = patch.Table[api.Deployment]{Wording: patch.Listed, Paths: []patch.Path[api.Deployment]{
	{Pattern: "/description", Ops: "replace", Apply: patch.Text(func(d *api.Deployment) **string { return &d.Description })},
}}

func (g *Gateway) updateDeployment(ctx context.Context, in *aws.UpdateDeploymentInput) (out *aws.UpdateDeploymentOutput, err error) {
	s := scopeOf(ctx)
	err = g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadAPI(tx, s, in.RestApiId); err != nil {
			return err
		}
		d, err := loadDeployment(tx, s, in.RestApiId, in.DeploymentId)
		if err != nil {
			return err
		}
		if err := deploymentPatches.Apply(&d, in.PatchOperations); err != nil {
			return err
		}
		out = deploymentView(&d)
		return record.Set(tx, s.Deployment(in.RestApiId, d.ID), d)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (g *Gateway) deleteDeployment(ctx context.Context, in *aws.DeleteDeploymentInput) (*aws.DeleteDeploymentOutput, error) {
	s, id := scopeOf(ctx), in.RestApiId
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadAPI(tx, s, id); err != nil {
			return err
		}
		d, err := loadDeployment(tx, s, id, in.DeploymentId)
		if err != nil {
			return err
		}
		stages, err := record.List[api.Stage](tx, s.Stages(id).Span())
		if err != nil {
			return err
		}
		for _, st := range stages {
			if text(st.DeploymentId) == d.ID || st.CanarySettings != nil && text(st.CanarySettings.DeploymentId) == d.ID {
				return inUse("Active stages pointing to this deployment must be moved or deleted")
			}
		}
		tx.Delete(s.Deployment(id, d.ID))
		others, err := record.List[api.Deployment](tx, s.Deployments(id).Span())
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(others, func(o api.Deployment) bool { return o.ID != d.ID && o.Tree == d.Tree }) {
			tx.Delete(s.Tree(id, d.Tree))
		}
		return nil
	})
	return &aws.DeleteDeploymentOutput{}, err
}
