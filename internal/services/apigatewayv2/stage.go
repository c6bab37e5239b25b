package apigatewayv2

import (
	"context"
	"regexp"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// stageName is what AWS accepts for a stage other than $default.
var stageName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

func (st *stage) view() *api.CreateStageOutput {
	return &api.CreateStageOutput{
		AutoDeploy: ptr(st.Auto), CreatedDate: ptr(st.Created), DefaultRouteSettings: &api.RouteSettings{DetailedMetricsEnabled: ptr(false)},
		DeploymentId: optional(st.Deployment), Description: st.Description, LastUpdatedDate: ptr(st.Updated),
		RouteSettings: map[string]api.RouteSettings{}, StageName: ptr(st.Name), StageVariables: st.Variables, Tags: st.Tags,
	}
}

func (g *Gateway) createStage(ctx context.Context, in *api.CreateStageInput) (*api.CreateStageOutput, error) {
	no := refused{operation: "CreateStage"}
	no.when(in.AccessLogSettings != nil, "AccessLogSettings")
	no.when(in.ClientCertificateId != nil, "ClientCertificateId")
	no.when(throttles(in.DefaultRouteSettings), "DefaultRouteSettings")
	no.when(len(in.RouteSettings) > 0, "RouteSettings")
	if no.err != nil {
		return nil, no.err
	}
	if in.StageName != "$default" && !stageName.MatchString(in.StageName) {
		return nil, badRequest("Stage name only allows a-zA-Z0-9_- and $default, not %q.", in.StageName)
	}
	now := g.deps.Clock.Now().UTC()
	st := stage{
		Name: in.StageName, Auto: in.AutoDeploy != nil && *in.AutoDeploy, Deployment: value(in.DeploymentId), Description: in.Description,
		Variables: in.StageVariables, Tags: in.Tags, Created: now, Updated: now,
	}
	s := scopeOf(ctx)
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := load(tx, s, in.ApiId); err != nil {
			return err
		}
		taken, err := record.Has(tx, s.stage(in.ApiId, st.Name))
		if err != nil {
			return err
		}
		if taken {
			return conflict("Stage already exists")
		}
		if err := checkDeployment(tx, s, in.ApiId, &st); err != nil {
			return err
		}
		return record.Set(tx, s.stage(in.ApiId, st.Name), st)
	})
	if err != nil {
		return nil, err
	}
	return st.view(), nil
}

// throttles reports whether route settings ask for what is not executed.
func throttles(s *api.RouteSettings) bool {
	return s != nil && (s.ThrottlingBurstLimit != nil || s.ThrottlingRateLimit != nil || s.DataTraceEnabled != nil && *s.DataTraceEnabled ||
		s.DetailedMetricsEnabled != nil && *s.DetailedMetricsEnabled || s.LoggingLevel != "" && s.LoggingLevel != "OFF")
}

// checkDeployment checks that a stage's deployment exists, and that it does not deploy by itself.
func checkDeployment(r store.Reader, s scope, id string, st *stage) error {
	if st.Deployment == "" {
		return nil
	}
	if st.Auto {
		return badRequest("Deployment ID cannot be set on a stage with auto-deploy enabled")
	}
	ok, err := record.Has(r, s.deployment(id, st.Deployment))
	if err == nil && !ok {
		err = badRequest("Invalid deployment identifier specified: %s", st.Deployment)
	}
	return err
}

func loadStage(r store.Reader, s scope, id, name string) (stage, error) {
	st, ok, err := record.Get[stage](r, s.stage(id, name))
	if err == nil && !ok {
		err = notFound("stage", name)
	}
	return st, err
}

func (g *Gateway) getStage(ctx context.Context, in *api.GetStageInput) (*api.GetStageOutput, error) {
	var st stage
	err := g.deps.Store.View(ctx, func(r store.Reader) (err error) {
		if _, err := load(r, scopeOf(ctx), in.ApiId); err != nil {
			return err
		}
		st, err = loadStage(r, scopeOf(ctx), in.ApiId, in.StageName)
		return err
	})
	if err != nil {
		return nil, err
	}
	return (*api.GetStageOutput)(st.view()), nil
}

func (g *Gateway) getStages(ctx context.Context, in *api.GetStagesInput) (*api.GetStagesOutput, error) {
	out := &api.GetStagesOutput{Items: []api.Stage{}}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		s := scopeOf(ctx)
		if _, err := load(r, s, in.ApiId); err != nil {
			return err
		}
		for row, err := range record.Range[stage](r, s.stages(in.ApiId).Span()) {
			if err != nil {
				return err
			}
			v := row.Value.view()
			out.Items = append(out.Items, api.Stage{
				AutoDeploy: v.AutoDeploy, CreatedDate: v.CreatedDate, DefaultRouteSettings: v.DefaultRouteSettings, DeploymentId: v.DeploymentId, Description: v.Description,
				LastUpdatedDate: v.LastUpdatedDate, RouteSettings: v.RouteSettings, StageName: row.Value.Name, StageVariables: v.StageVariables, Tags: v.Tags,
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// changeStage runs fn on a stage's record in one transaction.
func (g *Gateway) changeStage(ctx context.Context, id, name string, fn func(tx store.Txn, st *stage) error) (st stage, err error) {
	s := scopeOf(ctx)
	err = g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := load(tx, s, id); err != nil {
			return err
		}
		if st, err = loadStage(tx, s, id, name); err != nil {
			return err
		}
		if err := fn(tx, &st); err != nil {
			return err
		}
		st.Updated = g.deps.Clock.Now().UTC()
		if err := checkDeployment(tx, s, id, &st); err != nil {
			return err
		}
		return record.Set(tx, s.stage(id, name), st)
	})
	return st, err
}

func (g *Gateway) updateStage(ctx context.Context, in *api.UpdateStageInput) (*api.UpdateStageOutput, error) {
	no := refused{operation: "UpdateStage"}
	no.when(in.AccessLogSettings != nil, "AccessLogSettings")
	no.when(in.ClientCertificateId != nil, "ClientCertificateId")
	no.when(throttles(in.DefaultRouteSettings), "DefaultRouteSettings")
	no.when(len(in.RouteSettings) > 0, "RouteSettings")
	if no.err != nil {
		return nil, no.err
	}
	st, err := g.changeStage(ctx, in.ApiId, in.StageName, func(_ store.Txn, st *stage) error {
		if in.AutoDeploy != nil {
			if st.Auto = *in.AutoDeploy; st.Auto {
				st.Deployment = ""
			}
		}
		if in.DeploymentId != nil {
			st.Deployment = *in.DeploymentId
		}
		if in.Description != nil {
			st.Description = in.Description
		}
		if in.StageVariables != nil {
			st.Variables = in.StageVariables
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return (*api.UpdateStageOutput)(st.view()), nil
}

func (g *Gateway) deleteStage(ctx context.Context, in *api.DeleteStageInput) (*api.DeleteStageOutput, error) {
	s := scopeOf(ctx)
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadStage(tx, s, in.ApiId, in.StageName); err != nil {
			return err
		}
		tx.Delete(s.stage(in.ApiId, in.StageName))
		return nil
	})
	return &api.DeleteStageOutput{}, err
}
