package cloudformation

import (
	"context"
	"errors"
	"testing"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/test/fake"
)

const deployRole = "arn:aws:iam::000000000000:role/deployer"

// roles are those of a cloud.
type roles struct {
	fake.Roles
	*cloud
}

// SessionForService implements [port.Roles].
func (c roles) SessionForService(_ context.Context, name, role, session string) (service.Principal, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sessions) > 0 {
		err := c.sessions[0]
		c.sessions = c.sessions[1:]
		if err != nil {
			return service.Principal{}, err
		}
	}
	return service.Principal{Kind: service.AssumedRole, Account: "000000000000", RoleARN: role, ARN: role + "/" + session, Service: name}, nil
}

func TestAStackWaitsForASessionOfItsRole(t *testing.T) {
	gone := service.Errorf("AccessDenied", "The role %s does not exist.", deployRole)
	for _, c := range []struct {
		name     string
		sessions []error
		want     string
	}{
		{"granted", nil, "CREATE_COMPLETE"},
		{"the store does not answer at first", []error{errors.New("disk")}, "CREATE_COMPLETE"},
		{"refused", []error{gone}, "CREATE_FAILED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t)
			e.sessions = c.sessions
			if _, err := call[cloudformation.CreateStackOutput](e, "CreateStack", &cloudformation.CreateStackInput{StackName: "s", TemplateBody: new(oneThing), RoleARN: new(deployRole)}); err != nil {
				t.Fatal(err)
			}
			if s := e.want("s", c.want); deref(s.RoleARN) != deployRole {
				t.Errorf("the stack has the role %q", deref(s.RoleARN))
			}
		})
	}
}

func TestAStackIsStuckInItsPhase(t *testing.T) {
	for _, c := range []struct{ kind, phase, want string }{
		{deploy.Create, deploy.Forward, "CREATE_FAILED"},
		{deploy.Create, deploy.Rollback, "ROLLBACK_FAILED"},
		{deploy.Update, deploy.Rollback, "UPDATE_ROLLBACK_FAILED"},
		{deploy.Delete, deploy.Forward, "DELETE_FAILED"},
	} {
		if got := stuck(deploy.Operation{Kind: c.kind, Phase: c.phase}); got != c.want {
			t.Errorf("%s in the phase %s: %s", c.kind, c.phase, got)
		}
	}
}
