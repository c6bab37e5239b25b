package codedeploy

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The lifecycle events of a deployment, in their order.
const (
	beforeAllowTraffic = "BeforeAllowTraffic"
	allowTraffic       = "AllowTraffic"
	afterAllowTraffic  = "AfterAllowTraffic"
)

// deploymentRecord is a deployment.
type deploymentRecord struct {
	ID, Application, Group, Config string
	Description                    string `json:",omitempty"`
	Creator, Role                  string
	Content                        string
	Spec                           appSpec
	Routing                        routing
	RollBackOn                     []string `json:",omitempty"`
	Alarms                         alarms   `json:",omitzero"`
	// OwnAlarms tells that the alarms are not those of the group.
	OwnAlarms bool `json:",omitempty"`
	Status    string
	Created   time.Time
	Completed *time.Time `json:",omitempty"`
	// Code and Message say why it failed.
	Code, Message string `json:",omitempty"`
	// RollbackOf is the deployment that this one undoes, RolledBackBy the one that undoes this one.
	RollbackOf, RolledBackBy string `json:",omitempty"`

	// Step counts what was done; At is the lifecycle event under way.
	Step, At int
	Events   [3]lifecycleEvent
	// Percent is how much of the traffic goes to the new version.
	Percent int32
	Updated time.Time
}

// lifecycleEvent is one of the events of a deployment.
type lifecycleEvent struct {
	Name, Status string
	// Execution is the id under which a hook reports.
	Execution  string     `json:",omitempty"`
	Start, End *time.Time `json:",omitempty"`
}

func (d *deploymentRecord) ended() bool { return d.Completed != nil }

// moved tells whether traffic may go to the new version: a step that is under way may have moved some already.
func (d *deploymentRecord) moved() bool { return d.Percent > 0 || d.Events[d.At].Name == allowTraffic }

func (d *deploymentRecord) revision() *api.RevisionLocation {
	return &api.RevisionLocation{RevisionType: api.RevisionLocationTypeAppSpecContent, AppSpecContent: &api.AppSpecContent{Content: &d.Content}}
}

// hook returns the function that is asked at the event under way, or nothing.
func (d *deploymentRecord) hook() string {
	switch d.At {
	case 0:
		return d.Spec.Before
	case 2:
		return d.Spec.After
	}
	return ""
}

func lookup(r store.Reader, p place, id string) (deploymentRecord, error) {
	d, there, err := record.Get[deploymentRecord](r, p.deployment(id))
	if err == nil && !there {
		err = noDeployment(id)
	}
	return d, err
}

func (s *Service) viewDeployment(ctx context.Context, id string) (d deploymentRecord, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		d, err = lookup(r, placeOf(ctx), id)
		return err
	})
	return d, storeError(err)
}

// newID returns the id of a new deployment.
func (s *Service) newID() (string, error) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	var b [9]byte
	if _, err := io.ReadFull(s.deps.Random, b[:]); err != nil {
		return "", err
	}
	for i := range b {
		b[i] = letters[b[i]%32]
	}
	return "d-" + string(b[:]), nil
}

// fresh returns a deployment that nothing was done for yet.
func (s *Service) fresh() (deploymentRecord, error) {
	d := deploymentRecord{Status: api.DeploymentStatusCreated, Created: s.now(), Updated: s.now()}
	var err error
	if d.ID, err = s.newID(); err != nil {
		return d, err
	}
	for i, name := range []string{beforeAllowTraffic, allowTraffic, afterAllowTraffic} {
		d.Events[i] = lifecycleEvent{Name: name, Status: api.LifecycleEventStatusPending}
		if d.Events[i].Execution, err = uuid.New(s.deps.Random); err != nil {
			return d, err
		}
	}
	return d, nil
}

// refuseDeployment names what of a call is not here.
func refuseDeployment(in *api.CreateDeploymentInput) error {
	switch {
	case in.DeploymentGroupName == nil:
		return fault("DeploymentGroupNameRequiredException", "A deployment group name is needed.")
	case in.TargetInstances != nil || in.FileExistsBehavior != "" || opt.Value(in.UpdateOutdatedInstancesOnly) || opt.Value(in.IgnoreApplicationStopFailures):
		return unsupported("the parameters of a deployment that are for instances", "Leave them out.")
	}
	return nil
}

func (s *Service) createDeployment(ctx context.Context, in *api.CreateDeploymentInput) (*api.CreateDeploymentOutput, error) {
	if err := refuseDeployment(in); err != nil {
		return nil, err
	}
	text, err := content(in.Revision)
	if err != nil {
		return nil, err
	}
	d, err := s.fresh()
	if err != nil {
		return nil, err
	}
	if d.Spec, err = parse(text); err != nil {
		return nil, err
	}
	on, err := rollback(in.AutoRollbackConfiguration)
	if err != nil {
		return nil, err
	}
	override, err := alarmsOf(in.OverrideAlarmConfiguration)
	if err != nil {
		return nil, err
	}
	d.Application, d.Group, d.Description, d.Creator, d.Content = in.ApplicationName, *in.DeploymentGroupName, opt.Value(in.Description), api.DeploymentCreatorUser, text
	p := placeOf(ctx)
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		g, err := group(tx, p, d.Application, d.Group)
		if err != nil {
			return err
		}
		if err := notBusy(tx, p, &g); err != nil {
			return err
		}
		d.Config, d.Role, d.RollBackOn, d.Alarms = g.Config, g.Role, g.RollBackOn, g.Alarms
		if in.OverrideAlarmConfiguration != nil {
			d.Alarms, d.OwnAlarms = override, true
		}
		if in.DeploymentConfigName != nil {
			d.Config = *in.DeploymentConfigName
		}
		if in.AutoRollbackConfiguration != nil {
			d.RollBackOn = on
		}
		c, err := config(tx, p, d.Config)
		if err != nil {
			return err
		}
		d.Routing = c.Routing
		return begin(tx, p, &g, &d)
	})
	return &api.CreateDeploymentOutput{DeploymentId: &d.ID}, storeError(err)
}

// notBusy refuses a second deployment of a group while one is under way
// (https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_CreateDeployment.html).
func notBusy(r store.Reader, p place, g *groupRecord) error {
	if g.LastAttempted == "" {
		return nil
	}
	last, err := lookup(r, p, g.LastAttempted)
	if err == nil && !last.ended() {
		err = fault("DeploymentLimitExceededException", "The Deployment Group '%s' already has an active Deployment '%s'", g.Name, last.ID)
	}
	return err
}

// begin stores a new deployment and the job of its first step.
func begin(tx store.Txn, p place, g *groupRecord, d *deploymentRecord) error {
	g.LastAttempted = d.ID
	if err := record.Set(tx, p.group(g.Application, g.Name), g); err != nil {
		return err
	}
	return plan(tx, p, d, time.Time{})
}

// plan stores a deployment and the job of its next step; a deployment that has ended has none.
func plan(tx store.Txn, p place, d *deploymentRecord, at time.Time) error {
	if err := record.Set(tx, p.deployment(d.ID), d); err != nil {
		return err
	}
	d.watch(tx, p)
	name := p.deploymentName(d.ID)
	if d.ended() {
		return events.Cancel(tx, stepKind, name)
	}
	payload, err := json.Marshal(work{p.account, p.region, d.ID, d.Step})
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: stepKind, Name: name, Payload: payload, NotBefore: at})
}

func (d *deploymentRecord) info() *api.DeploymentInfo {
	out := &api.DeploymentInfo{
		ApplicationName: &d.Application, DeploymentGroupName: &d.Group, DeploymentConfigName: &d.Config, DeploymentId: &d.ID, Revision: d.revision(), Status: d.Status,
		CreateTime: &d.Created, StartTime: d.Events[0].Start, CompleteTime: d.Completed, Description: opt.Of(d.Description), Creator: d.Creator,
		AutoRollbackConfiguration: &api.AutoRollbackConfiguration{Enabled: new(len(d.RollBackOn) > 0), Events: slices.Clone(d.RollBackOn)},
		DeploymentStyle:           new(lambdaStyle()), ComputePlatform: api.ComputePlatformLambda, DeploymentOverview: d.overview(),
	}
	if d.OwnAlarms {
		out.OverrideAlarmConfiguration = d.Alarms.config()
	}
	if d.Code != "" {
		out.ErrorInformation = &api.ErrorInformation{Code: d.Code, Message: &d.Message}
	}
	if d.RollbackOf != "" || d.RolledBackBy != "" {
		out.RollbackInfo = &api.RollbackInfo{RollbackDeploymentId: opt.Of(d.RolledBackBy), RollbackTriggeringDeploymentId: opt.Of(d.RollbackOf)}
	}
	return out
}

// overview counts the one target of a deployment under its status.
func (d *deploymentRecord) overview() *api.DeploymentOverview {
	count := func(is bool) *int64 {
		n := int64(0)
		if is {
			n = 1
		}
		return &n
	}
	status := d.targetStatus()
	return &api.DeploymentOverview{
		Pending: count(status == api.TargetStatusPending), InProgress: count(status == api.TargetStatusInProgress), Succeeded: count(status == api.TargetStatusSucceeded),
		Failed: count(status == api.TargetStatusFailed), Skipped: count(status == api.TargetStatusSkipped), Ready: count(false),
	}
}

func (s *Service) getDeployment(ctx context.Context, in *api.GetDeploymentInput) (*api.GetDeploymentOutput, error) {
	d, err := s.viewDeployment(ctx, in.DeploymentId)
	return &api.GetDeploymentOutput{DeploymentInfo: d.info()}, err
}

func (s *Service) batchGetDeployments(ctx context.Context, in *api.BatchGetDeploymentsInput) (*api.BatchGetDeploymentsOutput, error) {
	out := &api.BatchGetDeploymentsOutput{DeploymentsInfo: []api.DeploymentInfo{}}
	for _, id := range in.DeploymentIds {
		d, err := s.viewDeployment(ctx, id)
		if err != nil {
			return nil, err
		}
		out.DeploymentsInfo = append(out.DeploymentsInfo, *d.info())
	}
	return out, nil
}

// wanted tells whether a call for a list asks for a deployment.
func wanted(in *api.ListDeploymentsInput, d *deploymentRecord) bool {
	span := in.CreateTimeRange
	return (in.ApplicationName == nil || d.Application == *in.ApplicationName) && (in.DeploymentGroupName == nil || d.Group == *in.DeploymentGroupName) &&
		(len(in.IncludeOnlyStatuses) == 0 || slices.Contains(in.IncludeOnlyStatuses, d.Status)) &&
		(span == nil || (span.Start == nil || !d.Created.Before(*span.Start)) && (span.End == nil || !d.Created.After(*span.End)))
}

func (s *Service) listDeployments(ctx context.Context, in *api.ListDeploymentsInput) (*api.ListDeploymentsOutput, error) {
	switch {
	case in.ExternalId != nil:
		return nil, unsupported("externalId", "Leave it out.")
	case (in.ApplicationName == nil) != (in.DeploymentGroupName == nil):
		return nil, fault("InvalidInputException", "applicationName and deploymentGroupName are given both or not at all.")
	case in.ApplicationName != nil:
		if _, err := s.viewGroup(ctx, *in.ApplicationName, *in.DeploymentGroupName); err != nil {
			return nil, err
		}
	}
	out := &api.ListDeploymentsOutput{Deployments: []string{}}
	next, err := record.Page(ctx, s.deps.Store, placeOf(ctx).deployments(), record.Paging{Token: in.NextToken, Limit: pageSize}, func(id string, d deploymentRecord) bool {
		if !wanted(in, &d) {
			return false
		}
		out.Deployments = append(out.Deployments, id)
		return true
	})
	out.NextToken = next
	return out, storeError(err)
}
