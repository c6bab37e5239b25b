package codedeploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// stepKind is the job of a deployment's next step.
const stepKind = "codedeploy.step"

// Why a deployment failed, in the words of its ErrorInformation (https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ErrorInformation.html).
const (
	codeAlias   = "INVALID_LAMBDA_CONFIGURATION"
	codeHook    = "HOOK_EXECUTION_FAILURE"
	codeRole    = "IAM_ROLE_PERMISSIONS"
	codeStopped = "MANUAL_STOP"
	codeAlarm   = "ALARM_ACTIVE"
)

// hookLimit is how long a hook may take to report
// (https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html).
const hookLimit = time.Hour

// work is the payload of a stepKind job.
type work struct {
	Account, Region, ID string
	Step                int
}

func (p place) deploymentName(id string) string { return p.account + "/" + p.region + "/" + id }

// failure is why a deployment cannot go on.
type failure struct{ code, message string }

func (f *failure) Error() string { return f.message }

// step is the handler of stepKind jobs.
func (s *Service) step(ctx context.Context, job events.Job) error {
	var w work
	if err := json.Unmarshal(job.Payload, &w); err != nil {
		return events.Permanent(err)
	}
	p := place{w.Account, w.Region}
	ctx = service.WithRequest(ctx, &service.Request{ID: job.ID, API: "codedeploy", Operation: "CreateDeployment", Account: w.Account, Region: w.Region, Time: s.now(), Secure: true})
	d, err := s.viewDeployment(ctx, w.ID)
	if service.Code(err) == codeNoDeployment || err == nil && (d.ended() || d.Step != w.Step) {
		return nil
	}
	if err != nil {
		return err
	}
	var after int32
	if err = s.checkAlarms(ctx, &d); err == nil {
		after, err = s.act(ctx, &d)
	}
	if errors.Is(err, errOvertaken) {
		return nil
	}
	var broken *failure
	if err != nil && !errors.As(err, &broken) {
		return err
	}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		now, err := lookup(tx, p, w.ID)
		if err != nil || now.ended() || now.Step != w.Step {
			return service.Unless(err, codeNoDeployment)
		}
		if broken != nil && broken.code == codeAlarm {
			return s.stopByAlarm(tx, p, &now, broken)
		}
		if broken != nil {
			undo := now.Percent > 0 && slices.Contains(now.RollBackOn, api.AutoRollbackEventDeploymentFailure) // this step has moved nothing
			return s.fail(tx, p, &now, api.DeploymentStatusFailed, broken, undo)
		}
		return s.goOn(tx, p, &now, after)
	})
}

// act does what the event under way asks for, and returns the share of traffic in percent that goes to the new version then.
func (s *Service) act(ctx context.Context, d *deploymentRecord) (percent int32, err error) {
	e := &d.Events[d.At]
	hook := d.hook()
	switch {
	case e.Name == allowTraffic:
		percent = d.Routing.next(d.Percent)
		return percent, s.shift(ctx, d, percent)
	case hook == "":
		return d.Percent, nil
	case e.Status == api.LifecycleEventStatusInProgress:
		return 0, &failure{codeHook, fmt.Sprintf("The hook %s (%s) did not report within an hour.", e.Name, hook)}
	}
	payload, err := json.Marshal(map[string]string{"DeploymentId": d.ID, "LifecycleEventHookExecutionId": e.Execution})
	if err != nil {
		return 0, err
	}
	err = s.call(ctx, d, "Invoke", &lambda.InvokeInput{FunctionName: hook, InvocationType: lambda.InvocationTypeEvent, Payload: payload}, codeHook)
	return d.Percent, err
}

// errOvertaken ends a step whose deployment went on without it, or was stopped.
var errOvertaken = errors.New("the deployment is not at this step any more")

// shift gives the alias its weights. A deployment may be stopped meanwhile, and the alias given back its version by the deployment that undoes it: what
// comes late changes nothing, since the alias is read before the deployment and has another revision then.
func (s *Service) shift(ctx context.Context, d *deploymentRecord, percent int32) error {
	a, err := s.alias(ctx, d)
	if err != nil {
		return err
	}
	if now, err := s.viewDeployment(ctx, d.ID); err != nil {
		return err
	} else if now.ended() || now.Step != d.Step {
		return errOvertaken
	}
	in := &lambda.UpdateAliasInput{
		FunctionName: d.Spec.Function, Name: d.Spec.Alias, RevisionId: a.RevisionId,
		FunctionVersion: &d.Spec.Target, RoutingConfig: &lambda.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{}},
	}
	if percent < 100 {
		in.FunctionVersion = &d.Spec.Current
		in.RoutingConfig.AdditionalVersionWeights[d.Spec.Target] = float64(percent) / 100
	}
	return s.call(ctx, d, "UpdateAlias", in, codeAlias)
}

// alias reads the alias. One that a deployment has not moved yet must have the current version of the AppSpec; what an earlier try of the step did is no other version.
func (s *Service) alias(ctx context.Context, d *deploymentRecord) (*lambda.GetAliasOutput, error) {
	as, err := s.as(ctx, d)
	if err != nil {
		return nil, err
	}
	a, err := service.Call[lambda.GetAliasOutput](as, s.deps.Door, "lambda", "GetAlias", &lambda.GetAliasInput{FunctionName: d.Spec.Function, Name: d.Spec.Alias})
	if err != nil {
		return nil, refused(err, codeAlias)
	}
	if v := opt.Value(a.FunctionVersion); d.Percent == 0 && v != d.Spec.Current && v != d.Spec.Target {
		return nil, &failure{codeAlias, fmt.Sprintf("The alias %s has the version %s, and not the current version %s of the AppSpec.", d.targetID(), v, d.Spec.Current)}
	}
	return a, nil
}

// as returns the context of calls with the role of the deployment's group.
func (s *Service) as(ctx context.Context, d *deploymentRecord) (context.Context, error) {
	session, err := s.options.Roles.SessionForService(ctx, roleService, d.Role, d.ID)
	if err != nil {
		return nil, refused(err, codeRole)
	}
	return service.As(ctx, session), nil
}

func (s *Service) call(ctx context.Context, d *deploymentRecord, operation string, in any, code string) error {
	as, err := s.as(ctx, d)
	if err == nil {
		_, err = s.deps.Door.Call(as, "lambda", operation, in)
		err = refused(err, code)
	}
	return err
}

// refused makes the failure of a deployment of an error that another try cannot mend.
func refused(err error, code string) error {
	var e *service.Error
	if errors.As(err, &e) && e.Status < 500 && e.Code != "TooManyRequestsException" && e.Code != "PreconditionFailedException" {
		return &failure{code, e.Message}
	}
	return err
}

// goOn records what a step did, and plans the next one.
func (s *Service) goOn(tx store.Txn, p place, d *deploymentRecord, percent int32) error {
	now, e := s.now(), &d.Events[d.At]
	d.Status, d.Percent = api.DeploymentStatusInProgress, percent
	if e.Start == nil {
		e.Start = &now
	}
	switch {
	case e.Name == allowTraffic && percent < 100:
		e.Status = api.LifecycleEventStatusInProgress
		return s.advance(tx, p, d, now.Add(d.Routing.Interval))
	case e.Name != allowTraffic && d.hook() != "":
		e.Status = api.LifecycleEventStatusInProgress
		return s.advance(tx, p, d, now.Add(hookLimit))
	case e.Name != allowTraffic:
		return s.passed(tx, p, d, api.LifecycleEventStatusSkipped)
	}
	return s.passed(tx, p, d, api.LifecycleEventStatusSucceeded)
}

// passed ends the event under way, and with the last one the deployment.
func (s *Service) passed(tx store.Txn, p place, d *deploymentRecord, status string) error {
	now := s.now()
	d.Events[d.At].Status, d.Events[d.At].End = status, &now
	if d.At++; d.At < len(d.Events) {
		return s.advance(tx, p, d, time.Time{})
	}
	d.At--
	d.Status, d.Completed = api.DeploymentStatusSucceeded, &now
	g, there, err := record.Get[groupRecord](tx, p.group(d.Application, d.Group))
	if err != nil {
		return err
	}
	if there {
		g.LastSuccessful = d.ID
		if err := record.Set(tx, p.group(d.Application, d.Group), g); err != nil {
			return err
		}
	}
	return s.advance(tx, p, d, time.Time{})
}

func (s *Service) advance(tx store.Txn, p place, d *deploymentRecord, at time.Time) error {
	d.Step++
	d.Updated = s.now()
	return plan(tx, p, d, at)
}

// fail ends a deployment, and begins the one that undoes it when it is to be undone.
func (s *Service) fail(tx store.Txn, p place, d *deploymentRecord, status string, why *failure, undo bool) error {
	now := s.now()
	d.Status, d.Completed, d.Code, d.Message = status, &now, why.code, why.message
	for i := range d.Events {
		e := &d.Events[i]
		switch {
		case e.Status == api.LifecycleEventStatusInProgress || i == d.At && e.Status == api.LifecycleEventStatusPending:
			e.Status, e.End = api.LifecycleEventStatusFailed, &now
		case e.Status == api.LifecycleEventStatusPending:
			e.Status = api.LifecycleEventStatusSkipped
		}
	}
	g, there, err := record.Get[groupRecord](tx, p.group(d.Application, d.Group))
	if err != nil {
		return err
	}
	if undo && there && d.RollbackOf == "" && d.moved() {
		if err := s.undo(tx, p, &g, d); err != nil {
			return err
		}
	}
	return s.advance(tx, p, d, time.Time{})
}

// undo begins a deployment that gives an alias back the version that it had.
func (s *Service) undo(tx store.Txn, p place, g *groupRecord, d *deploymentRecord) error {
	back, err := s.fresh()
	if err != nil {
		return err
	}
	back.Application, back.Group, back.Config, back.Role, back.Creator, back.RollbackOf = d.Application, d.Group, d.Config, d.Role, api.DeploymentCreatorCodeDeployRollback, d.ID
	back.Spec = appSpec{Function: d.Spec.Function, Alias: d.Spec.Alias, Current: d.Spec.Target, Target: d.Spec.Current}
	back.Content = back.Spec.text()
	d.RolledBackBy = back.ID
	return begin(tx, p, g, &back)
}
