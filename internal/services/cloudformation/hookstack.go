package cloudformation

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// nestedStack is the type of stacks, in stacks and in events.
const nestedStack = "AWS::CloudFormation::Stack"

// stackPayload is what a hook reads of a stack's operation; both are empty when the stack is deleted.
type stackPayload struct {
	Template         string `json:"template"`
	PreviousTemplate string `json:"previousTemplate"`
}

// changeSetPayload is what a hook reads of a change set.
type changeSetPayload struct {
	Template         string            `json:"template"`
	ChangedResources []changedResource `json:"changedResources"`
}

type changedResource struct {
	LogicalResourceID string  `json:"logicalResourceId"`
	ResourceType      string  `json:"resourceType"`
	Action            string  `json:"action"`
	LineNumber        *int    `json:"lineNumber"`
	BeforeContext     *string `json:"beforeContext"`
	AfterContext      *string `json:"afterContext"`
}

// changeSetOf returns the change set that an operation executes, or nothing.
func changeSetOf(st *stackRecord, op *operationRecord) string {
	if op.Deployment.TemplateID != "" && strings.HasSuffix(st.ChangeSetID, "/"+op.Deployment.TemplateID) {
		return st.ChangeSetID
	}
	return ""
}

// askAboutStack asks the hooks of a stack before its operation begins, once, and returns why they forbid it; nothing when they do not.
func (j *journal) askAboutStack(ctx context.Context, st *stackRecord) (string, error) {
	j.mu.Lock()
	op := j.op
	j.mu.Unlock()
	if op.Hooked || op.Phase != deploy.Forward || op.Kind == deploy.Import {
		return "", nil
	}
	q := hookQuestion{
		hookTarget: hookTarget{Operation: onStack, Action: op.Kind, Name: onStack, Stack: st.Name, Role: op.Deployment.RoleARN},
		Token:      op.ID, StackID: st.ID, ChangeSetID: changeSetOf(st, &op), LogicalID: st.Name,
	}
	var err error
	if q.Payload, err = j.s.payloadOf(ctx, st, &op); err != nil {
		return "", err
	}
	asked, against, err := j.s.askHooks(ctx, q, func(h deploy.Hook) error {
		return j.Save(ctx, deploy.Save{Events: []deploy.Event{{LogicalID: st.Name, PhysicalID: st.ID, Type: nestedStack, Status: op.Kind + "_IN_PROGRESS", Hook: &h}}})
	})
	if err != nil || len(against) > 0 {
		return deploy.HooksFailed(against), err
	}
	if asked == 0 {
		return "", nil
	}
	op.Hooked = true
	if err := j.s.Store.Update(ctx, func(tx store.Txn) error { return record.Set(tx, j.p.operation(j.stackID), op) }); err != nil {
		return "", err
	}
	j.mu.Lock()
	j.op.Hooked = true
	j.mu.Unlock()
	return "", nil
}

// payloadOf are the templates of an operation and of the one before.
func (s *Service) payloadOf(ctx context.Context, st *stackRecord, op *operationRecord) (p stackPayload, err error) {
	if op.Kind == deploy.Delete {
		return p, nil
	}
	if p.Template, err = s.storedTemplate(ctx, op.Deployment.TemplateID, "Original"); err != nil || st.TemplateID == "" {
		return p, err
	}
	p.PreviousTemplate, err = s.storedTemplate(ctx, st.TemplateID, "Original")
	return p, err
}

// askAboutResource asks the hooks of one resource of the stack.
func (j *journal) askAboutResource(st *stackRecord) func(ctx context.Context, t deploy.HookTarget) (int, []string, error) {
	return func(ctx context.Context, t deploy.HookTarget) (int, []string, error) {
		j.mu.Lock()
		op := j.op
		j.mu.Unlock()
		q := hookQuestion{
			hookTarget: hookTarget{Operation: onResource, Action: t.Action, Name: t.Type, Stack: st.Name, Role: op.Deployment.RoleARN},
			Token:      t.Token, StackID: st.ID, ChangeSetID: changeSetOf(st, &op), LogicalID: t.LogicalID, Properties: t.Properties, Previous: t.Previous,
		}
		return j.s.askHooks(ctx, q, func(h deploy.Hook) error {
			return j.Save(ctx, deploy.Save{Events: []deploy.Event{{LogicalID: t.LogicalID, PhysicalID: t.PhysicalID, Type: t.Type, Status: t.Status, Hook: &h}}})
		})
	}
}

// result is the result of a hook that an event tells of.
func (j *journal) result(e deploy.Event, now time.Time) resultRecord {
	v := resultRecord{Hook: *e.Hook, Invoked: now, TargetType: onResource, TargetName: e.Type, TargetID: e.LogicalID, Execution: j.stackID}
	if e.Type == nestedStack && e.PhysicalID == j.stackID {
		v.TargetType, v.TargetName, v.TargetID = onStack, onStack, j.stackID
	}
	return v
}

// askAboutChangeSet asks the hooks of a change set, and returns what they said and why it failed, if it did.
func (s *Service) askAboutChangeSet(ctx context.Context, c *changeSetRecord, proposal *proposal) (results []resultRecord, refused string, err error) {
	q := hookQuestion{
		hookTarget: hookTarget{Operation: onChangeSet, Action: deploy.Create, Name: onChangeSet, Stack: c.StackName, Role: c.Deployment.RoleARN},
		Token:      c.ID, StackID: c.StackID, ChangeSetID: c.ID, LogicalID: c.ID,
	}
	payload := changeSetPayload{Template: proposal.text, ChangedResources: []changedResource{}}
	for _, change := range removalsFirst(c.Changes) {
		r, err := changedShape(change, proposal.expanded.template)
		if err != nil {
			return nil, "", err
		}
		payload.ChangedResources = append(payload.ChangedResources, r)
	}
	q.Payload = payload
	_, against, err := s.askHooks(ctx, q, func(h deploy.Hook) error {
		v := resultRecord{Hook: h, Invoked: s.Clock.Now(), TargetType: onChangeSet, TargetName: onChangeSet, TargetID: c.ID, Execution: c.StackID}
		if last := len(results) - 1; last >= 0 && results[last].ID == h.ID {
			v.Invoked, results = results[last].Invoked, results[:last]
		}
		results = append(results, v)
		return nil
	})
	if err == nil && len(against) > 0 {
		refused = "Change set creation failed. " + deploy.HooksFailed(against)
	}
	return results, refused, err
}

// changedShape is a change as hooks read it.
func changedShape(c deploy.Change, t *template.Template) (changedResource, error) {
	r := changedResource{LogicalResourceID: c.LogicalID, ResourceType: c.Type, Action: hookAction(c.Action)}
	if c.Action == deploy.Remove {
		r.Action = deploy.Delete
	} else if at, ok := t.Document.Position("Resources", c.LogicalID); ok {
		r.LineNumber = &at.Line
	}
	for to, properties := range map[**string]map[string]any{&r.BeforeContext: c.Before, &r.AfterContext: c.After} {
		if properties == nil {
			continue
		}
		b, err := json.Marshal(map[string]any{"Properties": asTexts(properties)})
		if err != nil {
			return r, err
		}
		*to = ptr(string(b))
	}
	return r, nil
}

// asTexts returns a value whose numbers and truths are texts, as the contexts of changes have them.
func asTexts(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = asTexts(e)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = asTexts(e)
		}
		return out
	case float64: // a recorded number; an integer has no point
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	if text, ok := template.Text(v); ok {
		return text
	}
	return v
}
