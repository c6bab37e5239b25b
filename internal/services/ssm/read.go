package ssm

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/awsapi/secretsmanager"
	api "lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// splitSelector splits "name:3" and "name:label" from a name or an ARN, see
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html.
func splitSelector(name string) (plain, selector string) {
	from := strings.LastIndexByte(name, '/') + 1
	if from == 0 && strings.HasPrefix(name, "arn:") {
		return name, ""
	}
	i := strings.IndexByte(name[from:], ':')
	if i < 0 {
		return name, ""
	}
	return name[:from+i], name[from+i:]
}

// secretPrefix is where the secrets of Secrets Manager can be read as parameters, see
// https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html.
const secretPrefix = "/aws/reference/secretsmanager/"

// one reads a parameter in any of the forms in which it can be named. It returns an error with the code ParameterNotFound when there is none.
func (s *Service) one(ctx context.Context, asked string, decrypt bool) (*api.Parameter, error) {
	p := placeOf(ctx)
	plain, selector := splitSelector(asked)
	name, ours := p.nameIn(plain)
	switch {
	case !ours:
		return nil, invalid("Parameter name: the ARN %s names no parameter of this account and region. Parameters of other accounts cannot be shared with this one.", plain)
	case strings.HasPrefix(name, secretPrefix):
		return s.secret(ctx, name, decrypt)
	case strings.HasPrefix(name, publicPrefix):
		if v, ok := public(p.region, name); ok && selector == "" {
			return v, nil
		}
		return nil, notFound("Parameter %s not found.", name)
	case strings.Contains(name, "//"), strings.Contains(name, "/") && name[0] != '/', !nameForm.MatchString(name):
		return nil, invalid("Invalid parameter name: %s. If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_", name)
	}
	var v versionRecord
	err := s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		v, err = selected(r, p, name, selector)
		return err
	})
	if err != nil {
		return nil, err
	}
	out, err := s.shown(ctx, p, name, &v, decrypt)
	if err == nil && plain != name {
		out.Name = &name
	}
	if selector != "" && err == nil {
		out.Selector = &selector
	}
	return out, err
}

// selected returns the version of a parameter that a selector names, or the current one.
func selected(r store.Reader, p place, name, selector string) (versionRecord, error) {
	cur, there, err := record.Get[parameterRecord](r, p.parameter(name))
	if err != nil {
		return versionRecord{}, err
	}
	if !there {
		return versionRecord{}, notFound("Parameter %s not found.", name)
	}
	which := strings.TrimPrefix(selector, ":")
	if which == "" {
		return cur.Current, nil
	}
	if n, err := strconv.ParseInt(which, 10, 64); err == nil {
		v, there, err := record.Get[versionRecord](r, p.version(name, n))
		if err == nil && !there {
			err = refused("ParameterVersionNotFound", "Systems Manager could not find version %d of %s. Verify the version and try again.", n, name)
		}
		return v, err
	}
	all, err := record.List[versionRecord](r, p.versions(name).Span())
	for _, v := range all {
		if slices.Contains(v.Labels, which) {
			return v, nil
		}
	}
	if err == nil {
		err = refused("ParameterVersionNotFound", "Systems Manager could not find label %s of %s. Verify the label and try again.", which, name)
	}
	return versionRecord{}, err
}

func (s *Service) shown(ctx context.Context, p place, name string, v *versionRecord, decrypt bool) (*api.Parameter, error) {
	value, err := s.reveal(ctx, p, name, v, decrypt)
	if err != nil {
		return nil, err
	}
	return &api.Parameter{
		ARN: ptr(p.arn(name)), Name: &name, Type: v.Type, DataType: ptr(v.DataType), Value: &value, Version: ptr(v.Version), LastModifiedDate: ptr(v.Modified),
	}, nil
}

// secret reads the value of a secret with the caller's own right to it.
func (s *Service) secret(ctx context.Context, name string, decrypt bool) (*api.Parameter, error) {
	if !decrypt {
		return nil, invalid("WithDecryption flag must be True for retrieving a Secret Manager secret.")
	}
	id := strings.TrimPrefix(name, secretPrefix)
	missing := notFound("An error occurred (ParameterNotFound) when referencing Secrets Manager: Secret %s not found.", strings.TrimPrefix(name, "/"))
	v, err := service.Call[secretsmanager.GetSecretValueOutput](ctx, s.deps.Door, "secretsmanager", "GetSecretValue", &secretsmanager.GetSecretValueInput{SecretId: id})
	switch {
	case service.Code(err) == "ResourceNotFoundException":
		return nil, missing
	case err != nil:
		return nil, err
	}
	source, err := json.Marshal(map[string]any{
		"ARN": v.ARN, "name": v.Name, "versionId": v.VersionId, "secretString": v.SecretString, "versionStages": v.VersionStages, "createdDate": v.CreatedDate,
	})
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	return &api.Parameter{
		ARN: ptr(p.arn(name)), Name: &name, Type: api.ParameterTypeSecureString, DataType: ptr("text"), Value: v.SecretString, Version: ptr(int64(0)),
		LastModifiedDate: v.CreatedDate, SourceResult: ptr(string(source)),
	}, nil
}

func (s *Service) getParameter(ctx context.Context, in *api.GetParameterInput) (*api.GetParameterOutput, error) {
	v, err := s.one(ctx, in.Name, opt.Value(in.WithDecryption))
	if err != nil {
		return nil, err
	}
	return &api.GetParameterOutput{Parameter: v}, nil
}

func (s *Service) getParameters(ctx context.Context, in *api.GetParametersInput) (*api.GetParametersOutput, error) {
	out := &api.GetParametersOutput{Parameters: []api.Parameter{}, InvalidParameters: []string{}}
	seen := map[string]bool{}
	for _, name := range in.Names {
		if seen[name] {
			return nil, invalid("The following names occur more than once: %s.", name)
		}
		seen[name] = true
		v, err := s.one(ctx, name, opt.Value(in.WithDecryption))
		var e *service.Error
		switch {
		case err == nil:
			out.Parameters = append(out.Parameters, *v)
		case errors.As(err, &e) && (e.Code == "ParameterNotFound" || e.Code == "ParameterVersionNotFound"):
			out.InvalidParameters = append(out.InvalidParameters, name)
		default:
			return nil, err
		}
	}
	order.Sort(out.Parameters, func(a, b api.Parameter) int { return strings.Compare(*a.Name, *b.Name) })
	return out, nil
}

func (s *Service) getParameterHistory(ctx context.Context, in *api.GetParameterHistoryInput) (*api.GetParameterHistoryOutput, error) {
	p := placeOf(ctx)
	name, ours := p.nameIn(in.Name)
	if !ours {
		return nil, notFound("Parameter %s not found.", in.Name)
	}
	cur, there, err := s.find(ctx, p, name)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, notFound("Parameter %s not found.", in.Name)
	}
	from := cur.First
	if token := opt.Value(in.NextToken); token != "" {
		if from, err = strconv.ParseInt(token, 10, 64); err != nil {
			return nil, refused("InvalidNextToken", "The specified token isn't valid.")
		}
	}
	limit := int64(50)
	if in.MaxResults != nil {
		limit = int64(*in.MaxResults)
	}
	out := &api.GetParameterHistoryOutput{Parameters: []api.ParameterHistory{}}
	var all []versionRecord
	err = s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		span := p.versions(name).Span()
		span.Lo, span.Limit = p.version(name, from), int(limit)+1
		all, err = record.List[versionRecord](r, span)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range all {
		v := &all[i]
		if int64(i) == limit {
			out.NextToken = ptr(strconv.FormatInt(v.Version, 10))
			break
		}
		value, err := s.reveal(ctx, p, name, v, opt.Value(in.WithDecryption))
		if err != nil {
			return nil, err
		}
		h := api.ParameterHistory{
			Name: &cur.Name, Type: v.Type, KeyId: opt.Of(v.KeyID), LastModifiedDate: &v.Modified, LastModifiedUser: &v.User, Description: opt.Of(v.Description),
			Value: &value, AllowedPattern: opt.Of(v.Pattern), Version: &v.Version, Labels: v.Labels, Tier: v.Tier, DataType: &v.DataType, Policies: []api.ParameterInlinePolicy{},
		}
		if h.Labels == nil {
			h.Labels = []string{}
		}
		out.Parameters = append(out.Parameters, h)
	}
	return out, nil
}
