package ec2

import (
	"context"
	"maps"
	"reflect"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// access names what each operation needs: the objects that its members name and the kind of what it makes, as [calls] has them
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html). Calls that describe need permission for everything.
func (s *Service) access() map[string]service.Access {
	out := map[string]service.Access{}
	for _, b := range s.handlers().Bindings() {
		if b.Call == nil {
			continue
		}
		action := "ec2:" + b.Name
		c, ok := calls[b.Name]
		if !ok || c.makes == "" && c.on == "" {
			out[b.Name] = service.OnAny(action)
			continue
		}
		out[b.Name] = service.Access{Action: action, Targets: func(ctx context.Context, in any) ([]service.Target, error) {
			return s.targets(ctx, b.Name, c, reflect.ValueOf(in).Elem())
		}}
	}
	return out
}

// targets returns what a call needs permission for.
func (s *Service) targets(ctx context.Context, operation string, c call, in reflect.Value) (out []service.Target, err error) {
	at := scopeOf(ctx)
	if c.makes != "" {
		given := requestTags(in)
		t := service.Target{ARN: at.arn(c.makes, "*"), Condition: given}
		out = append(out, t)
		if len(given) > 0 {
			t.Action = "ec2:CreateTags"
			t.Condition = map[string][]string{"ec2:CreateAction": {operation}}
			maps.Copy(t.Condition, given)
			out = append(out, t)
		}
	}
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		v := &view{r, at}
		for _, member := range strings.Fields(c.on) {
			for _, id := range idsIn(in.FieldByName(member)) {
				t, err := v.target(id)
				if err != nil {
					return err
				}
				if operation == "CreateTags" || operation == "DeleteTags" {
					tagConditions(t.Condition, in.FieldByName("Tags"))
				}
				out = append(out, t)
			}
		}
		return nil
	})
	if len(out) == 0 && err == nil {
		out = []service.Target{{ARN: "*"}}
	}
	return out, storeError(err)
}

// target is an object that a call names, with its tags.
func (v *view) target(id string) (service.Target, error) {
	t := service.Target{ARN: "*", Condition: map[string][]string{}}
	c := classWith(id)
	if c == nil {
		return t, nil // the call will refuse it
	}
	t.ARN = v.arn(c.name, id)
	tags, err := v.tagsOf(id)
	for _, tag := range tags {
		t.Condition["aws:ResourceTag/"+*tag.Key] = []string{*tag.Value}
		t.Condition["ec2:ResourceTag/"+*tag.Key] = []string{*tag.Value}
	}
	return t, err
}

// idsIn returns the ids that a member has: one, or a list.
func idsIn(f reflect.Value) []string {
	for f.Kind() == reflect.Pointer {
		if f.IsNil() {
			return nil
		}
		f = f.Elem()
	}
	switch f.Kind() {
	case reflect.String:
		if f.Len() > 0 {
			return []string{f.String()}
		}
	case reflect.Slice:
		var out []string
		for i := range f.Len() {
			out = append(out, idsIn(f.Index(i))...)
		}
		return out
	default:
	}
	return nil
}

// requestTags are the condition keys of the tags that a call gives what it makes.
func requestTags(in reflect.Value) map[string][]string {
	out := map[string][]string{}
	if f := in.FieldByName("TagSpecifications"); f.IsValid() {
		for i := range f.Len() {
			tagConditions(out, f.Index(i).FieldByName("Tags"))
		}
	}
	return out
}

// tagConditions adds the condition keys of a list of tags.
func tagConditions(to map[string][]string, tags reflect.Value) {
	list, _ := tags.Interface().([]api.Tag)
	for _, t := range list {
		key := opt.Value(t.Key)
		to["aws:RequestTag/"+key] = []string{opt.Value(t.Value)}
		to["aws:TagKeys"] = append(to["aws:TagKeys"], key)
	}
}
