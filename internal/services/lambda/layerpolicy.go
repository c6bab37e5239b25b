package lambda

import (
	"context"
	"net/http"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func (l *Lambda) addLayerVersionPermission(ctx context.Context, in *api.AddLayerVersionPermissionInput) (*api.AddLayerVersionPermissionOutput, error) {
	r := layerOf(ctx, in.LayerName, in.VersionNumber)
	principal, err := principalOf(in.Principal)
	if err != nil {
		return nil, err
	}
	granted := permission{Sid: in.StatementId, Effect: "Allow", Principal: principal, Action: in.Action, Resource: r.arn()}
	granted.when("StringEquals", "aws:PrincipalOrgID", in.OrganizationId)
	s, err := granted.statement()
	if err != nil {
		return nil, err
	}
	id, err := l.changeLayerPolicy(ctx, r, in.RevisionId, func(p *policy) error { return p.add(s) })
	if err != nil {
		return nil, err
	}
	return &api.AddLayerVersionPermissionOutput{Statement: ptr(string(s.text)), RevisionId: &id}, nil
}

func (l *Lambda) removeLayerVersionPermission(ctx context.Context, in *api.RemoveLayerVersionPermissionInput) (*api.RemoveLayerVersionPermissionOutput, error) {
	_, err := l.changeLayerPolicy(ctx, layerOf(ctx, in.LayerName, in.VersionNumber), in.RevisionId, func(p *policy) error { return p.remove(in.StatementId) })
	return &api.RemoveLayerVersionPermissionOutput{}, err
}

// changeLayerPolicy changes the policy of a layer version and returns its new revision.
func (l *Lambda) changeLayerPolicy(ctx context.Context, r layerRef, revision *string, change func(p *policy) error) (string, error) {
	id, err := l.newID()
	if err != nil {
		return "", err
	}
	return id, unavailable(l.deps.Store.Update(ctx, func(tx store.Txn) error {
		v, err := r.mustLoad(tx)
		if err != nil {
			return err
		}
		if revision != nil && *revision != v.Policy.Revision {
			return service.Errorf("PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id").WithStatus(http.StatusPreconditionFailed)
		}
		if err := change(&v.Policy); err != nil {
			return err
		}
		v.Policy.Revision = id
		return record.Set(tx, r.layerVersion(r.name, r.number), v)
	}))
}

// mustLoad is load for operations on the policy of a version.
func (r layerRef) mustLoad(rd store.Reader) (layerVersion, error) {
	v, ok, err := r.load(rd)
	if err == nil && !ok {
		err = notFound("Layer version %s does not exist.", r.arn())
	}
	return v, err
}

func (l *Lambda) getLayerVersionPolicy(ctx context.Context, in *api.GetLayerVersionPolicyInput) (*api.GetLayerVersionPolicyOutput, error) {
	out := &api.GetLayerVersionPolicyOutput{}
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		v, err := layerOf(ctx, in.LayerName, in.VersionNumber).mustLoad(rd)
		if err != nil {
			return err
		}
		doc, err := v.Policy.text()
		if err == nil && doc == "" {
			err = notFound("No policy is associated with the given resource.")
		}
		out.Policy, out.RevisionId = &doc, &v.Policy.Revision
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
