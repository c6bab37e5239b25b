package apigateway

import (
	"context"
	"fmt"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/openapi"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// newExport reads what is asked for: a kind of document and its extensions, separated by commas.
func newExport(in *aws.GetExportInput) (*openapi.Export, error) {
	e := &openapi.Export{Stage: in.StageName}
	switch in.ExportType {
	case "swagger":
	case "oas30":
		e.V3 = true
	default:
		return nil, badRequest("Invalid export type specified: %s. Valid options are swagger, oas30", in.ExportType)
	}
	for _, name := range sortedKeys(in.Parameters) {
		if name != "extensions" {
			return nil, unsupported("GetExport", "parameters."+name)
		}
		for _, extension := range strings.Split(in.Parameters[name], ",") {
			switch strings.TrimSpace(extension) {
			case "integrations":
				e.Integrations = true
			case "authorizers":
				e.Authorizers = true
			case "apigateway":
				e.Integrations, e.Authorizers, e.Gateway = true, true, true
			case "documentation":
				e.Parts = true
			default:
				return nil, unsupported("GetExport", "parameters.extensions="+extension)
			}
		}
	}
	return e, nil
}

func (g *Gateway) getExport(ctx context.Context, in *aws.GetExportInput) (*aws.GetExportOutput, error) {
	e, err := newExport(in)
	if err != nil {
		return nil, err
	}
	format, write := "json", e.JSON
	switch accepts := strings.ToLower(text(in.Accepts)); {
	case strings.Contains(accepts, "yaml"):
		format, write = "yaml", e.YAML
	case accepts != "" && !strings.Contains(accepts, "json") && !strings.Contains(accepts, "*"):
		return nil, badRequest("Invalid media type specified: %s. Valid options are application/json, application/yaml", *in.Accepts)
	}
	s := scopeOf(ctx)
	e.Host = executeHost(s, in.RestApiId)
	if err := g.deps.Store.View(ctx, func(r store.Reader) error { return fillExport(r, s, in.RestApiId, in.StageName, e) }); err != nil {
		return nil, err
	}
	body, err := write()
	if err != nil {
		return nil, err
	}
	return &aws.GetExportOutput{
		ContentType: ptr("application/octet-stream"), ContentDisposition: ptr(fmt.Sprintf("attachment; filename=\"%s_%s.%s\"", in.ExportType, e.Version(), format)), Body: body,
	}, nil
}

// executeHost is the host of an API on AWS.
func executeHost(s api.Scope, id string) string {
	return id + ".execute-api." + s.Region + ".amazonaws.com"
}

// fillExport reads what is deployed to a stage.
func fillExport(r store.Reader, s api.Scope, id, stage string, e *openapi.Export) error {
	a, err := loadAPI(r, s, id)
	if err != nil {
		return err
	}
	e.API = &a
	st, err := loadStage(r, s, id, stage)
	if err != nil {
		return err
	}
	d, err := loadDeployment(r, s, id, text(st.DeploymentId))
	if err != nil {
		return err
	}
	if e.Tree, err = api.LoadTree(r, s, id, d.Tree); err != nil || text(st.DocumentationVersion) == "" {
		return err
	}
	v, ok, err := record.Get[api.DocumentationVersion](r, s.Version(id, *st.DocumentationVersion))
	if ok {
		e.Documentation = &v
	}
	return err
}
