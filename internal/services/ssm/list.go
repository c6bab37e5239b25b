package ssm

import (
	"context"
	"errors"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func (s *Service) getParametersByPath(ctx context.Context, in *api.GetParametersByPathInput) (*api.GetParametersByPathOutput, error) {
	p := placeOf(ctx)
	path, ours := p.nameIn(in.Path)
	if !ours || path == "" || path[0] != '/' || path != "/" && !nameForm.MatchString(path) {
		return nil, invalid("The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol \"/\". Valid example: /get/parameters2-/by1./path0_.")
	}
	keep, err := pathFilter(in.ParameterFilters)
	if err != nil {
		return nil, err
	}
	if path != "/" {
		path = strings.TrimSuffix(path, "/") + "/"
	}
	out := &api.GetParametersByPathOutput{Parameters: []api.Parameter{}}
	if strings.HasPrefix(path, publicPrefix) {
		for _, name := range publicNames(path, opt.Value(in.Recursive)) {
			v, _ := public(p.region, name)
			out.Parameters = append(out.Parameters, *v)
		}
		return out, nil
	}
	limit := 10
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	var found []parameterRecord
	out.NextToken, err = s.page(ctx, record.Paging{NamePrefix: path, Token: in.NextToken, Limit: limit}, func(r parameterRecord) bool {
		below := strings.TrimPrefix(pathOf(r.Name), path)
		if strings.Contains(below, "/") && !opt.Value(in.Recursive) || !strings.Contains(r.Name, "/") && path != "/" || !keep(&r) {
			return false
		}
		found = append(found, r)
		return true
	})
	if err != nil {
		return nil, err
	}
	for i := range found {
		v, err := s.shown(ctx, p, found[i].Name, &found[i].Current, opt.Value(in.WithDecryption))
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, *v)
	}
	return out, nil
}

// page calls keep with parameters in the order of their paths.
func (s *Service) page(ctx context.Context, g record.Paging, keep func(r parameterRecord) bool) (*string, error) {
	next, err := record.Page(ctx, s.deps.Store, placeOf(ctx).parameters(), g, func(_ string, r parameterRecord) bool { return keep(r) })
	if errors.Is(err, record.ErrToken) {
		err = refused("InvalidNextToken", "The specified token isn't valid.")
	}
	return next, err
}

// pathFilter reads the filters of GetParametersByPath, see
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html.
func pathFilter(filters []api.ParameterStringFilter) (func(r *parameterRecord) bool, error) {
	for _, f := range filters {
		if !slices.Contains([]string{"Type", "KeyId", "Label"}, f.Key) {
			return nil, refused("InvalidFilterKey", "The following filter key is not valid: %s. Valid filter keys include: [Type, KeyId, Label].", f.Key)
		}
	}
	return filter(filters)
}

func filter(filters []api.ParameterStringFilter) (func(r *parameterRecord) bool, error) {
	for _, f := range filters {
		option := opt.Value(f.Option)
		switch {
		case !slices.Contains([]string{"Type", "KeyId", "Label", "Name", "Path", "Tier", "DataType"}, f.Key) && !strings.HasPrefix(f.Key, "tag:"):
			return nil, refused("InvalidFilterKey", "The following filter key is not valid: %s. Valid filter keys include: [Path, Name, Type, KeyId, Tier, DataType, tag:…].", f.Key)
		case !slices.Contains([]string{"", "Equals", "BeginsWith", "Contains", "Recursive", "OneLevel"}, option):
			return nil, refused("InvalidFilterOption", "The following filter option is not valid: %s. Valid options include: [BeginsWith, Equals].", option)
		case len(f.Values) == 0 && !strings.HasPrefix(f.Key, "tag:"):
			return nil, refused("InvalidFilterValue", "The following filter values are missing : null for filter key %s.", f.Key)
		}
	}
	return func(r *parameterRecord) bool {
		for _, f := range filters {
			if !matches(f, r) {
				return false
			}
		}
		return true
	}, nil
}

// matches tells whether one filter lets a parameter pass.
func matches(f api.ParameterStringFilter, r *parameterRecord) bool {
	var have []string
	switch {
	case f.Key == "Type":
		have = []string{r.Current.Type}
	case f.Key == "KeyId":
		have = []string{r.Current.KeyID}
	case f.Key == "Tier":
		have = []string{r.Tier}
	case f.Key == "DataType":
		have = []string{r.Current.DataType}
	case f.Key == "Label":
		have = r.Current.Labels
	case f.Key == "Name":
		have = []string{r.Name, pathOf(r.Name)}
	case f.Key == "Path":
		return slices.ContainsFunc(f.Values, func(path string) bool { return isBelow(r.Name, path, opt.Value(f.Option) == "Recursive") })
	default:
		v, has := r.Tags[strings.TrimPrefix(f.Key, "tag:")]
		if !has || len(f.Values) == 0 {
			return has
		}
		have = []string{v}
	}
	fits := func(h, want string) bool { return h == want }
	switch opt.Value(f.Option) {
	case "BeginsWith":
		fits = strings.HasPrefix
	case "Contains":
		fits = strings.Contains
	}
	return slices.ContainsFunc(have, func(h string) bool {
		return slices.ContainsFunc(f.Values, func(want string) bool { return fits(h, want) })
	})
}

func isBelow(name, path string, recursive bool) bool {
	below, ok := strings.CutPrefix(pathOf(name), strings.TrimSuffix(path, "/")+"/")
	return ok && (recursive || !strings.Contains(below, "/"))
}

func (s *Service) describeParameters(ctx context.Context, in *api.DescribeParametersInput) (*api.DescribeParametersOutput, error) {
	if opt.Value(in.Shared) {
		return nil, service.Unsupported("ValidationException", "DescribeParameters", "Shared")
	}
	if len(in.Filters) > 0 && len(in.ParameterFilters) > 0 {
		return nil, invalid("You can use either Filters or ParameterFilters in a single request.")
	}
	filters := in.ParameterFilters
	for _, f := range in.Filters {
		filters = append(filters, api.ParameterStringFilter{Key: f.Key, Values: f.Values, Option: ptr("BeginsWith")})
	}
	keep, err := filter(filters)
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	limit := 50
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	out := &api.DescribeParametersOutput{Parameters: []api.ParameterMetadata{}}
	out.NextToken, err = s.page(ctx, record.Paging{Token: in.NextToken, Limit: limit}, func(r parameterRecord) bool {
		if !keep(&r) {
			return false
		}
		v := &r.Current
		m := api.ParameterMetadata{
			Name: ptr(r.Name), ARN: ptr(p.arn(r.Name)), Type: v.Type, KeyId: opt.Of(v.KeyID), LastModifiedDate: ptr(v.Modified), LastModifiedUser: ptr(v.User),
			Description: opt.Of(v.Description), AllowedPattern: opt.Of(v.Pattern), Version: ptr(v.Version), Tier: r.Tier, DataType: ptr(v.DataType), Policies: []api.ParameterInlinePolicy{},
		}
		for _, policy := range r.Policies {
			m.Policies = append(m.Policies, api.ParameterInlinePolicy{PolicyType: ptr(policy.Type), PolicyText: ptr(policy.Text), PolicyStatus: ptr("Pending")})
		}
		out.Parameters = append(out.Parameters, m)
		return true
	})
	return out, err
}

// change loads a parameter, lets fn change it and saves it.
func (s *Service) change(ctx context.Context, name string, missing func() error, fn func(tx store.Txn, r *parameterRecord) error) error {
	p := placeOf(ctx)
	return s.deps.Store.Update(ctx, func(tx store.Txn) error {
		r, there, err := record.Get[parameterRecord](tx, p.parameter(name))
		if err != nil {
			return err
		}
		if !there {
			return missing()
		}
		if err := fn(tx, &r); err != nil {
			return err
		}
		return record.Set(tx, p.parameter(name), r)
	})
}
