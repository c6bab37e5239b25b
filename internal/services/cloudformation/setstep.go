package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// stepError is the failure of one stack of a stack set, which is told to the client.
type stepError struct{ reason string }

func (e *stepError) Error() string { return e.reason }

func failStep(format string, args ...any) error { return &stepError{fmt.Sprintf(format, args...)} }

// failed makes a refusal the failure of a step, and leaves an error of this process as it is.
func failed(err error) error {
	var refused *service.Error
	if errors.As(err, &refused) {
		return failStep("%s", refused.Message)
	}
	return err
}

// gateFunction is the function of an account that decides whether operations may begin there, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-account-gating.html.
const gateFunction = "AWSCloudFormationStackSetAccountGate"

// step does to one stack what the operation says, as the execution role of its account; gone tells that it is no instance any more. It may have been begun before a restart.
func (run *setRun) step(ctx context.Context, r setResultRecord, i *instanceRecord) (gone bool, err error) {
	removed := run.op.Action == cloudformation.StackSetOperationActionDelete
	switch {
	case removed && i.StackID == "":
		return true, nil
	case removed && run.op.Retain:
		return true, run.mark(inPlace(ctx, r.setTarget), i.StackID, "")
	}
	ctx, err = run.as(ctx, r.setTarget)
	if err != nil {
		return false, err
	}
	switch {
	case removed:
		return true, run.remove(ctx, i)
	case run.op.Action == cloudformation.StackSetOperationActionDetectDrift:
		return false, run.detect(ctx, i)
	case r.Import != "":
		return false, run.adopt(ctx, r, i)
	}
	if err := gate(ctx, run.s.Door, r.setTarget); err != nil {
		return false, err
	}
	return false, run.deploy(ctx, r, i)
}

// as returns a context for calls in an account, by a session of its execution role, which the administration role assumes.
func (run *setRun) as(ctx context.Context, t setTarget) (context.Context, error) {
	session := "StackSets-" + run.op.ID
	session = session[:min(len(session), 64)]
	admin, err := run.s.options.Roles.SessionForService(ctx, stackService, run.op.AdminRole, session)
	if service.Code(err) != "" && !isInternal(err) {
		return nil, failStep("Account %s should have '%s' role with trust relationship to CloudFormation service.", run.p.account, roleName(run.op.AdminRole))
	}
	if err != nil {
		return nil, err
	}
	role := "arn:aws:iam::" + t.Account + ":role/" + run.op.ExecutionRole
	execution, err := run.s.options.Roles.SessionForPrincipal(service.As(ctx, admin), role, session)
	if service.Code(err) != "" && !isInternal(err) {
		return nil, failStep("Account %s should have '%s' role with trust relationship to Role '%s'.", t.Account, run.op.ExecutionRole, roleName(run.op.AdminRole))
	}
	if err != nil {
		return nil, err
	}
	return inPlace(service.As(ctx, execution), t), nil
}

func isInternal(err error) bool { return service.Code(err) == "InternalFailure" }

// roleName is the path and name of a role.
func roleName(arn string) string { return arn[strings.Index(arn, ":role/")+len(":role/"):] }

// gate asks the function of an account, if there is one, whether the operation may begin.
func gate(ctx context.Context, door service.Door, t setTarget) error {
	event, err := json.Marshal(map[string]string{"account": t.Account, "region": t.Region})
	if err != nil {
		return err
	}
	out, err := service.Call[lambda.InvokeOutput](ctx, door, "lambda", "Invoke", &lambda.InvokeInput{FunctionName: gateFunction, Payload: event})
	if service.Code(err) != "" && !isInternal(err) {
		return nil // no such function, or it is not for the role to call: the gate is open
	}
	if err != nil {
		return err
	}
	var answer struct{ Status string }
	if out.FunctionError != nil || json.Unmarshal(out.Payload, &answer) != nil || answer.Status != "SUCCEEDED" {
		return failStep("The function %s of the account answered %s, and not {\"Status\": \"SUCCEEDED\"}.", gateFunction, out.Payload)
	}
	return nil
}

// deploy makes the stack, or brings it to what the stack set says.
func (run *setRun) deploy(ctx context.Context, r setResultRecord, i *instanceRecord) error {
	st, err := run.stack(ctx, i.StackID, r.Stack)
	if err != nil {
		return err
	}
	ours := false
	if st != nil {
		if ours, err = run.did(ctx, st); err != nil {
			return err
		}
	}
	if st != nil && st.Status == "ROLLBACK_COMPLETE" && !ours { // it was never made, and cannot be updated
		i.StackID = st.ID
		if err := run.remove(ctx, i); err != nil {
			return err
		}
		st = nil
	}
	switch {
	case st == nil:
		err = run.create(ctx, r, i)
	case !ours:
		i.StackID = st.ID
		err = run.update(ctx, i)
	default:
		i.StackID = st.ID
	}
	if err == nil {
		err = run.settled(ctx, i.StackID, "CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
	}
	if err == nil {
		i.Status, i.Reason, i.Drift = cloudformation.StackInstanceStatusCurrent, "", ""
	}
	return err
}

// stack finds the stack of an instance: the one that it has, or the one that this step made before a restart. It is nil when there is none.
func (run *setRun) stack(ctx context.Context, names ...string) (*stackRecord, error) {
	for _, name := range names {
		if name == "" {
			continue
		}
		st, err := run.s.findStack(ctx, name)
		if err == nil && st.Status != "DELETE_COMPLETE" {
			return st, nil
		}
		if err != nil && !isMissing(err) {
			return nil, err
		}
	}
	return nil, nil
}

// did tells whether the last operation of a stack is this one's.
func (run *setRun) did(ctx context.Context, st *stackRecord) (did bool, err error) {
	err = run.s.Store.View(ctx, func(r store.Reader) error {
		op, _, err := record.Get[operationRecord](r, placeOf(ctx).operation(st.ID))
		did = op.Token == run.op.ID
		return err
	})
	return did, err
}

func (run *setRun) create(ctx context.Context, r setResultRecord, i *instanceRecord) error {
	ctx, err := run.bring(ctx)
	if err != nil {
		return err
	}
	out, err := service.Call[cloudformation.CreateStackOutput](ctx, run.s.Door, "cloudformation", "CreateStack", &cloudformation.CreateStackInput{
		StackName: r.Stack, Parameters: run.parameters(i), Capabilities: run.set.Capabilities, Tags: tags(run.set.Tags), ClientRequestToken: &run.op.ID,
	})
	if err != nil {
		return failed(err)
	}
	i.StackID = *out.StackId
	return nil
}

func (run *setRun) update(ctx context.Context, i *instanceRecord) error {
	ctx, err := run.bring(ctx)
	if err != nil {
		return err
	}
	_, err = service.Call[cloudformation.UpdateStackOutput](ctx, run.s.Door, "cloudformation", "UpdateStack", &cloudformation.UpdateStackInput{
		StackName: i.StackID, Parameters: run.parameters(i), Capabilities: run.set.Capabilities, Tags: append([]cloudformation.Tag{}, tags(run.set.Tags)...), ClientRequestToken: &run.op.ID,
	})
	var refused *service.Error
	if errors.As(err, &refused) && refused.Message == noUpdates {
		return nil
	}
	return failed(err)
}

// remove deletes the stack of an instance.
func (run *setRun) remove(ctx context.Context, i *instanceRecord) error {
	_, err := service.Call[cloudformation.DeleteStackOutput](ctx, run.s.Door, "cloudformation", "DeleteStack", &cloudformation.DeleteStackInput{StackName: i.StackID, ClientRequestToken: &run.op.ID})
	if err != nil {
		return failed(err)
	}
	err = run.settled(ctx, i.StackID, "DELETE_COMPLETE")
	if isMissing(err) {
		return nil
	}
	return err
}

// adopt makes a stack that exists an instance. It stays as it is: when its template is another than the stack set's, it is out of date.
func (run *setRun) adopt(ctx context.Context, r setResultRecord, i *instanceRecord) error {
	out, err := service.Call[cloudformation.GetTemplateOutput](ctx, run.s.Door, "cloudformation", "GetTemplate", &cloudformation.GetTemplateInput{StackName: &r.Import})
	if err != nil {
		return failed(err)
	}
	st, err := run.s.findStack(ctx, r.Import)
	switch {
	case err != nil:
		return failed(err)
	case st.StackSet != "" && st.StackSet != run.set.ID:
		return failStep("Stack %s belongs to the stack set %s already.", st.ID, st.StackSet)
	case i.StackID != "" && i.StackID != st.ID:
		return failStep("The stack set has the stack %s in this account and region already.", i.StackID)
	}
	text, err := run.text(ctx)
	if err != nil {
		return err
	}
	i.StackID, i.Status = st.ID, cloudformation.StackInstanceStatusOutdated
	if deref(out.TemplateBody) == text {
		i.Status = cloudformation.StackInstanceStatusCurrent
	}
	return run.mark(ctx, st.ID, run.set.ID)
}

// mark notes on a stack which stack set it belongs to; empty for none. A stack that is gone has none.
func (run *setRun) mark(ctx context.Context, stackID, set string) error {
	return run.s.Store.Update(ctx, func(tx store.Txn) error {
		p := placeOf(ctx)
		st, err := lookup(tx, p, stackID)
		if isMissing(err) {
			return nil
		}
		if err != nil {
			return err
		}
		st.StackSet = set
		return record.Set(tx, p.stack(st.ID), st)
	})
}

// setTemplate carries the template of a stack set to the operation that deploys it: it may be longer than one that a call brings.
type setTemplate struct{ text, set string }

type setTemplateKey struct{}

// bring returns a context for a deploy of the stack set's template.
func (run *setRun) bring(ctx context.Context) (context.Context, error) {
	text, err := run.text(ctx)
	return context.WithValue(ctx, setTemplateKey{}, setTemplate{text, run.set.ID}), err
}

// text is the template of the stack set.
func (run *setRun) text(ctx context.Context) (string, error) {
	var text []byte
	err := run.s.Store.View(ctx, func(r store.Reader) (err error) {
		text, err = r.Get(run.p.template(run.set.TemplateID, "Original"))
		return err
	})
	return string(text), err
}

// parameters are those of the stack set with what the instance has otherwise.
func (run *setRun) parameters(i *instanceRecord) []cloudformation.Parameter {
	values := map[string]string{}
	for _, list := range [][]parameterRecord{run.set.Parameters, i.Overrides} {
		for _, v := range list {
			values[v.Key] = v.Value
		}
	}
	return (&stackProperties{Parameters: values}).parameters()
}

// settled waits until nothing works on a stack and fails unless its status is one of good.
func (run *setRun) settled(ctx context.Context, id string, good ...string) error {
	st, err := run.s.quiet(ctx, id)
	if err != nil || slices.Contains(good, st.Status) {
		return err
	}
	return failStep("%s", run.cause(ctx, st))
}

// cause says in the form of StackSets why a stack failed: the first of its resources that did in this operation.
func (run *setRun) cause(ctx context.Context, st *stackRecord) string {
	why := "The stack is in the status " + st.Status + ". " + st.why()
	err := run.s.Store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[eventRecord](r, placeOf(ctx).events(st.ID).Span()) {
			e := row.Value
			if err == nil && e.Token == run.op.ID && strings.HasSuffix(e.Status, "_FAILED") && e.PhysicalID != st.ID {
				why = "ResourceLogicalId:" + e.LogicalID + ", ResourceType:" + e.Type + ", ResourceStatusReason:" + e.Reason + "."
				return nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err.Error()
	}
	return why
}
