package eventbridge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/lib/jsonenc"
	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
)

const (
	// callDetailType is the detail type of events about calls
	// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html).
	callDetailType = "AWS API Call via CloudTrail"
	// maxCallMembers bounds the parameters and the answer in such an event, in bytes, as CloudTrail does.
	maxCallMembers = 100 << 10
)

var _ service.Trail = (*Service)(nil)

// callRules finds out whether a rule of a bus wants to know of calls, from what rules say about detail type and source. It is filled while a router is loaded.
type callRules struct {
	writes, reads pattern.Set[string]
}

// callsHead returns the part of a pattern that tells whose calls it asks for, or nil when it asks for none. A pattern that names neither source nor detail type does not
// ask: it would get an event for all that happens in the account.
func callsHead(text string) (*pattern.Pattern, error) {
	var doc struct {
		Source     json.RawMessage `json:"source,omitempty"`
		DetailType json.RawMessage `json:"detail-type,omitempty"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	if doc.Source == nil && doc.DetailType == nil ||
		only(doc.Source, func(v string) bool { return !strings.HasPrefix(v, "aws.") }) || only(doc.DetailType, func(v string) bool { return v != callDetailType }) {
		return nil, nil
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return pattern.Compile(string(b), pattern.EventBridge)
}

// only tells whether list is one of texts, all of which fit.
func only(list json.RawMessage, fit func(v string) bool) bool {
	var texts []string
	return list != nil && json.Unmarshal(list, &texts) == nil && !slices.ContainsFunc(texts, func(v string) bool { return !fit(v) })
}

// callHead returns what every event about a call of a service has.
func callHead(source string) []byte {
	b := append([]byte(`{"detail-type":"`), callDetailType...)
	return append(jsonenc.String(append(b, `","source":`...), source), '}')
}

// want tells whether a rule may take an event about a call, which must still match it.
func (c *callRules) want(source string, readOnly bool) (bool, error) {
	set := &c.writes
	if readOnly {
		set = &c.reads
	}
	if set.Len() == 0 {
		return false, nil
	}
	found, err := set.Match(callHead(source))
	return len(found) > 0, err
}

// Note implements [service.Trail]: a call that a rule of the default bus asks for becomes an event, which is durable with its deliveries when Note returns. Nothing
// else is kept of calls. An event that cannot be written is logged, as the call itself cannot be taken back.
func (s *Service) Note(ctx context.Context, n *service.CallNote) {
	if err := s.note(ctx, n); err != nil {
		s.deps.Log.ErrorContext(ctx, "no event was sent about a call", slog.String("service", n.Service), slog.String("operation", n.Request.Operation), slog.Any("error", err))
	}
}

func (s *Service) note(ctx context.Context, n *service.CallNote) error {
	r := n.Request
	k := busKey{place{r.Account, r.Region}, defaultBus}
	bus, err := s.routers.get(ctx, k)
	if err != nil {
		return err
	}
	source := "aws." + n.Service
	if wanted, err := bus.calls.want(source, n.ReadOnly); err != nil || !wanted {
		return err
	}
	id, err := uuid.New(s.deps.Random)
	if err != nil {
		return err
	}
	now := s.now()
	detail, err := callDetail(n, id, now)
	if err != nil {
		return err
	}
	e := &event{ID: id, Source: source, DetailType: callDetailType, Account: r.Account, Region: r.Region, Time: now, Ingested: now, Trace: r.Trace}
	e.seal(detail, "")
	ctx = s.inside(ctx, k.place)
	p, err := s.plan(ctx, k, e, nil)
	if err != nil || p == nil {
		return err
	}
	p.rules = slices.DeleteFunc(p.rules, func(x *rule) bool { return !x.calls || n.ReadOnly && !x.all })
	p.archives = slices.DeleteFunc(p.archives, func(a *archiveRule) bool { return !a.calls || n.ReadOnly })
	if len(p.rules)+len(p.archives) == 0 {
		return nil
	}
	return s.commit(ctx, []*plan{p})
}

// callRecord is the record of a call
// (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).
type callRecord struct {
	Version   string          `json:"eventVersion"`
	User      callUser        `json:"userIdentity"`
	Time      string          `json:"eventTime"`
	Source    string          `json:"eventSource"`
	Name      string          `json:"eventName"`
	Region    string          `json:"awsRegion"`
	Address   string          `json:"sourceIPAddress"`
	Agent     string          `json:"userAgent"`
	Error     string          `json:"errorCode,omitempty"`
	Message   string          `json:"errorMessage,omitempty"`
	Request   json.RawMessage `json:"requestParameters"`
	Response  json.RawMessage `json:"responseElements"`
	RequestID string          `json:"requestID"`
	ID        string          `json:"eventID"`
	ReadOnly  bool            `json:"readOnly"`
	Type      string          `json:"eventType"`
	Managing  bool            `json:"managementEvent"`
	Recipient string          `json:"recipientAccountId"`
	Category  string          `json:"eventCategory"`
}

type callUser struct {
	Type      string       `json:"type"`
	ID        string       `json:"principalId,omitempty"`
	ARN       string       `json:"arn,omitempty"`
	Account   string       `json:"accountId,omitempty"`
	Key       string       `json:"accessKeyId,omitempty"`
	Name      string       `json:"userName,omitempty"`
	Session   *callSession `json:"sessionContext,omitempty"`
	InvokedBy string       `json:"invokedBy,omitempty"`
}

type callSession struct {
	Issuer struct {
		Type    string `json:"type"`
		ID      string `json:"principalId"`
		ARN     string `json:"arn"`
		Account string `json:"accountId"`
		Name    string `json:"userName"`
	} `json:"sessionIssuer"`
	Attributes struct {
		Created string `json:"creationDate"`
		MFA     string `json:"mfaAuthenticated"`
	} `json:"attributes"`
}

func callDetail(n *service.CallNote, id string, now time.Time) (string, error) {
	r := n.Request
	c := callRecord{
		Version: "1.11", User: userOf(&r.Principal), Time: now.Format(eventTime), Source: n.Service + ".amazonaws.com", Name: callName(n), Region: r.Region, Agent: r.UserAgent,
		RequestID: r.ID, ID: id, ReadOnly: n.ReadOnly, Type: "AwsApiCall", Managing: true, Recipient: r.Account, Category: "Management",
	}
	switch {
	case r.SourceIP.IsValid():
		c.Address = r.SourceIP.String()
	default:
		c.Address = r.Principal.Service
	}
	if c.Agent == "" {
		c.Agent = c.Address
	}
	var known *service.Error
	switch {
	case errors.As(n.Err, &known):
		c.Error, c.Message = known.Code, known.Message
	case n.Err != nil:
		c.Error = "InternalFailure"
	}
	var err error
	if c.Request, c.Response, err = n.Members(); err != nil {
		return "", err
	}
	c.Request, c.Response = bounded(c.Request), bounded(c.Response)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// bounded leaves out members that are too many, and says so.
func bounded(members json.RawMessage) json.RawMessage {
	if len(members) <= maxCallMembers {
		return members
	}
	return json.RawMessage(`{"omitted":true,"reason":"the members are larger than 100 KB"}`)
}

func userOf(p *service.Principal) callUser {
	u := callUser{ID: p.UserID, ARN: p.ARN, Account: p.Account, Key: p.AccessKeyID}
	_, name, _ := strings.Cut(p.ARN, "/")
	switch p.Kind {
	case service.Root:
		u.Type = "Root"
	case service.User:
		u.Type, u.Name = "IAMUser", name[strings.LastIndexByte(name, '/')+1:]
	case service.FederatedUser:
		u.Type = "FederatedUser"
	case service.AssumedRole:
		u.Type, u.Session, u.InvokedBy = "AssumedRole", &callSession{}, p.Service
		issuer := &u.Session.Issuer
		issuer.Type, issuer.ARN, issuer.Account = "Role", p.RoleARN, p.Account
		issuer.ID, _, _ = strings.Cut(p.UserID, ":")
		issuer.Name = p.RoleARN[strings.LastIndexByte(p.RoleARN, '/')+1:]
		u.Session.Attributes.Created = time.Unix(p.TokenIssueTime, 0).UTC().Format(eventTime)
		u.Session.Attributes.MFA = map[bool]string{true: "true", false: "false"}[p.MFA]
	case service.ServicePrincipal:
		u = callUser{Type: "AWSService", InvokedBy: p.Service}
	case service.Anonymous:
		u.Type = "AWSAccount"
	}
	return u
}

var uriDate = regexp.MustCompile(`^/(\d{4})-(\d{2})-(\d{2})/`)

// revised are the calls of Lambda whose names in CloudTrail end in v2 (https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html).
var revised = []string{"AddPermission", "GetFunction", "RemovePermission", "TagResource", "UntagResource", "UpdateFunctionCode", "UpdateFunctionConfiguration"}

// callName returns the name of an operation as CloudTrail has it, which is that of the API but for Lambda, where the date in its path follows.
func callName(n *service.CallNote) string {
	name := n.Request.Operation
	if n.Service != "lambda" {
		return name
	}
	if date := uriDate.FindStringSubmatch(n.URI); date != nil {
		name += strings.Join(date[1:], "")
		if slices.Contains(revised, n.Request.Operation) {
			name += "v2"
		}
	}
	return name
}

// asksForCalls tells whether a rule or an archive of a bus with a pattern wants events about calls.
func (k busKey) asksForCalls(p *compiled) bool { return k.name == defaultBus && p.calls != nil }

// add files a rule or an archive that wants events about calls. An archive's name has a slash, which no rule's has.
func (c *callRules) add(name string, p *compiled, all bool) {
	c.writes.Add(name, p.calls)
	if all {
		c.reads.Add(name, p.calls)
	}
}
