package eventbridge

import (
	"context"
	"encoding/json"
	"slices"

	"lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/events"
)

// policy is the resource policy of a bus. Statements that others wrote are kept as they are.
type policy struct {
	Version   string            `json:"Version"`
	Statement []json.RawMessage `json:"Statement"`
}

// statement is one that PutPermission writes.
type statement struct {
	Sid       string
	Effect    string
	Principal any
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

const policyVersion = "2012-10-17"

// text returns the document, or "" when there is none.
func (p *policy) text() string {
	if p == nil || len(p.Statement) == 0 {
		return ""
	}
	b, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	return string(b)
}

func sidOf(st json.RawMessage) string {
	var s struct{ Sid string }
	_ = json.Unmarshal(st, &s) // a statement of another form has no id
	return s.Sid
}

func (p *policy) without(sid string) []json.RawMessage {
	if p == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.Statement), func(st json.RawMessage) bool { return sidOf(st) == sid })
}

// putPermission sets the whole policy of a bus, or one statement of it.
func (s *Service) putPermission(ctx context.Context, in *api.PutPermissionInput) (*api.PutPermissionOutput, error) {
	p, name := busNamed(ctx, in.EventBusName)
	doc, one, err := newPolicy(p.busARN(name), in)
	if err != nil {
		return nil, err
	}
	err = s.changeBus(ctx, p, name, func(b *busRecord) error {
		if doc != nil {
			b.Policy = doc
			return nil
		}
		b.Policy = &policy{Version: policyVersion, Statement: append(b.Policy.without(*in.StatementId), one)}
		return nil
	})
	return &api.PutPermissionOutput{}, err
}

// newPolicy returns the document, or else the statement, that a call asks for.
func newPolicy(arn string, in *api.PutPermissionInput) (*policy, json.RawMessage, error) {
	if in.Policy != nil {
		if in.Principal != nil || in.StatementId != nil || in.Action != nil || in.Condition != nil {
			return nil, nil, invalid("Either Policy or StatementId, Action, Principal and Condition must be specified, not both.")
		}
		if _, err := iam.Parse(*in.Policy, iam.ResourceBased); err != nil {
			return nil, nil, invalid("This policy contains invalid Json or is not a policy: %s", err)
		}
		var doc policy
		if err := json.Unmarshal([]byte(*in.Policy), &doc); err != nil {
			// A policy may have its one statement without a list.
			var single struct {
				Version   string
				Statement json.RawMessage
			}
			if err := json.Unmarshal([]byte(*in.Policy), &single); err != nil {
				return nil, nil, invalid("This policy contains invalid Json")
			}
			doc = policy{single.Version, []json.RawMessage{single.Statement}}
		}
		return &doc, nil, nil
	}
	switch {
	case in.StatementId == nil || in.Principal == nil || in.Action == nil:
		return nil, nil, invalid("Parameter(s) StatementId, Action and Principal must be specified.")
	case *in.Action != "events:PutEvents":
		return nil, nil, invalid("Provided value in parameter 'action' is not supported.")
	}
	st := statement{Sid: *in.StatementId, Effect: "Allow", Principal: "*", Action: *in.Action, Resource: arn}
	if *in.Principal != "*" {
		st.Principal = map[string]string{"AWS": "arn:aws:iam::" + *in.Principal + ":root"}
	}
	if c := in.Condition; c != nil {
		st.Condition = map[string]map[string]string{c.Type: {c.Key: c.Value}}
	}
	b, err := json.Marshal(st)
	return nil, b, err
}

func (s *Service) removePermission(ctx context.Context, in *api.RemovePermissionInput) (*api.RemovePermissionOutput, error) {
	p, name := busNamed(ctx, in.EventBusName)
	all := in.RemoveAllPermissions != nil && *in.RemoveAllPermissions
	if !all && in.StatementId == nil {
		return nil, invalid("Parameter StatementId is required.")
	}
	err := s.changeBus(ctx, p, name, func(b *busRecord) error {
		switch {
		case all && b.Policy == nil:
			return notFound("EventBus does not have a policy.")
		case all:
			b.Policy = nil
			return nil
		}
		rest := b.Policy.without(*in.StatementId)
		if b.Policy == nil || len(rest) == len(b.Policy.Statement) {
			return notFound("Statement with the provided id does not exist.")
		}
		b.Policy.Statement = rest
		if len(rest) == 0 {
			b.Policy = nil
		}
		return nil
	})
	return &api.RemovePermissionOutput{}, err
}
