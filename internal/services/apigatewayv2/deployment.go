package apigatewayv2

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func (d *deployment) view() *api.CreateDeploymentOutput {
	return &api.CreateDeploymentOutput{
		AutoDeployed: ptr(d.Auto), CreatedDate: ptr(d.Created), DeploymentId: ptr(d.ID), DeploymentStatus: "DEPLOYED", Description: d.Description,
	}
}

// autoDescription is the description of the deployments that stages make by themselves.
const autoDescription = "Automatic deployment triggered by changes to the Api configuration"

// deployItself has the stages with auto-deploy of an API that was changed make their deployments. An API without routes cannot be deployed.
func (g *Gateway) deployItself(tx store.Txn, s scope, a *gatewayAPI) error {
	list, err := record.List[stage](tx, s.stages(a.ID).Span())
	if err != nil {
		return err
	}
	for i := range list {
		if value(list[i].AutoDeploy) {
			if err := g.autoDeploy(tx, s, a, &list[i]); err != nil {
				return err
			}
			if err := record.Set(tx, s.stage(a.ID, list[i].StageName), list[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// autoDeploy makes the deployment of one stage with auto-deploy, in the place of the one that the stage made before: the newest of each is kept.
// The caller stores the stage.
func (g *Gateway) autoDeploy(tx store.Txn, s scope, a *gatewayAPI, st *stage) error {
	if len(a.Config.Routes) == 0 {
		return nil
	}
	id, err := g.newID(6)
	if err != nil {
		return err
	}
	if err := g.forgetAuto(tx, s, a.ID, st); err != nil {
		return err
	}
	st.DeploymentId = ptr(id)
	st.LastDeploymentStatusMessage = ptr("Successfully deployed stage with deployment ID '" + id + "'")
	return record.Set(tx, s.deployment(a.ID, id), deployment{ID: id, Description: ptr(autoDescription), Created: g.deps.Clock.Now().UTC(), Auto: true, Config: a.Config})
}

// forgetAuto deletes the deployment of a stage if the stage made it and no other stage uses it.
func (g *Gateway) forgetAuto(tx store.Txn, s scope, id string, st *stage) error {
	old, ok, err := record.Get[deployment](tx, s.deployment(id, value(st.DeploymentId)))
	if err != nil || !ok || !old.Auto {
		return err
	}
	for row, err := range record.Range[stage](tx, s.stages(id).Span()) {
		if err != nil {
			return err
		}
		if row.Value.StageName != st.StageName && value(row.Value.DeploymentId) == old.ID {
			return nil
		}
	}
	tx.Delete(s.deployment(id, old.ID))
	return nil
}

func (g *Gateway) createDeployment(ctx context.Context, in *api.CreateDeploymentInput) (*api.CreateDeploymentOutput, error) {
	id, err := g.newID(6)
	if err != nil {
		return nil, err
	}
	d := deployment{ID: id, Description: in.Description, Created: g.deps.Clock.Now().UTC()}
	s := scopeOf(ctx)
	err = g.deps.Store.Update(ctx, func(tx store.Txn) error {
		a, err := load(tx, s, in.ApiId)
		if err != nil {
			return err
		}
		if len(a.Config.Routes) == 0 {
			return badRequest("At least one route is required before deploying the Api.")
		}
		d.Config = a.Config
		if in.StageName != nil {
			st, err := loadStage(tx, s, in.ApiId, *in.StageName)
			if err != nil {
				return err
			}
			st.DeploymentId, st.AutoDeploy, st.LastUpdatedDate, st.LastDeploymentStatusMessage = ptr(d.ID), ptr(false), ptr(d.Created), nil
			if err := record.Set(tx, s.stage(in.ApiId, st.StageName), st); err != nil {
				return err
			}
		}
		return record.Set(tx, s.deployment(in.ApiId, d.ID), d)
	})
	if err != nil {
		return nil, err
	}
	return d.view(), nil
}

// loadDeployment returns a deployment of an API, or NotFoundException.
func loadDeployment(r store.Reader, s scope, id, deploymentID string) (deployment, error) {
	d, ok, err := record.Get[deployment](r, s.deployment(id, deploymentID))
	if err == nil && !ok {
		err = notFound("deployment", deploymentID)
	}
	return d, err
}

func (g *Gateway) getDeployment(ctx context.Context, in *api.GetDeploymentInput) (*api.GetDeploymentOutput, error) {
	var d deployment
	err := g.deps.Store.View(ctx, func(r store.Reader) (err error) {
		d, err = loadDeployment(r, scopeOf(ctx), in.ApiId, in.DeploymentId)
		return err
	})
	return (*api.GetDeploymentOutput)(d.view()), err
}

func (g *Gateway) getDeployments(ctx context.Context, in *api.GetDeploymentsInput) (*api.GetDeploymentsOutput, error) {
	if _, err := g.read(ctx, in.ApiId); err != nil {
		return nil, err
	}
	out := &api.GetDeploymentsOutput{}
	var err error
	out.Items, out.NextToken, err = listed(ctx, g, scopeOf(ctx).deployments(in.ApiId), paging{in.MaxResults, in.NextToken},
		func(d *deployment) api.Deployment { return api.Deployment(*d.view()) })
	return out, err
}

func (g *Gateway) updateDeployment(ctx context.Context, in *api.UpdateDeploymentInput) (*api.UpdateDeploymentOutput, error) {
	s := scopeOf(ctx)
	var d deployment
	err := g.deps.Store.Update(ctx, func(tx store.Txn) (err error) {
		if d, err = loadDeployment(tx, s, in.ApiId, in.DeploymentId); err != nil {
			return err
		}
		if in.Description != nil {
			d.Description = in.Description
		}
		return record.Set(tx, s.deployment(in.ApiId, d.ID), d)
	})
	return (*api.UpdateDeploymentOutput)(d.view()), err
}

func (g *Gateway) deleteDeployment(ctx context.Context, in *api.DeleteDeploymentInput) (*api.DeleteDeploymentOutput, error) {
	s := scopeOf(ctx)
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadDeployment(tx, s, in.ApiId, in.DeploymentId); err != nil {
			return err
		}
		for row, err := range record.Range[stage](tx, s.stages(in.ApiId).Span()) {
			if err != nil {
				return err
			}
			if value(row.Value.DeploymentId) == in.DeploymentId {
				return badRequest("Active stages pointing to this deployment must be moved or deleted: %s", row.Value.StageName)
			}
		}
		tx.Delete(s.deployment(in.ApiId, in.DeploymentId))
		return nil
	})
	return &api.DeleteDeploymentOutput{}, err
}
