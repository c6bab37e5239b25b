package s3

import (
	"context"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// grantsRule is what an operation of access grants needs: its action on a resource of an account's instance, for which that instance's resource policy has a say. tags are
// those of the request.
type grantsRule struct {
	account, resource string
	tags              []control.Tag
}

// onGrants is the rule of an operation of access grants.
func onGrants[In any](s *Service, action string, rule func(in In) grantsRule) service.Access {
	return service.OnAll(action, func(ctx context.Context, in In) ([]service.Target, error) {
		q := rule(in)
		return s.grantsTargets(ctx, placeOf(ctx, q.account), q.resource, q.tags)
	})
}

func (s *Service) grantsTargets(ctx context.Context, p grantsPlace, resource string, tags []control.Tag) ([]service.Target, error) {
	t := service.Target{ARN: p.arn(resource), Owner: p.account}
	err := s.store.View(ctx, func(r store.Reader) error {
		i, _, err := record.Get[grantsInstance](r, p.instanceKey())
		if err != nil {
			return err
		}
		t.Policy = i.Policy
		own, _, err := record.Get[[]tag](r, p.tagsKey(resource))
		for _, o := range own {
			t.Condition = with(t.Condition, "aws:ResourceTag/"+o.Key, o.Value)
		}
		return err
	})
	return []service.Target{requesting(t, nil, tags)}, fromStore(wrap("read access grants instance", err))
}

// requesting adds the condition keys of the tags that a request sets, and of those whose keys it names.
func requesting(t service.Target, keys []string, values []control.Tag) service.Target {
	for _, v := range values {
		keys = append(keys, v.Key)
		t.Condition = with(t.Condition, "aws:RequestTag/"+v.Key, v.Value)
	}
	if len(keys) > 0 {
		if t.Condition == nil {
			t.Condition = map[string][]string{}
		}
		t.Condition["aws:TagKeys"] = keys
	}
	return t
}

// grantsAccess lists what the operations of access grants need:
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html.
func (s *Service) grantsAccess() map[string]service.Access {
	whole := func(account string) grantsRule { return grantsRule{account: account, resource: grantsResource} }
	at := func(account, location string) grantsRule {
		return grantsRule{account: account, resource: locationResource(location)}
	}
	of := func(account, grant string) grantsRule {
		return grantsRule{account: account, resource: grantResource(grant)}
	}
	return map[string]service.Access{
		"CreateAccessGrantsInstance": onGrants(s, "s3:CreateAccessGrantsInstance", func(in *control.CreateAccessGrantsInstanceInput) grantsRule {
			return grantsRule{in.AccountId, grantsResource, in.Tags}
		}),
		"GetAccessGrantsInstance":    onGrants(s, "s3:GetAccessGrantsInstance", func(in *control.GetAccessGrantsInstanceInput) grantsRule { return whole(in.AccountId) }),
		"DeleteAccessGrantsInstance": onGrants(s, "s3:DeleteAccessGrantsInstance", func(in *control.DeleteAccessGrantsInstanceInput) grantsRule { return whole(in.AccountId) }),
		"ListAccessGrantsInstances":  onGrants(s, "s3:ListAccessGrantsInstances", func(in *control.ListAccessGrantsInstancesInput) grantsRule { return whole(in.AccountId) }),
		"GetAccessGrantsInstanceForPrefix": service.OnAll("s3:GetAccessGrantsInstanceForPrefix", func(ctx context.Context, in *control.GetAccessGrantsInstanceForPrefixInput) ([]service.Target, error) {
			p, err := s.placeOfPrefix(ctx, in.S3Prefix)
			if err != nil {
				return nil, err
			}
			return s.grantsTargets(ctx, p, grantsResource, nil)
		}),
		"PutAccessGrantsInstanceResourcePolicy": onGrants(s, "s3:PutAccessGrantsInstanceResourcePolicy", func(in *control.PutAccessGrantsInstanceResourcePolicyInput) grantsRule {
			return whole(in.AccountId)
		}),
		"GetAccessGrantsInstanceResourcePolicy": onGrants(s, "s3:GetAccessGrantsInstanceResourcePolicy", func(in *control.GetAccessGrantsInstanceResourcePolicyInput) grantsRule {
			return whole(in.AccountId)
		}),
		"DeleteAccessGrantsInstanceResourcePolicy": onGrants(s, "s3:DeleteAccessGrantsInstanceResourcePolicy", func(in *control.DeleteAccessGrantsInstanceResourcePolicyInput) grantsRule {
			return whole(in.AccountId)
		}),
		"CreateAccessGrantsLocation": onGrants(s, "s3:CreateAccessGrantsLocation", func(in *control.CreateAccessGrantsLocationInput) grantsRule {
			return grantsRule{in.AccountId, grantsResource, in.Tags}
		}),
		"GetAccessGrantsLocation": onGrants(s, "s3:GetAccessGrantsLocation", func(in *control.GetAccessGrantsLocationInput) grantsRule {
			return at(in.AccountId, in.AccessGrantsLocationId)
		}),
		"UpdateAccessGrantsLocation": onGrants(s, "s3:UpdateAccessGrantsLocation", func(in *control.UpdateAccessGrantsLocationInput) grantsRule {
			return at(in.AccountId, in.AccessGrantsLocationId)
		}),
		"DeleteAccessGrantsLocation": onGrants(s, "s3:DeleteAccessGrantsLocation", func(in *control.DeleteAccessGrantsLocationInput) grantsRule {
			return at(in.AccountId, in.AccessGrantsLocationId)
		}),
		"ListAccessGrantsLocations": onGrants(s, "s3:ListAccessGrantsLocations", func(in *control.ListAccessGrantsLocationsInput) grantsRule { return whole(in.AccountId) }),
		"CreateAccessGrant": onGrants(s, "s3:CreateAccessGrant", func(in *control.CreateAccessGrantInput) grantsRule {
			return grantsRule{in.AccountId, locationResource(in.AccessGrantsLocationId), in.Tags}
		}),
		"GetAccessGrant":         onGrants(s, "s3:GetAccessGrant", func(in *control.GetAccessGrantInput) grantsRule { return of(in.AccountId, in.AccessGrantId) }),
		"DeleteAccessGrant":      onGrants(s, "s3:DeleteAccessGrant", func(in *control.DeleteAccessGrantInput) grantsRule { return of(in.AccountId, in.AccessGrantId) }),
		"ListAccessGrants":       onGrants(s, "s3:ListAccessGrants", func(in *control.ListAccessGrantsInput) grantsRule { return whole(in.AccountId) }),
		"GetDataAccess":          onGrants(s, "s3:GetDataAccess", func(in *control.GetDataAccessInput) grantsRule { return whole(in.AccountId) }),
		"ListCallerAccessGrants": onGrants(s, "s3:ListCallerAccessGrants", func(in *control.ListCallerAccessGrantsInput) grantsRule { return whole(in.AccountId) }),
	}
}
