package pipes

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/pipes"
	"lambent.dev/lambent/internal/service"
)

// access names what each operation needs
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridgepipes.html).
func access() map[string]service.Access {
	return map[string]service.Access{
		"CreatePipe":          onPipe("CreatePipe", func(in *api.CreatePipeInput) string { return in.Name }),
		"DeletePipe":          onPipe("DeletePipe", func(in *api.DeletePipeInput) string { return in.Name }),
		"DescribePipe":        onPipe("DescribePipe", func(in *api.DescribePipeInput) string { return in.Name }),
		"ListPipes":           service.OnAny("pipes:ListPipes"),
		"ListTagsForResource": service.On("pipes:ListTagsForResource", func(_ context.Context, in *api.ListTagsForResourceInput) string { return in.ResourceArn }),
		"StartPipe":           onPipe("StartPipe", func(in *api.StartPipeInput) string { return in.Name }),
		"StopPipe":            onPipe("StopPipe", func(in *api.StopPipeInput) string { return in.Name }),
		"TagResource":         service.On("pipes:TagResource", func(_ context.Context, in *api.TagResourceInput) string { return in.ResourceArn }),
		"UntagResource":       service.On("pipes:UntagResource", func(_ context.Context, in *api.UntagResourceInput) string { return in.ResourceArn }),
		"UpdatePipe":          onPipe("UpdatePipe", func(in *api.UpdatePipeInput) string { return in.Name }),
	}
}

func onPipe[In any](action string, name func(in In) string) service.Access {
	return service.On("pipes:"+action, func(ctx context.Context, in In) string { return placeOf(ctx).arn(name(in)) })
}
