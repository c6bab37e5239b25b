package sam

import "slices"

// side is the end whose policy is written.
func (c *connection) side() (end, string) {
	if truthy(c.profile.get("SourcePolicy")) {
		return c.from, "Source"
	}
	return c.to, "Destination"
}

func (c *connection) resource(typ, id string, p *dict) *resource {
	r := newResource(typ, id, c.attributes, p)
	r.dependsOn = c.dependsOn
	return r
}

// document has the statements of the permissions that are wanted.
func (c *connection) document() *dict {
	list := []any{}
	for k, v := range c.profile.dict("AccessCategories").all() {
		if d, ok := v.(*dict); ok && contains(c.allowed, k) {
			list = append(list, asList(d.get("Statement"))...)
		}
	}
	return dictOf("Version", "2012-10-17", "Statement", list)
}

func (c *connection) rolePolicy() ([]*resource, error) {
	e, side := c.side()
	if !truthy(e.roleName) {
		return nil, invalid(c.id, "Unable to get IAM role name from '%s' resource.", side)
	}
	policy := c.resource("AWS::IAM::ManagedPolicy", c.id+"Policy"+c.suffix, dictOf("PolicyDocument", c.document(), "Roles", []any{e.roleName}))
	switch by := c.profile.get("DependedBy"); {
	case is(by, "DESTINATION_EVENT_SOURCE_MAPPING") && c.from.id != "" && c.to.id != "":
		if ids := c.mappingsBetween(); len(ids) == 1 {
			c.addDependency(ids[0], policy.id)
		}
	case is(by, "SOURCE") && c.from.id != "":
		c.addDependency(c.from.id, policy.id)
	}
	return []*resource{policy}, nil
}

// mappingsBetween are the event source mappings by which the destination reads the source.
func (c *connection) mappingsBetween() []string {
	var out []string
	for id, v := range c.made.all() {
		r, _ := v.(*dict)
		p := r.dict("Properties")
		if is(r.get("Type"), "AWS::Lambda::EventSourceMapping") && target(p.get("FunctionName")) == c.to.id && target(p.get("EventSourceArn")) == c.from.id {
			out = append(out, id)
		}
	}
	return out
}

func dependencies(r *dict) []any {
	switch v := r.get("DependsOn").(type) {
	case nil:
		return []any{}
	case []any:
		return slices.Clone(v)
	default:
		return []any{v}
	}
}

func (t *transform) addDependency(id, on string) {
	r := t.made.dict(id)
	if r == nil {
		return
	}
	list := dependencies(r)
	if !contains(list, on) {
		list = append(list, on)
	}
	r.set("DependsOn", list)
}

// waitForConnector lets what depends on a connector depend on what was made of it.
func (t *transform) waitForConnector(id string, made []*resource) {
	for _, v := range t.made.all() {
		r, _ := v.(*dict)
		list := dependencies(r)
		i := slices.IndexFunc(list, func(v any) bool { return is(v, id) })
		if i < 0 {
			continue
		}
		list = slices.Delete(list, i, i+1)
		for _, m := range made {
			if !contains(list, m.id) {
				list = append(list, m.id)
			}
		}
		r.set("DependsOn", list)
	}
}

func (c *connection) resourcePolicy(typ, suffix, list, what string, of func(end) any) ([]*resource, error) {
	e, side := c.side()
	v := of(e)
	if !truthy(v) {
		return nil, invalid(c.id, "Unable to get %s from '%s' resource.", what, side)
	}
	return []*resource{c.resource(typ, c.id+suffix+c.suffix, dictOf("PolicyDocument", c.document(), list, []any{v}))}, nil
}

func (c *connection) functionPermissions() ([]*resource, error) {
	e, side := c.side()
	if !truthy(e.arn) {
		return nil, invalid(c.id, "Unable to get Lambda function ARN from '%s' resource.", side)
	}
	var made []*resource
	for k, v := range c.profile.dict("AccessCategories").all() {
		if !contains(c.allowed, k) {
			continue
		}
		d, _ := v.(*dict)
		made = append(made, c.resource("AWS::Lambda::Permission", c.id+k+"LambdaPermission"+c.suffix, dictOf("Action", d.get("Action"), "FunctionName", e.arn, "Principal", d.get("Principal"),
			"SourceArn", d.get("SourceArn"), "SourceAccount", d.get("SourceAccount"))))
	}
	return made, nil
}

// describe tells in the metadata of what was made which types are connected.
func (c *connection) describe(made []*resource) {
	typ := func(e end) any {
		if t := c.resources.dict(e.id).get("Type"); truthy(t) {
			return t
		}
		return e.typ
	}
	for _, r := range made {
		metadata := newDict()
		if old, ok := r.attributes.get("Metadata").(*dict); ok {
			metadata.update(old)
		}
		metadata.set("aws:sam:connectors", dictOf(c.id, dictOf("Source", dictOf("Type", typ(c.from)), "Destination", dictOf("Type", typ(c.to)))))
		r.attributes.set("Metadata", metadata)
	}
}
