package ssm

import (
	"context"
	"regexp"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxLabels is how many labels a version has, see
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-labels.html.
const maxLabels = 10

var labelForm = regexp.MustCompile(`^[a-zA-Z_.\-][a-zA-Z0-9_.\-]{0,99}$`)

func validLabel(label string) bool {
	lower := strings.ToLower(label)
	return labelForm.MatchString(label) && !strings.HasPrefix(lower, "aws") && !strings.HasPrefix(lower, "ssm")
}

func (s *Service) labelParameterVersion(ctx context.Context, in *api.LabelParameterVersionInput) (*api.LabelParameterVersionOutput, error) {
	p := placeOf(ctx)
	out := &api.LabelParameterVersionOutput{}
	err := s.change(ctx, in.Name, func() error { return notFound("Parameter %s not found.", in.Name) }, func(tx store.Txn, r *parameterRecord) error {
		number := r.Current.Version
		if in.ParameterVersion != nil {
			number = *in.ParameterVersion
		}
		out.ParameterVersion, out.InvalidLabels = &number, []string{}
		all, err := record.List[versionRecord](tx, p.versions(in.Name).Span())
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(v versionRecord) bool { return v.Version == number })
		if i < 0 {
			return refused("ParameterVersionNotFound", "Systems Manager could not find version %d of %s. Verify the version and try again.", number, in.Name)
		}
		for _, label := range in.Labels {
			if !validLabel(label) {
				out.InvalidLabels = append(out.InvalidLabels, label)
				continue
			}
			if !slices.Contains(all[i].Labels, label) {
				all[i].Labels = append(all[i].Labels, label)
			}
			for n := range all {
				if n != i {
					all[n].Labels = slices.DeleteFunc(all[n].Labels, func(l string) bool { return l == label })
				}
			}
		}
		if len(all[i].Labels) > maxLabels {
			return refused("ParameterVersionLabelLimitExceeded", "An error occurred (ParameterVersionLabelLimitExceeded) when calling the LabelParameterVersion operation: A parameter version can have maximum %d labels.Move one or more labels to another version and try again.", maxLabels)
		}
		return saveVersions(tx, p, in.Name, r, all)
	})
	return out, err
}

func (s *Service) unlabelParameterVersion(ctx context.Context, in *api.UnlabelParameterVersionInput) (*api.UnlabelParameterVersionOutput, error) {
	p := placeOf(ctx)
	out := &api.UnlabelParameterVersionOutput{}
	err := s.change(ctx, in.Name, func() error { return notFound("Parameter %s not found.", in.Name) }, func(tx store.Txn, r *parameterRecord) error {
		out.RemovedLabels, out.InvalidLabels = []string{}, []string{}
		v, there, err := record.Get[versionRecord](tx, p.version(in.Name, in.ParameterVersion))
		if err != nil {
			return err
		}
		if !there {
			return refused("ParameterVersionNotFound", "Systems Manager could not find version %d of %s. Verify the version and try again.", in.ParameterVersion, in.Name)
		}
		for _, label := range in.Labels {
			if i := slices.Index(v.Labels, label); i >= 0 {
				v.Labels = slices.Delete(v.Labels, i, i+1)
				out.RemovedLabels = append(out.RemovedLabels, label)
			} else {
				out.InvalidLabels = append(out.InvalidLabels, label)
			}
		}
		return saveVersions(tx, p, in.Name, r, []versionRecord{v})
	})
	return out, err
}

func saveVersions(tx store.Txn, p place, name string, r *parameterRecord, versions []versionRecord) error {
	for _, v := range versions {
		if v.Version == r.Current.Version {
			r.Current = v
		}
		if err := record.Set(tx, p.version(name, v.Version), v); err != nil {
			return err
		}
	}
	return nil
}
