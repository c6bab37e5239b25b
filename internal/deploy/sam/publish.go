package sam

import (
	"regexp"
	"strings"
)

var (
	aliasName  = regexp.MustCompile(`^[a-zA-Z0-9\-_]+$`)
	onlyDigits = regexp.MustCompile(`^[0-9]+$`)
)

// publish makes a version of the function and the alias that points to it.
func (f *aFunction) publish() ([]*resource, error) {
	given := f.get("AutoPublishAlias")
	if truthy(f.get("ProvisionedConcurrencyConfig")) && !truthy(given) {
		return nil, invalid(f.id, "To set ProvisionedConcurrencyConfig AutoPublishALias must be defined on the function")
	}
	if !truthy(given) {
		return nil, nil
	}
	resolved, err := f.resolve(given)
	if err != nil {
		return nil, err
	}
	alias, ok := text(resolved)
	if !ok {
		return nil, invalid(f.id, "'AutoPublishAlias' must be a string or a Ref to a template parameter")
	}
	hash, err := f.codeHash()
	if err != nil {
		return nil, err
	}
	version, err := f.version(hash)
	if err != nil {
		return nil, err
	}
	switch {
	case alias == "":
		return nil, invalid(f.id, "Alias name is required to create an alias")
	case !aliasName.MatchString(alias) || onlyDigits.MatchString(alias):
		return nil, invalid(f.id, "AutoPublishAlias name ('%s') must contain only alphanumeric characters, hyphens, or underscores matching (?!^[0-9]+$)([a-zA-Z0-9-_]+) pattern.", alias)
	}
	p := dictOf("Name", alias, "FunctionName", f.main.ref(), "FunctionVersion", getAtt(version.id, "Version"))
	if v := f.get("ProvisionedConcurrencyConfig"); truthy(v) {
		p.set("ProvisionedConcurrencyConfig", v)
	}
	f.alias = f.beside("AWS::Lambda::Alias", f.id+"Alias"+strings.NewReplacer("-", "D", "_", "U").Replace(alias), p)
	return []*resource{version, f.alias}, nil
}

// codeHash is the digest of the code that the author states; it is written into the description, so that the function changes with it.
func (f *aFunction) codeHash() (string, error) {
	given := f.get("AutoPublishCodeSha256")
	if !truthy(given) {
		return "", nil
	}
	resolved, err := f.resolve(given)
	if err != nil {
		return "", err
	}
	hash, ok := text(resolved)
	if !ok {
		return "", invalid(f.id, "AutoPublishCodeSha256 must be a string")
	}
	description, err := f.resolve(f.get("Description"))
	if err != nil {
		return "", err
	}
	s, isText := text(description)
	switch {
	case !truthy(description):
		f.main.set("Description", hash)
	case isText:
		f.main.set("Description", s+" "+hash)
	default:
		f.main.set("Description", dictOf("Fn::Join", []any{" ", []any{description, hash}}))
	}
	return hash, nil
}

// version publishes the function whenever its code changes: the logical id is made from what matters.
func (f *aFunction) version(hash string) (*resource, error) {
	resolved, err := f.resolve(f.main.get("Code"))
	if err != nil {
		return nil, err
	}
	id := f.id + "Version"
	if hash != "" {
		id += hash[:min(len(hash), idDigits)]
	} else {
		id = logicalID(id, f.published(resolved.(*dict)))
	}
	attributes := f.handedDown()
	if !attributes.has("DeletionPolicy") {
		policy := any("Retain")
		if f.get("CapacityProviderConfig") != nil {
			policy = "Delete"
		}
		if v := f.get("VersionDeletionPolicy"); v != nil {
			policy = v
		}
		attributes.set("DeletionPolicy", policy)
	}
	p := dictOf("FunctionName", f.main.ref(), "Description", f.get("VersionDescription"))
	if f.get("CapacityProviderConfig") != nil && f.get("FunctionScalingConfig") != nil {
		p.set("FunctionScalingConfig", f.get("FunctionScalingConfig"))
	}
	return newResource("AWS::Lambda::Version", id, attributes, p), nil
}

// published is what a new version depends on: the code, or all properties if that is wanted.
func (f *aFunction) published(code *dict) *dict {
	if truthy(f.get("AutoPublishAliasAllProperties")) {
		out := f.main.properties.copy()
		for _, layer := range asList(f.main.get("Layers")) {
			id := target(layer)
			r := f.made.dict(id)
			if p := r.dict("Properties"); truthy(p.get("PublishLambdaVersion")) {
				out.set(id, p)
			}
		}
		return out
	}
	out := code.copy()
	out.update(f.properties.dict("Environment"))
	if v := f.get("MemorySize"); truthy(v) {
		out.set("MemorySize", v)
	}
	if v := f.properties.dict("SnapStart"); v.len() > 0 && v.has("ApplyOn") && !is(v.get("ApplyOn"), "None") {
		out.set("SnapStart", v)
	}
	return out
}
