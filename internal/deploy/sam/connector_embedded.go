package sam

// embeddedConnectors turns the attribute Connectors of resources into resources.
func (t *transform) embeddedConnectors() error {
	all := newDict()
	for id, v := range t.resources.all() {
		r := v.(*dict)
		if !r.has("Connectors") {
			continue
		}
		connectors := r.dict("Connectors")
		if connectors == nil {
			if err := t.collect(invalid(id, "%s", wrongType("attribute", id+".Connectors", "map"))); err != nil {
				return err
			}
			continue
		}
		for key, v := range connectors.all() {
			made, err := t.embedded(id, key, v)
			if err == nil {
				all.set(id+key, made)
			} else if err := t.collect(err); err != nil {
				return err
			}
		}
	}
	t.resources.update(all)
	for _, v := range t.resources.all() {
		v.(*dict).remove("Connectors")
	}
	return nil
}

func (t *transform) embedded(id, key string, v any) (*dict, error) {
	full := id + key
	given, ok := v.(*dict)
	if !ok {
		return nil, invalid(full, "%s.%s should be a map.", id, full)
	}
	path := "Connectors." + key + ".Properties"
	p, ok := clone(given.get("Properties")).(*dict)
	if !ok {
		return nil, invalid(id, "%s", wrongType("attribute", path, "map"))
	}
	from := dictOf("Id", id)
	if p.has("SourceReference") {
		reference, err := inResource(id, path+".SourceReference").dict(p.get("SourceReference"))
		if err != nil {
			return nil, err
		}
		if reference.has("Id") {
			return nil, invalid(key, "'Id' shouldn't be defined in 'SourceReference'.")
		}
		from.update(reference)
		p.remove("SourceReference")
	}
	p.set("Source", from)
	if err := checkID(full); err != nil {
		return nil, err
	}
	if err := connectorSchema.check(full, typeConnector, p); err != nil {
		return nil, err
	}
	if t.resources.has(full) {
		return nil, &problem{about: id, message: "Transforming resource with id [" + id + "] attempts to create a new resource with id [" + full + "] and type \"" + typeConnector +
			"\". A resource with that id already exists within this template. Please use a different id for that resource."}
	}
	out := dictOf("Type", typeConnector)
	for _, k := range append([]string{"DependsOn"}, keptAttributes...) {
		if given.has(k) {
			out.set(k, clone(given.get(k)))
		}
	}
	out.set("Properties", p)
	return out, nil
}
