package cloudformation

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/lib/glob"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// lambdaHook is the public type whose activations are the hooks that there are, and hookPublisher who publishes it.
const (
	lambdaHook    = "AWS::Hooks::LambdaHook"
	hookPublisher = "aws-hooks"
)

// What a hook can be asked about, see https://docs.aws.amazon.com/cloudformation-cli/latest/hooks-userguide/hooks-concepts.html.
const (
	onResource     = cloudformation.ListHookResultsTargetTypeResource
	onStack        = cloudformation.ListHookResultsTargetTypeStack
	onChangeSet    = cloudformation.ListHookResultsTargetTypeChangeSet
	onCloudControl = cloudformation.ListHookResultsTargetTypeCloudControl
)

// hookRecord is a hook of the account and region: an activation of [lambdaHook].
type hookRecord struct {
	// Alias is the hook's name, Role the role that its function is invoked with.
	Alias, Role string
	// Config is nil until it is set: the hook is not asked before.
	Config    *hookConfig `json:",omitempty"`
	Activated time.Time
	// Configured is when the configuration was set last.
	Configured time.Time `json:",omitzero"`
}

// hookConfig says when a hook is asked, in the form of
// https://docs.aws.amazon.com/cloudformation-cli/latest/hooks-userguide/hook-configuration-schema.html.
type hookConfig struct {
	HookInvocationStatus string
	TargetOperations     []string
	FailureMode          string
	Properties           hookModel
	TargetFilters        *targetFilters `json:",omitempty"`
	StackFilters         *stackFilters  `json:",omitempty"`
}

type hookModel struct {
	LambdaFunction string `json:",omitempty"`
}

type targetFilters struct {
	TargetNames      []string     `json:",omitempty" cfn:"TargetNames,unordered"`
	Actions          []string     `json:",omitempty" cfn:"Actions,unordered"`
	InvocationPoints []string     `json:",omitempty" cfn:"InvocationPoints,unordered"`
	Targets          []targetItem `json:",omitempty" cfn:"Targets,unordered"`
}

type targetItem struct {
	TargetName      string `cfn:"TargetName,required"`
	Action          string `cfn:"Action,required"`
	InvocationPoint string `cfn:"InvocationPoint,required"`
}

type stackFilters struct {
	FilteringCriteria string     `cfn:"FilteringCriteria,required"`
	StackNames        *inclusion `json:",omitempty" cfn:"StackNames"`
	StackRoles        *inclusion `json:",omitempty" cfn:"StackRoles"`
}

// inclusion takes what is in Include, or everything without it, but nothing in Exclude. Both may have wildcards.
type inclusion struct {
	Include []string `json:",omitempty" cfn:"Include,unordered"`
	Exclude []string `json:",omitempty" cfn:"Exclude,unordered"`
}

// wrapped is a configuration as the API has it.
type wrapped struct {
	CloudFormationConfiguration struct{ HookConfiguration *hookConfig }
}

// hookAlias is the form of the names of hooks; see [checkAlias] for the rest of the rule.
var hookAlias = regexp.MustCompile(`^[A-Za-z0-9]{2,64}::[A-Za-z0-9]{2,64}::[A-Za-z0-9]{2,64}$`)

// checkAlias refuses a name that a hook cannot have.
func checkAlias(name string) error {
	if !hookAlias.MatchString(name) || len(name) >= 3 && strings.EqualFold(name[:3], "aws") {
		return badExtension("The hook alias %q must have three parts of 2 to 64 letters and digits, such as Private::Lambda::Check, and must not begin with AWS.", name)
	}
	return nil
}

// parseHookConfig reads a configuration in the form of the API.
func parseHookConfig(text string) (*hookConfig, error) {
	var w wrapped
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return nil, badExtension("The configuration does not have the form of a hook's: %v", err)
	}
	c := w.CloudFormationConfiguration.HookConfiguration
	if c == nil {
		return nil, badExtension("The configuration has no CloudFormationConfiguration.HookConfiguration.")
	}
	return c, c.check()
}

// text is the configuration in the form of the API.
func (c *hookConfig) text() (string, error) {
	if c == nil {
		return "{}", nil
	}
	var w wrapped
	w.CloudFormationConfiguration.HookConfiguration = c
	b, err := json.Marshal(w)
	return string(b), err
}

// check refuses a configuration that is not valid.
func (c *hookConfig) check() error {
	if err := oneOf("HookInvocationStatus", []string{c.HookInvocationStatus}, "ENABLED", "DISABLED"); err != nil {
		return err
	}
	if err := oneOf("FailureMode", []string{c.FailureMode}, cloudformation.HookFailureModeFail, cloudformation.HookFailureModeWarn); err != nil {
		return err
	}
	if err := oneOf("TargetOperations", c.TargetOperations, onResource, onStack, onChangeSet, onCloudControl); err != nil {
		return err
	}
	if len(c.TargetOperations) == 0 {
		return badExtension("TargetOperations must name at least one operation.")
	}
	if c.HookInvocationStatus == "ENABLED" && c.Properties.LambdaFunction == "" {
		return badExtension("Properties.LambdaFunction must name the function of the hook.")
	}
	if err := c.TargetFilters.check(); err != nil {
		return err
	}
	return c.StackFilters.check()
}

// oneOf refuses values that are not among those allowed.
func oneOf(name string, values []string, allowed ...string) error {
	for _, v := range values {
		if !slices.Contains(allowed, v) {
			return badExtension("%s must be one of %s, and is %q.", name, strings.Join(allowed, ", "), v)
		}
	}
	return nil
}

func (f *targetFilters) check() error {
	if f == nil {
		return nil
	}
	if f.Targets != nil && (f.TargetNames != nil || f.Actions != nil || f.InvocationPoints != nil) {
		return badExtension("TargetFilters has Targets, or TargetNames, Actions and InvocationPoints, but not both.")
	}
	actions, points := slices.Clone(f.Actions), slices.Clone(f.InvocationPoints)
	for _, t := range f.Targets {
		actions, points = append(actions, t.Action), append(points, t.InvocationPoint)
	}
	if err := oneOf("TargetFilters: an action", actions, cloudformation.HookTargetActionCreate, cloudformation.HookTargetActionUpdate, cloudformation.HookTargetActionDelete); err != nil {
		return err
	}
	return oneOf("TargetFilters: an invocation point", points, cloudformation.HookInvocationPointPreProvision)
}

func (f *stackFilters) check() error {
	if f == nil {
		return nil
	}
	if f.StackNames == nil && f.StackRoles == nil {
		return badExtension("StackFilters must have StackNames or StackRoles.")
	}
	return oneOf("FilteringCriteria", []string{f.FilteringCriteria}, "ALL", "ANY")
}

// hookTarget is what hooks may be asked about.
type hookTarget struct {
	// Operation is one of [onResource] and its like, Action CREATE, UPDATE or DELETE, and Name the resource type.
	Operation, Action, Name string
	// Stack and Role are the stack's name and the role that it is deployed with; both are empty outside of a stack.
	Stack, Role string
}

// wants tells whether the hook is to be asked about a target.
func (h *hookRecord) wants(t hookTarget) bool {
	c := h.Config
	return c != nil && c.HookInvocationStatus == "ENABLED" && slices.Contains(c.TargetOperations, t.Operation) && c.TargetFilters.take(t) &&
		(t.Operation == onCloudControl || c.StackFilters.take(t))
}

// take tells whether the filters let a target pass. Names of types say nothing about stacks and change sets.
func (f *targetFilters) take(t hookTarget) bool {
	if f == nil {
		return true
	}
	named := func(patterns ...string) bool {
		return t.Operation == onStack || t.Operation == onChangeSet || matches(patterns, t.Name)
	}
	if f.Targets != nil {
		return slices.ContainsFunc(f.Targets, func(i targetItem) bool { return i.Action == t.Action && named(i.TargetName) })
	}
	return (len(f.Actions) == 0 || slices.Contains(f.Actions, t.Action)) && (len(f.TargetNames) == 0 || named(f.TargetNames...))
}

// take tells whether the filters let the stack of a target pass, see
// https://docs.aws.amazon.com/cloudformation-cli/latest/hooks-userguide/hooks-stack-level-filtering.html.
func (f *stackFilters) take(t hookTarget) bool {
	if f == nil {
		return true
	}
	var passed, failed bool
	for list, name := range map[*inclusion]string{f.StackNames: t.Stack, f.StackRoles: t.Role} {
		switch {
		case list == nil:
		case (len(list.Include) == 0 || matches(list.Include, name)) && !matches(list.Exclude, name):
			passed = true
		default:
			failed = true
		}
	}
	return passed && (!failed || f.FilteringCriteria == "ANY")
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		compiled := glob.Compile(p)
		return compiled.Match(name)
	})
}

// hooksFor returns the hooks that are to be asked about a target, by name.
func (s *Service) hooksFor(ctx context.Context, t hookTarget) ([]hookRecord, error) {
	all, err := s.hooks(ctx)
	return slices.DeleteFunc(all, func(h hookRecord) bool { return !h.wants(t) }), err
}

func (s *Service) hooks(ctx context.Context) ([]hookRecord, error) {
	var all []hookRecord
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		all, err = record.List[hookRecord](r, placeOf(ctx).hooks().Span())
		return err
	})
	return all, err
}

// arn is that of the hook in its account and region.
func (h *hookRecord) arn(p place) string {
	return "arn:aws:cloudformation:" + p.region + ":" + p.account + ":type/hook/" + strings.ReplaceAll(h.Alias, "::", "-")
}

// configArn is that of the hook's configuration.
func (h *hookRecord) configArn(p place) string {
	return "arn:aws:cloudformation:" + p.region + ":" + p.account + ":type-configuration/hook/" + strings.ReplaceAll(h.Alias, "::", "-") + "/default"
}

// hookOf returns the name of the hook that an ARN of it, of its version or of its configuration tells.
func hookOf(arn string) string {
	_, rest, _ := strings.Cut(arn, "/hook/")
	name, _, _ := strings.Cut(rest, "/")
	return strings.ReplaceAll(name, "-", "::")
}

// findHook returns the hook with a name or an ARN.
func (s *Service) findHook(ctx context.Context, name, arn *string) (*hookRecord, error) {
	wanted := deref(name)
	if deref(arn) != "" {
		wanted = hookOf(*arn)
	}
	var h hookRecord
	err := s.Store.View(ctx, func(r store.Reader) error {
		var found bool
		var err error
		if h, found, err = record.Get[hookRecord](r, placeOf(ctx).hook(wanted)); err == nil && !found {
			err = noType(wanted)
		}
		return err
	})
	return &h, err
}

// changeHook changes a hook that is there.
func (s *Service) changeHook(ctx context.Context, name string, change func(tx store.Txn, h *hookRecord) error) error {
	at := placeOf(ctx).hook(name)
	return s.Store.Update(ctx, func(tx store.Txn) error {
		h, found, err := record.Get[hookRecord](tx, at)
		switch {
		case err != nil:
			return err
		case !found:
			return noType(name)
		}
		if err := change(tx, &h); err != nil {
			return err
		}
		return record.Set(tx, at, h)
	})
}

func noType(name string) error {
	return service.Errorf("TypeNotFoundException", "The type '%s' cannot be found.", name).WithStatus(404)
}

// badExtension is the refusal of an input about an extension.
func badExtension(format string, args ...any) error {
	return service.Errorf("CFNRegistryException", format, args...).WithStatus(400)
}
