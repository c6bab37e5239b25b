package pipes

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/pipes"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

func (s *Service) readPipeResource(ctx context.Context, id service.Identifier) (*pipeProperties, service.Resource, error) {
	d, err := call[api.DescribePipeOutput](ctx, s, "DescribePipe", &api.DescribePipeInput{Name: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	if d.CurrentState == api.PipeStateDeleting {
		return nil, service.Resource{}, service.ErrGone
	}
	p := reshape.To[pipeProperties](d)
	p.SourceParameters, p.TargetParameters = nil, nil
	r, err := s.pipeResource(ctx, id[0])
	return p, r, err
}
