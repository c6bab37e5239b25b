package deliver

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"

	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// Sender makes deliveries. It is safe for concurrent use.
type Sender struct {
	door    service.Door
	roles   port.Roles
	clock   clock.Clock
	random  io.Reader
	store   store.Store
	baseURL string
}

// New returns a sender that calls through the door of d. Nil roles refuse messages that name a role.
func New(d service.Deps, roles port.Roles) *Sender {
	return &Sender{store: d.Store, door: d.Door, roles: roles, clock: d.Clock, random: d.Random, baseURL: strings.TrimSuffix(d.BaseURL, "/")}
}

// Send delivers m with one call and returns when the target has accepted it durably. [Retryable] tells what an error means.
func (s *Sender) Send(ctx context.Context, m *Message) error {
	target, err := arn.Parse(m.Target)
	if err != nil {
		return refused("the target %q is %v", m.Target, err)
	}
	send, ok := targets()[target.Service]
	if !ok {
		return refused("%s cannot be the target of a delivery: Lambent delivers to Lambda, SQS, SNS, EventBridge, Kinesis, Firehose, Step Functions, CloudWatch Logs and S3", m.Target)
	}
	id := m.ID
	if id == "" {
		if id, err = uuid.New(s.random); err != nil {
			return err
		}
	}
	ctx, err = s.Caller(ctx, m.From, m.Role, id, m.Target)
	if err != nil {
		return err
	}
	service.RequestFrom(ctx).Delivery = true
	return send(ctx, &delivery{Message: m, sender: s, target: target, id: id})
}

// Try tells whether from may invoke a function, which is not run.
func (s *Sender) Try(ctx context.Context, from port.Source, function string) error {
	id, err := uuid.New(s.random)
	if err != nil {
		return err
	}
	if ctx, err = s.Caller(ctx, from, "", id, function); err != nil {
		return err
	}
	_, err = s.door.Call(ctx, "lambda", "Invoke", &lambda.InvokeInput{FunctionName: function, InvocationType: lambda.InvocationTypeDryRun})
	return err
}

// Caller returns a context for calls to the resource named by the ARN target, made by from.Service: as itself on behalf of from, or with a session of role
// when role is not empty. The calls belong to the account and the region of the target, and of the source where the target's name has none.
// id is their request id.
func (s *Sender) Caller(ctx context.Context, from port.Source, role, id, target string) (context.Context, error) {
	r := service.Request{ID: id, Account: from.Account, Time: s.clock.Now(), Secure: true, Principal: service.ServiceCaller(from.Service, from.ARN, from.Account)}
	for _, name := range []string{from.ARN, target} {
		a, err := arn.Parse(name)
		if err != nil {
			continue
		}
		if a.Account != "" {
			r.Account = a.Account
		}
		if a.Region != "" {
			r.Region = a.Region
		}
	}
	if role == "" {
		return service.WithRequest(ctx, &r), nil
	}
	if s.roles == nil {
		return nil, refused("the role %s cannot be assumed: roles are not available", role)
	}
	p, err := s.roles.SessionForService(service.WithRequest(ctx, &r), from.Service, role, sessionName(from))
	if err != nil {
		return nil, fmt.Errorf("assume %s: %w", role, err)
	}
	r.Principal = p
	return service.WithRequest(ctx, &r), nil
}

var noSessionName = regexp.MustCompile(`[^\w+=,.@-]+`)

// sessionName is the name of a role's session: that of the source, in the characters that a session may have.
func sessionName(from port.Source) string {
	name := from.ARN
	if a, err := arn.Parse(from.ARN); err == nil {
		if _, id := a.Split(); id != "" {
			name = id
		}
	}
	name = noSessionName.ReplaceAllString(name, "-")
	if len(name) < 2 {
		name = "lambent-" + name
	}
	return name[:min(len(name), 64)]
}

// refused is the error of a delivery that no try can mend.
func refused(format string, args ...any) *service.Error {
	return service.Errorf("InvalidParameterValue", format, args...).WithStatus(400)
}
