package sns

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/store"
)

// permitted are the actions that a topic's policy may name (https://docs.aws.amazon.com/sns/latest/api/API_AddPermission.html).
var permitted = []string{
	"GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe", "ListSubscriptionsByTopic", "Publish", "Receive",
	"GetDataProtectionPolicy", "PutDataProtectionPolicy", "TagResource", "UntagResource", "ListTagsForResource",
}

// policyDocument is a topic policy. Statements that others wrote are kept as they are.
type policyDocument struct {
	Version   string
	ID        string `json:"Id,omitempty"`
	Statement []json.RawMessage
}

type permission struct {
	Sid       string
	Effect    string
	Principal map[string]any
	Action    any
	Resource  string
}

func oneOrAll(all []string) any {
	if len(all) == 1 {
		return all[0]
	}
	return all
}

func labelOf(statement json.RawMessage) string {
	var s struct{ Sid string }
	_ = json.Unmarshal(statement, &s) // a statement of another form has no label
	return s.Sid
}

func (s *Service) changePolicy(ctx context.Context, arn string, fn func(doc *policyDocument) error) error {
	p, name, err := topicOf(ctx, arn)
	if err != nil {
		return err
	}
	return s.changeTopic(ctx, arn, func(_ store.Txn, r *topicRecord) error {
		var doc policyDocument
		if err := json.Unmarshal([]byte(r.policy(p)), &doc); err != nil {
			return invalid("Policy Reason: the policy of %s has one statement without a list; set it as a whole", name)
		}
		if err := fn(&doc); err != nil {
			return err
		}
		b, err := json.Marshal(&doc)
		if err != nil {
			return err
		}
		return setTopicAttribute(r, "Policy", string(b), "")
	})
}

func (s *Service) addPermission(ctx context.Context, in *api.AddPermissionInput) (*api.AddPermissionOutput, error) {
	st := permission{Sid: in.Label, Effect: "Allow", Resource: in.TopicArn}
	var principals, actions []string
	for _, a := range in.AWSAccountId {
		if !strings.HasPrefix(a, "arn:") {
			a = "arn:aws:iam::" + a + ":root"
		}
		principals = append(principals, a)
	}
	for _, a := range in.ActionName {
		if !slices.Contains(permitted, a) {
			return nil, invalid("Policy statement action out of service scope!")
		}
		actions = append(actions, "SNS:"+a)
	}
	st.Principal, st.Action = map[string]any{"AWS": oneOrAll(principals)}, oneOrAll(actions)
	err := s.changePolicy(ctx, in.TopicArn, func(doc *policyDocument) error {
		if slices.ContainsFunc(doc.Statement, func(have json.RawMessage) bool { return labelOf(have) == in.Label }) {
			return invalid("Statement already exists")
		}
		b, err := json.Marshal(st)
		doc.Statement = append(doc.Statement, b)
		return err
	})
	return &api.AddPermissionOutput{}, err
}

func (s *Service) removePermission(ctx context.Context, in *api.RemovePermissionInput) (*api.RemovePermissionOutput, error) {
	err := s.changePolicy(ctx, in.TopicArn, func(doc *policyDocument) error {
		doc.Statement = slices.DeleteFunc(doc.Statement, func(have json.RawMessage) bool { return labelOf(have) == in.Label })
		return nil
	})
	return &api.RemovePermissionOutput{}, err
}

func (s *Service) getDataProtectionPolicy(ctx context.Context, in *api.GetDataProtectionPolicyInput) (*api.GetDataProtectionPolicyOutput, error) {
	t, err := s.viewTopic(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &api.GetDataProtectionPolicyOutput{DataProtectionPolicy: &t.DataProtection}, nil
}

func (s *Service) putDataProtectionPolicy(ctx context.Context, in *api.PutDataProtectionPolicyInput) (*api.PutDataProtectionPolicyOutput, error) {
	err := s.changeTopic(ctx, in.ResourceArn, func(_ store.Txn, r *topicRecord) error {
		if in.DataProtectionPolicy != "" && !json.Valid([]byte(in.DataProtectionPolicy)) {
			return invalid("DataProtectionPolicy Reason: failed to parse JSON.")
		}
		r.DataProtection = in.DataProtectionPolicy
		return nil
	})
	return &api.PutDataProtectionPolicyOutput{}, err
}
