package ec2

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

type keyPairProperties struct {
	KeyName           string                `cfn:"KeyName,required,createOnly"`
	KeyType           *string               `cfn:"KeyType,createOnly"`
	KeyFormat         *string               `cfn:"KeyFormat,createOnly,writeOnly"`
	PublicKeyMaterial *string               `cfn:"PublicKeyMaterial,createOnly,writeOnly"`
	Tags              []service.TagProperty `cfn:"Tags,createOnly"`
}

type prefixListProperties struct {
	PrefixListName string                `cfn:"PrefixListName,required"`
	AddressFamily  string                `cfn:"AddressFamily,required,createOnly"`
	MaxEntries     *int64                `cfn:"MaxEntries"`
	Entries        []listEntryProperties `cfn:"Entries,unordered"`
	Tags           []service.TagProperty `cfn:"Tags"`
}

type listEntryProperties struct {
	Cidr        string  `cfn:"Cidr,required"`
	Description *string `cfn:"Description"`
}

type flowLogProperties struct {
	ResourceID               string                     `cfn:"ResourceId,required,createOnly"`
	ResourceType             string                     `cfn:"ResourceType,required,createOnly"`
	TrafficType              *string                    `cfn:"TrafficType,createOnly"`
	LogDestination           *string                    `cfn:"LogDestination,createOnly"`
	LogDestinationType       *string                    `cfn:"LogDestinationType,createOnly"`
	LogGroupName             *string                    `cfn:"LogGroupName,createOnly"`
	LogFormat                *string                    `cfn:"LogFormat,createOnly"`
	DeliverLogsPermissionArn *string                    `cfn:"DeliverLogsPermissionArn,createOnly"`
	MaxAggregationInterval   *int64                     `cfn:"MaxAggregationInterval,createOnly"`
	DestinationOptions       *flowDestinationProperties `cfn:"DestinationOptions,createOnly"`
	Tags                     []service.TagProperty      `cfn:"Tags"`
}

type flowDestinationProperties struct {
	FileFormat       string `cfn:"FileFormat,required"`
	Hive             *bool  `cfn:"HiveCompatiblePartitions,required"`
	PerHourPartition *bool  `cfn:"PerHourPartition,required"`
}

type launchTemplateProperties struct {
	LaunchTemplateName *string                  `cfn:"LaunchTemplateName,createOnly"`
	LaunchTemplateData any                      `cfn:"LaunchTemplateData,required,writeOnly"`
	VersionDescription *string                  `cfn:"VersionDescription,writeOnly"`
	TagSpecifications  []templateTagsProperties `cfn:"TagSpecifications,createOnly,writeOnly"`
}

type templateTagsProperties struct {
	ResourceType string                `cfn:"ResourceType,required"`
	Tags         []service.TagProperty `cfn:"Tags,required"`
}

func (s *Service) otherTypes() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::EC2::KeyPair", service.ResourceSpec[keyPairProperties]{
			Attributes: []string{"KeyPairId", "KeyFingerprint"}, Create: s.createKeyResource, Delete: s.deleteKeyResource,
			Identifier: []string{"KeyName"}, Read: s.readKey, Missing: []string{keyPairs.absent},
			List: lists[keyPairProperties](s, "DescribeKeyPairs", func(*string) any { return &api.DescribeKeyPairsInput{} },
				func(o *api.DescribeKeyPairsOutput) ([]api.KeyPairInfo, *string) { return o.KeyPairs, nil }, func(v *api.KeyPairInfo) service.Identifier { return only(v.KeyName) }),
		}),
		service.NewResourceType("AWS::EC2::PrefixList", service.ResourceSpec[prefixListProperties]{
			Attributes: []string{"PrefixListId", "Arn", "OwnerId", "Version"}, Create: s.createListResource, Update: s.updateListResource,
			Delete: func(ctx context.Context, c service.ResourceCall, _ *prefixListProperties) error {
				return remove[api.DeleteManagedPrefixListOutput](ctx, s, "DeleteManagedPrefixList", &api.DeleteManagedPrefixListInput{PrefixListId: c.PhysicalID}, prefixLists.absent)
			},
			Identifier: []string{"PrefixListId"}, Read: s.readList, Missing: []string{prefixLists.absent, prefixLists.malformed},
			List: lists[prefixListProperties](s, "DescribeManagedPrefixLists", func(next *string) any {
				return &api.DescribeManagedPrefixListsInput{NextToken: next, MaxResults: pageSize()}
			},
				func(o *api.DescribeManagedPrefixListsOutput) ([]api.ManagedPrefixList, *string) {
					return o.PrefixLists, o.NextToken
				}, func(v *api.ManagedPrefixList) service.Identifier { return only(v.PrefixListId) }),
		}),
		service.NewResourceType("AWS::EC2::FlowLog", service.ResourceSpec[flowLogProperties]{
			Attributes: []string{"Id"}, Create: s.createFlowResource,
			Update: onlyTags(s, func(p *flowLogProperties) []service.TagProperty { return p.Tags },
				func(_ context.Context, c service.ResourceCall, _ *flowLogProperties) (service.Resource, error) {
					return identified(c.PhysicalID, "Id"), nil
				}),
			Delete: func(ctx context.Context, c service.ResourceCall, _ *flowLogProperties) error {
				_, err := invoke[api.DeleteFlowLogsOutput](ctx, s, "DeleteFlowLogs", &api.DeleteFlowLogsInput{FlowLogIds: []string{c.PhysicalID}})
				return err // one that is gone is told of in the answer
			},
			Identifier: []string{"Id"}, Read: s.readFlowLog, Missing: []string{flowLogs.absent, flowLogs.malformed},
			List: lists[flowLogProperties](s, "DescribeFlowLogs", func(next *string) any { return &api.DescribeFlowLogsInput{NextToken: next, MaxResults: pageSize()} },
				func(o *api.DescribeFlowLogsOutput) ([]api.FlowLog, *string) { return o.FlowLogs, o.NextToken }, func(v *api.FlowLog) service.Identifier { return only(v.FlowLogId) }),
		}),
		service.NewResourceType("AWS::EC2::LaunchTemplate", service.ResourceSpec[launchTemplateProperties]{
			Attributes: []string{"LaunchTemplateId", "DefaultVersionNumber", "LatestVersionNumber"}, Create: s.createTemplateResource, Update: s.updateTemplateResource,
			Delete: func(ctx context.Context, c service.ResourceCall, _ *launchTemplateProperties) error {
				return remove[api.DeleteLaunchTemplateOutput](ctx, s, "DeleteLaunchTemplate", &api.DeleteLaunchTemplateInput{LaunchTemplateId: &c.PhysicalID}, launchTemplates.absent)
			},
			Identifier: []string{"LaunchTemplateId"}, Read: s.readTemplate, Missing: []string{launchTemplates.absent, launchTemplates.malformed},
			List: lists[launchTemplateProperties](s, "DescribeLaunchTemplates", func(next *string) any {
				return &api.DescribeLaunchTemplatesInput{NextToken: next, MaxResults: pageSize()}
			},
				func(o *api.DescribeLaunchTemplatesOutput) ([]api.LaunchTemplate, *string) {
					return o.LaunchTemplates, o.NextToken
				}, func(v *api.LaunchTemplate) service.Identifier { return only(v.LaunchTemplateId) }),
		}),
	}
}

// privateKeyName is the parameter in which AWS keeps the private half of a key that a template makes.
func privateKeyName(id string) string { return "/ec2/keypair/" + id }

// createKeyResource makes a key, or reads the one of the template. The private half of a made one goes into a parameter, as on AWS.
func (s *Service) createKeyResource(ctx context.Context, c service.ResourceCall, p *keyPairProperties) (service.Resource, error) {
	tags := tagsFor(keyPairs.name, c.UserTags(p.Tags))
	show := func(id, fingerprint string) service.Resource {
		return service.Resource{PhysicalID: p.KeyName, Attributes: map[string]any{"KeyPairId": id, "KeyFingerprint": fingerprint}}
	}
	if p.PublicKeyMaterial != nil {
		out, err := create[api.ImportKeyPairOutput](ctx, s, c, "ImportKeyPair", &api.ImportKeyPairInput{KeyName: p.KeyName, PublicKeyMaterial: []byte(*p.PublicKeyMaterial), TagSpecifications: tags})
		if err != nil {
			return service.Resource{}, err
		}
		return show(*out.KeyPairId, *out.KeyFingerprint), nil
	}
	out, err := create[api.CreateKeyPairOutput](ctx, s, c, "CreateKeyPair", &api.CreateKeyPairInput{
		KeyName: p.KeyName, KeyType: opt.Value(p.KeyType), KeyFormat: opt.Value(p.KeyFormat), TagSpecifications: tags,
	})
	if err != nil {
		return service.Resource{}, err
	}
	_, err = service.Call[ssm.PutParameterOutput](ctx, s.deps.Door, "ssm", "PutParameter", &ssm.PutParameterInput{
		Name: privateKeyName(*out.KeyPairId), Type: ssm.ParameterTypeSecureString, Value: *out.KeyMaterial, Overwrite: new(true),
	})
	return show(*out.KeyPairId, *out.KeyFingerprint), err
}

func (s *Service) deleteKeyResource(ctx context.Context, c service.ResourceCall, p *keyPairProperties) error {
	out, err := invoke[api.DeleteKeyPairOutput](ctx, s, "DeleteKeyPair", &api.DeleteKeyPairInput{KeyName: &c.PhysicalID})
	if err != nil || p.PublicKeyMaterial != nil || out.KeyPairId == nil {
		return err
	}
	_, err = service.Call[ssm.DeleteParameterOutput](ctx, s.deps.Door, "ssm", "DeleteParameter", &ssm.DeleteParameterInput{Name: privateKeyName(*out.KeyPairId)})
	return service.Unless(err, "ParameterNotFound")
}

func (p *prefixListProperties) entries() []api.AddPrefixListEntry {
	var out []api.AddPrefixListEntry
	for _, n := range p.Entries {
		out = append(out, api.AddPrefixListEntry{Cidr: n.Cidr, Description: n.Description})
	}
	return out
}

// size is how many entries a list may have: what the template says, or as many as it has.
func (p *prefixListProperties) size() int32 {
	if p.MaxEntries != nil {
		return int32(*p.MaxEntries)
	}
	return int32(max(len(p.Entries), 1))
}

func (s *Service) createListResource(ctx context.Context, c service.ResourceCall, p *prefixListProperties) (service.Resource, error) {
	out, err := create[api.CreateManagedPrefixListOutput](ctx, s, c, "CreateManagedPrefixList", &api.CreateManagedPrefixListInput{
		PrefixListName: p.PrefixListName, AddressFamily: p.AddressFamily, MaxEntries: p.size(), Entries: p.entries(), TagSpecifications: tagsFor(prefixLists.name, c.UserTags(p.Tags)),
	})
	if err != nil {
		return service.Resource{}, err
	}
	return listResource(out.PrefixList), nil
}

func listResource(l *api.ManagedPrefixList) service.Resource {
	return service.Resource{PhysicalID: *l.PrefixListId, Attributes: map[string]any{
		"PrefixListId": *l.PrefixListId, "Arn": *l.PrefixListArn, "OwnerId": *l.OwnerId, "Version": *l.Version,
	}}
}

// updateListResource changes the name and size of a list and then its entries, which AWS does not take in one call. A larger size comes before, a smaller one behind.
func (s *Service) updateListResource(ctx context.Context, c service.ResourceCall, old, p *prefixListProperties) (r service.Resource, err error) {
	entries := &api.ModifyManagedPrefixListInput{PrefixListId: c.PhysicalID, AddEntries: p.entries()}
	for _, n := range old.Entries {
		entries.RemoveEntries = append(entries.RemoveEntries, api.RemovePrefixListEntry{Cidr: n.Cidr})
	}
	size := &api.ModifyManagedPrefixListInput{PrefixListId: c.PhysicalID, PrefixListName: &p.PrefixListName, MaxEntries: new(p.size())}
	order := []*api.ModifyManagedPrefixListInput{size, entries}
	if p.size() < old.size() {
		order = []*api.ModifyManagedPrefixListInput{entries, size}
	}
	for _, in := range order {
		if in == entries && len(in.AddEntries)+len(in.RemoveEntries) == 0 {
			continue
		}
		if err := s.onCurrent(ctx, in); err != nil {
			return r, err
		}
		out, err := invoke[api.ModifyManagedPrefixListOutput](ctx, s, "ModifyManagedPrefixList", in)
		if err != nil {
			return r, err
		}
		r = listResource(out.PrefixList)
	}
	return r, s.retag(ctx, c, c.PhysicalID, c.UserTags(old.Tags), c.UserTags(p.Tags))
}

// onCurrent makes a change of entries one of the current version, and takes from it what an earlier try removed already.
func (s *Service) onCurrent(ctx context.Context, in *api.ModifyManagedPrefixListInput) error {
	if len(in.AddEntries)+len(in.RemoveEntries) == 0 {
		return nil
	}
	return s.view(ctx, func(v *view) error {
		p, err := v.prefixList(in.PrefixListId)
		if err != nil {
			return err
		}
		in.CurrentVersion = p.Version
		has := each(p.Entries[*p.Version-1], func(n *api.PrefixListEntry) []string { return text(n.Cidr) })
		var there []api.RemovePrefixListEntry
		for _, n := range in.RemoveEntries {
			if len(without([]string{n.Cidr}, has)) == 0 {
				there = append(there, n)
			}
		}
		in.RemoveEntries = there
		return nil
	})
}

func (s *Service) createFlowResource(ctx context.Context, c service.ResourceCall, p *flowLogProperties) (service.Resource, error) {
	in := &api.CreateFlowLogsInput{
		ResourceIds: []string{p.ResourceID}, ResourceType: p.ResourceType, TrafficType: opt.Value(p.TrafficType), LogDestination: p.LogDestination,
		LogDestinationType: opt.Value(p.LogDestinationType), LogGroupName: p.LogGroupName, LogFormat: p.LogFormat, DeliverLogsPermissionArn: p.DeliverLogsPermissionArn,
		MaxAggregationInterval: short(p.MaxAggregationInterval), TagSpecifications: tagsFor(flowLogs.name, c.AllTags(p.Tags)),
	}
	if o := p.DestinationOptions; o != nil {
		in.DestinationOptions = &api.DestinationOptionsRequest{FileFormat: o.FileFormat, HiveCompatiblePartitions: o.Hive, PerHourPartition: o.PerHourPartition}
	}
	out, err := create[api.CreateFlowLogsOutput](ctx, s, c, "CreateFlowLogs", in)
	if err != nil {
		return service.Resource{}, err
	}
	for _, u := range out.Unsuccessful {
		return service.Resource{}, refuse(opt.Value(u.Error.Code), "%s", opt.Value(u.Error.Message))
	}
	return identified(out.FlowLogIds[0], "Id"), nil
}

// data reads what a template describes. Its members have the names that the call has for them.
func (p *launchTemplateProperties) data() (*api.RequestLaunchTemplateData, error) {
	b, err := json.Marshal(p.LaunchTemplateData)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	out := new(api.RequestLaunchTemplateData)
	if err := d.Decode(out); err != nil {
		return nil, refuse("ValidationError", "LaunchTemplateData: %s", err)
	}
	return out, nil
}

func (s *Service) createTemplateResource(ctx context.Context, c service.ResourceCall, p *launchTemplateProperties) (service.Resource, error) {
	data, err := p.data()
	if err != nil {
		return service.Resource{}, err
	}
	in := &api.CreateLaunchTemplateInput{LaunchTemplateName: c.Name(128, nil), LaunchTemplateData: data, VersionDescription: p.VersionDescription}
	if p.LaunchTemplateName != nil {
		in.LaunchTemplateName = *p.LaunchTemplateName
	}
	tags := c.AllTags(nil)
	for _, t := range p.TagSpecifications {
		for _, tag := range t.Tags {
			tags[tag.Key] = tag.Value
		}
	}
	in.TagSpecifications = tagsFor(launchTemplates.name, tags)
	out, err := create[api.CreateLaunchTemplateOutput](ctx, s, c, "CreateLaunchTemplate", in)
	if err != nil {
		return service.Resource{}, err
	}
	return templateResource(out.LaunchTemplate), nil
}

func templateResource(t *api.LaunchTemplate) service.Resource {
	return service.Resource{PhysicalID: *t.LaunchTemplateId, Attributes: map[string]any{
		"LaunchTemplateId": *t.LaunchTemplateId, "DefaultVersionNumber": numeral(*t.DefaultVersionNumber), "LatestVersionNumber": numeral(*t.LatestVersionNumber),
	}}
}

// updateTemplateResource adds a version; the default one stays.
func (s *Service) updateTemplateResource(ctx context.Context, c service.ResourceCall, _, p *launchTemplateProperties) (service.Resource, error) {
	data, err := p.data()
	if err != nil {
		return service.Resource{}, err
	}
	_, err = create[api.CreateLaunchTemplateVersionOutput](ctx, s, c, "CreateLaunchTemplateVersion", &api.CreateLaunchTemplateVersionInput{
		LaunchTemplateId: &c.PhysicalID, LaunchTemplateData: data, VersionDescription: p.VersionDescription,
	})
	if err != nil {
		return service.Resource{}, err
	}
	out, err := invoke[api.DescribeLaunchTemplatesOutput](ctx, s, "DescribeLaunchTemplates", &api.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{c.PhysicalID}})
	if err != nil {
		return service.Resource{}, err
	}
	return templateResource(&out.LaunchTemplates[0]), nil
}

func numeral(n int64) string { return strconv.FormatInt(n, 10) }
