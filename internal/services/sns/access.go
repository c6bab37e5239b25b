package sns

import (
	"context"
	"errors"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/service"
)

// access names what each operation needs
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html).
func (s *Service) access() map[string]service.Access {
	confirm := onTopic(s, "ConfirmSubscription", func(in *api.ConfirmSubscriptionInput) string { return in.TopicArn })
	// Who has the token of a subscription may confirm it, and its link ends it.
	confirm.Open, confirm.Anonymous = true, true
	unsubscribe := service.On("sns:Unsubscribe", func(_ context.Context, in *api.UnsubscribeInput) string { return in.SubscriptionArn })
	unsubscribe.Open, unsubscribe.Anonymous = true, true
	subscribe := service.OnAll("sns:Subscribe", func(ctx context.Context, in *api.SubscribeInput) ([]service.Target, error) {
		targets, err := s.targets(ctx, in.TopicArn)
		for i := range targets {
			targets[i].Condition["sns:Protocol"] = []string{in.Protocol}
			if in.Endpoint != nil {
				targets[i].Condition["sns:Endpoint"] = []string{*in.Endpoint}
			}
		}
		return targets, err
	})
	publish := service.OnAll("sns:Publish", func(ctx context.Context, in *api.PublishInput) ([]service.Target, error) {
		switch {
		case in.TopicArn != nil:
			return s.targets(ctx, *in.TopicArn)
		case in.TargetArn != nil:
			return s.targets(ctx, *in.TargetArn)
		}
		return []service.Target{{ARN: "*"}}, nil
	})
	publish.Anonymous = true
	return map[string]service.Access{
		"AddPermission":                      onTopic(s, "AddPermission", func(in *api.AddPermissionInput) string { return in.TopicArn }),
		"CheckIfPhoneNumberIsOptedOut":       service.OnAny("sns:CheckIfPhoneNumberIsOptedOut"),
		"ConfirmSubscription":                confirm,
		"CreatePlatformApplication":          service.OnAny("sns:CreatePlatformApplication"),
		"CreatePlatformEndpoint":             on("CreatePlatformEndpoint", func(in *api.CreatePlatformEndpointInput) string { return in.PlatformApplicationArn }),
		"CreateTopic":                        service.OnAll("sns:CreateTopic", createTargets),
		"DeleteEndpoint":                     on("DeleteEndpoint", func(in *api.DeleteEndpointInput) string { return in.EndpointArn }),
		"DeletePlatformApplication":          on("DeletePlatformApplication", func(in *api.DeletePlatformApplicationInput) string { return in.PlatformApplicationArn }),
		"DeleteTopic":                        onTopic(s, "DeleteTopic", func(in *api.DeleteTopicInput) string { return in.TopicArn }),
		"GetDataProtectionPolicy":            onTopic(s, "GetDataProtectionPolicy", func(in *api.GetDataProtectionPolicyInput) string { return in.ResourceArn }),
		"GetEndpointAttributes":              on("GetEndpointAttributes", func(in *api.GetEndpointAttributesInput) string { return in.EndpointArn }),
		"GetPlatformApplicationAttributes":   on("GetPlatformApplicationAttributes", func(in *api.GetPlatformApplicationAttributesInput) string { return in.PlatformApplicationArn }),
		"GetSMSAttributes":                   service.OnAny("sns:GetSMSAttributes"),
		"GetSMSSandboxAccountStatus":         service.OnAny("sns:GetSMSSandboxAccountStatus"),
		"GetSubscriptionAttributes":          on("GetSubscriptionAttributes", func(in *api.GetSubscriptionAttributesInput) string { return in.SubscriptionArn }),
		"GetTopicAttributes":                 onTopic(s, "GetTopicAttributes", func(in *api.GetTopicAttributesInput) string { return in.TopicArn }),
		"ListEndpointsByPlatformApplication": on("ListEndpointsByPlatformApplication", func(in *api.ListEndpointsByPlatformApplicationInput) string { return in.PlatformApplicationArn }),
		"ListPhoneNumbersOptedOut":           service.OnAny("sns:ListPhoneNumbersOptedOut"),
		"ListPlatformApplications":           service.OnAny("sns:ListPlatformApplications"),
		"ListSubscriptions":                  service.OnAny("sns:ListSubscriptions"),
		"ListSubscriptionsByTopic":           onTopic(s, "ListSubscriptionsByTopic", func(in *api.ListSubscriptionsByTopicInput) string { return in.TopicArn }),
		"ListTagsForResource":                onTopic(s, "ListTagsForResource", func(in *api.ListTagsForResourceInput) string { return in.ResourceArn }),
		"ListTopics":                         service.OnAny("sns:ListTopics"),
		"CreateSMSSandboxPhoneNumber":        service.OnAny("sns:CreateSMSSandboxPhoneNumber"),
		"DeleteSMSSandboxPhoneNumber":        service.OnAny("sns:DeleteSMSSandboxPhoneNumber"),
		"ListOriginationNumbers":             service.OnAny("sns:ListOriginationNumbers"),
		"ListSMSSandboxPhoneNumbers":         service.OnAny("sns:ListSMSSandboxPhoneNumbers"),
		"VerifySMSSandboxPhoneNumber":        service.OnAny("sns:VerifySMSSandboxPhoneNumber"),
		"OptInPhoneNumber":                   service.OnAny("sns:OptInPhoneNumber"),
		"Publish":                            publish,
		"PublishBatch":                       onTopic(s, "Publish", func(in *api.PublishBatchInput) string { return in.TopicArn }),
		"PutDataProtectionPolicy":            onTopic(s, "PutDataProtectionPolicy", func(in *api.PutDataProtectionPolicyInput) string { return in.ResourceArn }),
		"RemovePermission":                   onTopic(s, "RemovePermission", func(in *api.RemovePermissionInput) string { return in.TopicArn }),
		"SetEndpointAttributes":              on("SetEndpointAttributes", func(in *api.SetEndpointAttributesInput) string { return in.EndpointArn }),
		"SetPlatformApplicationAttributes":   on("SetPlatformApplicationAttributes", func(in *api.SetPlatformApplicationAttributesInput) string { return in.PlatformApplicationArn }),
		"SetSMSAttributes":                   service.OnAny("sns:SetSMSAttributes"),
		"SetSubscriptionAttributes":          on("SetSubscriptionAttributes", func(in *api.SetSubscriptionAttributesInput) string { return in.SubscriptionArn }),
		"SetTopicAttributes":                 onTopic(s, "SetTopicAttributes", func(in *api.SetTopicAttributesInput) string { return in.TopicArn }),
		"Subscribe":                          subscribe,
		"TagResource":                        onTopic(s, "TagResource", func(in *api.TagResourceInput) string { return in.ResourceArn }),
		"Unsubscribe":                        unsubscribe,
		"UntagResource":                      onTopic(s, "UntagResource", func(in *api.UntagResourceInput) string { return in.ResourceArn }),
	}
}

func createTargets(ctx context.Context, in *api.CreateTopicInput) ([]service.Target, error) {
	targets := []service.Target{{ARN: placeOf(ctx).arn(in.Name)}}
	if len(in.Tags) > 0 {
		targets = append(targets, service.Target{Action: "sns:TagResource", ARN: targets[0].ARN})
	}
	return targets, nil
}

// on returns the rule of an operation on a resource without a policy of its own. Its ARN is checked by the operation.
func on[In any](action string, arn func(in In) string) service.Access {
	return service.OnAll("sns:"+action, func(_ context.Context, in In) ([]service.Target, error) {
		t := service.Target{ARN: arn(in)}
		if p, _, err := parseARN(t.ARN, ""); err == nil {
			t.Owner = p.account
		}
		return []service.Target{t}, nil
	})
}

func onTopic[In any](s *Service, action string, arn func(in In) string) service.Access {
	return service.OnAll("sns:"+action, func(ctx context.Context, in In) ([]service.Target, error) { return s.targets(ctx, arn(in)) })
}

// targets returns the target of a call on a topic, with the topic's policy.
func (s *Service) targets(ctx context.Context, arn string) ([]service.Target, error) {
	t := service.Target{ARN: arn, Condition: map[string][]string{}}
	if p := service.RequestFrom(ctx).Principal; p.Kind == service.ServicePrincipal && p.SourceAccount != "" {
		t.Condition["AWS:SourceOwner"] = []string{p.SourceAccount} // what the default policy asks of other services
	}
	p, _, err := parseARN(arn, "TopicArn")
	if err != nil {
		return nil, err
	}
	t.Owner = p.account
	topic, err := s.viewTopic(ctx, arn)
	if err != nil {
		var known *service.Error
		if errors.As(err, &known) {
			return []service.Target{t}, nil // the operation says what is wrong to those who may ask
		}
		return nil, err
	}
	t.Policy = topic.policy(topic.place)
	return []service.Target{t}, nil
}
