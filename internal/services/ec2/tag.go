package ec2

import (
	"context"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store/key"
)

// Limits of tags (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions).
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// classes are the kinds of objects that have tags.
func classes() []*class {
	return []*class{
		&vpcs.class, &subnets.class, &routeTables.class, &internetGateways.class, &egressGateways.class, &natGateways.class, &vpnGateways.class, &addresses.class,
		&interfaces.class, &groups.class, &rules.class, &acls.class, &dhcpSets.class, &endpoints.class, &prefixLists.class, &keyPairs.class, &launchTemplates.class,
		&peerings.class, &flowLogs.class,
	}
}

// classWith returns the kind whose ids begin as one does, or nil.
func classWith(id string) *class {
	prefix, _, _ := strings.Cut(id, "-")
	for _, c := range classes() {
		if c.prefix == prefix {
			return c
		}
	}
	return nil
}

// classOf returns the kind that an id is of.
func classOf(id string) (*class, error) {
	if c := classWith(id); c != nil {
		return c, c.check(id)
	}
	return nil, refuse("InvalidID", "The ID '%s' is not valid", id)
}

// tagsOf returns the tags of an object, sorted by their keys.
func (v *view) tagsOf(id string) ([]api.Tag, error) {
	out := []api.Tag{}
	prefix := v.tags(id)
	for p, err := range v.Range(prefix.Span()) {
		if err != nil {
			return nil, err
		}
		out = append(out, api.Tag{Key: new(key.Decode(p.Key).Skip(prefix).Str()), Value: new(string(p.Value))})
	}
	return out, nil
}

// setTags gives an object tags.
func (e *edit) setTags(id string, tags []api.Tag) error {
	if len(tags) == 0 {
		return nil
	}
	for _, t := range tags {
		name, value := opt.Value(t.Key), opt.Value(t.Value)
		switch {
		case name == "":
			return invalid("Tag key cannot be null")
		case len([]rune(name)) > maxTagKey:
			return invalid("Tag key exceeds the maximum length of %d characters", maxTagKey)
		case len([]rune(value)) > maxTagValue:
			return invalid("Tag value exceeds the maximum length of %d characters", maxTagValue)
		case !e.reserved && strings.HasPrefix(strings.ToLower(name), "aws:"):
			return invalid("Tag keys starting with 'aws:' are reserved for internal use")
		}
		e.tx.Set(e.tag(id, name), []byte(value))
	}
	all, err := e.tagsOf(id)
	if err != nil {
		return err
	}
	own := slices.DeleteFunc(all, func(t api.Tag) bool { return strings.HasPrefix(*t.Key, "aws:") })
	if len(own) > maxTags {
		return refuse("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	}
	return nil
}

// specified gives a new object the tags that its creation names for its kind.
func (e *edit) specified(c *class, id string, specs []api.TagSpecification) error {
	for _, spec := range specs {
		if spec.ResourceType != c.name {
			return invalid("'%s' is not a valid taggable resource type for this operation.", spec.ResourceType)
		}
		if err := e.setTags(id, spec.Tags); err != nil {
			return err
		}
	}
	return nil
}

// taggable makes sure that the objects with ids are there.
func (v *view) taggable(ids []string) error {
	for _, id := range ids {
		c, err := classOf(id)
		if err != nil {
			return err
		}
		if _, err := v.Get(v.object(c.name, id)); err != nil {
			return c.notFound(id)
		}
	}
	return nil
}

func (s *Service) createTags(ctx context.Context, in *api.CreateTagsInput) (*api.CreateTagsOutput, error) {
	return &api.CreateTagsOutput{}, s.update(ctx, func(e *edit) error {
		if err := e.taggable(in.Resources); err != nil {
			return err
		}
		for _, id := range in.Resources {
			if err := e.setTags(id, in.Tags); err != nil {
				return err
			}
		}
		return nil
	})
}

// deleteTags deletes tags by their keys; one that is named with a value only when it has that, and all when none is named.
func (s *Service) deleteTags(ctx context.Context, in *api.DeleteTagsInput) (*api.DeleteTagsOutput, error) {
	return &api.DeleteTagsOutput{}, s.update(ctx, func(e *edit) error {
		if err := e.taggable(in.Resources); err != nil {
			return err
		}
		for _, id := range in.Resources {
			has, err := e.tagsOf(id)
			if err != nil {
				return err
			}
			for _, t := range has {
				if !e.reserved && strings.HasPrefix(*t.Key, "aws:") {
					continue
				}
				named := slices.ContainsFunc(in.Tags, func(n api.Tag) bool {
					return opt.Value(n.Key) == *t.Key && (n.Value == nil || *n.Value == *t.Value)
				})
				if named || len(in.Tags) == 0 {
					e.tx.Delete(e.tag(id, *t.Key))
				}
			}
		}
		return nil
	})
}

var tagFields = fields[*api.TagDescription]{
	id: func(t *api.TagDescription) *string { return new(*t.ResourceId + "\x00" + *t.Key) },
	values: map[string]func(*api.TagDescription) []string{
		"key":           func(t *api.TagDescription) []string { return text(t.Key) },
		"value":         func(t *api.TagDescription) []string { return text(t.Value) },
		"resource-id":   func(t *api.TagDescription) []string { return text(t.ResourceId) },
		"resource-type": func(t *api.TagDescription) []string { return []string{t.ResourceType} },
	},
}

func (s *Service) describeTags(ctx context.Context, in *api.DescribeTagsInput) (*api.DescribeTagsOutput, error) {
	out := &api.DescribeTagsOutput{}
	return out, s.view(ctx, func(v *view) (err error) {
		var rows []api.TagDescription
		prefix := v.allTags()
		for p, err := range v.Range(prefix.Span()) {
			if err != nil {
				return err
			}
			d := key.Decode(p.Key).Skip(prefix)
			id, name := d.Str(), d.Str()
			c, err := classOf(id)
			if err != nil {
				return err
			}
			rows = append(rows, api.TagDescription{ResourceId: &id, ResourceType: c.name, Key: &name, Value: new(string(p.Value))})
		}
		out.Tags, out.NextToken, err = choose(rows, query{filters: in.Filters, max: in.MaxResults, token: in.NextToken}, &tagFields)
		return err
	})
}
