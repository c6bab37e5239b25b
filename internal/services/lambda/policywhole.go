package lambda

import (
	"context"
	"encoding/json"
	"errors"

	"lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// putResourcePolicy replaces the policy of a function, a version or an alias, with the permissions that were added to it, by a document, see
// https://docs.aws.amazon.com/lambda/latest/api/API_PutResourcePolicy.html.
func (l *Lambda) putResourcePolicy(ctx context.Context, in *api.PutResourcePolicyInput) (*api.PutResourcePolicyOutput, error) {
	r, err := policyRef(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	whole, err := readPolicy(in.Policy)
	if err != nil {
		return nil, err
	}
	out := &api.PutResourcePolicyOutput{}
	err = l.changePolicy(ctx, r, in.RevisionId, func(tx store.Txn, p *policy) error {
		if err := checkQualifier(tx, r); err != nil {
			return err
		}
		p.Version, p.ID, p.Statements = whole.Version, whole.ID, whole.Statements
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Policy, out.RevisionId, err = l.resourcePolicy(ctx, r)
	return out, err
}

// policyRef returns what the ARN of a policy's resource names.
func policyRef(ctx context.Context, arn string) (ref, error) {
	r, err := parseRef(ctx, arn, nil)
	if err == nil && r.qualifier == latest {
		err = invalid("We currently do not support adding policies for $LATEST.")
	}
	return r, err
}

// readPolicy reads the document of a policy.
func readPolicy(text string) (*policy, error) {
	if len(text) > maxPolicy {
		return nil, service.Errorf("PolicyLengthExceededException", "The final policy size (%d) is bigger than the limit (%d).", len(text), maxPolicy)
	}
	if _, err := iam.Parse(text, iam.ResourceBased); err != nil {
		return nil, invalid("The provided policy is not valid: %v", err)
	}
	var doc struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, invalid("The provided policy is not valid: %v", err)
	}
	p := &policy{Version: doc.Version, ID: doc.ID}
	if p.Version == "" {
		p.Version = "2008-10-17" // which a document without a version means
	}
	if err := json.Unmarshal(doc.Statement, &p.Statements); err != nil {
		var one statement
		if json.Unmarshal(doc.Statement, &one) != nil {
			return nil, invalid("The provided policy is not valid: %v", err)
		}
		p.Statements = []statement{one}
	}
	if len(p.Statements) == 0 {
		return nil, invalid("The provided policy has no statements. To remove a policy, call DeleteResourcePolicy.")
	}
	return p, nil
}

// resourcePolicy returns the document of a policy and its revision.
func (l *Lambda) resourcePolicy(ctx context.Context, r ref) (text, revision *string, err error) {
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		p, ok, err := record.Get[policy](rd, r.scope.policy(r.name, r.qualifier))
		if err != nil {
			return err
		}
		if !ok {
			return notFound("The resource you requested does not exist.")
		}
		doc, err := p.document()
		text, revision = &doc, &p.Revision
		return err
	})
	return text, revision, err
}

func (l *Lambda) getResourcePolicy(ctx context.Context, in *api.GetResourcePolicyInput) (*api.GetResourcePolicyOutput, error) {
	r, err := policyRef(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &api.GetResourcePolicyOutput{}
	out.Policy, out.RevisionId, err = l.resourcePolicy(ctx, r)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (l *Lambda) deleteResourcePolicy(ctx context.Context, in *api.DeleteResourcePolicyInput) (*api.DeleteResourcePolicyOutput, error) {
	r, err := policyRef(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &api.DeleteResourcePolicyOutput{}, l.changePolicy(ctx, r, in.RevisionId, func(_ store.Txn, p *policy) error {
		if len(p.Statements) == 0 {
			return notFound("No policy is associated with the given resource.")
		}
		*p = policy{}
		return nil
	})
}

// resourcePolicyProperties are the properties of AWS::Lambda::ResourcePolicy.
type resourcePolicyProperties struct {
	PolicyDocument any    `cfn:"PolicyDocument,required"`
	ResourceArn    string `cfn:"ResourceArn,required,createOnly"`
}

func (l *Lambda) createResourcePolicyResource(ctx context.Context, c service.ResourceCall, p *resourcePolicyProperties) (service.Resource, error) {
	return l.updateResourcePolicyResource(ctx, c, nil, p)
}

func (l *Lambda) updateResourcePolicyResource(ctx context.Context, _ service.ResourceCall, _, p *resourcePolicyProperties) (service.Resource, error) {
	text, err := json.Marshal(p.PolicyDocument)
	if err != nil {
		return service.Resource{}, err
	}
	return service.Resource{PhysicalID: p.ResourceArn}, l.do(ctx, "PutResourcePolicy", &api.PutResourcePolicyInput{ResourceArn: p.ResourceArn, Policy: string(text)})
}

func (l *Lambda) deleteResourcePolicyResource(ctx context.Context, c service.ResourceCall, _ *resourcePolicyProperties) error {
	return service.Unless(l.do(ctx, "DeleteResourcePolicy", &api.DeleteResourcePolicyInput{ResourceArn: c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Lambda) readResourcePolicyResource(ctx context.Context, id service.Identifier) (*resourcePolicyProperties, service.Resource, error) {
	out, err := obtain[api.GetResourcePolicyOutput](ctx, l, "GetResourcePolicy", &api.GetResourcePolicyInput{ResourceArn: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := &resourcePolicyProperties{ResourceArn: id[0]}
	if err := json.Unmarshal([]byte(orZero(out.Policy)), &p.PolicyDocument); err != nil {
		return nil, service.Resource{}, errors.Join(errors.New("the policy is no JSON"), err)
	}
	return p, service.Resource{PhysicalID: id[0]}, nil
}
