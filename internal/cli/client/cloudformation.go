package client

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const cloudformationVersion = "2010-05-15"

// NoUpdates is the message of an update that would change nothing.
const NoUpdates = "No updates are to be performed."

// NoChanges is the reason of a change set that would change nothing.
const NoChanges = "The submitted information didn't contain changes. Submit different information to create a change set."

// Stack is a stack as DescribeStacks tells it.
type Stack struct {
	ID      string   `xml:"StackId" json:"id"`
	Name    string   `xml:"StackName" json:"name"`
	Status  string   `xml:"StackStatus" json:"status"`
	Reason  string   `xml:"StackStatusReason" json:"reason,omitempty"`
	Created string   `xml:"CreationTime" json:"created"`
	Updated string   `xml:"LastUpdatedTime" json:"updated,omitempty"`
	Outputs []Output `xml:"Outputs>member" json:"outputs"`
	// Parent is the id of the stack that this one is nested in.
	Parent string `xml:"ParentId" json:"-"`
	Tags   []Tag  `xml:"Tags>member" json:"-"`
	// Parameters are the names of the stack's parameters.
	Parameters []string `xml:"Parameters>member>ParameterKey" json:"-"`
}

// Tag is a tag of a stack.
type Tag struct {
	Key   string `xml:"Key"`
	Value string `xml:"Value"`
}

// Output is an output of a stack.
type Output struct {
	Key         string `xml:"OutputKey" json:"key"`
	Value       string `xml:"OutputValue" json:"value"`
	Description string `xml:"Description" json:"description,omitempty"`
}

// OutputMap returns the outputs by key.
func (s *Stack) OutputMap() map[string]string {
	m := make(map[string]string, len(s.Outputs))
	for _, o := range s.Outputs {
		m[o.Key] = o.Value
	}
	return m
}

// Stacks returns the stack of a name, or all for "".
func (c *Client) Stacks(ctx context.Context, name string) ([]Stack, error) {
	var all []Stack
	params := url.Values{}
	if name != "" {
		params.Set("StackName", name)
	}
	for {
		var out struct {
			Stacks []Stack `xml:"DescribeStacksResult>Stacks>member"`
			Next   string  `xml:"DescribeStacksResult>NextToken"`
		}
		if err := c.query(ctx, "cloudformation", cloudformationVersion, "DescribeStacks", params, &out); err != nil {
			return nil, err
		}
		if all = append(all, out.Stacks...); out.Next == "" {
			return all, nil
		}
		params.Set("NextToken", out.Next)
	}
}

// Missing tells whether err says that a stack does not exist.
func Missing(err error) bool {
	return HasCode(err, "ValidationError") && strings.Contains(err.Error(), "does not exist")
}

// StackResource is a resource of a stack.
type StackResource struct {
	LogicalID  string `xml:"LogicalResourceId" json:"logical_id"`
	PhysicalID string `xml:"PhysicalResourceId" json:"physical_id"`
	Type       string `xml:"ResourceType" json:"type"`
	Status     string `xml:"ResourceStatus" json:"status"`
	Reason     string `xml:"ResourceStatusReason" json:"reason,omitempty"`
}

// StackResources lists the resources of a stack.
func (c *Client) StackResources(ctx context.Context, stack string) ([]StackResource, error) {
	var all []StackResource
	params := url.Values{"StackName": {stack}}
	for {
		var out struct {
			Resources []StackResource `xml:"ListStackResourcesResult>StackResourceSummaries>member"`
			Next      string          `xml:"ListStackResourcesResult>NextToken"`
		}
		if err := c.query(ctx, "cloudformation", cloudformationVersion, "ListStackResources", params, &out); err != nil {
			return nil, err
		}
		if all = append(all, out.Resources...); out.Next == "" {
			return all, nil
		}
		params.Set("NextToken", out.Next)
	}
}

// ChangeSet is what a change set is made from.
type ChangeSet struct {
	Stack, Name string
	// Create tells that the stack is new.
	Create bool
	// Template is the template itself; TemplateURL is used instead when it is set.
	Template, TemplateURL string
	Parameters            map[string]string
	// KeepParameters are names of parameters that keep their values.
	KeepParameters []string
	// Tags are the stack's tags; nil leaves those that it has.
	Tags map[string]string
}

// CreateChangeSet starts the making of a change set and returns its id.
func (c *Client) CreateChangeSet(ctx context.Context, in ChangeSet) (string, error) {
	kind := "UPDATE"
	if in.Create {
		kind = "CREATE"
	}
	params := url.Values{
		"StackName": {in.Stack}, "ChangeSetName": {in.Name}, "ChangeSetType": {kind},
		"Capabilities.member.1": {"CAPABILITY_IAM"}, "Capabilities.member.2": {"CAPABILITY_NAMED_IAM"}, "Capabilities.member.3": {"CAPABILITY_AUTO_EXPAND"},
	}
	if in.TemplateURL != "" {
		params.Set("TemplateURL", in.TemplateURL)
	} else {
		params.Set("TemplateBody", in.Template)
	}
	n := 0
	member := func() string { n++; return "Parameters.member." + strconv.Itoa(n) + "." }
	for name, value := range in.Parameters {
		prefix := member()
		params.Set(prefix+"ParameterKey", name)
		params.Set(prefix+"ParameterValue", value)
	}
	for _, name := range in.KeepParameters {
		prefix := member()
		params.Set(prefix+"ParameterKey", name)
		params.Set(prefix+"UsePreviousValue", "true")
	}
	for i, name := range slices.Sorted(maps.Keys(in.Tags)) {
		prefix := "Tags.member." + strconv.Itoa(i+1) + "."
		params.Set(prefix+"Key", name)
		params.Set(prefix+"Value", in.Tags[name])
	}
	if in.Tags != nil && len(in.Tags) == 0 {
		params.Set("Tags", "")
	}
	var out struct {
		ID string `xml:"CreateChangeSetResult>Id"`
	}
	err := c.query(ctx, "cloudformation", cloudformationVersion, "CreateChangeSet", params, &out)
	return out.ID, err
}

// ChangeSetState returns the status of a change set and the reason for it.
func (c *Client) ChangeSetState(ctx context.Context, id string) (status, reason string, err error) {
	var out struct {
		Status string `xml:"DescribeChangeSetResult>Status"`
		Reason string `xml:"DescribeChangeSetResult>StatusReason"`
	}
	err = c.query(ctx, "cloudformation", cloudformationVersion, "DescribeChangeSet", url.Values{"ChangeSetName": {id}}, &out)
	return out.Status, out.Reason, err
}

// Change is what a change set would do to a resource.
type Change struct {
	// Action is Add, Modify or Remove.
	Action     string `xml:"Action" json:"action"`
	LogicalID  string `xml:"LogicalResourceId" json:"logical_id"`
	PhysicalID string `xml:"PhysicalResourceId" json:"physical_id,omitempty"`
	Type       string `xml:"ResourceType" json:"type"`
	// Replacement is True, False or Conditional for a change.
	Replacement string `xml:"Replacement" json:"replacement,omitempty"`
	// PolicyAction is what becomes of the physical resource: Delete, Retain, ReplaceAndDelete or ReplaceAndRetain.
	PolicyAction string   `xml:"PolicyAction" json:"policy_action,omitempty"`
	Scope        []string `xml:"Scope>member" json:"scope,omitempty"`
	Details      []Detail `xml:"Details>member" json:"details,omitempty"`
}

// Detail is one reason of a change.
type Detail struct {
	// Attribute is Properties, Tags, Metadata and the like, and Path leads to the property.
	Attribute string `xml:"Target>Attribute" json:"attribute"`
	Name      string `xml:"Target>Name" json:"name,omitempty"`
	Path      string `xml:"Target>Path" json:"path,omitempty"`
	// Recreation is Never, Conditionally or Always.
	Recreation string `xml:"Target>RequiresRecreation" json:"requires_recreation,omitempty"`
	Before     string `xml:"Target>BeforeValue" json:"before,omitempty"`
	After      string `xml:"Target>AfterValue" json:"after,omitempty"`
}

// Changes lists what a change set would do.
func (c *Client) Changes(ctx context.Context, id string) ([]Change, error) {
	var all []Change
	params := url.Values{"ChangeSetName": {id}, "IncludePropertyValues": {"true"}}
	for {
		var out struct {
			Changes []Change `xml:"DescribeChangeSetResult>Changes>member>ResourceChange"`
			Next    string   `xml:"DescribeChangeSetResult>NextToken"`
		}
		if err := c.query(ctx, "cloudformation", cloudformationVersion, "DescribeChangeSet", params, &out); err != nil {
			return nil, err
		}
		if all = append(all, out.Changes...); out.Next == "" {
			return all, nil
		}
		params.Set("NextToken", out.Next)
	}
}

// ExecuteChangeSet starts a deploy, whose events carry token.
func (c *Client) ExecuteChangeSet(ctx context.Context, id, token string) error {
	return c.query(ctx, "cloudformation", cloudformationVersion, "ExecuteChangeSet",
		url.Values{"ChangeSetName": {id}, "ClientRequestToken": {token}}, nil)
}

// DeleteChangeSet removes a change set.
func (c *Client) DeleteChangeSet(ctx context.Context, id string) error {
	return c.query(ctx, "cloudformation", cloudformationVersion, "DeleteChangeSet", url.Values{"ChangeSetName": {id}}, nil)
}

// DeleteStack starts the removal of a stack, whose events carry token.
func (c *Client) DeleteStack(ctx context.Context, stack, token string) error {
	return c.query(ctx, "cloudformation", cloudformationVersion, "DeleteStack",
		url.Values{"StackName": {stack}, "ClientRequestToken": {token}}, nil)
}

// WarningMark begins the reason of an event by which a Lambent warns of what will not work.
const WarningMark = "Warning: "

// StackEvent is something that happened to a stack or to one of its resources.
type StackEvent struct {
	ID         string    `xml:"EventId"`
	StackID    string    `xml:"StackId"`
	LogicalID  string    `xml:"LogicalResourceId"`
	PhysicalID string    `xml:"PhysicalResourceId"`
	Type       string    `xml:"ResourceType"`
	Status     string    `xml:"ResourceStatus"`
	Reason     string    `xml:"ResourceStatusReason"`
	Token      string    `xml:"ClientRequestToken"`
	Time       time.Time `xml:"Timestamp"`
	// Hook is the name of the hook whose invocation the event tells of; empty for all others.
	Hook       string `xml:"HookType"`
	HookStatus string `xml:"HookStatus"`
	HookMode   string `xml:"HookFailureMode"`
	HookReason string `xml:"HookStatusReason"`
}

// Own tells whether the event is about the stack itself.
func (e *StackEvent) Own() bool { return e.PhysicalID == e.StackID }

// StackEvents returns the events of a token, oldest first. It stops reading at the newest event of another token.
func (c *Client) StackEvents(ctx context.Context, stack, token string) ([]StackEvent, error) {
	var events []StackEvent
	params := url.Values{"StackName": {stack}}
	for {
		var out struct {
			Events []StackEvent `xml:"DescribeStackEventsResult>StackEvents>member"`
			Next   string       `xml:"DescribeStackEventsResult>NextToken"`
		}
		if err := c.query(ctx, "cloudformation", cloudformationVersion, "DescribeStackEvents", params, &out); err != nil {
			return nil, err
		}
		others := false
		for _, e := range out.Events {
			if e.Token != token {
				others = true
				break
			}
			events = append(events, e)
		}
		if others || out.Next == "" {
			break
		}
		params.Set("NextToken", out.Next)
	}
	for i, j := 0, len(events)-1; i < j; i, j = i+1, j-1 {
		events[i], events[j] = events[j], events[i]
	}
	return events, nil
}
