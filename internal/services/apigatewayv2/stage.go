package apigatewayv2

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// defaultStage is the stage of an HTTP API that is served without its name in the path.
	defaultStage = "$default"
	// maxStages is AWS's quota for one API.
	maxStages = 10
	// maxFormat bounds the format of access logs, in bytes.
	maxFormat = 3 << 10
)

// stageName is what AWS accepts for a stage other than $default; variableName and variableValue, for its variables.
var (
	stageName     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	variableName  = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)
	variableValue = regexp.MustCompile(`^[A-Za-z0-9\-._~:/?#&=,]{0,512}$`)
)

// newStage returns the stage that in asks for, not checked.
func (g *Gateway) newStage(in *api.CreateStageInput) *stage {
	now := g.deps.Clock.Now().UTC()
	st := &stage{Stage: api.Stage{
		AutoDeploy: ptr(false), CreatedDate: ptr(now), LastUpdatedDate: ptr(now), DefaultRouteSettings: &api.RouteSettings{DetailedMetricsEnabled: ptr(false)},
		RouteSettings: map[string]api.RouteSettings{}, StageVariables: map[string]string{}, Tags: map[string]string{},
	}}
	members.Copy(&st.Stage, in)
	return st
}

// check checks a stage against its API.
func (st *stage) check(a *gatewayAPI) error {
	if st.StageName != defaultStage && !stageName.MatchString(st.StageName) {
		return badRequest("Stage name only allows a-zA-Z0-9_- and $default, not %q.", st.StageName)
	}
	if a.webSocket() && st.StageName == defaultStage {
		return badRequest("The stage $default is supported only for HTTP APIs.")
	}
	if st.ClientCertificateId != nil {
		return unsupported("CreateStage", "ClientCertificateId")
	}
	for k, v := range st.StageVariables {
		if !variableName.MatchString(k) || !variableValue.MatchString(v) {
			return badRequest("Invalid stage variable %s=%q: names have letters, digits and _, values at most 512 of A-Za-z0-9-._~:/?#&=,", k, v)
		}
	}
	if err := checkRouteSettings(a, st.DefaultRouteSettings); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(st.RouteSettings)) {
		s := st.RouteSettings[key]
		if err := checkRouteSettings(a, &s); err != nil {
			return err
		}
		if !slices.ContainsFunc(a.Config.Routes, func(r route) bool { return r.RouteKey == key }) {
			return notFound("Route", key)
		}
	}
	return checkAccessLog(st.AccessLogSettings)
}

// checkAccessLog checks where access logs go and how they look.
func checkAccessLog(s *api.AccessLogSettings) error {
	if s == nil {
		return nil
	}
	arn := value(s.DestinationArn)
	switch {
	case !strings.HasPrefix(arn, "arn:aws:logs:") && !strings.HasPrefix(arn, "arn:aws:firehose:") || strings.Count(arn, ":") < 5:
		return badRequest("Invalid ARN specified in the request. ARNs must start with 'arn:' and include a log group or a Firehose stream: %q", arn)
	case value(s.Format) == "":
		return badRequest("Format of AccessLogSettings is required, such as $context.requestId $context.status.")
	case len(*s.Format) > maxFormat:
		return badRequest("The access log format is longer than %d bytes.", maxFormat)
	case !strings.Contains(*s.Format, "$context.requestId") && !strings.Contains(*s.Format, "$context.extendedRequestId"):
		return badRequest("Access log format must contain at least $context.requestId or $context.extendedRequestId.")
	}
	return nil
}

// checkRouteSettings checks the settings of one route, or of all.
func checkRouteSettings(a *gatewayAPI, s *api.RouteSettings) error {
	if s == nil {
		return nil
	}
	switch logs := value(s.DataTraceEnabled) || s.LoggingLevel != "" && s.LoggingLevel != "OFF"; {
	case logs && !a.webSocket():
		return badRequest("Execution logs are not supported on protocolType HTTP")
	case logs:
		return unsupported("CreateStage", "LoggingLevel and DataTraceEnabled (execution logs of WebSocket APIs)")
	case value(s.ThrottlingBurstLimit) < 0 || value(s.ThrottlingRateLimit) < 0:
		return badRequest("Throttling limits cannot be negative.")
	case (s.ThrottlingBurstLimit == nil) != (s.ThrottlingRateLimit == nil):
		return badRequest("ThrottlingBurstLimit and ThrottlingRateLimit are given together.")
	}
	return nil
}

// errAutoDeploys is for a stage that deploys by itself and is given a deployment.
func errAutoDeploys() error {
	return badRequest("Deployment ID cannot be set on a stage with auto-deploy enabled")
}

// checkDeployment checks that a stage's deployment exists.
func (st *stage) checkDeployment(r store.Reader, s scope, id string) error {
	if st.DeploymentId == nil {
		return nil
	}
	ok, err := record.Has(r, s.deployment(id, *st.DeploymentId))
	if err == nil && !ok {
		err = badRequest("Invalid deployment identifier specified: %s", *st.DeploymentId)
	}
	return err
}

func (g *Gateway) createStage(ctx context.Context, in *api.CreateStageInput) (*api.CreateStageOutput, error) {
	st := g.newStage(in)
	s := scopeOf(ctx)
	if value(st.AutoDeploy) && st.DeploymentId != nil {
		return nil, errAutoDeploys()
	}
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		a, err := load(tx, s, in.ApiId)
		if err != nil {
			return err
		}
		if err := st.check(&a); err != nil {
			return err
		}
		have, err := record.List[stage](tx, s.stages(in.ApiId).Span())
		if err != nil {
			return err
		}
		switch {
		case slices.ContainsFunc(have, func(o stage) bool { return o.StageName == st.StageName }):
			return conflict("Stage already exists")
		case len(have) >= maxStages:
			return badRequest("An API has at most %d stages.", maxStages)
		}
		if err := st.checkDeployment(tx, s, in.ApiId); err != nil {
			return err
		}
		if value(st.AutoDeploy) {
			if err := g.autoDeploy(tx, s, &a, st); err != nil {
				return err
			}
		}
		return record.Set(tx, s.stage(in.ApiId, st.StageName), *st)
	})
	out := &api.CreateStageOutput{}
	members.Copy(out, &st.Stage)
	return out, err
}

func loadStage(r store.Reader, s scope, id, name string) (stage, error) {
	st, ok, err := record.Get[stage](r, s.stage(id, name))
	if err == nil && !ok {
		err = notFound("stage", name)
	}
	return st, err
}

func (g *Gateway) getStage(ctx context.Context, in *api.GetStageInput) (*api.GetStageOutput, error) {
	out := &api.GetStageOutput{}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		if _, err := load(r, scopeOf(ctx), in.ApiId); err != nil {
			return err
		}
		st, err := loadStage(r, scopeOf(ctx), in.ApiId, in.StageName)
		members.Copy(out, &st.Stage)
		return err
	})
	return out, err
}

func (g *Gateway) getStages(ctx context.Context, in *api.GetStagesInput) (*api.GetStagesOutput, error) {
	if _, err := g.read(ctx, in.ApiId); err != nil {
		return nil, err
	}
	out := &api.GetStagesOutput{}
	var err error
	out.Items, out.NextToken, err = listed(ctx, g, scopeOf(ctx).stages(in.ApiId), paging{in.MaxResults, in.NextToken}, func(st *stage) api.Stage { return st.Stage })
	return out, err
}

// changeStage runs fn on a stage's record in one transaction.
func (g *Gateway) changeStage(ctx context.Context, id, name string, fn func(a *gatewayAPI, st *stage) error) (st stage, err error) {
	s := scopeOf(ctx)
	err = g.deps.Store.Update(ctx, func(tx store.Txn) error {
		a, err := load(tx, s, id)
		if err != nil {
			return err
		}
		if st, err = loadStage(tx, s, id, name); err != nil {
			return err
		}
		if err := fn(&a, &st); err != nil {
			return err
		}
		st.LastUpdatedDate = ptr(g.deps.Clock.Now().UTC())
		if err := st.checkDeployment(tx, s, id); err != nil {
			return err
		}
		if value(st.AutoDeploy) && st.DeploymentId == nil {
			if err := g.autoDeploy(tx, s, &a, &st); err != nil {
				return err
			}
		}
		return record.Set(tx, s.stage(id, name), st)
	})
	return st, err
}

func (g *Gateway) updateStage(ctx context.Context, in *api.UpdateStageInput) (*api.UpdateStageOutput, error) {
	st, err := g.changeStage(ctx, in.ApiId, in.StageName, func(a *gatewayAPI, st *stage) error {
		if value(in.AutoDeploy) && !value(st.AutoDeploy) {
			st.DeploymentId = nil // its own follows
		}
		settings, throttles, variables := st.RouteSettings, st.DefaultRouteSettings, st.StageVariables
		members.Copy(&st.Stage, in)
		if value(st.AutoDeploy) && in.DeploymentId != nil {
			return errAutoDeploys()
		}
		if in.DeploymentId != nil {
			st.LastDeploymentStatusMessage = nil
		}
		st.StageVariables = merged(variables, in.StageVariables) // an empty value takes a variable away
		st.RouteSettings = maps.Clone(settings)
		for key, s := range in.RouteSettings {
			before := settings[key]
			members.Copy(&before, &s)
			st.RouteSettings[key] = before
		}
		if in.DefaultRouteSettings != nil && throttles != nil {
			both := *throttles
			members.Copy(&both, in.DefaultRouteSettings)
			st.DefaultRouteSettings = &both
		}
		if log := st.AccessLogSettings; log != nil && value(log.DestinationArn) == "" && value(log.Format) == "" {
			st.AccessLogSettings = nil
		}
		return st.check(a)
	})
	out := &api.UpdateStageOutput{}
	members.Copy(out, &st.Stage)
	return out, err
}

func (g *Gateway) deleteStage(ctx context.Context, in *api.DeleteStageInput) (*api.DeleteStageOutput, error) {
	s := scopeOf(ctx)
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		st, err := loadStage(tx, s, in.ApiId, in.StageName)
		switch {
		case err != nil:
			return err
		case value(st.ApiGatewayManaged):
			return errManaged("Stage", in.StageName)
		}
		tx.Delete(s.stage(in.ApiId, in.StageName))
		return g.forgetAuto(tx, s, in.ApiId, &st)
	})
	return &api.DeleteStageOutput{}, err
}

func (g *Gateway) deleteAccessLog(ctx context.Context, in *api.DeleteAccessLogSettingsInput) (*api.DeleteAccessLogSettingsOutput, error) {
	_, err := g.changeStage(ctx, in.ApiId, in.StageName, func(_ *gatewayAPI, st *stage) error {
		st.AccessLogSettings = nil
		return nil
	})
	return &api.DeleteAccessLogSettingsOutput{}, err
}

// resetAuthorizersCache has the answers of authorizers that were given to the stage so far asked for again.
func (g *Gateway) resetAuthorizersCache(ctx context.Context, in *api.ResetAuthorizersCacheInput) (*api.ResetAuthorizersCacheOutput, error) {
	_, err := g.changeStage(ctx, in.ApiId, in.StageName, func(a *gatewayAPI, st *stage) error {
		if a.webSocket() {
			return badRequest("ResetAuthorizersCache is supported only for HTTP APIs.")
		}
		st.Resets++
		return nil
	})
	return &api.ResetAuthorizersCacheOutput{}, err
}

func (g *Gateway) deleteRouteSettings(ctx context.Context, in *api.DeleteRouteSettingsInput) (*api.DeleteRouteSettingsOutput, error) {
	_, err := g.changeStage(ctx, in.ApiId, in.StageName, func(_ *gatewayAPI, st *stage) error {
		if _, ok := st.RouteSettings[in.RouteKey]; !ok {
			return notFound("Route", in.RouteKey)
		}
		delete(st.RouteSettings, in.RouteKey)
		return nil
	})
	return &api.DeleteRouteSettingsOutput{}, err
}
