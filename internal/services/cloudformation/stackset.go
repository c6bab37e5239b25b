package cloudformation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxStackSets is how many stack sets an account has in a region, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html.
const maxStackSets = 1000

// The roles of a stack set that names none, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-prereqs-self-managed.html.
const (
	administrationRole = "AWSCloudFormationStackSetAdministrationRole"
	executionRole      = "AWSCloudFormationStackSetExecutionRole"
)

// stackSetRecord is a stack set. It stays after its deletion, without its template.
type stackSetRecord struct {
	ID, Name, Description, Status string
	// TemplateID names the row of the template.
	TemplateID   string
	Parameters   []parameterRecord
	Capabilities []string
	Tags         map[string]string
	// AdminRole is an ARN; empty is the default.
	AdminRole string
	// ExecutionRole is a name.
	ExecutionRole string
	// Managed tells that operations wait for one another instead of being refused.
	Managed bool
	// Token made the stack set; Changed tells that it was changed since.
	Token   string
	Changed bool
	Created time.Time
	Drift   setDrift
}

// setDrift is what the last detection found of a stack set; its zero value says that there was none.
type setDrift struct {
	Status, Detection                          string
	Checked                                    time.Time
	Total, Drifted, InSync, InProgress, Failed int32
}

func (set *stackSetRecord) arn(p place) string {
	return "arn:aws:cloudformation:" + p.region + ":" + p.account + ":stackset/" + set.ID
}

// adminRole is the ARN of the role that the stack set's operations begin with.
func (set *stackSetRecord) adminRole(p place) string {
	if set.AdminRole != "" {
		return set.AdminRole
	}
	return "arn:aws:iam::" + p.account + ":role/" + administrationRole
}

// findSet finds a stack set by its name, unless it is deleted, or by its id.
func findSet(r store.Reader, p place, name string) (*stackSetRecord, error) {
	id := name
	if !strings.Contains(name, ":") {
		var err error
		if id, _, err = record.Get[string](r, p.setName(name)); err != nil {
			return nil, err
		}
	}
	set, found, err := record.Get[stackSetRecord](r, p.set(id))
	if err == nil && !found {
		err = noStackSet(name)
	}
	return &set, err
}

// liveSet is [findSet] without the stack sets that are deleted.
func liveSet(r store.Reader, p place, name string) (*stackSetRecord, error) {
	set, err := findSet(r, p, name)
	if err == nil && set.Status == cloudformation.StackSetStatusDeleted {
		err = noStackSet(name)
	}
	return set, err
}

func (s *Service) readSet(ctx context.Context, name, as string) (set *stackSetRecord, err error) {
	if err := checkCaller(as); err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		set, err = findSet(r, placeOf(ctx), name)
		return err
	})
	return set, err
}

// checkCaller refuses calls as a delegated administrator: without AWS Organizations there is none.
func checkCaller(as string) error {
	if as == cloudformation.CallAsDelegatedAdmin {
		return invalid("Account used is not a delegated administrator")
	}
	return nil
}

// checkModel refuses stack sets of an organisation: accounts of this platform form none.
func checkModel(model string, auto *cloudformation.AutoDeployment) error {
	if model == cloudformation.PermissionModelsServiceManaged {
		return invalid("You must be the management account or delegated admin account of an organization before operating a SERVICE_MANAGED stack set")
	}
	if auto != nil && (deref(auto.Enabled) || len(auto.DependsOn) > 0) {
		return invalid("AutoDeployment is only supported for stack sets with the SERVICE_MANAGED permission model, which needs AWS Organizations.")
	}
	return nil
}

func (s *Service) createStackSet(ctx context.Context, in *cloudformation.CreateStackSetInput) (*cloudformation.CreateStackSetOutput, error) {
	if err := checkCaller(in.CallAs); err != nil {
		return nil, err
	}
	if err := checkModel(in.PermissionModel, in.AutoDeployment); err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	if err := s.checkAdmin(ctx, deref(in.AdministrationRoleARN)); err != nil {
		return nil, err
	}
	id, err := s.uuid()
	if err != nil {
		return nil, err
	}
	set := &stackSetRecord{
		ID: in.StackSetName + ":" + id, Name: in.StackSetName, Description: deref(in.Description), Status: cloudformation.StackSetStatusActive, TemplateID: id,
		Capabilities: in.Capabilities, Tags: tagMap(in.Tags), AdminRole: deref(in.AdministrationRoleARN), ExecutionRole: executionRole,
		Managed: in.ManagedExecution != nil && deref(in.ManagedExecution.Active), Token: deref(in.ClientRequestToken), Created: s.Clock.Now(),
	}
	if in.ExecutionRoleName != nil {
		set.ExecutionRole = *in.ExecutionRoleName
	}
	text, err := s.setText(ctx, in)
	if err != nil {
		return nil, err
	}
	if set.Parameters, err = setParameters(text, in.Parameters, nil, nil); err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Txn) error {
		had, err := liveSet(tx, p, in.StackSetName)
		if err == nil {
			id, err = retried(had, set.Token)
			return err
		}
		if !isNoSet(err) {
			return err
		}
		id = set.ID
		if all, err := record.List[string](tx, p.base("setname").Span()); err != nil || len(all) >= maxStackSets {
			if err == nil {
				err = service.Errorf("LimitExceededException", "This account has %d stack sets, which is the limit. Delete some.", maxStackSets).WithStatus(400)
			}
			return err
		}
		if err := record.Set(tx, p.setName(set.Name), set.ID); err != nil {
			return err
		}
		tx.Set(p.template(set.TemplateID, "Original"), []byte(text))
		return record.Set(tx, p.set(set.ID), set)
	})
	return &cloudformation.CreateStackSetOutput{StackSetId: &id}, err
}

// retried answers a CreateStackSet whose name is taken: by the same call, or by another.
func retried(had *stackSetRecord, token string) (string, error) {
	switch {
	case token == "" || had.Token != token:
		return "", service.Errorf("NameAlreadyExistsException", "The specified name already exists: StackSet %s", had.Name).WithStatus(409)
	case had.Changed:
		return "", service.Errorf("CreatedButModifiedException", "StackSet %s was created by this request and has been modified since", had.Name).WithStatus(409)
	}
	return had.ID, nil
}

// setText returns the template of a new stack set, which may be that of a stack.
func (s *Service) setText(ctx context.Context, in *cloudformation.CreateStackSetInput) (string, error) {
	text, err := s.text(ctx, in.TemplateBody, in.TemplateURL)
	switch {
	case err != nil:
		return "", err
	case in.StackId != nil && text != "":
		return "", invalid("You can only specify one of TemplateBody, TemplateURL or StackId")
	case in.StackId != nil:
		st, err := s.findStack(ctx, *in.StackId)
		if err != nil {
			return "", err
		}
		return s.storedTemplate(ctx, st.TemplateID, "Original")
	case text == "":
		return "", invalid("Either Template URL or Template Body must be specified.")
	}
	return text, nil
}

// checkAdmin makes sure that the caller may pass the role of a stack set. Whether the role can be assumed shows when an operation begins.
func (s *Service) checkAdmin(ctx context.Context, role string) error {
	err := s.checkRole(ctx, role)
	if errors.Is(err, port.ErrUntrusted) {
		return nil
	}
	return err
}

// setParameters returns the values that a call gives the parameters of a stack set's template. previous are those that it may keep, and rest those that count beside
// them: those of the stack set, for an instance that has some otherwise.
func setParameters(text string, given []cloudformation.Parameter, previous, rest []parameterRecord) ([]parameterRecord, error) {
	d, err := template.Parse([]byte(text))
	if err != nil {
		return nil, visible(err)
	}
	e, err := declared(d)
	if err != nil {
		return nil, err
	}
	read := template.Decode
	if len(e.transforms) > 0 || e.macros { // what transforms make of it shows in each account
		read = template.Values
	}
	t, err := read(d)
	if err != nil {
		return nil, visible(err)
	}
	named, err := values(given, &stackRecord{Parameters: previous})
	if err != nil {
		return nil, err
	}
	full := map[string]string{}
	for _, v := range rest {
		full[v.Key] = v.Value
	}
	maps.Copy(full, named)
	// The entries of the Parameter Store are those of each account.
	if _, err := t.Values(full, func(_, name string) (string, error) { return name, nil }); err != nil {
		return nil, visible(err)
	}
	var out []parameterRecord
	for _, name := range slices.Sorted(maps.Keys(named)) {
		out = append(out, parameterRecord{Key: name, Value: named[name], NoEcho: t.Parameters[name].NoEcho})
	}
	return out, nil
}

func (s *Service) deleteStackSet(ctx context.Context, in *cloudformation.DeleteStackSetInput) (*cloudformation.DeleteStackSetOutput, error) {
	out := &cloudformation.DeleteStackSetOutput{}
	if err := checkCaller(in.CallAs); err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	return out, s.Store.Update(ctx, func(tx store.Txn) error {
		set, err := liveSet(tx, p, in.StackSetName)
		if isNoSet(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := idle(tx, p, set); err != nil {
			return err
		}
		instances, err := record.List[instanceRecord](tx, p.instances(set.ID).Span())
		if err != nil {
			return err
		}
		if len(instances) > 0 {
			return service.Errorf("StackSetNotEmptyException", "StackSet is not empty").WithStatus(409)
		}
		tx.Delete(p.setName(set.Name))
		dropTemplate(tx, p, set.TemplateID)
		set.Status, set.TemplateID = cloudformation.StackSetStatusDeleted, ""
		return record.Set(tx, p.set(set.ID), set)
	})
}

func (s *Service) updateStackSet(ctx context.Context, in *cloudformation.UpdateStackSetInput) (*cloudformation.UpdateStackSetOutput, error) {
	if err := checkModel(in.PermissionModel, in.AutoDeployment); err != nil {
		return nil, err
	}
	if (len(in.Accounts) == 0) != (len(in.Regions) == 0) {
		return nil, invalid("Accounts and Regions must be specified together.")
	}
	if err := s.checkAdmin(ctx, deref(in.AdministrationRoleARN)); err != nil {
		return nil, err
	}
	set, err := s.readSet(ctx, in.StackSetName, in.CallAs)
	if err != nil {
		return nil, err
	}
	text, err := s.text(ctx, in.TemplateBody, in.TemplateURL)
	switch {
	case err != nil:
		return nil, err
	case deref(in.UsePreviousTemplate) == (text != ""):
		return nil, invalid("You must specify one of TemplateBody, TemplateURL or UsePreviousTemplate")
	case text == "":
		if text, err = s.storedTemplate(ctx, set.TemplateID, "Original"); err != nil {
			return nil, err
		}
	}
	parameters, err := setParameters(text, in.Parameters, set.Parameters, nil)
	if err != nil {
		return nil, err
	}
	id, err := s.uuid()
	if err != nil {
		return nil, err
	}
	q := setCall{
		name: in.StackSetName, callAs: in.CallAs, id: in.OperationId, action: cloudformation.StackSetOperationActionUpdate, accounts: in.Accounts, regions: in.Regions,
		targets: in.DeploymentTargets, preferences: in.OperationPreferences, must: len(in.Accounts) > 0, all: len(in.Accounts) == 0,
		change: func(tx store.Txn, p place, set *stackSetRecord) error {
			dropTemplate(tx, p, set.TemplateID)
			set.update(in, parameters)
			set.TemplateID = id
			tx.Set(p.template(id, "Original"), []byte(text))
			return outdate(tx, p, set)
		},
	}
	op, err := s.operate(ctx, q)
	return &cloudformation.UpdateStackSetOutput{OperationId: &op}, err
}

// update gives the stack set what an UpdateStackSet names.
func (set *stackSetRecord) update(in *cloudformation.UpdateStackSetInput, parameters []parameterRecord) {
	set.Changed, set.Parameters, set.Capabilities = true, parameters, in.Capabilities
	if in.Description != nil {
		set.Description = *in.Description
	}
	if in.Tags != nil {
		set.Tags = tagMap(in.Tags)
	}
	if in.AdministrationRoleARN != nil {
		set.AdminRole = *in.AdministrationRoleARN
	}
	if in.ExecutionRoleName != nil {
		set.ExecutionRole = *in.ExecutionRoleName
	}
	if in.ManagedExecution != nil {
		set.Managed = deref(in.ManagedExecution.Active)
	}
}

func (s *Service) describeStackSet(ctx context.Context, in *cloudformation.DescribeStackSetInput) (*cloudformation.DescribeStackSetOutput, error) {
	set, err := s.readSet(ctx, in.StackSetName, in.CallAs)
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	out := &cloudformation.StackSet{
		StackSetName: &set.Name, StackSetId: &set.ID, StackSetARN: ptr(set.arn(p)), Description: optional(set.Description), Status: set.Status, Parameters: parameters(set.Parameters),
		Capabilities: set.Capabilities, Tags: tags(set.Tags), AdministrationRoleARN: ptr(set.adminRole(p)), ExecutionRoleName: &set.ExecutionRole,
		PermissionModel: cloudformation.PermissionModelsSelfManaged, ManagedExecution: &cloudformation.ManagedExecution{Active: &set.Managed},
		StackSetDriftDetectionDetails: set.Drift.shape(), OrganizationalUnitIds: []string{}, Regions: []string{},
	}
	if set.TemplateID == "" {
		return &cloudformation.DescribeStackSetOutput{StackSet: out}, nil
	}
	text, err := s.storedTemplate(ctx, set.TemplateID, "Original")
	if err != nil {
		return nil, err
	}
	out.TemplateBody = &text
	err = s.Store.View(ctx, func(r store.Reader) error {
		all, err := record.List[instanceRecord](r, p.instances(set.ID).Span())
		regions := map[string]bool{}
		for _, i := range all {
			regions[i.Region] = true
		}
		out.Regions = append(out.Regions[:0], slices.Sorted(maps.Keys(regions))...)
		return err
	})
	return &cloudformation.DescribeStackSetOutput{StackSet: out}, err
}

func (s *Service) listStackSets(ctx context.Context, in *cloudformation.ListStackSetsInput) (*cloudformation.ListStackSetsOutput, error) {
	if err := checkCaller(in.CallAs); err != nil {
		return nil, err
	}
	out := &cloudformation.ListStackSetsOutput{Summaries: []cloudformation.StackSetSummary{}}
	var err error
	out.NextToken, err = page(ctx, s, placeOf(ctx).base("set"), in.NextToken, in.MaxResults, func(set stackSetRecord) bool {
		if in.Status != "" && set.Status != in.Status {
			return false
		}
		sum := cloudformation.StackSetSummary{
			StackSetName: &set.Name, StackSetId: &set.ID, Description: optional(set.Description), Status: set.Status, PermissionModel: cloudformation.PermissionModelsSelfManaged,
			DriftStatus: set.Drift.status(), ManagedExecution: &cloudformation.ManagedExecution{Active: &set.Managed},
		}
		if !set.Drift.Checked.IsZero() {
			sum.LastDriftCheckTimestamp = &set.Drift.Checked
		}
		out.Summaries = append(out.Summaries, sum)
		return true
	})
	return out, err
}
