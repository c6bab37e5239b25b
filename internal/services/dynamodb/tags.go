package dynamodb

import (
	"context"
	"maps"
	"slices"
	"strings"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

func tagMap(tags []ddb.Tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

// tagged returns the table name in the ARN of a tagging operation.
func tagged(p place, arn string) (string, error) {
	if !strings.HasPrefix(arn, "arn:aws:dynamodb:") || !strings.Contains(arn, ":table/") {
		return "", invalid("Invalid TableArn: Invalid ResourceArn provided as input %s", arn)
	}
	name := tableName(arn)
	if arn != tableARN(p, name) {
		return "", accessDenied(arn)
	}
	return name, nil
}

// accessDenied is AWS's answer for tags of a table that does not exist.
func accessDenied(arn string) error {
	return service.Errorf(codeAccessDenied, "The table %s does not exist in this account and region, or may not be tagged by you.", arn)
}

func (s *Service) tagResource(ctx context.Context, in *ddb.TagResourceInput) (*ddb.TagResourceOutput, error) {
	p := placeOf(ctx)
	name, err := tagged(p, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if len(in.Tags) == 0 {
		return nil, invalid("Atleast one Tag needs to be provided as Input.")
	}
	_, err = s.changeTable(ctx, p, name, func(_ store.Txn, _ *table, r *tableRecord) error {
		if r.Tags == nil {
			r.Tags = map[string]string{}
		}
		maps.Copy(r.Tags, tagMap(in.Tags))
		if len(r.Tags) > maxTags {
			return invalid("Too many tags: a table has at most %d", maxTags)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ddb.TagResourceOutput{}, nil
}

func (s *Service) untagResource(ctx context.Context, in *ddb.UntagResourceInput) (*ddb.UntagResourceOutput, error) {
	p := placeOf(ctx)
	name, err := tagged(p, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if len(in.TagKeys) == 0 {
		return nil, invalid("Atleast one Tag Key needs to be provided as Input.")
	}
	_, err = s.changeTable(ctx, p, name, func(_ store.Txn, _ *table, r *tableRecord) error {
		for _, k := range in.TagKeys {
			delete(r.Tags, k)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ddb.UntagResourceOutput{}, nil
}

func (s *Service) listTagsOfResource(ctx context.Context, in *ddb.ListTagsOfResourceInput) (*ddb.ListTagsOfResourceOutput, error) {
	p := placeOf(ctx)
	name, err := tagged(p, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &ddb.ListTagsOfResourceOutput{Tags: []ddb.Tag{}}
	err = s.store.View(ctx, func(r store.Reader) error {
		t, err := s.findTable(r, p, name)
		if err != nil {
			return err
		}
		if t == nil {
			return accessDenied(in.ResourceArn)
		}
		for _, k := range slices.Sorted(maps.Keys(t.Tags)) {
			out.Tags = append(out.Tags, ddb.Tag{Key: k, Value: t.Tags[k]})
		}
		return nil
	})
	return out, storeError(err)
}
