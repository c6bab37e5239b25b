package eventbridge

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

const (
	// stageTimeout is how long a stage may take: the time that API Gateway gives its integrations, and a little more.
	stageTimeout = 30 * time.Second
	// stageSession is how long the credentials for a call of a stage live.
	stageSession = 15 * time.Minute
)

func isStage(a arn.ARN) bool { return a.Service == "execute-api" }

// stageCall takes the ARN of a stage's method apart: API/STAGE/METHOD/PATH.
func stageCall(a arn.ARN) (api, stage, method, path string, ok bool) {
	f := strings.SplitN(a.Resource, "/", 4)
	if len(f) < 3 || f[0] == "" || f[1] == "" || f[2] == "" {
		return "", "", "", "", false
	}
	if len(f) == 4 {
		path = f[3]
	}
	if method = f[2]; method == "*" {
		method = http.MethodPost
	}
	return f[0], f[1], method, path, true
}

// callStage calls a method of a stage of API Gateway on this platform, through its own listener, as any client would. The request is signed with a session of the role;
// without a role it is not signed.
func (s *Service) callStage(ctx context.Context, m *deliver.Message, a arn.ARN) ([]byte, error) {
	api, stage, method, path, ok := stageCall(a)
	if !ok {
		return nil, service.Errorf("InvalidParameterValue", "%s is not the ARN of a method of a stage: arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH.", m.Target).WithStatus(http.StatusBadRequest)
	}
	ctx, cancel := context.WithTimeout(ctx, stageTimeout)
	defer cancel()
	r, err := newCall(ctx, m, method, strings.TrimSuffix(s.deps.BaseURL, "/")+"/_aws/execute-api/"+api+"/"+stage+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	if m.Trace != "" {
		r.Header.Set("X-Amzn-Trace-Id", m.Trace)
	}
	r.Header.Set("User-Agent", "AmazonEventBridge/stage")
	if m.Role != "" {
		if err := s.signStage(ctx, r, m, a); err != nil {
			return nil, err
		}
	}
	status, body, err := do(deliver.NewClient(s.options.Transport, 0), r)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", m.Target, err)
	}
	return body, refusal("ApiGatewayFailed", m.Target, status)
}

// signStage signs a request with a session of the role of its message.
func (s *Service) signStage(ctx context.Context, r *http.Request, m *deliver.Message, a arn.ARN) error {
	as, err := s.options.Sender.Caller(ctx, m.From, "", m.ID, m.Target)
	if err != nil {
		return err
	}
	c, err := s.options.Roles.AssumeForService(as, m.From.Service, m.Role, "lambent-api-call", stageSession)
	if err != nil {
		return err
	}
	body := m.Body
	if r.ContentLength == 0 {
		body = nil
	}
	signer := sigv4.Signer{AccessKeyID: c.AccessKeyID, Secret: c.SecretAccessKey, Token: c.SessionToken, Region: a.Region, Service: "execute-api"}
	return signer.SignHTTP(r, sigv4.Hash(body), s.now())
}

var _ port.Endpoints = (*Service)(nil)
