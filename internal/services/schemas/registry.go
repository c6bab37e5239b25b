package schemas

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/schemas"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// discoveredRegistry is the registry of what discoverers find.
	discoveredRegistry = "discovered-schemas"
	// pageSize is how many resources a list gives at once unless the call says less.
	pageSize = 100
)

// registryRecord is a registry.
type registryRecord struct {
	Name        string
	Description string            `json:",omitempty"`
	Tags        map[string]string `json:",omitempty"`
	// Policy is the resource policy, and Revision its id.
	Policy   string `json:",omitempty"`
	Revision string `json:",omitempty"`
	Created  time.Time
}

// The names of registries and schemas (https://docs.aws.amazon.com/eventbridge/latest/schema-reference/v1-registries-name-registryname.html).
var (
	registryName = regexp.MustCompile(`^[0-9A-Za-z_.@-]{1,64}$`)
	schemaName   = regexp.MustCompile(`^[0-9A-Za-z_.@/-]{1,385}$`)
)

// get returns the record at k, or missing when there is none.
func get[T any](r store.Reader, k key.Key, missing error) (T, error) {
	v, ok, err := record.Get[T](r, k)
	if err == nil && !ok {
		err = missing
	}
	return v, err
}

// view is get outside of a transaction.
func view[T any](ctx context.Context, s *Service, k key.Key, missing error) (v T, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		v, err = get[T](r, k, missing)
		return err
	})
	return v, storeError(err)
}

// change runs fn on the record at k and stores it.
func change[T any](ctx context.Context, s *Service, k key.Key, missing error, fn func(v *T) error) (v T, err error) {
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if v, err = get[T](tx, k, missing); err != nil {
			return err
		}
		if err := fn(&v); err != nil {
			return err
		}
		return record.Set(tx, k, v)
	})
	return v, storeError(err)
}

// list calls keep with the records under prefix that a call asks for, and returns the token of the next page.
func list[T any](ctx context.Context, s *Service, prefix key.Key, namePrefix, token *string, limit *int32, keep func(name string, v T) bool) (*string, error) {
	size := pageSize
	if limit != nil {
		if *limit < 1 || *limit > pageSize {
			return nil, invalid("limit must be between 1 and %d.", pageSize)
		}
		size = int(*limit)
	}
	next, err := record.Page(ctx, s.deps.Store, prefix, record.Paging{NamePrefix: opt.Value(namePrefix), Token: token, Limit: size}, keep)
	if errors.Is(err, record.ErrToken) {
		return nil, invalid("Invalid nextToken.")
	}
	return next, storeError(err)
}

func (s *Service) createRegistry(ctx context.Context, in *api.CreateRegistryInput) (*api.CreateRegistryOutput, error) {
	p := placeOf(ctx)
	switch {
	case !registryName.MatchString(in.RegistryName):
		return nil, invalid("The registry name %q must have 1 to 64 letters, digits and the characters . - _ @.", in.RegistryName)
	case strings.HasPrefix(in.RegistryName, "aws."):
		return nil, invalid("The registry name %s is not allowed: names that begin with aws. are AWS's.", in.RegistryName)
	case len(in.Tags) > maxTags:
		return nil, tooManyTags()
	}
	r := registryRecord{Name: in.RegistryName, Description: opt.Value(in.Description), Tags: in.Tags, Created: s.now()}
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if there, err := record.Has(tx, p.registry(r.Name)); err != nil || there {
			if there {
				err = conflict("Registry with name %s already exists.", r.Name)
			}
			return err
		}
		return record.Set(tx, p.registry(r.Name), r)
	})
	return &api.CreateRegistryOutput{RegistryName: &r.Name, RegistryArn: new(p.registryARN(r.Name)), Description: opt.Of(r.Description), Tags: r.Tags}, storeError(err)
}

func (s *Service) describeRegistry(ctx context.Context, in *api.DescribeRegistryInput) (*api.DescribeRegistryOutput, error) {
	p := placeOf(ctx)
	r, err := view[registryRecord](ctx, s, p.registry(in.RegistryName), noRegistry(in.RegistryName))
	return &api.DescribeRegistryOutput{RegistryName: &r.Name, RegistryArn: new(p.registryARN(r.Name)), Description: opt.Of(r.Description), Tags: r.Tags}, err
}

func (s *Service) updateRegistry(ctx context.Context, in *api.UpdateRegistryInput) (*api.UpdateRegistryOutput, error) {
	p := placeOf(ctx)
	r, err := change(ctx, s, p.registry(in.RegistryName), noRegistry(in.RegistryName), func(r *registryRecord) error {
		if in.Description != nil {
			r.Description = *in.Description
		}
		return nil
	})
	return &api.UpdateRegistryOutput{RegistryName: &r.Name, RegistryArn: new(p.registryARN(r.Name)), Description: opt.Of(r.Description), Tags: r.Tags}, err
}

// deleteRegistry deletes a registry that holds no schemas.
func (s *Service) deleteRegistry(ctx context.Context, in *api.DeleteRegistryInput) (*api.DeleteRegistryOutput, error) {
	p := placeOf(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := get[registryRecord](tx, p.registry(in.RegistryName), noRegistry(in.RegistryName)); err != nil {
			return err
		}
		span := p.schemas(in.RegistryName).Span()
		span.Limit = 1
		for _, err := range tx.Range(span) {
			if err != nil {
				return err
			}
			return invalid("Registry with name %s holds schemas. Delete them first.", in.RegistryName)
		}
		tx.Delete(p.registry(in.RegistryName))
		return nil
	})
	return &api.DeleteRegistryOutput{}, storeError(err)
}

// listRegistries lists the registries of the account. There are none of AWS (scope AWS).
func (s *Service) listRegistries(ctx context.Context, in *api.ListRegistriesInput) (*api.ListRegistriesOutput, error) {
	p := placeOf(ctx)
	out := &api.ListRegistriesOutput{Registries: []api.RegistrySummary{}}
	switch scope := opt.Value(in.Scope); strings.ToUpper(scope) {
	case "", "LOCAL":
	case "AWS":
		return out, nil
	default:
		return nil, invalid("scope must be Local or AWS, and is %q.", scope)
	}
	next, err := list(ctx, s, p.registries(), in.RegistryNamePrefix, in.NextToken, in.Limit, func(_ string, r registryRecord) bool {
		out.Registries = append(out.Registries, api.RegistrySummary{RegistryName: &r.Name, RegistryArn: new(p.registryARN(r.Name)), Tags: r.Tags})
		return true
	})
	out.NextToken = next
	return out, err
}

// policyNamed returns the registry whose policy a call names.
func policyNamed(name *string) (string, error) {
	if opt.Value(name) == "" {
		return "", invalid("registryName must be given.")
	}
	return *name, nil
}

func (s *Service) getResourcePolicy(ctx context.Context, in *api.GetResourcePolicyInput) (*api.GetResourcePolicyOutput, error) {
	name, err := policyNamed(in.RegistryName)
	if err != nil {
		return nil, err
	}
	r, err := view[registryRecord](ctx, s, placeOf(ctx).registry(name), noRegistry(name))
	if err == nil && r.Policy == "" {
		err = notFound("Registry with name %s has no resource policy.", name)
	}
	return &api.GetResourcePolicyOutput{Policy: &r.Policy, RevisionId: &r.Revision}, err
}

// putResourcePolicy sets the policy of a registry. A revision that a call names must be that of the policy there is.
func (s *Service) putResourcePolicy(ctx context.Context, in *api.PutResourcePolicyInput) (*api.PutResourcePolicyOutput, error) {
	name, err := policyNamed(in.RegistryName)
	if err != nil {
		return nil, err
	}
	var doc struct{ Statement json.RawMessage }
	if json.Unmarshal([]byte(in.Policy), &doc) != nil || doc.Statement == nil {
		return nil, invalid("The policy is not a JSON document with statements.")
	}
	id, err := uuid.New(s.deps.Random)
	if err != nil {
		return nil, err
	}
	_, err = change(ctx, s, placeOf(ctx).registry(name), noRegistry(name), func(r *registryRecord) error {
		if in.RevisionId != nil && *in.RevisionId != r.Revision {
			return service.Errorf(codePrecondition, "The revision %s is not that of the policy.", *in.RevisionId).WithStatus(412)
		}
		r.Policy, r.Revision = in.Policy, id
		return nil
	})
	return &api.PutResourcePolicyOutput{Policy: &in.Policy, RevisionId: &id}, err
}

func (s *Service) deleteResourcePolicy(ctx context.Context, in *api.DeleteResourcePolicyInput) (*api.DeleteResourcePolicyOutput, error) {
	name, err := policyNamed(in.RegistryName)
	if err != nil {
		return nil, err
	}
	_, err = change(ctx, s, placeOf(ctx).registry(name), noRegistry(name), func(r *registryRecord) error {
		if r.Policy == "" {
			return notFound("Registry with name %s has no resource policy.", name)
		}
		r.Policy, r.Revision = "", ""
		return nil
	})
	return &api.DeleteResourcePolicyOutput{}, err
}
