package sam

import (
	"regexp"
	"strings"
)

// addResourcePolicy adds to the policy of the API who may call a path: accounts, networks and addresses.
func (s *swagger) addResourcePolicy(policy *dict, path string, stage any) error {
	resources, err := s.resourcesOf(path, stage)
	if err != nil {
		return err
	}
	for _, list := range [][2]string{{"AwsAccountWhitelist", "Allow"}, {"AwsAccountBlacklist", "Deny"}} {
		if v := policy.get(list[0]); v != nil {
			if err := s.allowAccounts(v, list[1], resources); err != nil {
				return err
			}
		}
	}
	for _, list := range [][2]string{{"IpRangeWhitelist", "NotIpAddress"}, {"IpRangeBlacklist", "IpAddress"}} {
		v := policy.get(list[0])
		if !truthy(v) {
			continue
		}
		if !isList(v) {
			v = []any{v}
		}
		s.denyIf(dictOf(list[1], dictOf("aws:SourceIp", v)), resources)
	}
	for _, list := range [][2]string{{"Blacklist", "StringEquals"}, {"Whitelist", "StringNotEquals"}} {
		names := policy.get("SourceVpc" + list[0])
		networks := asList(names)
		for _, e := range networks {
			if _, ok := text(e); !ok {
				return invalidDocument("SourceVpc%s must be a list of strings. Use IntrinsicVpc%s instead for values that use Intrinsic Functions", list[0], list[0])
			}
		}
		if condition := networkCondition(networks, policy.get("IntrinsicVpc"+list[0]), policy.get("IntrinsicVpce"+list[0])); condition.len() > 0 {
			s.denyIf(dictOf(list[1], condition), resources)
		}
	}
	s.doc.set(keyPolicy, s.policy)
	return nil
}

var (
	vpcEndpoint = regexp.MustCompile(`^vpce-`)
	vpc         = regexp.MustCompile(`^vpc-`)
)

// networkCondition compares where a call comes from with networks and endpoints.
func networkCondition(names []any, networks, endpoints any) *dict {
	out := newHashed()
	var vpcs, vpces []any
	for _, e := range names {
		s, _ := text(e)
		if vpcEndpoint.MatchString(s) {
			vpces = append(vpces, e)
		}
		if vpc.MatchString(s) {
			vpcs = append(vpcs, e)
		}
	}
	for _, part := range []struct {
		key  string
		list []any
	}{{"aws:SourceVpc", vpcs}, {"aws:SourceVpce", vpces}, {"aws:SourceVpc", asList(networks)}, {"aws:SourceVpce", asList(endpoints)}} {
		if len(part.list) > 0 {
			out.set(part.key, append(append([]any{}, asList(out.get(part.key))...), part.list...))
		}
	}
	return out
}

// resourcesOf are the methods of a path as resources of a policy.
func (s *swagger) resourcesOf(path string, stage any) ([]any, error) {
	items, err := s.pathItems(path)
	if err != nil {
		return nil, err
	}
	key := s.pathName(path)
	out := []any{}
	wild := pathVariable.ReplaceAllString(path, "*")
	for _, item := range items {
		for _, m := range item.names() {
			method := m
			if method.text = strings.ToUpper(m.text); strings.EqualFold(m.text, anyMethod) || strings.EqualFold(m.text, "any") {
				method = name{"*", false}
			}
			r := name{"execute-api:/${__Stage__}/" + method.text + wild, method.unicode || key.unicode}
			d := newDict()
			d.set("__Stage__", stage)
			out = append(out, dictOf("Fn::Sub", []any{r.value(), d}))
		}
	}
	return out, nil
}

// pathName returns the key of a path as it was written.
func (d *definition) pathName(path string) name {
	for _, k := range d.paths.names() {
		if k.text == path {
			return k
		}
	}
	return name{path, false}
}

func (s *swagger) allowAccounts(v any, effect string, resources []any) error {
	if !truthy(v) {
		return nil
	}
	list, ok := v.([]any)
	if d, isMap := v.(*dict); isMap {
		list, ok = []any{d}, true
	}
	if !ok {
		return invalidDocument("Type of '%s' must be a list or dictionary", python(v))
	}
	policy := s.versioned()
	statement := hashedOf("Effect", effect, "Action", "execute-api:Invoke", "Resource", resources, "Principal", hashedOf("AWS", list))
	if policy.get("Statement") == nil {
		policy.set("Statement", statement)
		return nil
	}
	policy.set("Statement", append(statements(policy), statement))
	return nil
}

// denyIf lets everybody call, but those for whom a condition holds.
func (s *swagger) denyIf(condition *dict, resources []any) {
	policy := s.versioned()
	list := statements(policy)
	for _, statement := range []*dict{
		hashedOf("Effect", "Allow", "Action", "execute-api:Invoke", "Resource", resources, "Principal", "*"),
		hashedOf("Effect", "Deny", "Action", "execute-api:Invoke", "Resource", resources, "Principal", "*", "Condition", condition),
	} {
		if !contains(list, statement) {
			list = append(list, statement)
		}
	}
	policy.set("Statement", list)
}

// addStatements adds statements as they are.
func (s *swagger) addStatements(custom any) {
	policy := s.versioned()
	if policy.get("Statement") == nil {
		policy.set("Statement", custom)
	} else {
		list := statements(policy)
		more, ok := custom.([]any)
		if !ok {
			more = []any{custom}
		}
		for _, e := range more {
			if !contains(list, e) {
				list = append(list, e)
			}
		}
		policy.set("Statement", list)
	}
	s.doc.set(keyPolicy, policy)
}

func (s *swagger) versioned() *dict {
	policy, ok := s.policy.(*dict)
	if !ok {
		policy = newHashed()
		s.policy = policy
	}
	policy.set("Version", "2012-10-17")
	return policy
}

// statements returns a copy of the statements of a policy.
func statements(policy *dict) []any {
	switch v := policy.get("Statement").(type) {
	case nil:
		return []any{}
	case []any:
		return append([]any{}, v...)
	default:
		return []any{v}
	}
}
