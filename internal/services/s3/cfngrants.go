package s3

import (
	"context"
	"maps"
	"slices"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// The properties of the types of access grants that are honoured
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-accessgrant.html and its neighbours).

type grantsInstanceProperties struct {
	Tags []service.TagProperty `cfn:"Tags"`
}

type grantsLocationProperties struct {
	IAMRoleArn    string                `cfn:"IamRoleArn,required"`
	LocationScope string                `cfn:"LocationScope,required,createOnly"`
	Tags          []service.TagProperty `cfn:"Tags"`
}

type accessGrantProperties struct {
	LocationID    string `cfn:"AccessGrantsLocationId,required,createOnly"`
	Configuration *struct {
		S3SubPrefix string `cfn:"S3SubPrefix,required"`
	} `cfn:"AccessGrantsLocationConfiguration,createOnly"`
	Grantee struct {
		GranteeIdentifier string `cfn:"GranteeIdentifier,required"`
		GranteeType       string `cfn:"GranteeType,required"`
	} `cfn:"Grantee,required,createOnly"`
	Permission   string                `cfn:"Permission,required,createOnly"`
	S3PrefixType string                `cfn:"S3PrefixType,createOnly,writeOnly"`
	Tags         []service.TagProperty `cfn:"Tags"`
}

// controlCall runs an operation of the control API through the door.
func controlCall[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.door, "s3control", operation, in)
}

func controlTags(tags map[string]string) []control.Tag {
	out := make([]control.Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, control.Tag{Key: k, Value: tags[k]})
	}
	return out
}

// retagGrants brings the tags of an instance, a location or a grant to what a template says.
func (s *Service) retagGrants(ctx context.Context, resource string, old, tags map[string]string) error {
	return s.retagControl(ctx, placeOf(ctx, service.RequestFrom(ctx).Account).arn(resource), old, tags)
}

// retagControl brings the tags of what an ARN of the control API names to what a template says.
func (s *Service) retagControl(ctx context.Context, arn string, old, tags map[string]string) error {
	account := service.RequestFrom(ctx).Account
	return service.Retag(old, tags, func(keys []string) error {
		_, err := s.control(ctx, "UntagResource", &control.UntagResourceInput{AccountId: account, ResourceArn: arn, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := s.control(ctx, "TagResource", &control.TagResourceInput{AccountId: account, ResourceArn: arn, Tags: controlTags(tags)})
		return err
	})
}

// controlTagsOf reads the tags of what an ARN of the control API names.
func (s *Service) controlTagsOf(ctx context.Context, arn *string) ([]service.TagProperty, error) {
	out, err := controlCall[control.ListTagsForResourceOutput](ctx, s, "ListTagsForResource", &control.ListTagsForResourceInput{AccountId: service.RequestFrom(ctx).Account, ResourceArn: deref(arn)})
	if err != nil {
		return nil, err
	}
	return reshape.To[grantsInstanceProperties](out).Tags, nil
}

func (s *Service) grantsInstanceType() service.ResourceType {
	return service.NewResourceType("AWS::S3::AccessGrantsInstance", service.ResourceSpec[grantsInstanceProperties]{
		Attributes: []string{"AccessGrantsInstanceArn", "AccessGrantsInstanceId"},
		Identifier: []string{"AccessGrantsInstanceArn"}, Missing: []string{"AccessGrantsInstanceNotExistsError"},
		Create: func(ctx context.Context, c service.ResourceCall, p *grantsInstanceProperties) (service.Resource, error) {
			account := service.RequestFrom(ctx).Account
			_, err := s.control(ctx, "CreateAccessGrantsInstance", &control.CreateAccessGrantsInstanceInput{AccountId: account, Tags: controlTags(c.UserTags(p.Tags))})
			if err != nil && (!c.Retry || service.Code(err) != "AccessGrantsInstanceAlreadyExists") {
				return service.Resource{}, err
			}
			return grantsInstanceResource(placeOf(ctx, account).arn(grantsResource)), nil
		},
		Update: func(ctx context.Context, c service.ResourceCall, old, p *grantsInstanceProperties) (service.Resource, error) {
			return grantsInstanceResource(c.PhysicalID), s.retagGrants(ctx, grantsResource, c.UserTags(old.Tags), c.UserTags(p.Tags))
		},
		Delete: func(ctx context.Context, _ service.ResourceCall, _ *grantsInstanceProperties) error {
			_, err := s.control(ctx, "DeleteAccessGrantsInstance", &control.DeleteAccessGrantsInstanceInput{AccountId: service.RequestFrom(ctx).Account})
			return service.Unless(err, "AccessGrantsInstanceNotExistsError")
		},
		Read: func(ctx context.Context, id service.Identifier) (*grantsInstanceProperties, service.Resource, error) {
			out, err := controlCall[control.GetAccessGrantsInstanceOutput](ctx, s, "GetAccessGrantsInstance", &control.GetAccessGrantsInstanceInput{AccountId: service.RequestFrom(ctx).Account})
			if err == nil && deref(out.AccessGrantsInstanceArn) != id[0] {
				err = noGrantsInstance()
			}
			if err != nil {
				return nil, service.Resource{}, err
			}
			tags, err := s.controlTagsOf(ctx, out.AccessGrantsInstanceArn)
			return &grantsInstanceProperties{tags}, grantsInstanceResource(id[0]), err
		},
		List: func(ctx context.Context, _ *grantsInstanceProperties, next string) (service.Page, error) {
			out, err := controlCall[control.ListAccessGrantsInstancesOutput](ctx, s, "ListAccessGrantsInstances", &control.ListAccessGrantsInstancesInput{AccountId: service.RequestFrom(ctx).Account, NextToken: service.NextToken(next)})
			if err != nil {
				return service.Page{}, err
			}
			return service.NewPage(out.AccessGrantsInstancesList, out.NextToken, func(e *control.ListAccessGrantsInstanceEntry) service.Identifier {
				return service.Identifier{deref(e.AccessGrantsInstanceArn)}
			}), nil
		},
	})
}

func grantsInstanceResource(arn string) service.Resource {
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"AccessGrantsInstanceArn": arn, "AccessGrantsInstanceId": grantsID}}
}

func (s *Service) grantsLocationType() service.ResourceType {
	return service.NewResourceType("AWS::S3::AccessGrantsLocation", service.ResourceSpec[grantsLocationProperties]{
		Attributes: []string{"AccessGrantsLocationArn", "AccessGrantsLocationId"},
		Identifier: []string{"AccessGrantsLocationId"}, Missing: []string{"AccessGrantsInstanceNotExistsError", "NoSuchAccessGrantsLocationError"},
		Create: s.createLocationResource, Read: s.readLocationResource,
		Update: func(ctx context.Context, c service.ResourceCall, old, p *grantsLocationProperties) (service.Resource, error) {
			r := locationOutcome(ctx, c.PhysicalID)
			if old.IAMRoleArn != p.IAMRoleArn {
				if _, err := s.control(ctx, "UpdateAccessGrantsLocation", &control.UpdateAccessGrantsLocationInput{
					AccountId: service.RequestFrom(ctx).Account, AccessGrantsLocationId: c.PhysicalID, IAMRoleArn: p.IAMRoleArn,
				}); err != nil {
					return r, err
				}
			}
			return r, s.retagGrants(ctx, locationResource(c.PhysicalID), c.UserTags(old.Tags), c.UserTags(p.Tags))
		},
		Delete: func(ctx context.Context, c service.ResourceCall, _ *grantsLocationProperties) error {
			_, err := s.control(ctx, "DeleteAccessGrantsLocation", &control.DeleteAccessGrantsLocationInput{AccountId: service.RequestFrom(ctx).Account, AccessGrantsLocationId: c.PhysicalID})
			return service.Unless(err, "NoSuchAccessGrantsLocationError", "AccessGrantsInstanceNotExistsError")
		},
		List: func(ctx context.Context, _ *grantsLocationProperties, next string) (service.Page, error) {
			out, err := controlCall[control.ListAccessGrantsLocationsOutput](ctx, s, "ListAccessGrantsLocations", &control.ListAccessGrantsLocationsInput{AccountId: service.RequestFrom(ctx).Account, NextToken: service.NextToken(next)})
			if err != nil {
				return service.Page{}, service.Unless(err, "AccessGrantsInstanceNotExistsError")
			}
			return service.NewPage(out.AccessGrantsLocationsList, out.NextToken, func(e *control.ListAccessGrantsLocationsEntry) service.Identifier {
				return service.Identifier{deref(e.AccessGrantsLocationId)}
			}), nil
		},
	})
}

// createLocationResource registers a location, or finds the one that an earlier try made.
func (s *Service) createLocationResource(ctx context.Context, c service.ResourceCall, p *grantsLocationProperties) (service.Resource, error) {
	account := service.RequestFrom(ctx).Account
	out, err := controlCall[control.CreateAccessGrantsLocationOutput](ctx, s, "CreateAccessGrantsLocation", &control.CreateAccessGrantsLocationInput{
		AccountId: account, IAMRoleArn: p.IAMRoleArn, LocationScope: p.LocationScope, Tags: controlTags(c.UserTags(p.Tags)),
	})
	if c.Retry && service.Code(err) == "AccessGrantsLocationAlreadyExistsError" {
		known, err := controlCall[control.ListAccessGrantsLocationsOutput](ctx, s, "ListAccessGrantsLocations", &control.ListAccessGrantsLocationsInput{AccountId: account, LocationScope: &p.LocationScope})
		if err != nil || len(known.AccessGrantsLocationsList) == 0 {
			return service.Resource{}, err
		}
		return locationOutcome(ctx, deref(known.AccessGrantsLocationsList[0].AccessGrantsLocationId)), nil
	}
	if err != nil {
		return service.Resource{}, err
	}
	return locationOutcome(ctx, deref(out.AccessGrantsLocationId)), nil
}

func locationOutcome(ctx context.Context, id string) service.Resource {
	return service.Resource{PhysicalID: id, Attributes: map[string]any{
		"AccessGrantsLocationId": id, "AccessGrantsLocationArn": placeOf(ctx, service.RequestFrom(ctx).Account).arn(locationResource(id)),
	}}
}

func (s *Service) readLocationResource(ctx context.Context, id service.Identifier) (*grantsLocationProperties, service.Resource, error) {
	out, err := controlCall[control.GetAccessGrantsLocationOutput](ctx, s, "GetAccessGrantsLocation", &control.GetAccessGrantsLocationInput{AccountId: service.RequestFrom(ctx).Account, AccessGrantsLocationId: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	tags, err := s.controlTagsOf(ctx, out.AccessGrantsLocationArn)
	return &grantsLocationProperties{deref(out.IAMRoleArn), deref(out.LocationScope), tags}, locationOutcome(ctx, id[0]), err
}

func (s *Service) accessGrantType() service.ResourceType {
	return service.NewResourceType("AWS::S3::AccessGrant", service.ResourceSpec[accessGrantProperties]{
		Attributes: []string{"AccessGrantArn", "AccessGrantId", "GrantScope"},
		Identifier: []string{"AccessGrantId"}, Missing: []string{"AccessGrantsInstanceNotExistsError", "NoSuchAccessGrantError"},
		Create: s.createGrantResource,
		Read: func(ctx context.Context, id service.Identifier) (*accessGrantProperties, service.Resource, error) {
			out, r, err := s.grantOutcome(ctx, id[0])
			if err != nil {
				return nil, r, err
			}
			p := reshape.To[accessGrantProperties](out)
			p.Tags, err = s.controlTagsOf(ctx, out.AccessGrantArn)
			return p, r, err
		},
		Update: func(ctx context.Context, c service.ResourceCall, old, p *accessGrantProperties) (service.Resource, error) {
			if err := s.retagGrants(ctx, grantResource(c.PhysicalID), c.UserTags(old.Tags), c.UserTags(p.Tags)); err != nil {
				return service.Resource{PhysicalID: c.PhysicalID}, err
			}
			_, r, err := s.grantOutcome(ctx, c.PhysicalID)
			return r, err
		},
		Delete: func(ctx context.Context, c service.ResourceCall, _ *accessGrantProperties) error {
			_, err := s.control(ctx, "DeleteAccessGrant", &control.DeleteAccessGrantInput{AccountId: service.RequestFrom(ctx).Account, AccessGrantId: c.PhysicalID})
			return service.Unless(err, "NoSuchAccessGrantError", "AccessGrantsInstanceNotExistsError")
		},
		List: func(ctx context.Context, _ *accessGrantProperties, next string) (service.Page, error) {
			out, err := controlCall[control.ListAccessGrantsOutput](ctx, s, "ListAccessGrants", &control.ListAccessGrantsInput{AccountId: service.RequestFrom(ctx).Account, NextToken: service.NextToken(next)})
			if err != nil {
				return service.Page{}, service.Unless(err, "AccessGrantsInstanceNotExistsError")
			}
			return service.NewPage(out.AccessGrantsList, out.NextToken, func(e *control.ListAccessGrantEntry) service.Identifier {
				return service.Identifier{deref(e.AccessGrantId)}
			}), nil
		},
	})
}

// createGrantResource makes a grant, or finds the one that an earlier try made.
func (s *Service) createGrantResource(ctx context.Context, c service.ResourceCall, p *accessGrantProperties) (service.Resource, error) {
	account := service.RequestFrom(ctx).Account
	in := &control.CreateAccessGrantInput{
		AccountId: account, AccessGrantsLocationId: p.LocationID, Permission: p.Permission, S3PrefixType: p.S3PrefixType, Tags: controlTags(c.UserTags(p.Tags)),
		Grantee: &control.Grantee{GranteeType: p.Grantee.GranteeType, GranteeIdentifier: &p.Grantee.GranteeIdentifier},
	}
	if p.Configuration != nil {
		in.AccessGrantsLocationConfiguration = &control.AccessGrantsLocationConfiguration{S3SubPrefix: &p.Configuration.S3SubPrefix}
	}
	out, err := controlCall[control.CreateAccessGrantOutput](ctx, s, "CreateAccessGrant", in)
	if err == nil {
		_, r, err := s.grantOutcome(ctx, deref(out.AccessGrantId))
		return r, err
	}
	if !c.Retry || service.Code(err) != "AccessGrantAlreadyExists" {
		return service.Resource{}, err
	}
	known, err := controlCall[control.ListAccessGrantsOutput](ctx, s, "ListAccessGrants", &control.ListAccessGrantsInput{AccountId: account, GranteeIdentifier: in.Grantee.GranteeIdentifier, Permission: p.Permission})
	if err != nil {
		return service.Resource{}, err
	}
	for _, e := range known.AccessGrantsList {
		var sub *string
		if in.AccessGrantsLocationConfiguration != nil {
			sub = in.AccessGrantsLocationConfiguration.S3SubPrefix
		}
		var has *string
		if e.AccessGrantsLocationConfiguration != nil {
			has = e.AccessGrantsLocationConfiguration.S3SubPrefix
		}
		if deref(e.AccessGrantsLocationId) == p.LocationID && deref(sub) == deref(has) {
			_, r, err := s.grantOutcome(ctx, deref(e.AccessGrantId))
			return r, err
		}
	}
	return service.Resource{}, noSuchGrant()
}

func (s *Service) grantOutcome(ctx context.Context, id string) (*control.GetAccessGrantOutput, service.Resource, error) {
	out, err := controlCall[control.GetAccessGrantOutput](ctx, s, "GetAccessGrant", &control.GetAccessGrantInput{AccountId: service.RequestFrom(ctx).Account, AccessGrantId: id})
	if err != nil {
		return nil, service.Resource{PhysicalID: id}, err
	}
	return out, service.Resource{PhysicalID: id, Attributes: map[string]any{
		"AccessGrantId": id, "AccessGrantArn": deref(out.AccessGrantArn), "GrantScope": deref(out.GrantScope),
	}}, nil
}
