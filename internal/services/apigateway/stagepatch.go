package apigateway

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// stagePaths is what AWS lists when a stage is patched with a path that it does not have, commas missing where AWS misses them.
const stagePaths = "/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format, " +
	"/{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, /{resourcePath}/{httpMethod}/logging/loglevel, " +
	"/{resourcePath}/{httpMethod}/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, " +
	"/{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, /{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, " +
	"/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, /*/*/logging/dataTrace, /*/*/logging/loglevel, " +
	"/*/*/throttling/burstLimit /*/*/throttling/rateLimit /*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, " +
	"/*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, /variables/{variable_name}, /tracingEnabled"

// stagePatch applies the patch operations of a stage, which AWS words unlike all others.
type stagePatch struct {
	reader store.Reader
	scope  api.Scope
	id     string
	stage  *api.Stage
}

func (g *Gateway) updateStage(ctx context.Context, in *aws.UpdateStageInput) (*aws.UpdateStageOutput, error) {
	return g.editStage(ctx, in.RestApiId, in.StageName, func(tx store.Txn, st *api.Stage) error {
		p := stagePatch{tx, scopeOf(ctx), in.RestApiId, st}
		for i := range in.PatchOperations {
			if err := p.apply(&in.PatchOperations[i]); err != nil {
				return err
			}
		}
		st.LastUpdatedDate = ptr(g.deps.Clock.Now().UTC())
		return nil
	})
}

// stagePatches are the paths of a stage that are like those of other kinds.
var stagePatches = patch.Table[api.Stage]{Paths: []patch.Path[api.Stage]{
	{Pattern: "/description", Ops: "replace,remove", Apply: patch.Text(func(s *api.Stage) **string { return &s.Description })},
	{Pattern: "/deploymentId", Ops: "replace", Apply: patch.Text(func(s *api.Stage) **string { return &s.DeploymentId })},
	{Pattern: "/clientCertificateId", Ops: "replace,remove", Apply: patch.Text(func(s *api.Stage) **string { return &s.ClientCertificateId })},
	{Pattern: "/documentationVersion", Ops: "replace,remove", Apply: patch.Text(func(s *api.Stage) **string { return &s.DocumentationVersion })},
	{Pattern: "/cacheClusterEnabled", Ops: "replace", Apply: patch.Bool(func(s *api.Stage) **bool { return &s.CacheClusterEnabled })},
	{Pattern: "/cacheClusterSize", Ops: "replace", Apply: patch.Plain(func(s *api.Stage) *string { return &s.CacheClusterSize })},
	{Pattern: "/tracingEnabled", Ops: "replace", Apply: patch.Bool(func(s *api.Stage) **bool { return &s.TracingEnabled })},
	{Pattern: "/variables/{}", Ops: "add,replace,remove", Apply: patch.Map(func(s *api.Stage) *map[string]string { return &s.Variables }, "")},
}}

func (p *stagePatch) apply(o *aws.PatchOperation) error {
	path := text(o.Path)
	switch {
	case o.Op == "copy":
		return p.promote(path, text(o.From))
	case path == "/accessLogSettings" || strings.HasPrefix(path, "/accessLogSettings/"):
		return p.accessLog(o, path)
	case path == "/canarySettings" || strings.HasPrefix(path, "/canarySettings/"):
		return p.canary(o, path)
	case stagePatches.Takes(o):
		if err := stagePatches.Apply(p.stage, []aws.PatchOperation{*o}); err != nil {
			return err
		}
		return p.refer(path)
	}
	return p.setting(o, path)
}

func noSuchSetting(path string) error {
	return badRequest("Invalid method setting path: %s. Must be one of: [%s]", path, stagePaths)
}

func notRemovable(path string) error {
	return badRequest("Cannot remove method setting %s because there is no method setting for this method ", strings.TrimPrefix(path, "/"))
}

// refer tells whether what a stage was just made to name is there.
func (p *stagePatch) refer(path string) error {
	switch path {
	case "/documentationVersion":
		return checkVersion(p.reader, p.scope, p.id, p.stage.DocumentationVersion)
	case "/clientCertificateId":
		if p.stage.ClientCertificateId == nil {
			return nil
		}
		there, err := record.Has(p.reader, p.scope.Certificate(*p.stage.ClientCertificateId))
		if err == nil && !there {
			err = noCertificate()
		}
		return err
	}
	return nil
}

// promote makes a canary's deployment or variables those of the stage.
func (p *stagePatch) promote(to, from string) error {
	c := p.stage.CanarySettings
	switch {
	case (to != "/deploymentId" || from != "/canarySettings/deploymentId") && (to != "/variables" || from != "/canarySettings/stageVariableOverrides"):
		return badRequest("Invalid copy operation with path: %s and from %s. Valid copy:path are [/deploymentId, /variables] and valid copy:from are [/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]", to, from)
	case c == nil:
		return badRequest("Promotion not available. Canary does not exist.")
	case to == "/deploymentId":
		p.stage.DeploymentId = c.DeploymentId
	case len(c.StageVariableOverrides) > 0:
		variables := maps.Clone(p.stage.Variables)
		if variables == nil {
			variables = map[string]string{}
		}
		maps.Copy(variables, c.StageVariableOverrides)
		p.stage.Variables = variables
	}
	return nil
}

func (p *stagePatch) accessLog(o *aws.PatchOperation, path string) error {
	if o.Op == "remove" {
		if path != "/accessLogSettings" {
			return notRemovable(path)
		}
		p.stage.AccessLogSettings = nil
		return nil
	}
	if path != "/accessLogSettings/destinationArn" && path != "/accessLogSettings/format" {
		return badRequest("Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]")
	}
	if text(o.Value) == "" {
		return badRequest("Access Log value must not be empty")
	}
	var l aws.AccessLogSettings
	if p.stage.AccessLogSettings != nil {
		l = *p.stage.AccessLogSettings
	}
	if path == "/accessLogSettings/format" {
		l.Format = o.Value
	} else if err := checkDestination(*o.Value); err != nil {
		return err
	} else {
		l.DestinationArn = ptr(strings.TrimSuffix(*o.Value, ":*"))
	}
	p.stage.AccessLogSettings = &l
	return nil
}

// checkDestination tells whether access logs can go to what an ARN names.
func checkDestination(arn string) error {
	parts := strings.SplitN(arn, ":", 6)
	logs := len(parts) == 6 && parts[2] == "logs" && strings.HasPrefix(parts[5], "log-group:")
	streams := len(parts) == 6 && parts[2] == "firehose" && strings.HasPrefix(parts[5], "deliverystream/amazon-apigateway-")
	if !logs && !streams {
		return badRequest("Invalid ARN specified in the request. ARN must be of a log group, or of a delivery stream whose name begins with amazon-apigateway-: %s", arn)
	}
	return nil
}

// canaryPatches are the paths of a canary.
var canaryPatches = patch.Table[aws.CanarySettings]{Paths: []patch.Path[aws.CanarySettings]{
	{Pattern: "/canarySettings/deploymentId", Ops: "replace", Apply: patch.Text(func(c *aws.CanarySettings) **string { return &c.DeploymentId })},
	{Pattern: "/canarySettings/useStageCache", Ops: "replace", Apply: patch.Bool(func(c *aws.CanarySettings) **bool { return &c.UseStageCache })},
	{Pattern: "/canarySettings/percentTraffic", Ops: "replace", Apply: func(c *aws.CanarySettings, e patch.Edit) error {
		n, err := patch.Number(e)
		c.PercentTraffic = &n
		return err
	}},
	{Pattern: "/canarySettings/stageVariableOverrides/{}", Ops: "replace,remove", Apply: patch.Map(func(c *aws.CanarySettings) *map[string]string { return &c.StageVariableOverrides }, "")},
}}

func (p *stagePatch) canary(o *aws.PatchOperation, path string) error {
	if o.Op == "remove" && path == "/canarySettings" {
		p.stage.CanarySettings = nil
		return nil
	}
	c := newCanary(text(p.stage.DeploymentId))
	if p.stage.CanarySettings != nil {
		*c = *p.stage.CanarySettings
	}
	if canaryPatches.Takes(o) {
		p.stage.CanarySettings = c
		return canaryPatches.Apply(c, []aws.PatchOperation{*o})
	}
	switch o.Op {
	case "remove":
		return notRemovable(path)
	case "add":
		return badRequest("Invalid add operation with path: %s", path)
	}
	return noSuchSetting(path)
}

// defaultSetting returns the settings of a method of which a stage says nothing
// (https://docs.aws.amazon.com/apigateway/latest/api/API_MethodSetting.html).
func defaultSetting() aws.MethodSetting {
	return aws.MethodSetting{
		MetricsEnabled: ptr(false), DataTraceEnabled: ptr(false), ThrottlingBurstLimit: ptr(int32(5000)), ThrottlingRateLimit: ptr(10000.0), CachingEnabled: ptr(false),
		CacheTtlInSeconds: ptr(int32(300)), CacheDataEncrypted: ptr(false), RequireAuthorizationForCacheControl: ptr(true),
		UnauthorizedCacheControlHeaderStrategy: aws.UnauthorizedCacheControlHeaderStrategySucceedWithResponseHeader,
	}
}

// settings are the settings of a method by the end of their path.
var settings = map[string]func(m *aws.MethodSetting, e patch.Edit) error{
	"metrics/enabled":                             patch.Bool(func(m *aws.MethodSetting) **bool { return &m.MetricsEnabled }),
	"logging/datatrace":                           patch.Bool(func(m *aws.MethodSetting) **bool { return &m.DataTraceEnabled }),
	"caching/enabled":                             patch.Bool(func(m *aws.MethodSetting) **bool { return &m.CachingEnabled }),
	"caching/dataencrypted":                       patch.Bool(func(m *aws.MethodSetting) **bool { return &m.CacheDataEncrypted }),
	"caching/requireauthorizationforcachecontrol": patch.Bool(func(m *aws.MethodSetting) **bool { return &m.RequireAuthorizationForCacheControl }),
	"caching/ttlinseconds":                        patch.Int(func(m *aws.MethodSetting) **int32 { return &m.CacheTtlInSeconds }, 0, 3600, "Invalid cache TTL, must be between 0 and 3600 seconds"),
	"throttling/burstlimit":                       patch.Int(func(m *aws.MethodSetting) **int32 { return &m.ThrottlingBurstLimit }, -1, 1<<31-1, "Invalid throttling burst limit, must be a number"),
	"throttling/ratelimit": func(m *aws.MethodSetting, e patch.Edit) error {
		n, err := strconv.ParseFloat(e.Text(), 64)
		if err != nil || !(n >= -1 && n < 1e9) {
			return badRequest("Invalid throttling rate limit, must be a number")
		}
		m.ThrottlingRateLimit = &n
		return nil
	},
	"logging/loglevel": func(m *aws.MethodSetting, e patch.Edit) error {
		if !slices.Contains([]string{"OFF", "ERROR", "INFO"}, e.Text()) {
			return badRequest("Invalid logging level specified. Valid options are OFF,ERROR,INFO")
		}
		m.LoggingLevel = e.Value
		return nil
	},
	"caching/unauthorizedcachecontrolheaderstrategy": func(m *aws.MethodSetting, e patch.Edit) error {
		if !slices.Contains([]string{
			aws.UnauthorizedCacheControlHeaderStrategyFailWith403, aws.UnauthorizedCacheControlHeaderStrategySucceedWithResponseHeader,
			aws.UnauthorizedCacheControlHeaderStrategySucceedWithoutResponseHeader,
		}, e.Text()) {
			return badRequest("Invalid unauthorized cache control header strategy specified: %s", e.Text())
		}
		m.UnauthorizedCacheControlHeaderStrategy = e.Text()
		return nil
	},
}

// methodKey returns the key of the settings of a method from the elements of a path: those of the resource, whose slashes may be ~1 or not, and the method.
func methodKey(elements []string) string {
	last := len(elements) - 1
	return api.MethodKey(patch.Unescape(strings.Join(elements[:last], "/")), elements[last])
}

// setting changes the settings of one method, or of all of them.
func (p *stagePatch) setting(o *aws.PatchOperation, path string) error {
	elements := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if o.Op == "remove" {
		if key := methodKey(elements); len(elements) > 1 && hasKey(p.stage.MethodSettings, key) {
			p.stage.MethodSettings = maps.Clone(p.stage.MethodSettings)
			delete(p.stage.MethodSettings, key)
			return nil
		}
		return notRemovable(path)
	}
	n := len(elements)
	if n < 4 || o.Op != "replace" && o.Op != "add" {
		return noSuchSetting(path)
	}
	set, ok := settings[strings.ToLower(elements[n-2]+"/"+elements[n-1])]
	if !ok {
		return noSuchSetting(path)
	}
	key := methodKey(elements[:n-2])
	m, ok := p.stage.MethodSettings[key]
	if !ok {
		if m, ok = p.stage.MethodSettings["*/*"]; !ok {
			m = defaultSetting()
		}
	}
	if err := set(&m, patch.Edit{Op: o.Op, Path: path, Value: o.Value}); err != nil {
		return err
	}
	p.stage.MethodSettings = maps.Clone(p.stage.MethodSettings)
	if p.stage.MethodSettings == nil {
		p.stage.MethodSettings = map[string]aws.MethodSetting{}
	}
	p.stage.MethodSettings[key] = m
	return nil
}

func hasKey[V any](m map[string]V, key string) bool { _, ok := m[key]; return ok }
