package ssm

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/service"
)

// access names what each operation needs
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html).
func access() map[string]service.Access {
	return map[string]service.Access{
		"AddTagsToResource":       one("AddTagsToResource", func(in *api.AddTagsToResourceInput) string { return in.ResourceId }),
		"DeleteParameter":         one("DeleteParameter", func(in *api.DeleteParameterInput) string { return in.Name }),
		"DeleteParameters":        many("DeleteParameters", func(in *api.DeleteParametersInput) []string { return in.Names }),
		"DescribeParameters":      service.OnAny("ssm:DescribeParameters"),
		"GetParameter":            one("GetParameter", func(in *api.GetParameterInput) string { return in.Name }),
		"GetParameterHistory":     one("GetParameterHistory", func(in *api.GetParameterHistoryInput) string { return in.Name }),
		"GetParameters":           many("GetParameters", func(in *api.GetParametersInput) []string { return in.Names }),
		"GetParametersByPath":     one("GetParametersByPath", func(in *api.GetParametersByPathInput) string { return in.Path }),
		"LabelParameterVersion":   one("LabelParameterVersion", func(in *api.LabelParameterVersionInput) string { return in.Name }),
		"ListTagsForResource":     one("ListTagsForResource", func(in *api.ListTagsForResourceInput) string { return in.ResourceId }),
		"PutParameter":            one("PutParameter", func(in *api.PutParameterInput) string { return in.Name }),
		"RemoveTagsFromResource":  one("RemoveTagsFromResource", func(in *api.RemoveTagsFromResourceInput) string { return in.ResourceId }),
		"UnlabelParameterVersion": one("UnlabelParameterVersion", func(in *api.UnlabelParameterVersionInput) string { return in.Name }),
	}
}

// resourceOf returns the ARN that a permission for a name must cover.
func resourceOf(ctx context.Context, name string) string {
	p := placeOf(ctx)
	name, _ = splitSelector(name)
	if plain, ok := p.nameIn(name); ok {
		return p.arn(plain)
	}
	return name
}

func one[In any](operation string, name func(in In) string) service.Access {
	return service.On("ssm:"+operation, func(ctx context.Context, in In) string { return resourceOf(ctx, name(in)) })
}

func many[In any](operation string, names func(in In) []string) service.Access {
	return service.OnAll("ssm:"+operation, func(ctx context.Context, in In) ([]service.Target, error) {
		var out []service.Target
		for _, n := range names(in) {
			out = append(out, service.Target{ARN: resourceOf(ctx, n)})
		}
		return out, nil
	})
}
