package s3

import (
	"context"
	"maps"
	"slices"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// lensProps are the properties of AWS::S3::StorageLens
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-storagelens.html).
type lensProps struct {
	Configuration lensConfigurationProps `cfn:"StorageLensConfiguration,required"`
	Tags          []service.TagProperty  `cfn:"Tags"`
}

type lensConfigurationProps struct {
	ID           string           `cfn:"Id,required,createOnly"`
	IsEnabled    bool             `cfn:"IsEnabled,required"`
	AccountLevel lensAccountProps `cfn:"AccountLevel,required"`
	Include      *lensScopeProps  `cfn:"Include"`
	Exclude      *lensScopeProps  `cfn:"Exclude"`
	DataExport   *struct {
		S3BucketDestination         *lensDestinationProps `cfn:"S3BucketDestination"`
		CloudWatchMetrics           *lensSwitch           `cfn:"CloudWatchMetrics"`
		StorageLensTableDestination *lensTableProps       `cfn:"StorageLensTableDestination"`
	} `cfn:"DataExport"`
	ExpandedPrefixesDataExport *struct {
		S3BucketDestination         *lensDestinationProps `cfn:"S3BucketDestination"`
		StorageLensTableDestination *lensTableProps       `cfn:"StorageLensTableDestination"`
	} `cfn:"ExpandedPrefixesDataExport"`
	AwsOrg *struct {
		Arn string `cfn:"Arn,required"`
	} `cfn:"AwsOrg"`
	PrefixDelimiter *string `cfn:"PrefixDelimiter"`
}

type lensSwitch struct {
	IsEnabled *bool `cfn:"IsEnabled"`
}

type lensScopeProps struct {
	Buckets []string `cfn:"Buckets,unordered"`
	Regions []string `cfn:"Regions,unordered"`
}

type lensAccountProps struct {
	ActivityMetrics                 *lensSwitch     `cfn:"ActivityMetrics"`
	AdvancedCostOptimizationMetrics *lensSwitch     `cfn:"AdvancedCostOptimizationMetrics"`
	AdvancedDataProtectionMetrics   *lensSwitch     `cfn:"AdvancedDataProtectionMetrics"`
	AdvancedPerformanceMetrics      *lensSwitch     `cfn:"AdvancedPerformanceMetrics"`
	DetailedStatusCodesMetrics      *lensSwitch     `cfn:"DetailedStatusCodesMetrics"`
	BucketLevel                     lensBucketProps `cfn:"BucketLevel,required"`
	StorageLensGroupLevel           *struct {
		SelectionCriteria *struct {
			Include []string `cfn:"Include,unordered"`
			Exclude []string `cfn:"Exclude,unordered"`
		} `cfn:"StorageLensGroupSelectionCriteria"`
	} `cfn:"StorageLensGroupLevel"`
}

type lensBucketProps struct {
	ActivityMetrics                 *lensSwitch `cfn:"ActivityMetrics"`
	AdvancedCostOptimizationMetrics *lensSwitch `cfn:"AdvancedCostOptimizationMetrics"`
	AdvancedDataProtectionMetrics   *lensSwitch `cfn:"AdvancedDataProtectionMetrics"`
	AdvancedPerformanceMetrics      *lensSwitch `cfn:"AdvancedPerformanceMetrics"`
	DetailedStatusCodesMetrics      *lensSwitch `cfn:"DetailedStatusCodesMetrics"`
	PrefixLevel                     *struct {
		StorageMetrics struct {
			IsEnabled         *bool `cfn:"IsEnabled"`
			SelectionCriteria *struct {
				Delimiter                 *string  `cfn:"Delimiter"`
				MaxDepth                  *int32   `cfn:"MaxDepth"`
				MinStorageBytesPercentage *float64 `cfn:"MinStorageBytesPercentage"`
			} `cfn:"SelectionCriteria"`
		} `cfn:"StorageMetrics,required"`
	} `cfn:"PrefixLevel"`
}

type lensDestinationProps struct {
	AccountID           string               `cfn:"AccountId,required"`
	Arn                 string               `cfn:"Arn,required"`
	Format              string               `cfn:"Format,required"`
	OutputSchemaVersion string               `cfn:"OutputSchemaVersion,required"`
	Prefix              *string              `cfn:"Prefix"`
	Encryption          *lensEncryptionProps `cfn:"Encryption"`
}

type lensEncryptionProps struct {
	SSES3  *struct{} `cfn:"SSES3"`
	SSEKMS *struct {
		KeyID string `cfn:"KeyId,required"`
	} `cfn:"SSEKMS"`
}

type lensTableProps struct {
	IsEnabled  bool                 `cfn:"IsEnabled,required"`
	Encryption *lensEncryptionProps `cfn:"Encryption"`
}

// configuration returns what the properties ask for. The criteria of groups have another name in the API.
func (p *lensProps) configuration() *control.StorageLensConfiguration {
	c := reshape.To[control.StorageLensConfiguration](&p.Configuration)
	if level := p.Configuration.AccountLevel.StorageLensGroupLevel; level != nil {
		c.AccountLevel.StorageLensGroupLevel = &control.StorageLensGroupLevel{}
		if by := level.SelectionCriteria; by != nil {
			c.AccountLevel.StorageLensGroupLevel.SelectionCriteria = &control.StorageLensGroupLevelSelectionCriteria{Include: by.Include, Exclude: by.Exclude}
		}
	}
	if c.AccountLevel.BucketLevel == nil {
		c.AccountLevel.BucketLevel = &control.BucketLevel{}
	}
	return c
}

// lensPropsOf is the way back.
func lensPropsOf(c *control.StorageLensConfiguration, tags []control.StorageLensTag) *lensProps {
	p := &lensProps{Configuration: *reshape.To[lensConfigurationProps](c)}
	if level := c.AccountLevel.StorageLensGroupLevel; level != nil {
		p.Configuration.AccountLevel.StorageLensGroupLevel = reshape.To[lensAccountProps](map[string]any{"StorageLensGroupLevel": map[string]any{
			"StorageLensGroupSelectionCriteria": level.SelectionCriteria,
		}}).StorageLensGroupLevel
	}
	p.Tags = reshape.To[lensProps](map[string]any{"Tags": tags}).Tags
	return p
}

func lensResource(ctx context.Context, id string) service.Resource {
	return service.Resource{PhysicalID: id, Attributes: map[string]any{
		"StorageLensConfiguration.StorageLensArn": lensPlaceOf(ctx, service.RequestFrom(ctx).Account).lensARN(id),
	}}
}

func lensTagsOf(tags map[string]string) []control.StorageLensTag {
	out := make([]control.StorageLensTag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, control.StorageLensTag{Key: k, Value: tags[k]})
	}
	return out
}

func (s *Service) lensType() service.ResourceType {
	return service.NewResourceType("AWS::S3::StorageLens", service.ResourceSpec[lensProps]{
		Attributes: []string{"StorageLensConfiguration.StorageLensArn"}, Identifier: []string{"StorageLensConfiguration.Id"}, Missing: []string{"NoSuchConfiguration"},
		Create: s.createLensResource, Update: s.updateLensResource,
		Delete: func(ctx context.Context, c service.ResourceCall, _ *lensProps) error {
			_, err := s.control(ctx, "DeleteStorageLensConfiguration", &control.DeleteStorageLensConfigurationInput{AccountId: service.RequestFrom(ctx).Account, ConfigId: c.PhysicalID})
			return service.Unless(err, "NoSuchConfiguration")
		},
		Read: func(ctx context.Context, id service.Identifier) (*lensProps, service.Resource, error) {
			account := service.RequestFrom(ctx).Account
			out, err := controlCall[control.GetStorageLensConfigurationOutput](ctx, s, "GetStorageLensConfiguration", &control.GetStorageLensConfigurationInput{AccountId: account, ConfigId: id[0]})
			if err != nil {
				return nil, service.Resource{}, err
			}
			tags, err := controlCall[control.GetStorageLensConfigurationTaggingOutput](ctx, s, "GetStorageLensConfigurationTagging", &control.GetStorageLensConfigurationTaggingInput{AccountId: account, ConfigId: id[0]})
			if err != nil {
				return nil, service.Resource{}, err
			}
			return lensPropsOf(out.StorageLensConfiguration, tags.Tags), lensResource(ctx, id[0]), nil
		},
		List: func(ctx context.Context, _ *lensProps, next string) (service.Page, error) {
			out, err := controlCall[control.ListStorageLensConfigurationsOutput](ctx, s, "ListStorageLensConfigurations", &control.ListStorageLensConfigurationsInput{AccountId: service.RequestFrom(ctx).Account, NextToken: service.NextToken(next)})
			if err != nil {
				return service.Page{}, err
			}
			return service.NewPage(out.StorageLensConfigurationList, out.NextToken, func(e *control.ListStorageLensConfigurationEntry) service.Identifier {
				return service.Identifier{e.Id}
			}), nil
		},
	})
}

// createLensResource puts a configuration whose id is not taken.
func (s *Service) createLensResource(ctx context.Context, c service.ResourceCall, p *lensProps) (service.Resource, error) {
	account, id := service.RequestFrom(ctx).Account, p.Configuration.ID
	_, err := s.control(ctx, "GetStorageLensConfiguration", &control.GetStorageLensConfigurationInput{AccountId: account, ConfigId: id})
	switch {
	case err == nil && !c.Retry:
		return service.Resource{}, service.Errorf("AlreadyExists", "%s already exists", id)
	case service.Unless(err, "NoSuchConfiguration") != nil:
		return service.Resource{}, err
	}
	_, err = s.control(ctx, "PutStorageLensConfiguration", &control.PutStorageLensConfigurationInput{
		AccountId: account, ConfigId: id, StorageLensConfiguration: p.configuration(), Tags: lensTagsOf(c.UserTags(p.Tags)),
	})
	return lensResource(ctx, id), err
}

func (s *Service) updateLensResource(ctx context.Context, c service.ResourceCall, old, p *lensProps) (service.Resource, error) {
	account := service.RequestFrom(ctx).Account
	r := lensResource(ctx, c.PhysicalID)
	_, err := s.control(ctx, "PutStorageLensConfiguration", &control.PutStorageLensConfigurationInput{AccountId: account, ConfigId: c.PhysicalID, StorageLensConfiguration: p.configuration()})
	if tags := c.UserTags(p.Tags); err == nil && !maps.Equal(c.UserTags(old.Tags), tags) {
		_, err = s.control(ctx, "PutStorageLensConfigurationTagging", &control.PutStorageLensConfigurationTaggingInput{AccountId: account, ConfigId: c.PhysicalID, Tags: lensTagsOf(tags)})
	}
	return r, err
}

// lensGroupProps are the properties of AWS::S3::StorageLensGroup.
type lensGroupProps struct {
	Name   string `cfn:"Name,required,createOnly"`
	Filter struct {
		MatchAnyPrefix  []string           `cfn:"MatchAnyPrefix,unordered"`
		MatchAnySuffix  []string           `cfn:"MatchAnySuffix,unordered"`
		MatchAnyTag     []tagProperty      `cfn:"MatchAnyTag,unordered"`
		MatchObjectAge  *lensAgeProps      `cfn:"MatchObjectAge"`
		MatchObjectSize *lensSizeProps     `cfn:"MatchObjectSize"`
		And             *lensCriteriaProps `cfn:"And"`
		Or              *lensCriteriaProps `cfn:"Or"`
	} `cfn:"Filter,required"`
	Tags []service.TagProperty `cfn:"Tags"`
}

type lensCriteriaProps struct {
	MatchAnyPrefix  []string       `cfn:"MatchAnyPrefix,unordered"`
	MatchAnySuffix  []string       `cfn:"MatchAnySuffix,unordered"`
	MatchAnyTag     []tagProperty  `cfn:"MatchAnyTag,unordered"`
	MatchObjectAge  *lensAgeProps  `cfn:"MatchObjectAge"`
	MatchObjectSize *lensSizeProps `cfn:"MatchObjectSize"`
}

type lensAgeProps struct {
	DaysGreaterThan *int32 `cfn:"DaysGreaterThan"`
	DaysLessThan    *int32 `cfn:"DaysLessThan"`
}

type lensSizeProps struct {
	BytesGreaterThan *int64 `cfn:"BytesGreaterThan"`
	BytesLessThan    *int64 `cfn:"BytesLessThan"`
}

func lensGroupOutcome(ctx context.Context, name string) service.Resource {
	return service.Resource{PhysicalID: name, Attributes: map[string]any{
		"StorageLensGroupArn": lensPlaceOf(ctx, service.RequestFrom(ctx).Account).groupARN(name),
	}}
}

func (s *Service) lensGroupType() service.ResourceType {
	return service.NewResourceType("AWS::S3::StorageLensGroup", service.ResourceSpec[lensGroupProps]{
		Attributes: []string{"StorageLensGroupArn"}, Identifier: []string{"Name"}, Missing: []string{"NoSuchConfiguration"},
		Create: func(ctx context.Context, c service.ResourceCall, p *lensGroupProps) (service.Resource, error) {
			_, err := s.control(ctx, "CreateStorageLensGroup", &control.CreateStorageLensGroupInput{
				AccountId: service.RequestFrom(ctx).Account, StorageLensGroup: reshape.To[control.StorageLensGroup](p), Tags: controlTags(c.UserTags(p.Tags)),
			})
			if c.Retry {
				err = service.Unless(err, "ConfigurationAlreadyExists")
			}
			return lensGroupOutcome(ctx, p.Name), err
		},
		Update: func(ctx context.Context, c service.ResourceCall, old, p *lensGroupProps) (service.Resource, error) {
			r := lensGroupOutcome(ctx, c.PhysicalID)
			_, err := s.control(ctx, "UpdateStorageLensGroup", &control.UpdateStorageLensGroupInput{
				AccountId: service.RequestFrom(ctx).Account, Name: c.PhysicalID, StorageLensGroup: reshape.To[control.StorageLensGroup](p),
			})
			if err != nil {
				return r, err
			}
			return r, s.retagControl(ctx, r.Attributes["StorageLensGroupArn"].(string), c.UserTags(old.Tags), c.UserTags(p.Tags))
		},
		Delete: func(ctx context.Context, c service.ResourceCall, _ *lensGroupProps) error {
			_, err := s.control(ctx, "DeleteStorageLensGroup", &control.DeleteStorageLensGroupInput{AccountId: service.RequestFrom(ctx).Account, Name: c.PhysicalID})
			return service.Unless(err, "NoSuchConfiguration")
		},
		Read: func(ctx context.Context, id service.Identifier) (*lensGroupProps, service.Resource, error) {
			out, err := controlCall[control.GetStorageLensGroupOutput](ctx, s, "GetStorageLensGroup", &control.GetStorageLensGroupInput{AccountId: service.RequestFrom(ctx).Account, Name: id[0]})
			if err != nil {
				return nil, service.Resource{}, err
			}
			p := reshape.To[lensGroupProps](out.StorageLensGroup)
			p.Tags, err = s.controlTagsOf(ctx, out.StorageLensGroup.StorageLensGroupArn)
			return p, lensGroupOutcome(ctx, id[0]), err
		},
		List: func(ctx context.Context, _ *lensGroupProps, next string) (service.Page, error) {
			out, err := controlCall[control.ListStorageLensGroupsOutput](ctx, s, "ListStorageLensGroups", &control.ListStorageLensGroupsInput{AccountId: service.RequestFrom(ctx).Account, NextToken: service.NextToken(next)})
			if err != nil {
				return service.Page{}, err
			}
			return service.NewPage(out.StorageLensGroupList, out.NextToken, func(e *control.ListStorageLensGroupEntry) service.Identifier {
				return service.Identifier{e.Name}
			}), nil
		},
	})
}
