package sam

import (
	"maps"
	"strings"
)

// alias publishes a version and points an alias at it when the function asks for that (AutoPublishAlias). It returns the logical id that
// events and permissions name: the alias, or the function itself.
func (t *transform) alias(s source, f object) (string, error) {
	v, has := s.properties["AutoPublishAlias"]
	if !has {
		for _, k := range []string{"ProvisionedConcurrencyConfig", "VersionDescription", "AutoPublishCodeSha256", "VersionDeletionPolicy"} {
			if s.properties[k] != nil {
				return "", invalid(s.id, "To set %s AutoPublishAlias must be defined on the function", k)
			}
		}
		return s.id, nil
	}
	name, ok := t.resolve(v).(string)
	if !ok {
		return "", invalid(s.id, "'AutoPublishAlias' must be a string or a Ref to a template parameter")
	}
	if !aliasName(name) {
		return "", invalid(s.id, "AutoPublishAlias name ('%s') must contain only alphanumeric characters, hyphens, or underscores, and not only digits.", name)
	}
	versionID, err := t.versionID(s, f)
	if err != nil {
		return "", err
	}
	version := object{"FunctionName": ref(s.id)}
	if d, has := s.properties["VersionDescription"]; has {
		version["Description"] = d
	}
	r := s.derived("AWS::Lambda::Version", version)
	own, has := t.resolve(s.properties["VersionDeletionPolicy"]).(string)
	switch _, inherited := r["DeletionPolicy"]; {
	case inherited:
	case has && own != "Delete" && own != "Retain":
		return "", invalid(s.id, "'VersionDeletionPolicy' must be one of the following options: ['Delete', 'Retain'].")
	case has:
		r["DeletionPolicy"] = own
	case f["CapacityProviderConfig"] != nil:
		r["DeletionPolicy"] = "Delete" // its environments take room as long as it is there
	default:
		r["DeletionPolicy"] = "Retain"
	}
	s.copyTo(version, "FunctionScalingConfig")
	t.out[versionID] = r
	aliasID := s.id + "Alias" + strings.NewReplacer("-", "D", "_", "U").Replace(name)
	p := object{"Name": name, "FunctionName": ref(s.id), "FunctionVersion": getAtt(versionID, "Version")}
	s.copyTo(p, "ProvisionedConcurrencyConfig")
	t.out[aliasID] = s.derived("AWS::Lambda::Alias", p)
	t.renamed[s.id+".Alias"], t.renamed[s.id+".Version"] = aliasID, versionID
	return aliasID, nil
}

func aliasName(name string) bool {
	digits := true
	for _, c := range name {
		isDigit := c >= '0' && c <= '9'
		digits = digits && isDigit
		if !isDigit && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return !digits
}

// versionID names a version after what it publishes, so that a change of the code makes a new version.
func (t *transform) versionID(s source, f object) (string, error) {
	if v, has := s.properties["AutoPublishCodeSha256"]; has {
		sum, ok := t.resolve(v).(string)
		if !ok {
			return "", invalid(s.id, "AutoPublishCodeSha256 must be a string")
		}
		switch d := t.resolve(s.properties["Description"]).(type) {
		case nil:
			f["Description"] = sum
		case string:
			f["Description"] = strings.TrimSpace(d + " " + sum)
		default:
			f["Description"] = object{"Fn::Join": []any{" ", []any{d, sum}}}
		}
		return s.id + "Version" + sum[:min(10, len(sum))], nil
	}
	data := object{}
	if code, ok := t.deepResolve(f["Code"]).(object); ok {
		maps.Copy(data, code)
	}
	if e, ok := f["Environment"].(object); ok {
		maps.Copy(data, e)
	}
	if m := f["MemorySize"]; m != nil {
		data["MemorySize"] = m
	}
	if snap, ok := f["SnapStart"].(object); ok && snap["ApplyOn"] != nil && snap["ApplyOn"] != "None" {
		data["SnapStart"] = snap
	}
	return logicalID(s.id+"Version", data)
}

// deepResolve replaces the Refs to parameters anywhere in v.
func (t *transform) deepResolve(v any) any {
	switch x := t.resolve(v).(type) {
	case object:
		out := make(object, len(x))
		for k, e := range x {
			out[k] = t.deepResolve(e)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = t.deepResolve(e)
		}
		return out
	default:
		return x
	}
}

// rename rewrites references to what got another logical id: layers, and the alias and version of a function ("F.Alias").
func (t *transform) rename(v any) any {
	switch x := v.(type) {
	case []any:
		for i, e := range x {
			x[i] = t.rename(e)
		}
	case object:
		if name, a, ok := intrinsic(x); ok {
			if t.renameCall(x, name, a) {
				return x
			}
		}
		for k, e := range x {
			if k == "DependsOn" {
				x[k] = t.renameNames(e)
				continue
			}
			x[k] = t.rename(e)
		}
	}
	return v
}

// renameNames rewrites the value of DependsOn.
func (t *transform) renameNames(v any) any {
	switch x := v.(type) {
	case string:
		if to := t.renamed[x]; to != "" {
			return to
		}
	case []any:
		for i, e := range x {
			x[i] = t.renameNames(e)
		}
	}
	return v
}

func (t *transform) renameCall(x object, name string, a any) bool {
	switch name {
	case "Ref":
		if s, ok := a.(string); ok && t.renamed[s] != "" {
			x[name] = t.renamed[s]
		}
		return true
	case "Fn::GetAtt":
		if l, ok := a.([]any); ok && len(l) == 2 {
			if s, ok := l[0].(string); ok && t.renamed[s] != "" {
				x[name] = []any{t.renamed[s], l[1]}
			} else if att, ok := l[1].(string); ok {
				head, rest, more := strings.Cut(att, ".")
				if to := t.renamed[s+"."+head]; to != "" && more {
					x[name] = []any{to, rest}
				}
			}
		}
		return true
	case "Fn::Sub":
		switch l := a.(type) {
		case string:
			x[name] = t.renameText(l)
			return true
		case []any:
			if s, ok := l[0].(string); len(l) == 2 && ok {
				l[0] = t.renameText(s)
			}
		}
	}
	return false
}

func (t *transform) renameText(s string) string {
	for old, to := range t.renamed {
		s = strings.ReplaceAll(s, "${"+old+"}", "${"+to+"}")
		if strings.Contains(old, ".") {
			s = strings.ReplaceAll(s, "${"+old+".", "${"+to+".")
		}
	}
	return s
}

// functionURL expands FunctionUrlConfig; a public URL comes with the two permissions that it needs, see
// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html.
func (t *transform) functionURL(s source, target string) error {
	v, has := s.properties["FunctionUrlConfig"]
	if !has {
		return nil
	}
	c, ok := v.(object)
	if _, _, call := intrinsic(v); !ok || call {
		return invalid(s.id, "Lambent supports FunctionUrlConfig as a mapping only.")
	}
	if err := checkKeys(s.id, c, []string{"AuthType", "Cors", "InvokeMode"}); err != nil {
		return err
	}
	_, _, call := intrinsic(c["AuthType"])
	if c["AuthType"] != "NONE" && c["AuthType"] != "AWS_IAM" && !call {
		return invalid(s.id, "AuthType is required to configure function property `FunctionUrlConfig`. Please provide either AWS_IAM or NONE.")
	}
	p := object{"TargetFunctionArn": ref(target)}
	maps.Copy(p, c)
	t.out[s.id+"Url"] = s.derived("AWS::Lambda::Url", p)
	if c["AuthType"] == "NONE" {
		t.out[s.id+"UrlPublicPermissions"] = s.derived("AWS::Lambda::Permission", object{
			"Action": "lambda:InvokeFunctionUrl", "FunctionName": ref(target), "Principal": "*", "FunctionUrlAuthType": "NONE",
		})
		t.out[s.id+"URLInvokeAllowPublicAccess"] = s.derived("AWS::Lambda::Permission", object{
			"Action": "lambda:InvokeFunction", "FunctionName": ref(target), "Principal": "*", "InvokedViaFunctionUrl": true,
		})
	}
	return nil
}
