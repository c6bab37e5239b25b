package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
)

// Bounds of an invocation, see https://docs.aws.amazon.com/cloudformation-cli/latest/hooks-userguide/lambda-hooks-create-lambda-function.html: how long a
// function may take, how often it is invoked for one target, and the length of its message in characters. How long it may ask to wait in between is Lambent's own.
const (
	hookTimeout    = 30 * time.Second
	maxHookAsks    = 3
	maxHookMessage = 4096
	maxHookDelay   = 15 * time.Minute
)

// hookService is who assumes the execution roles of hooks.
const hookService = "hooks.cloudformation.amazonaws.com"

// hookVersion is the version of every hook.
const hookVersion = "00000001"

// hookQuestion is what the hooks of a target are told.
type hookQuestion struct {
	hookTarget
	// Token stands for the question: it is the same when it is asked again after a crash.
	Token string
	// StackID and ChangeSetID are empty where there are none.
	StackID, ChangeSetID, LogicalID string
	// Properties and Previous are those of a resource.
	Properties, Previous map[string]any
	// Payload is what the function fetches about a stack or a change set.
	Payload any
}

// hookEvent is what the function of a hook gets, see
// https://docs.aws.amazon.com/cloudformation-cli/latest/hooks-userguide/lambda-hooks-create-lambda-function.html.
type hookEvent struct {
	ClientRequestToken    string      `json:"clientRequestToken"`
	AWSAccountID          string      `json:"awsAccountId"`
	StackID               *string     `json:"stackId"`
	ChangeSetID           *string     `json:"changeSetId"`
	HookTypeName          string      `json:"hookTypeName"`
	HookTypeVersion       string      `json:"hookTypeVersion"`
	HookModel             hookModel   `json:"hookModel"`
	ActionInvocationPoint string      `json:"actionInvocationPoint"`
	RequestData           hookData    `json:"requestData"`
	RequestContext        hookContext `json:"requestContext"`
}

type hookData struct {
	TargetName      string           `json:"targetName"`
	TargetType      string           `json:"targetType"`
	TargetLogicalID string           `json:"targetLogicalId"`
	TargetModel     *hookTargetModel `json:"targetModel,omitempty"`
	Payload         string           `json:"payload,omitempty"`
}

type hookTargetModel struct {
	Properties map[string]any `json:"resourceProperties"`
	Previous   map[string]any `json:"previousResourceProperties"`
}

type hookContext struct {
	Invocation int             `json:"invocation"`
	Callback   json.RawMessage `json:"callbackContext"`
}

// hookAnswer is what it returns.
type hookAnswer struct {
	Status      string          `json:"hookStatus"`
	ErrorCode   string          `json:"errorCode"`
	Message     string          `json:"message"`
	Callback    json.RawMessage `json:"callbackContext"`
	Delay       int64           `json:"callbackDelaySeconds"`
	Annotations json.RawMessage `json:"annotations"`
}

// askHooks asks every hook that wants a target, one after the other, and tells of each what becomes of it. It returns how many it asked and the names of those that forbid it.
func (s *Service) askHooks(ctx context.Context, q hookQuestion, tell func(h deploy.Hook) error) (asked int, against []string, err error) {
	hooks, err := s.hooksFor(ctx, q.hookTarget)
	if err != nil || len(hooks) == 0 {
		return 0, nil, err
	}
	for i := range hooks {
		h := &hooks[i]
		told := deploy.Hook{
			Type: h.Alias, ID: uuid.Of(q.Token, h.Alias), Mode: h.Config.FailureMode, Action: q.Action,
			Status: cloudformation.HookStatusHookInProgress, Reason: "Invoking hook",
		}
		if err := tell(told); err != nil {
			return 0, nil, err
		}
		a, err := s.askHook(ctx, h, q, told.ID)
		if err != nil {
			return 0, nil, err
		}
		told.Status, told.Reason, told.Annotations = a.outcome(told.Mode)
		if err := tell(told); err != nil {
			return 0, nil, err
		}
		if forbids(told) {
			against = append(against, h.Alias)
		}
	}
	return len(hooks), against, nil
}

// outcome is the status of a hook that has answered, and what it says.
func (a *hookAnswer) outcome(mode string) (status, reason string, annotations json.RawMessage) {
	message := []rune(a.Message)
	text := string(message[:min(len(message), maxHookMessage)])
	switch {
	case a.Status == "SUCCESS":
		return cloudformation.HookStatusHookCompleteSucceeded, "Hook succeeded with message: " + text, a.Annotations
	case a.Status == "FAILED" && a.ErrorCode != "InternalFailure":
		status = cloudformation.HookStatusHookCompleteFailed
	default:
		status = cloudformation.HookStatusHookFailed
	}
	reason = "Hook failed with message: " + text
	if mode == cloudformation.HookFailureModeWarn {
		reason += ". Failure was ignored under WARN mode."
	}
	return status, reason, a.Annotations
}

// askHook asks one hook until it says yes or no. An answer that is none, or does not come, is an internal failure of the hook.
func (s *Service) askHook(ctx context.Context, h *hookRecord, q hookQuestion, id string) (*hookAnswer, error) {
	e := hookEvent{
		ClientRequestToken: id, AWSAccountID: placeOf(ctx).account, StackID: optional(q.StackID), ChangeSetID: optional(q.ChangeSetID), HookTypeName: h.Alias, HookTypeVersion: hookVersion,
		HookModel: h.Config.Properties, ActionInvocationPoint: q.Action + "_" + cloudformation.HookInvocationPointPreProvision,
		RequestData: hookData{TargetName: q.Name, TargetType: q.Name, TargetLogicalID: q.LogicalID},
	}
	switch q.Operation {
	case onStack, onChangeSet:
		url, shut, err := s.openPayload(ctx, id, q.Payload)
		if err != nil {
			return nil, err
		}
		defer shut()
		e.RequestData.Payload = url
	default:
		e.RequestData.TargetModel = &hookTargetModel{q.Properties, q.Previous}
	}
	if q.Operation == onCloudControl {
		e.RequestData.TargetType = onResource
	}
	as, err := s.options.Roles.SessionForService(ctx, hookService, h.Role, "hook-"+strings.ReplaceAll(h.Alias, "::", "-"))
	if refused := (*service.Error)(nil); errors.As(err, &refused) {
		return &hookAnswer{Message: fmt.Sprintf("the execution role %s cannot be assumed: %s", h.Role, refused.Message)}, nil
	}
	if err != nil {
		return nil, err
	}
	inside := service.As(ctx, as)
	for e.RequestContext.Invocation = 1; ; e.RequestContext.Invocation++ {
		a, again, err := s.invokeHook(inside, &e)
		if err != nil || !again {
			return a, err
		}
		if e.RequestContext.Invocation == maxHookAsks {
			a.Message = strings.TrimSuffix(fmt.Sprintf("it gave no result in %d invocations: %s", maxHookAsks, a.Message), ": ")
			return a, nil
		}
		e.RequestContext.Callback = a.Callback
		if err := s.hookPause(ctx, a); err != nil {
			return nil, err
		}
	}
}

// hookPause waits as long as a hook asked for, or until the operation ends early.
func (s *Service) hookPause(ctx context.Context, a *hookAnswer) error {
	wait, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-deploy.Ending(ctx):
			stop()
		case <-wait.Done():
		}
	}()
	delay := min(time.Duration(max(a.Delay, 0))*time.Second, maxHookDelay)
	if err := clock.Sleep(wait, s.Clock, delay); err != nil && ctx.Err() == nil {
		return deploy.ErrEnded
	}
	return ctx.Err()
}

// invokeHook invokes the function once. again tells that it has to be asked again: it said so, or did not answer in time.
func (s *Service) invokeHook(ctx context.Context, e *hookEvent) (a *hookAnswer, again bool, err error) {
	payload, err := json.Marshal(e)
	if err != nil {
		return nil, false, err
	}
	limited, stop := context.WithTimeout(ctx, hookTimeout)
	defer stop()
	out, err := service.Call[lambda.InvokeOutput](limited, s.Door, "lambda", "Invoke", &lambda.InvokeInput{FunctionName: e.HookModel.LambdaFunction, Payload: payload})
	var refused *service.Error
	switch {
	case ctx.Err() != nil:
		return nil, false, ctx.Err()
	case limited.Err() != nil:
		return &hookAnswer{Message: "the function did not answer within 30 seconds", Callback: e.RequestContext.Callback}, true, nil
	case errors.As(err, &refused):
		return &hookAnswer{Message: "the function cannot be invoked: " + refused.Message}, false, nil
	case err != nil:
		return nil, false, err
	case out.FunctionError != nil:
		return &hookAnswer{Message: "the function failed: " + string(out.Payload)}, false, nil
	}
	a = &hookAnswer{}
	if err := json.Unmarshal(out.Payload, a); err != nil {
		return &hookAnswer{Message: "the function's answer does not have the form of a hook's: " + err.Error()}, false, nil
	}
	switch a.Status {
	case "SUCCESS", "FAILED":
		return a, false, nil
	case "IN_PROGRESS":
		return a, true, nil
	}
	return &hookAnswer{Message: fmt.Sprintf("hookStatus must be SUCCESS, FAILED or IN_PROGRESS, and is %q", a.Status)}, false, nil
}
