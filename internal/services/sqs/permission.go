package sqs

import (
	"context"
	"encoding/json"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// maxPermissionActions is how many actions one permission may name
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html).
const maxPermissionActions = 7

// permitted are the actions that AddPermission takes.
var permitted = []string{"*", "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue"}

// policyDocument is a queue policy as AddPermission writes it. Statements that others wrote are kept as they are.
type policyDocument struct {
	Version   string
	ID        string `json:"Id,omitempty"`
	Statement []json.RawMessage
}

// permission is a statement of AddPermission.
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

func (s *Service) addPermission(ctx context.Context, in *api.AddPermissionInput) (*api.AddPermissionOutput, error) {
	p, name, err := resolve(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	st, err := newPermission(p.arn(name), in)
	if err != nil {
		return nil, err
	}
	err = s.changePolicy(ctx, p, name, func(doc *policyDocument) error {
		if slices.ContainsFunc(doc.Statement, func(have json.RawMessage) bool { return labelOf(have) == in.Label }) {
			return invalid(in.Label, "Label", "Already exists.")
		}
		b, err := json.Marshal(st)
		doc.Statement = append(doc.Statement, b)
		return err
	})
	return &api.AddPermissionOutput{}, err
}

func newPermission(arn string, in *api.AddPermissionInput) (*permission, error) {
	switch {
	case len(in.Label) > maxQueueName || !plainName(in.Label):
		return nil, invalid(in.Label, "Label", "Can only include alphanumeric characters, hyphens, or underscores. 1 to %d in length.", maxQueueName)
	case len(in.Actions) == 0:
		return nil, missing("Actions")
	case len(in.AWSAccountIds) == 0:
		return nil, missing("AWSAccountIds")
	case len(in.Actions) > maxPermissionActions:
		return nil, service.Errorf("OverLimit", "%d Actions were found, maximum allowed is %d.", len(in.Actions), maxPermissionActions).WithStatus(403)
	}
	st := &permission{Sid: in.Label, Effect: "Allow", Resource: arn}
	var principals, actions []string
	for _, a := range in.AWSAccountIds {
		if !accountID(a) {
			return nil, invalid("["+a+"]", "PrincipalId", "Unable to verify.")
		}
		principals = append(principals, "arn:aws:iam::"+a+":root")
	}
	for _, a := range in.Actions {
		if !slices.Contains(permitted, a) {
			return nil, invalid("SQS:"+a, "ActionName", "Please refer to the appropriate WSDL for a list of valid actions.")
		}
		actions = append(actions, "SQS:"+a)
	}
	st.Principal, st.Action = map[string]any{"AWS": oneOrAll(principals)}, oneOrAll(actions)
	return st, nil
}

func (s *Service) removePermission(ctx context.Context, in *api.RemovePermissionInput) (*api.RemovePermissionOutput, error) {
	p, name, err := resolve(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	err = s.changePolicy(ctx, p, name, func(doc *policyDocument) error {
		n := len(doc.Statement)
		doc.Statement = slices.DeleteFunc(doc.Statement, func(have json.RawMessage) bool { return labelOf(have) == in.Label })
		if len(doc.Statement) == n {
			return invalid(in.Label, "Label", "can't find label.")
		}
		return nil
	})
	return &api.RemovePermissionOutput{}, err
}

// changePolicy changes the statements of a queue's policy; without any the policy goes away.
func (s *Service) changePolicy(ctx context.Context, p place, name string, fn func(doc *policyDocument) error) error {
	return s.change(ctx, p, name, func(_ store.Txn, q *queue, r *queueRecord) error {
		doc := policyDocument{Version: "2008-10-17", ID: q.arn + "/SQSDefaultPolicy"}
		if q.policy != "" {
			if err := json.Unmarshal([]byte(q.policy), &doc); err != nil {
				// A policy may have its one statement without a list.
				var one struct {
					Version   string
					ID        string `json:"Id"`
					Statement json.RawMessage
				}
				if err := json.Unmarshal([]byte(q.policy), &one); err != nil {
					return err
				}
				doc = policyDocument{one.Version, one.ID, []json.RawMessage{one.Statement}}
			}
		}
		if err := fn(&doc); err != nil {
			return err
		}
		r.Modified = s.clock.Now().Unix()
		if len(doc.Statement) == 0 {
			delete(r.Attributes, "Policy")
			return nil
		}
		b, err := json.Marshal(&doc)
		if err != nil {
			return err
		}
		if r.Attributes == nil {
			r.Attributes = map[string]string{}
		}
		r.Attributes["Policy"] = string(b)
		return checkPolicy(string(b))
	})
}
