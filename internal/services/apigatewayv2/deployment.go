package apigatewayv2

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func (d *deployment) view() *api.CreateDeploymentOutput {
	return &api.CreateDeploymentOutput{
		AutoDeployed: ptr(false), CreatedDate: ptr(d.Created), DeploymentId: ptr(d.ID), DeploymentStatus: "DEPLOYED", Description: d.Description,
	}
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
			return badRequest("At least one route is required before deploying the API.")
		}
		d.Config = a.Config
		if in.StageName != nil {
			st, err := loadStage(tx, s, in.ApiId, *in.StageName)
			if err != nil {
				return err
			}
			st.Deployment, st.Auto, st.Updated = d.ID, false, d.Created
			if err := record.Set(tx, s.stage(in.ApiId, st.Name), st); err != nil {
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

func (g *Gateway) getDeployment(ctx context.Context, in *api.GetDeploymentInput) (*api.GetDeploymentOutput, error) {
	var d deployment
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		var ok bool
		var err error
		if d, ok, err = record.Get[deployment](r, scopeOf(ctx).deployment(in.ApiId, in.DeploymentId)); err == nil && !ok {
			err = notFound("deployment", in.DeploymentId)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return (*api.GetDeploymentOutput)(d.view()), nil
}

func (g *Gateway) getDeployments(ctx context.Context, in *api.GetDeploymentsInput) (*api.GetDeploymentsOutput, error) {
	out := &api.GetDeploymentsOutput{Items: []api.Deployment{}}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		s := scopeOf(ctx)
		if _, err := load(r, s, in.ApiId); err != nil {
			return err
		}
		for row, err := range record.Range[deployment](r, s.deployments(in.ApiId).Span()) {
			if err != nil {
				return err
			}
			out.Items = append(out.Items, api.Deployment(*row.Value.view()))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (g *Gateway) deleteDeployment(ctx context.Context, in *api.DeleteDeploymentInput) (*api.DeleteDeploymentOutput, error) {
	s := scopeOf(ctx)
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if ok, err := record.Has(tx, s.deployment(in.ApiId, in.DeploymentId)); err != nil {
			return err
		} else if !ok {
			return notFound("deployment", in.DeploymentId)
		}
		for row, err := range record.Range[stage](tx, s.stages(in.ApiId).Span()) {
			if err != nil {
				return err
			}
			if row.Value.Deployment == in.DeploymentId {
				return badRequest("Active stages pointing to this deployment must be moved or deleted: %s", row.Value.Name)
			}
		}
		tx.Delete(s.deployment(in.ApiId, in.DeploymentId))
		return nil
	})
	return &api.DeleteDeploymentOutput{}, err
}
