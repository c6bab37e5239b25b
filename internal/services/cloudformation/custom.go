package cloudformation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/service"
)

// customProperties are the properties of custom resources, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html.
type customProperties struct {
	ServiceToken   string         `cfn:"ServiceToken,required,createOnly"`
	ServiceTimeout *string        `cfn:"ServiceTimeout"`
	Rest           map[string]any `cfn:"*"`
}

func (p *customProperties) all() map[string]any {
	out := maps.Clone(p.Rest)
	if out == nil {
		out = map[string]any{}
	}
	out["ServiceToken"] = p.ServiceToken
	if p.ServiceTimeout != nil {
		out["ServiceTimeout"] = *p.ServiceTimeout
	}
	return out
}

// limit returns how long the resource may take.
func (p *customProperties) limit() (time.Duration, error) {
	if p.ServiceTimeout == nil {
		return time.Hour, nil
	}
	n, err := strconv.Atoi(*p.ServiceTimeout)
	if err != nil || n < 1 || n > 3600 {
		return 0, invalid("ServiceTimeout must be a number of seconds from 1 to 3600, and is %q.", *p.ServiceTimeout)
	}
	return time.Duration(n) * time.Second, nil
}

// question is what a custom resource's function or topic is sent.
type question struct {
	RequestType           string
	ResponseURL           string
	StackID               string `json:"StackId"`
	RequestID             string `json:"RequestId"`
	ResourceType          string
	LogicalResourceID     string `json:"LogicalResourceId"`
	PhysicalResourceID    string `json:"PhysicalResourceId,omitempty"`
	ServiceToken          string
	ResourceProperties    map[string]any
	OldResourceProperties map[string]any `json:",omitempty"`
}

// noResponse is CloudFormation's message for a custom resource that did not answer in time.
const noResponse = "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [%s]. If you are using the Python cfn-response module, you may need to update your Lambda function code so that CloudFormation can attach the updated version."

// answer is what it sends back.
type answer struct {
	Status, Reason     string
	PhysicalResourceID string `json:"PhysicalResourceId"`
	StackID            string `json:"StackId"`
	RequestID          string `json:"RequestId"`
	LogicalResourceID  string `json:"LogicalResourceId"`
	UniqueID           string `json:"UniqueId,omitempty"`
	NoEcho             bool
	Data               any
}

func (s *Service) customType() service.ResourceType {
	return service.NewResourceType(deploy.CustomResource, service.ResourceSpec[customProperties]{
		Attributes: []string{"*"},
		Create: func(ctx context.Context, c service.ResourceCall, p *customProperties) (service.Resource, error) {
			return s.ask(ctx, c, "Create", p, nil)
		},
		Update: func(ctx context.Context, c service.ResourceCall, old, p *customProperties) (service.Resource, error) {
			return s.ask(ctx, c, "Update", p, old.all())
		},
		Delete: func(ctx context.Context, c service.ResourceCall, p *customProperties) error {
			_, err := s.ask(ctx, c, "Delete", p, nil)
			return err
		},
	})
}

// ask sends a request to a custom resource and waits for its answer. It is the same request, with the same id, when a crash cut an earlier try short.
func (s *Service) ask(ctx context.Context, c service.ResourceCall, kind string, p *customProperties, old map[string]any) (service.Resource, error) {
	limit, err := p.limit()
	if err != nil {
		return service.Resource{}, err
	}
	url, err := s.openCallback(ctx, c.Token, false)
	if err != nil {
		return service.Resource{}, err
	}
	q := question{
		RequestType: kind, ResponseURL: url, StackID: c.StackID, RequestID: c.Token, ResourceType: c.Type, LogicalResourceID: c.LogicalID, PhysicalResourceID: c.PhysicalID,
		ServiceToken: p.ServiceToken, ResourceProperties: p.all(), OldResourceProperties: old,
	}
	var got *answer
	failed := make(chan error, 1)
	done := func(list []json.RawMessage) (bool, error) {
		if len(list) == 0 {
			return false, nil
		}
		got = &answer{}
		dec := json.NewDecoder(bytes.NewReader(list[0]))
		dec.UseNumber()
		return true, dec.Decode(got)
	}
	before, err := s.answers(ctx, c.Token)
	if err != nil {
		return service.Resource{}, err
	}
	if len(before.Answers) == 0 {
		go s.send(context.WithoutCancel(ctx), p.ServiceToken, q, failed)
	}
	err = s.await(ctx, c.Token, limit, failed, done)
	if ctx.Err() != nil {
		return service.Resource{}, ctx.Err()
	}
	if closeErr := s.closeCallback(ctx, c.Token); closeErr != nil {
		return service.Resource{}, closeErr
	}
	if errors.Is(err, errTimeout) {
		return service.Resource{}, fmt.Errorf(noResponse, c.Token)
	}
	if err != nil {
		return service.Resource{}, err
	}
	return got.resource(c)
}

// resource checks an answer and returns the resource that it tells of.
func (a *answer) resource(c service.ResourceCall) (service.Resource, error) {
	id := a.PhysicalResourceID
	switch {
	case a.Status == "FAILED":
		return service.Resource{PhysicalID: id}, fmt.Errorf("Received response status [FAILED] from custom resource. Message returned: %s (RequestId: %s)", a.Reason, c.Token)
	case a.Status != "SUCCESS":
		return service.Resource{}, fmt.Errorf("Invalid response status: Status must be SUCCESS or FAILED, and is %q", a.Status)
	case a.RequestID != c.Token || a.StackID != c.StackID || a.LogicalResourceID != c.LogicalID:
		return service.Resource{}, errors.New("Vendor response doesn't contain the StackId, RequestId and LogicalResourceId of the request")
	case id == "":
		return service.Resource{}, errors.New("Invalid PhysicalResourceId")
	}
	r := service.Resource{PhysicalID: id, Attributes: map[string]any{}}
	flatten(r.Attributes, "", a.Data)
	return r, nil
}

// flatten makes attributes of the members of an answer's Data; members of members have names with dots.
func flatten(out map[string]any, prefix string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	for k, e := range m {
		if n, isNumber := e.(json.Number); isNumber {
			e = n.String()
		}
		out[prefix+k] = e
		flatten(out, prefix+k+".", e)
	}
}

// send hands a request to the function or the topic of a custom resource. A function that fails, or that cannot be called, ends the wait at once.
func (s *Service) send(ctx context.Context, to string, q question, failed chan<- error) {
	payload, err := json.Marshal(q)
	if err != nil {
		failed <- err
		return
	}
	if strings.Contains(to, ":sns:") {
		text := string(payload)
		_, err := service.Call[sns.PublishOutput](ctx, s.Door, "sns", "Publish", &sns.PublishInput{TopicArn: &to, Message: text, Subject: ptr("AWS CloudFormation custom resource request")})
		failed <- err
		return
	}
	out, err := service.Call[lambda.InvokeOutput](ctx, s.Door, "lambda", "Invoke", &lambda.InvokeInput{FunctionName: to, Payload: payload})
	if err == nil && out.FunctionError != nil {
		err = fmt.Errorf("the function of the custom resource failed before it answered: %s", out.Payload)
	}
	failed <- err
}
