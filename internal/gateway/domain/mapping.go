package domain

import (
	"context"
	"regexp"
	"strings"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

var mappingPath = regexp.MustCompile(`^[A-Za-z0-9$\-_.+!*'()]+(/[A-Za-z0-9$\-_.+!*'()]+)*$`)

// maxPath bounds the path of a mapping, in bytes.
const maxPath = 300

// findPlane returns the plane that has an API with a stage. A private name leads to private APIs alone.
func (d *Domains) findPlane(r store.Reader, s Scope, n *Name, api, stage string) (string, error) {
	for name, p := range d.planes {
		found, err := p.Has(r, s, api, stage)
		switch {
		case err != nil:
			return "", err
		case found.API && !found.Stage:
			return "", badRequest("Invalid stage identifier specified")
		case found.API && !found.Private && n.Endpoint == Private:
			return "", badRequest("The API %s is not private: a private custom domain name leads to APIs with the endpoint type PRIVATE.", api)
		case found.API:
			return name, nil
		}
	}
	return "", badRequest("Invalid API identifier specified %s:%s", s.Account, api)
}

// PutMapping stores a mapping of a name: a new one gets an ID. Its plane is found by its API.
func (d *Domains) PutMapping(ctx context.Context, s Scope, name string, m *Mapping) error {
	m.Path = strings.Trim(m.Path, "/")
	if m.Path != "" && (len(m.Path) > maxPath || !mappingPath.MatchString(m.Path)) {
		return badRequest("API mapping key %q has characters that are not allowed: give letters, digits and $-_.+!*'() between slashes.", m.Path)
	}
	id := m.ID
	if id == "" {
		var err error
		if id, err = d.newID(6); err != nil {
			return err
		}
	}
	return d.deps.Store.Update(ctx, func(tx store.Txn) error {
		n, err := Load(tx, s, name)
		if err != nil {
			return err
		}
		all, err := record.List[Mapping](tx, s.mappings(n.Key()).Span())
		if err != nil {
			return err
		}
		for i := range all {
			if all[i].Path == m.Path && all[i].ID != id {
				return conflict("ApiMapping key already exists for this domain name")
			}
		}
		if len(all) >= maxMappings && m.ID == "" {
			return badRequest("A custom domain name has at most %d mappings.", maxMappings)
		}
		if m.Plane, err = d.findPlane(tx, s, &n, m.API, m.Stage); err != nil {
			return err
		}
		m.ID = id
		return record.Set(tx, s.mapping(n.Key(), id), *m)
	})
}

// Mappings returns the mappings of a name.
func (d *Domains) Mappings(ctx context.Context, s Scope, name string) (all []Mapping, err error) {
	err = d.deps.Store.View(ctx, func(r store.Reader) error {
		n, err := Load(r, s, name)
		if err != nil {
			return err
		}
		all, err = record.List[Mapping](r, s.mappings(n.Key()).Span())
		return err
	})
	return all, err
}

// Mapping returns the mapping of a name for which match is true, or NotFoundException.
func (d *Domains) Mapping(ctx context.Context, s Scope, name string, match func(m *Mapping) bool) (Mapping, error) {
	all, err := d.Mappings(ctx, s, name)
	if err != nil {
		return Mapping{}, err
	}
	for i := range all {
		if match(&all[i]) {
			return all[i], nil
		}
	}
	return Mapping{}, notFound("Invalid mapping identifier specified")
}

// DeleteMapping removes a mapping of a name, or returns NotFoundException.
func (d *Domains) DeleteMapping(ctx context.Context, s Scope, name, id string) error {
	return d.deps.Store.Update(ctx, func(tx store.Txn) error {
		n, err := Load(tx, s, name)
		if err != nil {
			return err
		}
		if ok, err := record.Has(tx, s.mapping(n.Key(), id)); err != nil || !ok {
			if err == nil {
				err = notFound("Invalid mapping identifier specified")
			}
			return err
		}
		tx.Delete(s.mapping(n.Key(), id))
		return nil
	})
}
