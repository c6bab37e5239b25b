package ssm

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Limits of parameters, see https://docs.aws.amazon.com/general/latest/gr/ssm.html.
const (
	maxVersions      = 100
	maxName          = 1011
	maxLevels        = 15
	standardSize     = 4 << 10
	advancedSize     = 8 << 10
	maxStandardCount = 10_000
)

// parameterRecord is a parameter with its current version.
type parameterRecord struct {
	// Name is the name as it was first put.
	Name     string
	Tier     string
	Policies []policyRecord    `json:",omitempty"`
	Tags     map[string]string `json:",omitempty"`
	// First is the oldest version that is kept.
	First   int64
	Current versionRecord
}

// versionRecord is one version of a parameter.
type versionRecord struct {
	Version                     int64
	Type, DataType              string
	Description, Pattern, KeyID string `json:",omitempty"`
	Value                       string `json:",omitempty"`
	Sealed, Wrapped             []byte `json:",omitempty"`
	Labels                      []string
	User                        string
	Modified                    time.Time
	Tier                        string
}

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

// checkName refuses names that a parameter cannot have, see
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html.
func checkName(name string) error {
	first, _, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	lower := strings.ToLower(first)
	switch {
	case !nameForm.MatchString(name), strings.Contains(name, "//"), strings.HasSuffix(name, "/"), strings.Contains(name, "/") && name[0] != '/':
		return invalid("Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_")
	case strings.HasPrefix(lower, "ssm"):
		return invalid("Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_")
	case strings.HasPrefix(lower, "aws"):
		return refused("AccessDeniedException", "No access to reserved parameter name: %s.", name)
	case len(name) > maxName:
		return invalid("Parameter name: may not have more than %d characters.", maxName)
	case strings.Count(name, "/") > maxLevels:
		return refused("HierarchyLevelLimitExceededException", "Parameter name must not exceed %d levels.", maxLevels)
	}
	return nil
}

func (s *Service) putParameter(ctx context.Context, in *api.PutParameterInput) (*api.PutParameterOutput, error) {
	p := placeOf(ctx)
	if strings.HasPrefix(in.Name, "arn:") {
		return nil, invalid("PutParameter takes the name of a parameter, not its ARN: %s.", in.Name)
	}
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 && opt.Value(in.Overwrite) {
		return nil, invalid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	}
	policies, err := readPolicies(opt.Value(in.Policies))
	if err != nil {
		return nil, err
	}
	v := versionRecord{
		Type: in.Type, DataType: opt.Value(in.DataType), Description: opt.Value(in.Description), Pattern: opt.Value(in.AllowedPattern), KeyID: opt.Value(in.KeyId),
		User: service.RequestFrom(ctx).Principal.ARN, Modified: s.now(),
	}
	current, there, err := s.find(ctx, p, in.Name)
	if err != nil {
		return nil, err
	}
	if err := v.complete(in, current, there); err != nil {
		return nil, err
	}
	tier, err := tierFor(in.Tier, current.Tier, len(in.Value), len(policies))
	if err != nil {
		return nil, err
	}
	v.Tier = tier
	if err := s.keep(ctx, p, in.Name, &v, in.Value); err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error { return s.put(tx, p, in, v, policies) })
	if err != nil {
		return nil, err
	}
	saved, _, err := s.find(ctx, p, in.Name)
	return &api.PutParameterOutput{Tier: tier, Version: &saved.Current.Version}, err
}

// complete checks a new version against the parameter that it belongs to, and takes over what the call leaves out.
func (v *versionRecord) complete(in *api.PutParameterInput, current parameterRecord, there bool) error {
	switch {
	case v.Type == "" && there:
		v.Type = current.Current.Type
	case v.Type == "":
		return invalid("A parameter type is required when you create a parameter.")
	case there && v.Type != current.Current.Type:
		return refused("HierarchyTypeMismatchException", "The parameter %s has the type %s, which an update does not change. Delete the parameter and put it anew.", in.Name, current.Current.Type)
	}
	if there && v.Description == "" {
		v.Description = current.Current.Description
	}
	if v.DataType == "" {
		v.DataType = "text"
	}
	if v.KeyID != "" && v.Type != api.ParameterTypeSecureString {
		return invalid("KeyId is required for SecureString type parameter only.")
	}
	if v.Type == api.ParameterTypeSecureString && v.KeyID == "" {
		v.KeyID = "alias/aws/ssm"
	}
	switch v.DataType {
	case "text", "aws:ec2:image":
	case "aws:ssm:integration":
		return service.Unsupported("ValidationException", "PutParameter", "DataType aws:ssm:integration")
	default:
		return invalid("The following data type is not supported: %s (Data type names are all lowercase.)", v.DataType)
	}
	if in.Value == "" {
		return invalid("1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.")
	}
	if v.Pattern == "" {
		return nil
	}
	re, err := regexp.Compile("^(?:" + v.Pattern + ")$")
	if err != nil {
		return refused("InvalidAllowedPatternException", "The pattern %s is not one that Lambent can check: %v", v.Pattern, err)
	}
	if !re.MatchString(in.Value) {
		return refused("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s", v.Pattern)
	}
	return nil
}

// tierFor returns the tier that a value has.
func tierFor(asked, before string, size, policies int) (string, error) {
	large := size > standardSize || policies > 0
	tier := asked
	switch {
	case asked == "" && before != "":
		tier = before
	case asked == "":
		tier = api.ParameterTierStandard
	case asked == api.ParameterTierIntelligentTiering:
		tier = api.ParameterTierStandard
		if large || before == api.ParameterTierAdvanced {
			tier = api.ParameterTierAdvanced
		}
	}
	switch {
	case tier == api.ParameterTierStandard && before == api.ParameterTierAdvanced:
		return "", invalid("This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.")
	case tier == api.ParameterTierStandard && size > standardSize:
		return "", invalid("Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html", standardSize)
	case tier == api.ParameterTierStandard && policies > 0:
		return "", refused("PoliciesLimitExceededException", "Parameter policies need the advanced-parameter tier.")
	case size > advancedSize:
		return "", invalid("Advanced tier parameters support a maximum parameter value of %d characters.", advancedSize)
	}
	return tier, nil
}

// put adds a version to a parameter, which it may create.
func (s *Service) put(tx store.Txn, p place, in *api.PutParameterInput, v versionRecord, policies []policyRecord) error {
	cur, there, err := record.Get[parameterRecord](tx, p.parameter(in.Name))
	if err != nil {
		return err
	}
	if there && !opt.Value(in.Overwrite) {
		return refused("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	}
	if !there {
		cur = parameterRecord{Name: in.Name, First: 1, Tags: tagMap(in.Tags)}
	}
	v.Version = cur.Current.Version + 1
	if v.Version-cur.First >= maxVersions {
		oldest, _, err := record.Get[versionRecord](tx, p.version(in.Name, cur.First))
		if err != nil {
			return err
		}
		if len(oldest.Labels) > 0 {
			return refused("ParameterMaxVersionLimitExceeded", "You attempted to create a new version of %s by calling the PutParameter API with the overwrite flag. Version %d, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.", in.Name, cur.First)
		}
		tx.Delete(p.version(in.Name, cur.First))
		cur.First++
	}
	cur.Current, cur.Tier = v, v.Tier
	if in.Policies != nil {
		cur.Policies = policies
	}
	if err := s.schedule(tx, p, &cur); err != nil {
		return err
	}
	if err := record.Set(tx, p.version(in.Name, v.Version), v); err != nil {
		return err
	}
	return record.Set(tx, p.parameter(in.Name), cur)
}

func (s *Service) find(ctx context.Context, p place, name string) (r parameterRecord, there bool, err error) {
	err = s.deps.Store.View(ctx, func(tx store.Reader) error {
		r, there, err = record.Get[parameterRecord](tx, p.parameter(name))
		return err
	})
	return r, there, err
}

func (s *Service) deleteParameter(ctx context.Context, in *api.DeleteParameterInput) (*api.DeleteParameterOutput, error) {
	p := placeOf(ctx)
	return &api.DeleteParameterOutput{}, s.deps.Store.Update(ctx, func(tx store.Txn) error {
		there, err := remove(tx, p, in.Name)
		if err == nil && !there {
			err = notFound("Parameter %s not found.", in.Name)
		}
		return err
	})
}

func (s *Service) deleteParameters(ctx context.Context, in *api.DeleteParametersInput) (*api.DeleteParametersOutput, error) {
	p := placeOf(ctx)
	out := &api.DeleteParametersOutput{}
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		out.DeletedParameters, out.InvalidParameters = []string{}, []string{}
		for _, name := range in.Names {
			there, err := remove(tx, p, name)
			switch {
			case err != nil:
				return err
			case there:
				out.DeletedParameters = append(out.DeletedParameters, name)
			default:
				out.InvalidParameters = append(out.InvalidParameters, name)
			}
		}
		return nil
	})
	return out, err
}

func remove(tx store.Txn, p place, name string) (there bool, err error) {
	cur, there, err := record.Get[parameterRecord](tx, p.parameter(name))
	if err != nil || !there {
		return false, err
	}
	tx.Delete(p.parameter(name))
	span := p.versions(name).Span()
	tx.DeleteRange(span.Lo, span.Hi)
	if len(cur.Policies) > 0 {
		return true, events.Cancel(tx, expireKind, p.arn(name))
	}
	return true, nil
}

// policyRecord is one policy of a parameter.
type policyRecord struct {
	Type, Text string
	// Expires is when an Expiration policy ends the parameter.
	Expires time.Time `json:",omitzero"`
}

// readPolicies reads the parameter Policies, see
// https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-policies.html.
func readPolicies(text string) ([]policyRecord, error) {
	if text == "" {
		return nil, nil
	}
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, refused("InvalidPolicyTypeException", "Policies must be a JSON array of policies: %v", err)
	}
	if len(raw) > 10 {
		return nil, refused("PoliciesLimitExceededException", "A parameter has at most 10 policies.")
	}
	var out []policyRecord
	for _, b := range raw {
		var policy struct {
			Type, Version string
			Attributes    struct{ Timestamp string }
		}
		if err := json.Unmarshal(b, &policy); err != nil {
			return nil, refused("InvalidPolicyAttributeException", "A policy must be an object with Type, Version and Attributes: %v", err)
		}
		switch policy.Type {
		case "Expiration":
		case "ExpirationNotification", "NoChangeNotification":
			return nil, service.Unsupported("InvalidPolicyTypeException", "PutParameter", "policy type "+policy.Type)
		default:
			return nil, refused("InvalidPolicyTypeException", "The policy type %q is none of Expiration, ExpirationNotification and NoChangeNotification.", policy.Type)
		}
		at, err := time.Parse(time.RFC3339, policy.Attributes.Timestamp)
		if err != nil || slices.ContainsFunc(out, func(o policyRecord) bool { return o.Type == policy.Type }) {
			return nil, refused("InvalidPolicyAttributeException", "The policy Expiration takes one Timestamp such as 2026-12-02T21:34:33.000Z.")
		}
		out = append(out, policyRecord{Type: policy.Type, Text: string(b), Expires: at})
	}
	return out, nil
}

// expireKind is the job that deletes a parameter whose Expiration policy says so.
const expireKind = "ssm.expire"

type expiry struct{ Account, Region, Name string }

// schedule sets the time at which the parameter expires.
func (s *Service) schedule(tx store.Txn, p place, r *parameterRecord) error {
	i := slices.IndexFunc(r.Policies, func(o policyRecord) bool { return o.Type == "Expiration" })
	if i < 0 {
		return nil
	}
	payload, err := json.Marshal(expiry{p.account, p.region, r.Name})
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: expireKind, Name: p.arn(r.Name), Payload: payload, NotBefore: r.Policies[i].Expires})
}

func (s *Service) expire(_ context.Context, j events.Job) error {
	var e expiry
	if err := json.Unmarshal(j.Payload, &e); err != nil {
		return events.Permanent(fmt.Errorf("decode job: %w", err))
	}
	p := place{e.Account, e.Region}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		cur, there, err := record.Get[parameterRecord](tx, p.parameter(e.Name))
		if err != nil || !there || !slices.ContainsFunc(cur.Policies, func(o policyRecord) bool { return o.Type == "Expiration" && !o.Expires.After(s.now()) }) {
			return err
		}
		tx.Delete(p.parameter(e.Name))
		span := p.versions(e.Name).Span()
		tx.DeleteRange(span.Lo, span.Hi)
		return nil
	})
}
