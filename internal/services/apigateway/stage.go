package apigateway

import (
	"context"
	"regexp"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

var (
	stageName     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	variableName  = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)
	variableValue = regexp.MustCompile(`^[A-Za-z0-9-._~:/?#&=,]{0,512}$`)
)

// defaultCacheSize is the size of a stage's cache in gigabytes when none is given. It is shown to clients; what a cache takes is bounded by the data plane.
const defaultCacheSize = aws.CacheClusterSize05

// newStage returns a stage with AWS's defaults.
func (g *Gateway) newStage(name, deployment string) api.Stage {
	now := g.deps.Clock.Now().UTC()
	return api.Stage{Stage: aws.Stage{
		StageName: ptr(name), DeploymentId: ptr(deployment), CacheClusterEnabled: ptr(false), MethodSettings: map[string]aws.MethodSetting{}, TracingEnabled: ptr(false),
		CreatedDate: ptr(now), LastUpdatedDate: ptr(now),
	}}
}

// checkStage validates a stage and sets what follows from its settings.
func checkStage(r store.Reader, s api.Scope, id string, st *api.Stage) error {
	if !stageName.MatchString(*st.StageName) {
		return badRequest("Stage name only allows a-zA-Z0-9_-")
	}
	variables := []map[string]string{st.Variables}
	deployments := []*string{st.DeploymentId}
	if c := st.CanarySettings; c != nil {
		variables, deployments = append(variables, c.StageVariableOverrides), append(deployments, c.DeploymentId)
		if c.PercentTraffic != nil && (*c.PercentTraffic < 0 || *c.PercentTraffic > 100) {
			return badRequest("Percent traffic must be between 0.0 and 100.0")
		}
	}
	for _, m := range variables {
		for _, name := range sortedKeys(m) {
			if !variableName.MatchString(name) {
				return badRequest("Stage variable names only allow a-zA-Z0-9_: %s", name)
			}
			if !variableValue.MatchString(m[name]) {
				return badRequest("Invalid stage variable value: %s. Please use values with alphanumeric characters and the symbols ' ',-',.','_',':','/','?','&','=', and ','.", m[name])
			}
		}
	}
	for _, d := range deployments {
		there, err := record.Has(r, s.Deployment(id, text(d)))
		if err != nil {
			return err
		}
		if !there {
			return badRequest("Deployment id does not exist")
		}
	}
	st.CacheClusterStatus = aws.CacheClusterStatusNotAvailable
	if isTrue(st.CacheClusterEnabled) {
		st.CacheClusterStatus = aws.CacheClusterStatusAvailable
		if st.CacheClusterSize == "" {
			st.CacheClusterSize = defaultCacheSize
		}
	}
	return nil
}

func (g *Gateway) createStage(ctx context.Context, in *aws.CreateStageInput) (*aws.CreateStageOutput, error) {
	s := scopeOf(ctx)
	st := g.newStage(in.StageName, in.DeploymentId)
	st.Description, st.Variables, st.DocumentationVersion, st.Tags = optional(text(in.Description)), in.Variables, in.DocumentationVersion, in.Tags
	st.CacheClusterEnabled, st.CacheClusterSize, st.TracingEnabled = ptr(isTrue(in.CacheClusterEnabled)), in.CacheClusterSize, ptr(isTrue(in.TracingEnabled))
	if c := in.CanarySettings; c != nil {
		st.CanarySettings = newCanary(in.DeploymentId)
		st.CanarySettings.StageVariableOverrides, st.CanarySettings.UseStageCache = c.StageVariableOverrides, ptr(isTrue(c.UseStageCache))
		if c.DeploymentId != nil {
			st.CanarySettings.DeploymentId = c.DeploymentId
		}
		if c.PercentTraffic != nil {
			st.CanarySettings.PercentTraffic = c.PercentTraffic
		}
	}
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadAPI(tx, s, in.RestApiId); err != nil {
			return err
		}
		there, err := record.Has(tx, s.Stage(in.RestApiId, in.StageName))
		if err != nil {
			return err
		}
		if there {
			return conflict("Stage already exists")
		}
		if err := checkStage(tx, s, in.RestApiId, &st); err != nil {
			return err
		}
		if err := checkVersion(tx, s, in.RestApiId, in.DocumentationVersion); err != nil {
			return err
		}
		return record.Set(tx, s.Stage(in.RestApiId, in.StageName), st)
	})
	if err != nil {
		return nil, err
	}
	return &st.Stage, nil
}

// checkVersion tells whether a documentation version is there.
func checkVersion(r store.Reader, s api.Scope, id string, version *string) error {
	if text(version) == "" {
		return nil
	}
	there, err := record.Has(r, s.Version(id, *version))
	if err == nil && !there {
		err = noVersion()
	}
	return err
}

// newCanary returns a canary with AWS's defaults.
func newCanary(deployment string) *aws.CanarySettings {
	return &aws.CanarySettings{DeploymentId: ptr(deployment), PercentTraffic: new(float64), UseStageCache: ptr(false)}
}

func loadStage(r store.Reader, s api.Scope, id, name string) (api.Stage, error) {
	st, ok, err := record.Get[api.Stage](r, s.Stage(id, name))
	if err == nil && !ok {
		err = noStage()
	}
	return st, err
}

func (g *Gateway) getStage(ctx context.Context, in *aws.GetStageInput) (*aws.GetStageOutput, error) {
	s := scopeOf(ctx)
	var st api.Stage
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		if _, err := loadAPI(r, s, in.RestApiId); err != nil {
			return err
		}
		var err error
		st, err = loadStage(r, s, in.RestApiId, in.StageName)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &st.Stage, nil
}

func (g *Gateway) getStages(ctx context.Context, in *aws.GetStagesInput) (*aws.GetStagesOutput, error) {
	s, out := scopeOf(ctx), &aws.GetStagesOutput{Item: []aws.Stage{}}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		if _, err := loadAPI(r, s, in.RestApiId); err != nil {
			return err
		}
		for row, err := range record.Range[api.Stage](r, s.Stages(in.RestApiId).Span()) {
			if err != nil {
				return err
			}
			if in.DeploymentId == nil || *in.DeploymentId == text(row.Value.DeploymentId) {
				out.Item = append(out.Item, row.Value.Stage)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// editStage runs fn on a stage in one transaction.
func (g *Gateway) editStage(ctx context.Context, id, name string, fn func(tx store.Txn, st *api.Stage) error) (*aws.Stage, error) {
	s := scopeOf(ctx)
	var st api.Stage
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadAPI(tx, s, id); err != nil {
			return err
		}
		var err error
		if st, err = loadStage(tx, s, id, name); err != nil {
			return err
		}
		if err := fn(tx, &st); err != nil {
			return err
		}
		if err := checkStage(tx, s, id, &st); err != nil {
			return err
		}
		return record.Set(tx, s.Stage(id, name), st)
	})
	if err != nil {
		return nil, err
	}
	return &st.Stage, nil
}

func (g *Gateway) deleteStage(ctx context.Context, in *aws.DeleteStageInput) (*aws.DeleteStageOutput, error) {
	s := scopeOf(ctx)
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadAPI(tx, s, in.RestApiId); err != nil {
			return err
		}
		if _, err := loadStage(tx, s, in.RestApiId, in.StageName); err != nil {
			return err
		}
		tx.Delete(s.Stage(in.RestApiId, in.StageName))
		return leavePlans(tx, s, in.RestApiId, in.StageName)
	})
	return &aws.DeleteStageOutput{}, err
}

func (g *Gateway) flushStageCache(ctx context.Context, in *aws.FlushStageCacheInput) (*aws.FlushStageCacheOutput, error) {
	_, err := g.editStage(ctx, in.RestApiId, in.StageName, func(_ store.Txn, st *api.Stage) error { st.Flushed++; return nil })
	return &aws.FlushStageCacheOutput{}, err
}

func (g *Gateway) flushStageAuthorizersCache(ctx context.Context, in *aws.FlushStageAuthorizersCacheInput) (*aws.FlushStageAuthorizersCacheOutput, error) {
	_, err := g.editStage(ctx, in.RestApiId, in.StageName, func(_ store.Txn, st *api.Stage) error { st.AuthorizersFlushed++; return nil })
	return &aws.FlushStageAuthorizersCacheOutput{}, err
}
