package ec2

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// launchTemplate describes machines to start elsewhere. Its versions are objects of their own.
type launchTemplate struct{ api.LaunchTemplate }

// templateVersion is one version of a launch template.
type templateVersion struct{ api.LaunchTemplateVersion }

var launchTemplates = kind[launchTemplate]{
	class: class{
		name: "launch-template", prefix: "lt", absent: "InvalidLaunchTemplateId.NotFound", malformed: "InvalidLaunchTemplateId.Malformed",
		unknown: "The specified launch template, with template ID %s, does not exist.",
	},
	id: func(t *launchTemplate) string { return *t.LaunchTemplateId },
}

var templateVersions = kind[templateVersion]{
	class: class{name: "launch-template-version", absent: "InvalidLaunchTemplateId.VersionNotFound", unknown: "Could not find launch template version %s"},
	id:    func(v *templateVersion) string { return versionID(*v.LaunchTemplateId, *v.VersionNumber) },
	refs:  func(v *templateVersion) []string { return []string{*v.LaunchTemplateId} },
}

// versionID is the key of a version, by which those of a template sort in their order.
func versionID(id string, number int64) string { return fmt.Sprintf("%s/%010d", id, number) }

var launchTemplateFields = fields[*api.LaunchTemplate]{
	id:   func(t *api.LaunchTemplate) *string { return t.LaunchTemplateId },
	tags: func(t *api.LaunchTemplate) []api.Tag { return t.Tags },
	values: map[string]func(*api.LaunchTemplate) []string{
		"create-time":          func(t *api.LaunchTemplate) []string { return momentIf(t.CreateTime) },
		"launch-template-name": func(t *api.LaunchTemplate) []string { return text(t.LaunchTemplateName) },
	},
}

func showTemplate(v *view, t *launchTemplate) (out api.LaunchTemplate, err error) {
	out = t.LaunchTemplate
	out.Tags, err = v.tagsOf(*t.LaunchTemplateId)
	return out, err
}

// findTemplate returns the template that a call names by its id or by its name.
func (v *view) findTemplate(id, name *string) (*launchTemplate, error) {
	switch {
	case id != nil && name != nil:
		return nil, refuse(codeCombination, "Either a launch template ID or a launch template name must be specified in the request, and not both")
	case id != nil:
		return get(v, &launchTemplates, *id)
	case name == nil:
		return nil, missing("launchTemplateId or launchTemplateName")
	}
	t, err := v.templateNamed(*name)
	if err == nil && t == nil {
		err = refuse("InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name %s, does not exist.", *name)
	}
	return t, err
}

func (v *view) templateNamed(name string) (*launchTemplate, error) {
	there, err := all(v, &launchTemplates)
	if err != nil {
		return nil, err
	}
	for i := range there {
		if *there[i].LaunchTemplateName == name {
			return &there[i], nil
		}
	}
	return nil, nil
}

func (s *Service) describeLaunchTemplates(ctx context.Context, in *api.DescribeLaunchTemplatesInput) (*api.DescribeLaunchTemplatesOutput, error) {
	ids := slices.Clone(in.LaunchTemplateIds)
	err := s.view(ctx, func(v *view) error {
		for _, name := range in.LaunchTemplateNames {
			t, err := v.findTemplate(nil, &name)
			if err != nil {
				return err
			}
			ids = append(ids, *t.LaunchTemplateId)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out, next, err := list(ctx, s, &launchTemplates, query{ids, in.Filters, in.MaxResults, in.NextToken}, &launchTemplateFields, showTemplate)
	return &api.DescribeLaunchTemplatesOutput{LaunchTemplates: out, NextToken: next}, err
}

// templateName is what names of templates are made of.
var templateName = regexp.MustCompile(`^[a-zA-Z0-9().\-/_]{3,128}$`)

// versionData checks what a version describes, and returns it as it is shown: the shapes of both differ in their names only.
func versionData(operation string, in *api.RequestLaunchTemplateData) (*api.ResponseLaunchTemplateData, error) {
	if in == nil || reflect.ValueOf(*in).IsZero() {
		return nil, missing("LaunchTemplateData")
	}
	b, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	out := new(api.ResponseLaunchTemplateData)
	if err := d.Decode(out); err != nil {
		return nil, service.Unsupported(codeUnsupported, operation, "LaunchTemplateData ("+err.Error()+")")
	}
	return out, nil
}

func (s *Service) createLaunchTemplate(ctx context.Context, in *api.CreateLaunchTemplateInput) (*api.CreateLaunchTemplateOutput, error) {
	if !templateName.MatchString(in.LaunchTemplateName) {
		return nil, refuse("InvalidLaunchTemplateName.MalformedException", "A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _.")
	}
	data, err := versionData("CreateLaunchTemplate", in.LaunchTemplateData)
	if err != nil {
		return nil, err
	}
	by := service.RequestFrom(ctx).Principal.ARN
	var out api.LaunchTemplate
	return &api.CreateLaunchTemplateOutput{LaunchTemplate: &out}, s.update(ctx, func(e *edit) error {
		id, made, err := launchTemplates.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			there, err := e.templateNamed(in.LaunchTemplateName)
			if err != nil {
				return err
			}
			if there != nil {
				return refuse("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
			}
			made = &launchTemplate{api.LaunchTemplate{
				LaunchTemplateId: &id, LaunchTemplateName: &in.LaunchTemplateName, CreateTime: &e.now, CreatedBy: &by, DefaultVersionNumber: new(int64(1)), LatestVersionNumber: new(int64(0)),
			}}
			if err := e.addVersion(made, in.VersionDescription, data, by); err != nil {
				return err
			}
		}
		if err := e.specified(&launchTemplates.class, id, in.TagSpecifications); err != nil {
			return err
		}
		out, err = showTemplate(e.view, made)
		return err
	})
}

// addVersion gives a template its next version.
func (e *edit) addVersion(t *launchTemplate, description *string, data *api.ResponseLaunchTemplateData, by string) error {
	t.LatestVersionNumber = new(*t.LatestVersionNumber + 1)
	err := put(e, &templateVersions, &templateVersion{api.LaunchTemplateVersion{
		LaunchTemplateId: t.LaunchTemplateId, LaunchTemplateName: t.LaunchTemplateName, VersionNumber: t.LatestVersionNumber, VersionDescription: description, CreateTime: &e.now,
		CreatedBy: &by, LaunchTemplateData: data,
	}})
	if err != nil {
		return err
	}
	return put(e, &launchTemplates, t)
}

// version returns a version of a template by its number, $Latest or $Default.
func (v *view) version(t *launchTemplate, name string) (*templateVersion, error) {
	var number int64
	switch name {
	case "$Latest":
		number = *t.LatestVersionNumber
	case "$Default":
		number = *t.DefaultVersionNumber
	default:
		n, err := strconv.ParseInt(name, 10, 64)
		if err != nil || n < 1 {
			return nil, invalid("Value (%s) for parameter version is invalid. Use a version number, $Latest or $Default", name)
		}
		number = n
	}
	r, err := find(v, &templateVersions, versionID(*t.LaunchTemplateId, number))
	if err == nil && r == nil {
		err = templateVersions.notFound(name)
	}
	return r, err
}

func showVersion(t *launchTemplate, v *templateVersion) api.LaunchTemplateVersion {
	out := v.LaunchTemplateVersion
	out.DefaultVersion = new(*out.VersionNumber == *t.DefaultVersionNumber)
	return out
}

// createLaunchTemplateVersion adds a version: what it describes, over what the version that it is made from does.
func (s *Service) createLaunchTemplateVersion(ctx context.Context, in *api.CreateLaunchTemplateVersionInput) (*api.CreateLaunchTemplateVersionOutput, error) {
	if in.LaunchTemplateData == nil {
		return nil, missing("LaunchTemplateData")
	}
	by := service.RequestFrom(ctx).Principal.ARN
	out := &api.CreateLaunchTemplateVersionOutput{}
	return out, s.update(ctx, func(e *edit) error {
		t, err := e.findTemplate(in.LaunchTemplateId, in.LaunchTemplateName)
		if err != nil {
			return err
		}
		data := &api.ResponseLaunchTemplateData{}
		if in.SourceVersion != nil {
			source, err := e.version(t, *in.SourceVersion)
			if err != nil {
				return err
			}
			data = source.LaunchTemplateData
		}
		if in.SourceVersion == nil || !reflect.ValueOf(*in.LaunchTemplateData).IsZero() {
			own, err := versionData("CreateLaunchTemplateVersion", in.LaunchTemplateData)
			if err != nil {
				return err
			}
			overlay(reflect.ValueOf(data).Elem(), reflect.ValueOf(own).Elem())
		}
		if err := e.addVersion(t, in.VersionDescription, data, by); err != nil {
			return err
		}
		v, err := e.version(t, "$Latest")
		if err == nil {
			out.LaunchTemplateVersion = new(showVersion(t, v))
		}
		return err
	})
}

// overlay sets the members of a structure that another one has.
func overlay(to, from reflect.Value) {
	for i := range from.NumField() {
		if f := from.Field(i); !f.IsZero() {
			to.Field(i).Set(f)
		}
	}
}

func (s *Service) modifyLaunchTemplate(ctx context.Context, in *api.ModifyLaunchTemplateInput) (*api.ModifyLaunchTemplateOutput, error) {
	var out api.LaunchTemplate
	return &api.ModifyLaunchTemplateOutput{LaunchTemplate: &out}, s.update(ctx, func(e *edit) error {
		t, err := e.findTemplate(in.LaunchTemplateId, in.LaunchTemplateName)
		if err != nil {
			return err
		}
		if in.DefaultVersion == nil {
			return missing("DefaultVersion")
		}
		v, err := e.version(t, *in.DefaultVersion)
		if err != nil {
			return err
		}
		t.DefaultVersionNumber = v.VersionNumber
		if err := put(e, &launchTemplates, t); err != nil {
			return err
		}
		out, err = showTemplate(e.view, t)
		return err
	})
}

func (s *Service) deleteLaunchTemplate(ctx context.Context, in *api.DeleteLaunchTemplateInput) (*api.DeleteLaunchTemplateOutput, error) {
	var out api.LaunchTemplate
	return &api.DeleteLaunchTemplateOutput{LaunchTemplate: &out}, s.update(ctx, func(e *edit) error {
		t, err := e.findTemplate(in.LaunchTemplateId, in.LaunchTemplateName)
		if err != nil {
			return err
		}
		if out, err = showTemplate(e.view, t); err != nil {
			return err
		}
		versions, err := using(e.view, &templateVersions, *t.LaunchTemplateId)
		if err != nil {
			return err
		}
		for _, v := range versions {
			drop(e, &templateVersions, v)
		}
		drop(e, &launchTemplates, t)
		return nil
	})
}

func (s *Service) deleteLaunchTemplateVersions(ctx context.Context, in *api.DeleteLaunchTemplateVersionsInput) (*api.DeleteLaunchTemplateVersionsOutput, error) {
	out := &api.DeleteLaunchTemplateVersionsOutput{}
	return out, s.update(ctx, func(e *edit) error {
		out.SuccessfullyDeletedLaunchTemplateVersions = []api.DeleteLaunchTemplateVersionsResponseSuccessItem{}
		out.UnsuccessfullyDeletedLaunchTemplateVersions = []api.DeleteLaunchTemplateVersionsResponseErrorItem{}
		t, err := e.findTemplate(in.LaunchTemplateId, in.LaunchTemplateName)
		if err != nil {
			return err
		}
		failed := func(number int64, code, message string) {
			out.UnsuccessfullyDeletedLaunchTemplateVersions = append(out.UnsuccessfullyDeletedLaunchTemplateVersions, api.DeleteLaunchTemplateVersionsResponseErrorItem{
				LaunchTemplateId: t.LaunchTemplateId, LaunchTemplateName: t.LaunchTemplateName, VersionNumber: &number,
				ResponseError: &api.ResponseError{Code: code, Message: &message},
			})
		}
		for _, name := range in.Versions {
			number, err := strconv.ParseInt(name, 10, 64)
			if err != nil {
				return invalid("Value (%s) for parameter version is invalid. Only version numbers can be deleted", name)
			}
			v, err := find(e.view, &templateVersions, versionID(*t.LaunchTemplateId, number))
			switch {
			case err != nil:
				return err
			case v == nil:
				failed(number, "launchTemplateVersionDoesNotExist", "The version does not exist")
			case number == *t.DefaultVersionNumber:
				failed(number, "unexpectedError", "Cannot delete the default version of a launch template")
			default:
				drop(e, &templateVersions, v)
				out.SuccessfullyDeletedLaunchTemplateVersions = append(out.SuccessfullyDeletedLaunchTemplateVersions, api.DeleteLaunchTemplateVersionsResponseSuccessItem{
					LaunchTemplateId: t.LaunchTemplateId, LaunchTemplateName: t.LaunchTemplateName, VersionNumber: &number,
				})
			}
		}
		return nil
	})
}

var templateVersionFields = fields[*api.LaunchTemplateVersion]{
	id: func(v *api.LaunchTemplateVersion) *string {
		return new(versionID(*v.LaunchTemplateId, *v.VersionNumber))
	},
	values: map[string]func(*api.LaunchTemplateVersion) []string{
		"create-time":        func(v *api.LaunchTemplateVersion) []string { return momentIf(v.CreateTime) },
		"ebs-optimized":      func(v *api.LaunchTemplateVersion) []string { return flag(v.LaunchTemplateData.EbsOptimized) },
		"image-id":           func(v *api.LaunchTemplateVersion) []string { return text(v.LaunchTemplateData.ImageId) },
		"instance-type":      func(v *api.LaunchTemplateVersion) []string { return []string{v.LaunchTemplateData.InstanceType} },
		"is-default-version": func(v *api.LaunchTemplateVersion) []string { return flag(v.DefaultVersion) },
		"kernel-id":          func(v *api.LaunchTemplateVersion) []string { return text(v.LaunchTemplateData.KernelId) },
		"ram-disk-id":        func(v *api.LaunchTemplateVersion) []string { return text(v.LaunchTemplateData.RamDiskId) },
	},
}

// describeLaunchTemplateVersions answers versions of one template, or the latest or default ones of all.
func (s *Service) describeLaunchTemplateVersions(ctx context.Context, in *api.DescribeLaunchTemplateVersionsInput) (*api.DescribeLaunchTemplateVersionsOutput, error) {
	out := &api.DescribeLaunchTemplateVersionsOutput{}
	return out, s.view(ctx, func(v *view) error {
		shapes, err := v.versions(in)
		if err != nil {
			return err
		}
		out.LaunchTemplateVersions, out.NextToken, err = choose(shapes, query{filters: in.Filters, max: in.MaxResults, token: in.NextToken}, &templateVersionFields)
		return err
	})
}

func (v *view) versions(in *api.DescribeLaunchTemplateVersionsInput) ([]api.LaunchTemplateVersion, error) {
	var shapes []api.LaunchTemplateVersion
	if in.LaunchTemplateId == nil && in.LaunchTemplateName == nil {
		if len(in.Versions) == 0 || slices.ContainsFunc(in.Versions, func(n string) bool { return n != "$Latest" && n != "$Default" }) {
			return nil, missing("launchTemplateId or launchTemplateName")
		}
		there, err := all(v, &launchTemplates)
		if err != nil {
			return nil, err
		}
		for i := range there {
			if shapes, err = v.named(shapes, &there[i], in.Versions); err != nil {
				return nil, err
			}
		}
		return shapes, nil
	}
	t, err := v.findTemplate(in.LaunchTemplateId, in.LaunchTemplateName)
	if err != nil {
		return nil, err
	}
	if len(in.Versions) > 0 {
		return v.named(nil, t, in.Versions)
	}
	versions, err := using(v, &templateVersions, *t.LaunchTemplateId)
	if err != nil {
		return nil, err
	}
	least, _ := strconv.ParseInt(opt.Value(in.MinVersion), 10, 64)
	most, err := strconv.ParseInt(opt.Value(in.MaxVersion), 10, 64)
	for _, r := range versions {
		if n := *r.VersionNumber; n >= least && (err != nil || n <= most) {
			shapes = append(shapes, showVersion(t, r))
		}
	}
	return shapes, nil
}

// named adds the versions of a template that a call names, each once.
func (v *view) named(to []api.LaunchTemplateVersion, t *launchTemplate, names []string) ([]api.LaunchTemplateVersion, error) {
	for _, name := range names {
		r, err := v.version(t, name)
		if err != nil {
			return nil, err
		}
		same := func(o api.LaunchTemplateVersion) bool {
			return *o.LaunchTemplateId == *r.LaunchTemplateId && *o.VersionNumber == *r.VersionNumber
		}
		if !slices.ContainsFunc(to, same) {
			to = append(to, showVersion(t, r))
		}
	}
	return to, nil
}
