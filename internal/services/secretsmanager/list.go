package secretsmanager

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// fits tells whether a secret passes a filter, see
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Filter.html: one of its values must match, and a value with ! in front must not.
func fits(f *found, filter api.Filter) bool {
	for _, v := range filter.Values {
		want, not := strings.CutPrefix(v, "!")
		if has(f, filter.Key, want) != not {
			return true
		}
	}
	return false
}

func has(f *found, key, want string) bool {
	anyPrefix := func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(t string) bool { return strings.HasPrefix(t, want) })
	}
	words := func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(t string) bool { return hasWords(t, want) })
	}
	keys, values := slices.Collect(maps.Keys(f.Tags)), slices.Collect(maps.Values(f.Tags))
	switch key {
	case api.FilterNameStringTypeName:
		return anyPrefix(f.Name)
	case api.FilterNameStringTypeDescription:
		return words(f.Description)
	case api.FilterNameStringTypeTagKey:
		return anyPrefix(keys...)
	case api.FilterNameStringTypeTagValue:
		return anyPrefix(values...)
	case api.FilterNameStringTypePrimaryRegion:
		return anyPrefix(f.Primary)
	case api.FilterNameStringTypeOwningService:
		return anyPrefix(f.Owner)
	case api.FilterNameStringTypeAll:
		return words(append(append([]string{f.Name, f.Description}, keys...), values...)...)
	}
	return false
}

// hasWords tells whether each word of want begins a word of text, in any case.
func hasWords(text, want string) bool {
	split := func(t string) []string {
		return strings.FieldsFunc(strings.ToLower(t), func(r rune) bool { return strings.ContainsRune(" /_+=.@-!", r) })
	}
	have := split(text)
	for _, w := range split(want) {
		if !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, w) }) {
			return false
		}
	}
	return true
}

// matching returns the secrets of the caller's place that pass all filters.
func (s *Service) matching(ctx context.Context, filters []api.Filter, deleted bool) (out []*found, err error) {
	p := placeOf(ctx)
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		out = nil
		for row, err := range record.Range[secretRecord](r, p.secrets().Span()) {
			if err != nil {
				return err
			}
			f := &found{p, row.Value}
			if !f.Deleted.IsZero() && !deleted || slices.ContainsFunc(filters, func(x api.Filter) bool { return !fits(f, x) }) {
				continue
			}
			out = append(out, f)
		}
		return nil
	})
	return out, err
}

func (s *Service) listSecrets(ctx context.Context, in *api.ListSecretsInput) (*api.ListSecretsOutput, error) {
	all, err := s.matching(ctx, in.Filters, opt.Value(in.IncludePlannedDeletion))
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b *found) int {
		switch in.SortBy {
		case api.SortByTypeName:
			return strings.Compare(a.Name, b.Name)
		case api.SortByTypeLastChangedDate:
			return a.Changed.Compare(b.Changed)
		case api.SortByTypeLastAccessedDate:
			return a.Accessed.Compare(b.Accessed)
		}
		return a.Created.Compare(b.Created)
	})
	if in.SortOrder == api.SortOrderTypeDesc {
		slices.Reverse(all)
	}
	part, next, err := slice(all, in.MaxResults, in.NextToken, func(f *found) string { return f.Name })
	out := &api.ListSecretsOutput{SecretList: []api.SecretListEntry{}, NextToken: next}
	for _, f := range part {
		out.SecretList = append(out.SecretList, f.entry())
	}
	return out, err
}

// batchGetSecretValue reads many values, each with the right to read it.
func (s *Service) batchGetSecretValue(ctx context.Context, in *api.BatchGetSecretValueInput) (*api.BatchGetSecretValueOutput, error) {
	if (len(in.SecretIdList) > 0) == (len(in.Filters) > 0) {
		return nil, badParameter("You must give either SecretIdList or Filters.")
	}
	ids := in.SecretIdList
	out := &api.BatchGetSecretValueOutput{SecretValues: []api.SecretValueEntry{}, Errors: []api.APIErrorType{}}
	if len(in.Filters) > 0 {
		all, err := s.matching(ctx, in.Filters, false)
		if err != nil {
			return nil, err
		}
		limit := in.MaxResults
		if limit == nil {
			limit = new(int32(20))
		}
		part, next, err := slice(all, limit, in.NextToken, func(f *found) string { return f.Name })
		if err != nil {
			return nil, err
		}
		out.NextToken = next
		for _, f := range part {
			ids = append(ids, f.arn())
		}
	}
	for _, id := range ids {
		v, err := service.Call[api.GetSecretValueOutput](ctx, s.deps.Door, "secretsmanager", "GetSecretValue", &api.GetSecretValueInput{SecretId: id})
		var e *service.Error
		switch {
		case errors.As(err, &e):
			out.Errors = append(out.Errors, api.APIErrorType{SecretId: &id, ErrorCode: &e.Code, Message: &e.Message})
		case err != nil:
			return nil, err
		default:
			out.SecretValues = append(out.SecretValues, api.SecretValueEntry(*v))
		}
	}
	return out, nil
}
