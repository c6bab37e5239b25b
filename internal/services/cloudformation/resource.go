package cloudformation

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// stackRows returns a stack and its resources by name.
func (s *Service) stackRows(ctx context.Context, name string) (*stackRecord, []*deploy.Resource, error) {
	st, err := s.findStack(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	rows, err := s.rows(ctx, st.ID)
	if err != nil {
		return nil, nil, err
	}
	list := make([]*deploy.Resource, 0, len(rows))
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		list = append(list, rows[id])
	}
	return st, list, nil
}

func (s *Service) describeStackResource(ctx context.Context, in *cloudformation.DescribeStackResourceInput) (*cloudformation.DescribeStackResourceOutput, error) {
	st, rows, err := s.stackRows(ctx, in.StackName)
	if isMissing(err) {
		err = invalid("Stack '%s' does not exist", in.StackName)
	}
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(rows, func(r *deploy.Resource) bool { return r.LogicalID == in.LogicalResourceId })
	if i < 0 {
		return nil, invalid("Resource %s does not exist for stack %s", in.LogicalResourceId, in.StackName)
	}
	r := rows[i]
	drift, err := s.resourceDrifts(ctx, st.ID)
	if err != nil {
		return nil, err
	}
	d := &cloudformation.StackResourceDetail{
		StackName: ptr(st.Name), StackId: ptr(st.ID), LogicalResourceId: r.LogicalID, PhysicalResourceId: optional(r.PhysicalID), ResourceType: r.Type,
		LastUpdatedTimestamp: r.Updated, ResourceStatus: r.Status, ResourceStatusReason: optional(r.Reason),
		DriftInformation: ptr(drift(r.LogicalID)),
	}
	if r.Metadata != nil {
		b, err := json.Marshal(r.Metadata)
		if err != nil {
			return nil, err
		}
		d.Metadata = ptr(string(b))
	}
	return &cloudformation.DescribeStackResourceOutput{StackResourceDetail: d}, nil
}

func (s *Service) describeStackResources(ctx context.Context, in *cloudformation.DescribeStackResourcesInput) (*cloudformation.DescribeStackResourcesOutput, error) {
	name := deref(in.StackName)
	if name == "" {
		var err error
		if name, err = s.stackOf(ctx, deref(in.PhysicalResourceId)); err != nil {
			return nil, err
		}
	}
	st, rows, err := s.stackRows(ctx, name)
	if err != nil {
		return nil, err
	}
	drift, err := s.resourceDrifts(ctx, st.ID)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.DescribeStackResourcesOutput{StackResources: []cloudformation.StackResource{}}
	for _, r := range rows {
		if id := deref(in.LogicalResourceId); id != "" && id != r.LogicalID {
			continue
		}
		out.StackResources = append(out.StackResources, cloudformation.StackResource{
			StackName: ptr(st.Name), StackId: ptr(st.ID), LogicalResourceId: r.LogicalID, PhysicalResourceId: optional(r.PhysicalID), ResourceType: r.Type,
			Timestamp: r.Updated, ResourceStatus: r.Status, ResourceStatusReason: optional(r.Reason),
			DriftInformation: ptr(drift(r.LogicalID)),
		})
	}
	return out, nil
}

// stackOf finds the stack that a physical resource belongs to.
func (s *Service) stackOf(ctx context.Context, physicalID string) (string, error) {
	if physicalID == "" {
		return "", invalid("Either StackName or PhysicalResourceId must be specified")
	}
	all, err := s.allStacks(ctx)
	if err != nil {
		return "", err
	}
	for _, st := range all {
		rows, err := s.rows(ctx, st.ID)
		if err != nil {
			return "", err
		}
		for _, r := range rows {
			if r.PhysicalID == physicalID {
				return st.ID, nil
			}
		}
	}
	return "", invalid("Stack for %s does not exist", physicalID)
}

func (s *Service) listStackResources(ctx context.Context, in *cloudformation.ListStackResourcesInput) (*cloudformation.ListStackResourcesOutput, error) {
	st, rows, err := s.stackRows(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	drift, err := s.resourceDrifts(ctx, st.ID)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.ListStackResourcesOutput{StackResourceSummaries: []cloudformation.StackResourceSummary{}}
	for _, r := range rows {
		out.StackResourceSummaries = append(out.StackResourceSummaries, cloudformation.StackResourceSummary{
			LogicalResourceId: r.LogicalID, PhysicalResourceId: optional(r.PhysicalID), ResourceType: r.Type, LastUpdatedTimestamp: r.Updated,
			ResourceStatus: r.Status, ResourceStatusReason: optional(r.Reason),
			DriftInformation: ptr(cloudformation.StackResourceDriftInformationSummary(drift(r.LogicalID))),
		})
	}
	return out, nil
}

func (s *Service) listExports(ctx context.Context, _ *cloudformation.ListExportsInput) (*cloudformation.ListExportsOutput, error) {
	p := placeOf(ctx)
	out := &cloudformation.ListExportsOutput{}
	err := s.Store.View(ctx, func(r store.Reader) error {
		out.Exports = []cloudformation.Export{}
		all, err := record.List[stackRecord](r, p.stacks())
		for _, st := range all {
			for _, o := range st.Outputs {
				if o.Export != "" {
					out.Exports = append(out.Exports, cloudformation.Export{ExportingStackId: ptr(st.ID), Name: ptr(o.Export), Value: ptr(o.Value)})
				}
			}
		}
		order.Sort(out.Exports, func(a, b cloudformation.Export) int { return compare(*a.Name, *b.Name) })
		return err
	})
	return out, err
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (s *Service) listImports(ctx context.Context, in *cloudformation.ListImportsInput) (*cloudformation.ListImportsOutput, error) {
	out := &cloudformation.ListImportsOutput{}
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		out.Imports, err = record.List[string](r, placeOf(ctx).importers(in.ExportName).Span())
		return err
	})
	if err == nil && len(out.Imports) == 0 {
		err = invalid("Export '%s' is not imported by any stack.", in.ExportName)
	}
	return out, err
}

// checkExports refuses outputs whose export names other stacks have, and changes of exports that other stacks use.
func (s *Service) checkExports(ctx context.Context, st *stackRecord, outputs []deploy.OutputValue) error {
	p := placeOf(ctx)
	return s.Store.View(ctx, func(r store.Reader) error {
		var keep []string
		for _, o := range outputs {
			if o.Export == "" {
				continue
			}
			e, found, err := record.Get[exportRecord](r, p.export(o.Export))
			if err != nil {
				return err
			}
			if found && e.StackID != st.ID {
				return service.Errorf("ValidationError", "Export with name %s is already exported by stack %s. Rule: a name is exported once in an account and region.", o.Export, e.StackName)
			}
			if !found || e.Value == o.Value {
				keep = append(keep, o.Export)
			}
		}
		return exportsUnused(r, p, st, keep)
	})
}
