package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"lambent.dev/lambent/internal/service"
)

// handleProperties are the properties of AWS::CloudFormation::WaitConditionHandle: none.
type handleProperties struct{}

// waitProperties are the properties of AWS::CloudFormation::WaitCondition, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-waitcondition.html.
type waitProperties struct {
	Handle  *string `cfn:"Handle"`
	Timeout *int64  `cfn:"Timeout"`
	Count   *int    `cfn:"Count"`
}

const noWaitUpdate = "Update to resource type AWS::CloudFormation::WaitCondition is not supported."

func (s *Service) waitTypes() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::CloudFormation::WaitConditionHandle", service.ResourceSpec[handleProperties]{
			Create: func(ctx context.Context, c service.ResourceCall, _ *handleProperties) (service.Resource, error) {
				url, err := s.openCallback(ctx, c.Token, true)
				return service.Resource{PhysicalID: url}, err
			},
			Update: func(_ context.Context, c service.ResourceCall, _, _ *handleProperties) (service.Resource, error) {
				return service.Resource{PhysicalID: c.PhysicalID}, nil
			},
			Delete: func(ctx context.Context, c service.ResourceCall, _ *handleProperties) error {
				return s.closeCallback(ctx, tokenOf(c.PhysicalID))
			},
		}),
		service.NewResourceType("AWS::CloudFormation::WaitCondition", service.ResourceSpec[waitProperties]{
			Attributes: []string{"Data"},
			Create:     s.waitForSignals,
			Update: func(context.Context, service.ResourceCall, *waitProperties, *waitProperties) (service.Resource, error) {
				return service.Resource{}, errors.New(noWaitUpdate)
			},
			Delete: func(context.Context, service.ResourceCall, *waitProperties) error { return nil },
		}),
	}
}

func tokenOf(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

// waitForSignals waits until a handle has the signals that a condition asks for.
func (s *Service) waitForSignals(ctx context.Context, c service.ResourceCall, p *waitProperties) (service.Resource, error) {
	if p.Handle == nil || p.Timeout == nil {
		return service.Resource{}, invalid("A wait condition without a CreationPolicy needs Handle and Timeout.")
	}
	if *p.Timeout < 1 || *p.Timeout > 43200 {
		return service.Resource{}, invalid("Timeout must be a number of seconds from 1 to 43200, and is %d.", *p.Timeout)
	}
	want, data := 1, map[string]any{}
	if p.Count != nil {
		want = *p.Count
	}
	err := s.await(ctx, tokenOf(*p.Handle), time.Duration(*p.Timeout)*time.Second, nil, func(list []json.RawMessage) (bool, error) {
		clear(data)
		for _, raw := range list {
			var a answer
			if err := json.Unmarshal(raw, &a); err != nil {
				continue
			}
			if a.Status != "SUCCESS" {
				return false, fmt.Errorf("WaitCondition received failed message: '%s' for uniqueId: %s", a.Reason, a.UniqueID)
			}
			data[a.UniqueID] = a.Data
		}
		return len(data) >= want, nil
	})
	if errors.Is(err, errTimeout) {
		return service.Resource{}, fmt.Errorf("WaitCondition timed out. Received %d conditions when expecting %d", len(data), want)
	}
	if err != nil {
		return service.Resource{}, err
	}
	text, err := json.Marshal(data)
	return service.Resource{PhysicalID: c.StackID + "/" + c.LogicalID, Ref: c.LogicalID, Attributes: map[string]any{"Data": string(text)}}, err
}
