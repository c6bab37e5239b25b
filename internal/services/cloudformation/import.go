package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// importsOf finds the existing resources that a change set takes into its stack, notes them in the proposal and returns why it cannot take them, as the reason
// of a change set that failed. stack is nil for a new one. See
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources.html.
func (s *Service) importsOf(ctx context.Context, in *cloudformation.CreateChangeSetInput, p *proposal, stack *stackRecord) (refused string, err error) {
	if in.ChangeSetType != deploy.Import {
		switch {
		case len(in.ResourcesToImport) > 0:
			return "", invalid("ResourcesToImport can be given only for a change set of the type IMPORT.")
		case deref(in.ImportExistingResources):
			return s.importExisting(ctx, p)
		}
		return "", nil
	}
	if len(in.ResourcesToImport) == 0 {
		return "", invalid("A change set of the type IMPORT needs ResourcesToImport: the resource type, the logical id and the identifier of each resource to import.")
	}
	wanted, err := s.identified(in.ResourcesToImport, p.expanded.template)
	if err != nil {
		return "", err
	}
	if err := onlyImports(p, wanted, stack); err != nil {
		return "", err
	}
	return s.takeAll(ctx, p, wanted)
}

// identified checks which resources are to be imported, and returns their identifiers by logical id.
func (s *Service) identified(list []cloudformation.ResourceToImport, t *template.Template) (map[string]service.Identifier, error) {
	out := map[string]service.Identifier{}
	var unsupported, unkept []string
	for _, r := range list {
		have, ok := t.Resources[r.LogicalResourceId]
		switch {
		case !ok:
			return nil, invalid("Resources [%s] to import do not exist in the template.", r.LogicalResourceId)
		case have.Type != r.ResourceType:
			return nil, invalid("Resource %s to import is a %s in the template, and ResourcesToImport says %s.", r.LogicalResourceId, have.Type, r.ResourceType)
		case out[r.LogicalResourceId] != nil:
			return nil, invalid("Resource %s is more than once in ResourcesToImport.", r.LogicalResourceId)
		}
		typ, _ := s.types().Of(r.ResourceType)
		if typ.Read == nil || typ.Identifier == nil {
			unsupported = append(unsupported, r.ResourceType)
			continue
		}
		if have.DeletionPolicy == "" && have.Policies["DeletionPolicy"] == nil {
			unkept = append(unkept, r.LogicalResourceId)
		}
		id, err := identifier(typ, r)
		if err != nil {
			return nil, err
		}
		out[r.LogicalResourceId] = id
	}
	if len(unsupported) > 0 {
		return nil, invalid("ResourceTypes [%s] are not supported for Import", strings.Join(unsupported, ", "))
	}
	if len(unkept) > 0 {
		return nil, invalid("The following resources to import [%s] must have DeletionPolicy attribute specified in the template.", strings.Join(unkept, ", "))
	}
	return out, nil
}

func identifier(typ service.ResourceType, r cloudformation.ResourceToImport) (service.Identifier, error) {
	var id service.Identifier
	for _, name := range typ.Identifier {
		v := r.ResourceIdentifier[name]
		if v == "" {
			return nil, invalid("The identifier of resource %s to import needs a value for each of [%s].", r.LogicalResourceId, strings.Join(typ.Identifier, ", "))
		}
		id = append(id, v)
	}
	if len(r.ResourceIdentifier) > len(id) {
		return nil, invalid("The identifier of resource %s to import has other keys than [%s].", r.LogicalResourceId, strings.Join(typ.Identifier, ", "))
	}
	return id, nil
}

// onlyImports refuses an import that does anything else.
func onlyImports(p *proposal, wanted map[string]service.Identifier, stack *stackRecord) error {
	var unlisted, changed []string
	left := maps.Clone(wanted)
	for _, c := range p.plan.Changes {
		_, listed := wanted[c.LogicalID]
		switch {
		case c.Action == deploy.Add && listed:
			delete(left, c.LogicalID)
		case c.Action == deploy.Add:
			unlisted = append(unlisted, c.LogicalID)
		default:
			changed = append(changed, c.LogicalID)
		}
	}
	slices.Sort(unlisted)
	slices.Sort(changed)
	switch {
	case len(unlisted) > 0:
		return invalid("Resources [%s] is missing from ResourceToImport list", strings.Join(unlisted, ", "))
	case len(changed) > 0:
		return invalid("You have modified resources [%s] in your template that are not being imported. Update, create or delete operations cannot be executed during import operations.", strings.Join(changed, ", "))
	case len(left) > 0:
		return invalid("Resources [%s] are part of the stack already, or their condition is false, and cannot be imported.", strings.Join(slices.Sorted(maps.Keys(left)), ", "))
	case p.outputs || stack == nil && len(p.plan.Outputs) > 0:
		return invalid("As part of the import operation, you cannot modify or add [Outputs]")
	}
	return nil
}

// reading returns the context in which the resources to import are read: they are read as whoever will deploy the stack.
func (s *Service) reading(ctx context.Context, p *proposal) (context.Context, error) {
	as, err := s.deployer(ctx, p.deployment, service.RequestFrom(ctx).Principal)
	return service.As(ctx, as), err
}

// takeAll reads the resources to import and makes their lines of the plan imports. It returns why one cannot be imported.
func (s *Service) takeAll(ctx context.Context, p *proposal, wanted map[string]service.Identifier) (refused string, err error) {
	reading, err := s.reading(ctx, p)
	if err != nil {
		return "", err
	}
	for i := range p.plan.Changes {
		c := &p.plan.Changes[i]
		id := wanted[c.LogicalID]
		if id == nil {
			continue
		}
		typ, _ := s.types().Of(c.Type)
		state, err := typ.Read(reading, id)
		if errors.Is(err, service.ErrGone) {
			return fmt.Sprintf("Resource of type '%s' with identifier '%s' was not found, so %s cannot be imported.", c.Type, id, c.LogicalID), nil
		}
		if err != nil {
			return "", err
		}
		owner, err := s.owner(ctx, c.Type, state.PhysicalID)
		if err != nil {
			return "", err
		}
		if owner != "" {
			return fmt.Sprintf("%s already exists in stack %s", state.PhysicalID, owner), nil
		}
		c.Action, c.PhysicalID = deploy.Take, state.PhysicalID
	}
	p.deployment.Imports = wanted
	return "", nil
}

// owner returns the id of the stack that has a resource, or nothing.
func (s *Service) owner(ctx context.Context, typ, physicalID string) (string, error) {
	stacks, err := s.allStacks(ctx)
	if err != nil {
		return "", err
	}
	for _, st := range stacks {
		if st.Status == "DELETE_COMPLETE" {
			continue
		}
		var found bool
		err := s.Store.View(ctx, func(r store.Reader) error {
			found = false
			for row, err := range record.Range[deploy.Resource](r, placeOf(ctx).resources(st.ID).Span()) {
				if err != nil {
					return err
				}
				found = found || row.Value.Type == typ && row.Value.PhysicalID == physicalID
			}
			return nil
		})
		if err != nil || found {
			return st.ID, err
		}
	}
	return "", nil
}

// importExisting turns what a plan adds into imports where a resource of that name exists already, and no stack has it.
func (s *Service) importExisting(ctx context.Context, p *proposal) (refused string, err error) {
	found := map[string]service.Identifier{}
	reading, err := s.reading(ctx, p)
	if err != nil {
		return "", err
	}
	var unkept []string
	for i := range p.plan.Changes {
		c := &p.plan.Changes[i]
		typ, _ := s.types().Of(c.Type)
		id := named(typ, c)
		if id == nil {
			continue
		}
		state, err := typ.Read(reading, id)
		if errors.Is(err, service.ErrGone) {
			continue
		}
		if err != nil {
			return "", err
		}
		if owner, err := s.owner(ctx, c.Type, state.PhysicalID); err != nil || owner != "" {
			if err != nil {
				return "", err
			}
			continue // the deploy says that the name is taken
		}
		if policy := p.expanded.template.Resources[c.LogicalID].DeletionPolicy; policy != "Retain" && policy != "RetainExceptOnCreate" {
			unkept = append(unkept, fmt.Sprintf("%s ({%s})", c.LogicalID, pairs(typ.Identifier, id)))
		}
		c.Action, c.PhysicalID, found[c.LogicalID] = deploy.Take, state.PhysicalID, id
	}
	if len(unkept) > 0 {
		return "CloudFormation is attempting to import some resources because they already exist in your account. The resources must have the DeletionPolicy attribute set to 'Retain' or " +
			"'RetainExceptOnCreate' in the template for successful import. The affected resources are " + strings.Join(unkept, ", "), nil
	}
	p.deployment.Imports = found
	return "", nil
}

// named returns the identifier of what a change adds, if its template names it; nil otherwise.
func named(typ service.ResourceType, c *deploy.Change) service.Identifier {
	if c.Action != deploy.Add || typ.Read == nil {
		return nil
	}
	var id service.Identifier
	for _, name := range typ.Identifier {
		v, ok := c.After[name].(string)
		if !ok || v == "" || strings.Contains(v, property.KnownAfterDeploy) {
			return nil
		}
		id = append(id, v)
	}
	return id
}

func pairs(names []string, values service.Identifier) string {
	parts := make([]string, len(names))
	for i := range names {
		parts[i] = names[i] + "=" + values[i]
	}
	return strings.Join(parts, ", ")
}
