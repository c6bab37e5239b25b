package apigateway

import (
	"context"
	"net/http"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
	"lambent.dev/lambent/internal/store"
)

func noValidator() error { return notFound("Invalid Request Validator identifier specified") }

func (g *Gateway) createValidator(ctx context.Context, in *aws.CreateRequestValidatorInput) (out *aws.CreateRequestValidatorOutput, err error) {
	err = g.edit(ctx, in.RestApiId, func(_ store.Txn, d *draft) error {
		id, err := g.idFor(ctx, 6)
		if err != nil {
			return err
		}
		out = &aws.RequestValidator{Id: ptr(id), Name: in.Name, ValidateRequestBody: ptr(isTrue(in.ValidateRequestBody)), ValidateRequestParameters: ptr(isTrue(in.ValidateRequestParameters))}
		if d.tree.Validators == nil {
			d.tree.Validators = map[string]*aws.RequestValidator{}
		}
		d.tree.Validators[id] = out
		return nil
	})
	if isNotFound(err) {
		return nil, &service.Error{Code: "BadRequestException", Status: http.StatusBadRequest, Message: "Invalid REST API identifier specified"}
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (g *Gateway) getValidator(ctx context.Context, in *aws.GetRequestValidatorInput) (out *aws.GetRequestValidatorOutput, err error) {
	err = g.view(ctx, in.RestApiId, func(_ store.Reader, _ *api.RestAPI, t *api.Tree) error {
		var ok bool
		if out, ok = t.Validators[in.RequestValidatorId]; !ok {
			return noValidator()
		}
		return nil
	})
	if isNotFound(err) {
		err = noValidator()
	}
	return out, err
}

func (g *Gateway) getValidators(ctx context.Context, in *aws.GetRequestValidatorsInput) (*aws.GetRequestValidatorsOutput, error) {
	out := &aws.GetRequestValidatorsOutput{}
	err := g.view(ctx, in.RestApiId, func(_ store.Reader, _ *api.RestAPI, t *api.Tree) (err error) {
		out.Items, out.Position, err = page(values(t.Validators), func(v *aws.RequestValidator) string { return *v.Id }, in.Position, in.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

var validatorPatches = patch.Table[aws.RequestValidator]{Wording: patch.Listed, Paths: []patch.Path[aws.RequestValidator]{
	{Pattern: "/name", Ops: "replace", Apply: func(v *aws.RequestValidator, e patch.Edit) error {
		if e.Text() == "" {
			return badRequest("Request Validator name cannot be blank")
		}
		v.Name = e.Value
		return nil
	}},
	{Pattern: "/validateRequestParameters", Ops: "replace", Apply: patch.Bool(func(v *aws.RequestValidator) **bool { return &v.ValidateRequestParameters })},
	{Pattern: "/validateRequestBody", Ops: "replace", Apply: patch.Bool(func(v *aws.RequestValidator) **bool { return &v.ValidateRequestBody })},
}}

func (g *Gateway) editValidator(ctx context.Context, id, validator string, fn func(d *draft, v *aws.RequestValidator) error) error {
	err := g.edit(ctx, id, func(_ store.Txn, d *draft) error {
		v, ok := d.tree.Validators[validator]
		if !ok {
			return noValidator()
		}
		return fn(d, v)
	})
	if isNotFound(err) {
		return noValidator()
	}
	return err
}

func (g *Gateway) updateValidator(ctx context.Context, in *aws.UpdateRequestValidatorInput) (out *aws.UpdateRequestValidatorOutput, err error) {
	err = g.editValidator(ctx, in.RestApiId, in.RequestValidatorId, func(_ *draft, v *aws.RequestValidator) error {
		out = v
		return validatorPatches.Apply(v, in.PatchOperations)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (g *Gateway) deleteValidator(ctx context.Context, in *aws.DeleteRequestValidatorInput) (*aws.DeleteRequestValidatorOutput, error) {
	err := g.editValidator(ctx, in.RestApiId, in.RequestValidatorId, func(d *draft, _ *aws.RequestValidator) error {
		for _, r := range byPath(d.tree) {
			for method, m := range r.ResourceMethods {
				if text(m.RequestValidatorId) == in.RequestValidatorId {
					return conflict("Cannot delete request validator '%s', is referenced in method: %s%s%s", in.RequestValidatorId, *r.Path, slash(*r.Path)[:1], method)
				}
			}
		}
		delete(d.tree.Validators, in.RequestValidatorId)
		return nil
	})
	return &aws.DeleteRequestValidatorOutput{}, err
}
