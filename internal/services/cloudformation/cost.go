package cloudformation

import (
	"context"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
)

// calculator is where AWS's answer leads: the page in which people describe what they mean to run.
const calculator = "https://calculator.aws/#/"

// estimateTemplateCost checks a template as a deploy would, and answers the URL of AWS's calculator. What runs here costs what the machine costs: there is no
// price list to read.
func (s *Service) estimateTemplateCost(ctx context.Context, in *cloudformation.EstimateTemplateCostInput) (*cloudformation.EstimateTemplateCostOutput, error) {
	stack, err := s.newStack(ctx, "estimate")
	if err != nil {
		return nil, err
	}
	q := request{kind: deploy.Create, body: in.TemplateBody, location: in.TemplateURL, parameters: in.Parameters, capabilities: allCapabilities}
	if _, err := s.propose(ctx, q, nil, stack.ID, stack.Name); err != nil {
		return nil, visible(err)
	}
	return &cloudformation.EstimateTemplateCostOutput{Url: ptr(calculator)}, nil
}
