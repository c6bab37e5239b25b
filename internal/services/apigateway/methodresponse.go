package apigateway

import (
	"context"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
)

func noStatus() error { return notFound("Invalid Response status code specified") }

func checkMethodResponse(t *api.Tree, r *aws.MethodResponse) error {
	for _, contentType := range sortedKeys(r.ResponseModels) {
		if _, ok := t.Models[r.ResponseModels[contentType]]; !ok {
			return badRequest("Invalid model identifier specified: %s", r.ResponseModels[contentType])
		}
	}
	for _, p := range sortedKeys(r.ResponseParameters) {
		if !api.ResponseParameter.MatchString(p) {
			return badRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: %s]", p)
		}
	}
	return nil
}

func (g *Gateway) putMethodResponse(ctx context.Context, in *aws.PutMethodResponseInput) (*aws.PutMethodResponseOutput, error) {
	out := aws.MethodResponse{StatusCode: ptr(in.StatusCode), ResponseParameters: in.ResponseParameters, ResponseModels: in.ResponseModels}
	err := g.editMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(d *draft, m *aws.Method) error {
		if _, ok := m.MethodResponses[in.StatusCode]; ok {
			return conflict("Response already exists for this resource")
		}
		if err := checkMethodResponse(d.tree, &out); err != nil {
			return err
		}
		if m.MethodResponses == nil {
			m.MethodResponses = map[string]aws.MethodResponse{}
		}
		m.MethodResponses[in.StatusCode] = out
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func (g *Gateway) getMethodResponse(ctx context.Context, in *aws.GetMethodResponseInput) (*aws.GetMethodResponseOutput, error) {
	var out aws.MethodResponse
	err := g.viewMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *aws.Method) error {
		r, ok := m.MethodResponses[in.StatusCode]
		if !ok {
			return noStatus()
		}
		out = r
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

var methodResponsePatches = patch.Table[aws.MethodResponse]{Wording: patch.Terse, Paths: []patch.Path[aws.MethodResponse]{
	{Pattern: "/responseParameters/{}", Ops: "add,remove,replace", Apply: patch.Flags(func(r *aws.MethodResponse) *map[string]bool { return &r.ResponseParameters }, "Invalid parameter name specified")},
	{Pattern: "/responseModels/{}", Ops: "add,remove,replace", Apply: patch.Map(func(r *aws.MethodResponse) *map[string]string { return &r.ResponseModels }, "Content-Type specified was not found")},
}}

func (g *Gateway) updateMethodResponse(ctx context.Context, in *aws.UpdateMethodResponseInput) (*aws.UpdateMethodResponseOutput, error) {
	var out aws.MethodResponse
	err := g.editMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(d *draft, m *aws.Method) error {
		r, ok := m.MethodResponses[in.StatusCode]
		if !ok {
			return noStatus()
		}
		if err := methodResponsePatches.Apply(&r, in.PatchOperations); err != nil {
			return err
		}
		m.MethodResponses[in.StatusCode], out = r, r
		return checkMethodResponse(d.tree, &r)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func (g *Gateway) deleteMethodResponse(ctx context.Context, in *aws.DeleteMethodResponseInput) (*aws.DeleteMethodResponseOutput, error) {
	err := g.editMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(_ *draft, m *aws.Method) error {
		if _, ok := m.MethodResponses[in.StatusCode]; !ok {
			return noStatus()
		}
		delete(m.MethodResponses, in.StatusCode)
		return nil
	})
	return &aws.DeleteMethodResponseOutput{}, err
}
