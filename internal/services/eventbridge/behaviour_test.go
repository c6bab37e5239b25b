package eventbridge

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

func TestEventReachesTheTargetsOfMatchingRules(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		q := h.queue("q")
		h.rule("default", "one", `{"source":["shop"]}`, `{"Id":"q","Arn":"`+q+`"}`)
		h.rule("default", "two", `{"detail":{"n":[{"numeric":[">",5]}]}}`, `{"Id":"f","Arn":"arn:aws:lambda:eu-west-1:`+account+`:function:f","InputPath":"$.detail.n"}`)
		h.rule("default", "off", `{"source":["shop"]}`, `{"Id":"q","Arn":"`+q+`"}`)
		if _, err := h.Call(h.ctx, "events", "DisableRule", &api.DisableRuleInput{Name: "off"}); err != nil {
			t.Fatal(err)
		}
		id := h.put("default", "shop", `{"n": 7}`)
		h.put("default", "bank", `{"n": 7}`)
		h.put("default", "bank", `{"n": 1}`)
		want := `{"version":"0","id":"` + id + `","detail-type":"test","source":"shop","account":"` + account + `","time":"2026-11-29T12:00:00Z","region":"eu-west-1","resources":[],"detail":{"n":7}}`
		if diff := cmp.Diff([]string{want}, h.bodies("q")); diff != "" {
			t.Errorf("queue (-want +got):\n%s", diff)
		}
		run := "arn:aws:events:eu-west-1:" + account + ":rule/two arn:aws:lambda:eu-west-1:" + account + ":function:f 7"
		if diff := cmp.Diff([]string{run, run}, h.functions.Seen()); diff != "" {
			t.Errorf("function (-want +got):\n%s", diff)
		}
	})
}

// TestInputTransformersRenderAsAWS has the templates that AWS was recorded to render; "" means that it delivered nothing.
func TestInputTransformersRenderAsAWS(t *testing.T) {
	const event = `{"version":"0","id":"i","detail-type":"type","source":"s","account":"1","time":"2026-11-29T12:00:00Z","region":"r","resources":[],` +
		`"detail":{"command":"update-account","payload":{"acc_id": "0a787ecb-4015", "sf_id": "baz"},"single":["HIGH"],"multi":["ACTIVE", "INACTIVE"],"valid":true,"quote":"a\"b"}}`
	paths := map[string]string{
		"userId": "$.detail.payload.acc_id", "payload": "$.detail.payload", "listsingle": "$.detail.single", "listmulti": "$.detail.multi", "systemstring": "$.detail.awsAccountId",
		"valid": "$.detail.valid", "detail-type": "$.detail-type", "time": "$.time", "missing": "$.detail.none", "quote": "$.detail.quote",
	}
	for _, tc := range []struct{ template, want string }{
		{`"Event of <detail-type> type, at time <time>, info extracted from detail <missing>"`, `"Event of type type, at time 2026-11-29T12:00:00Z, info extracted from detail "`},
		{`"{[/Check with special starting characters for event of <detail-type> type"`, `"{[/Check with special starting characters for event of type type"`},
		{`{"detailType": <detail-type>,  "command": <missing>}`, `{"detailType": "type",  "command": ""}`},
		{`{"id" : <userId>}`, `{"id" : "0a787ecb-4015"}`},
		{`{"id" : "<userId>"}`, `{"id" : "0a787ecb-4015"}`},
		{`{"method": "PUT", "path": "users-service/users/<userId>", "bod": <payload>}`, `{"method": "PUT", "path": "users-service/users/0a787ecb-4015", "bod": {"acc_id": "0a787ecb-4015", "sf_id": "baz"}}`},
		{`"Payload of <payload> with path users-service/users/<userId> and <userId>"`, `"Payload of {acc_id:0a787ecb-4015,sf_id:baz} with path users-service/users/0a787ecb-4015 and 0a787ecb-4015"`},
		{"\"<listsingle> single list item\"\n\"<listmulti> multiple list items\"\n\"<systemstring> system account id\"", "\"[HIGH] single list item\"\n\"[ACTIVE,INACTIVE] multiple list items\"\n\" system account id\""},
		{`{"singlelistitem": <listsingle>}`, `{"singlelistitem": ["HIGH"]}`},
		{`{"multi_replacement": "users/<userId>/second/<userId>"}`, `{"multi_replacement": "users/0a787ecb-4015/second/0a787ecb-4015"}`},
		{`"Command is <valid>!"`, `"Command is true!"`},
		{`<payload>`, `{"acc_id": "0a787ecb-4015", "sf_id": "baz"}`},
		{`{"singlelistitem": "<listsingle>"}`, ""},
		{`<listsingle> single list item`, ""},
		{`{"q": "<quote>"}`, `{"q": "a\"b"}`},
		{`"<aws.events.rule-arn> <aws.events.rule-name> <aws.events.event.ingestion-time>"`, `"arn:rule name 2026-11-29T12:00:01Z"`},
		{`{"e": <aws.events.event>}`, `{"e": {"id":"i","account":"1","detailType":"type","time":"2026-11-29T12:00:00Z","source":"s","region":"r","resources":[],"version":"0"}}`},
		{`{"all": <aws.events.event.json>}`, `{"all": ` + event + `}`},
	} {
		tr, err := newTransformer(&api.Target{Id: "t", InputTransformer: &api.InputTransformer{InputPathsMap: paths, InputTemplate: tc.template}})
		if err != nil {
			t.Errorf("%s: %v", tc.template, err)
			continue
		}
		got, err := tr.render("arn:rule", "name", eventFor(event))
		if err != nil && tc.want == "" {
			continue
		}
		if err != nil || string(got) != tc.want {
			t.Errorf("%s\n got %s (%v)\nwant %s", tc.template, got, err, tc.want)
		}
	}
}

// eventFor returns an event with a text of its own.
func eventFor(text string) *event {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	return &event{ID: "i", Source: "s", DetailType: "type", Account: "1", Region: "r", Time: at, Ingested: at.Add(time.Second), JSON: []byte(text)}
}

func TestScheduledRuleRunsWhenItIsDue(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		q := h.queue("q")
		if _, err := h.Call(h.ctx, "events", "PutRule", &api.PutRuleInput{Name: "tick", ScheduleExpression: new("rate(5 minutes)")}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Call(h.ctx, "events", "PutTargets", &api.PutTargetsInput{Rule: "tick", Targets: []api.Target{{Id: "q", Arn: q, InputPath: new("$.time")}}}); err != nil {
			t.Fatal(err)
		}
		h.advance(16*time.Minute, time.Minute)
		if diff := cmp.Diff([]string{`"2026-11-29T12:05:00Z"`, `"2026-11-29T12:10:00Z"`, `"2026-11-29T12:15:00Z"`}, h.bodies("q")); diff != "" {
			t.Errorf("runs (-want +got):\n%s", diff)
		}
		// A jump over several runs makes one, and one that is too late makes none.
		h.advance(11*time.Minute, 11*time.Minute)
		if got := h.bodies("q"); len(got) != 1 {
			t.Errorf("runs after a jump of 11 minutes: %q", got)
		}
		h.advance(3*time.Hour, 3*time.Hour)
		if got := h.bodies("q"); got != nil {
			t.Errorf("runs after a jump of three hours: %q", got)
		}
		if _, err := h.Call(h.ctx, "events", "DisableRule", &api.DisableRuleInput{Name: "tick"}); err != nil {
			t.Fatal(err)
		}
		h.advance(time.Hour, time.Minute)
		if got := h.bodies("q"); got != nil {
			t.Errorf("a disabled rule ran: %q", got)
		}
	})
}

func TestArchiveIsReplayedAndExpires(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		q := h.queue("q")
		bus := "arn:aws:events:eu-west-1:" + account + ":event-bus/default"
		if _, err := h.Call(h.ctx, "events", "CreateArchive", &api.CreateArchiveInput{ArchiveName: "a", EventSourceArn: bus, EventPattern: new(`{"source":["shop"]}`), RetentionDays: new(int32(2))}); err != nil {
			t.Fatal(err)
		}
		h.rule("default", "one", `{"source":["shop"]}`, `{"Id":"q","Arn":"`+q+`"}`)
		h.rule("default", "two", `{"source":["shop"]}`, `{"Id":"f","Arn":"arn:aws:lambda:eu-west-1:`+account+`:function:f"}`)
		const n = 130
		for i := range n {
			h.put("default", "shop", `{"n":`+strconv.Itoa(i)+`}`)
			h.clock.Advance(time.Second)
		}
		h.put("default", "other", `{}`)
		h.bodies("q")
		h.functions.Seen()
		a := h.archive("a")
		if *a.EventCount != n {
			t.Errorf("%d events are archived, want %d", *a.EventCount, n)
		}
		_, err := h.Call(h.ctx, "events", "StartReplay", &api.StartReplayInput{
			ReplayName: "again", EventSourceArn: *a.ArchiveArn, EventStartTime: start, EventEndTime: start.Add(120 * time.Second),
			Destination: &api.ReplayDestination{Arn: bus, FilterArns: []string{"arn:aws:events:eu-west-1:" + account + ":rule/one"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		got := h.bodies("q")
		if len(got) != 120 || !strings.Contains(got[0], `"replay-name":"again"`) {
			t.Errorf("%d events were replayed: %.300q", len(got), got)
		}
		if f := h.functions.Seen(); f != nil {
			t.Errorf("a rule that was left out ran: %q", f)
		}
		r, err := service.Call[api.DescribeReplayOutput](h.ctx, h, "events", "DescribeReplay", &api.DescribeReplayInput{ReplayName: "again"})
		if err != nil || r.State != api.ReplayStateCompleted {
			t.Errorf("the replay ended as %+v, %v", r, err)
		}
		if a := h.archive("a"); *a.EventCount != n {
			t.Errorf("the replay was archived: %d events", *a.EventCount)
		}
		h.advance(3*24*time.Hour, time.Hour)
		if a := h.archive("a"); *a.EventCount != 0 || *a.SizeBytes != 0 {
			t.Errorf("%d events of %d bytes are left after their retention", *a.EventCount, *a.SizeBytes)
		}
	})
}

func (h *harness) archive(name string) *api.DescribeArchiveOutput {
	h.t.Helper()
	out, err := service.Call[api.DescribeArchiveOutput](h.ctx, h, "events", "DescribeArchive", &api.DescribeArchiveInput{ArchiveName: name})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

func TestRefusedEventGoesToTheDeadLetterQueue(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		locked, dead := h.queue("locked"), h.queue("dead")
		h.Deny(locked)
		h.rule("default", "r", `{"source":["shop"]}`, `{"Id":"q","Arn":"`+locked+`","Input":"{}","DeadLetterConfig":{"Arn":"`+dead+`"}}`)
		id := h.put("default", "shop", `{}`)
		got := h.received("dead")
		if len(got) != 1 || !strings.Contains(*got[0].Body, id) {
			t.Fatalf("dead letters: %+v", got)
		}
		for name, want := range map[string]string{"ERROR_CODE": "NO_PERMISSIONS", "RULE_ARN": "arn:aws:events:eu-west-1:" + account + ":rule/r", "TARGET_ARN": locked, "RETRY_ATTEMPTS": "0"} {
			if v := got[0].MessageAttributes[name].StringValue; v == nil || *v != want {
				t.Errorf("%s = %v, want %s", name, v, want)
			}
		}
	})
}

func TestEventGoesOverOneOtherBus(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		q := h.queue("q")
		for _, name := range []string{"a", "b"} {
			if _, err := h.Call(h.ctx, "events", "CreateEventBus", &api.CreateEventBusInput{Name: name}); err != nil {
				t.Fatal(err)
			}
		}
		bus := "arn:aws:events:eu-west-1:" + account + ":event-bus/"
		h.rule("default", "to-a", `{"source":["shop"]}`, `{"Id":"b","Arn":"`+bus+`a"}`)
		h.rule("a", "to-b", `{"source":["shop"]}`, `{"Id":"b","Arn":"`+bus+`b"}`)
		h.rule("a", "to-q", `{"source":["shop"]}`, `{"Id":"q","Arn":"`+q+`","InputPath":"$.id"}`)
		h.rule("b", "to-q", `{"source":["shop"]}`, `{"Id":"q","Arn":"`+q+`"}`)
		id := h.put("default", "shop", `{}`)
		if diff := cmp.Diff([]string{`"` + id + `"`}, h.bodies("q")); diff != "" {
			t.Errorf("queue (-want +got):\n%s", diff)
		}
	})
}

func TestEventThatAnotherBusRefusesGoesToTheDeadLetterQueue(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		dead := h.queue("dead")
		if _, err := h.Call(h.ctx, "events", "CreateEventBus", &api.CreateEventBusInput{Name: "locked"}); err != nil {
			t.Fatal(err)
		}
		locked := "arn:aws:events:eu-west-1:" + account + ":event-bus/locked"
		h.Deny(locked)
		h.rule("default", "r", `{"source":["shop"]}`, `{"Id":"b","Arn":"`+locked+`","DeadLetterConfig":{"Arn":"`+dead+`"}}`)
		id := h.put("default", "shop", `{}`)
		got := h.received("dead")
		if len(got) != 1 || !strings.Contains(*got[0].Body, id) || *got[0].MessageAttributes["ERROR_CODE"].StringValue != "NO_PERMISSIONS" || *got[0].MessageAttributes["TARGET_ARN"].StringValue != locked {
			t.Errorf("dead letters: %+v", got)
		}
	})
}

func TestManyRulesOfOneEventAreAllReached(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		q := h.queue("q")
		const n = maxDeliveries + 50
		for i := range n {
			h.rule("default", "r"+strconv.Itoa(i), `{"source":["shop"]}`, `{"Id":"q","Arn":"`+q+`","Input":"`+strconv.Itoa(i)+`"}`)
		}
		h.put("default", "shop", `{}`)
		got := h.bodies("q")
		slices.Sort(got)
		if got = slices.Compact(got); len(got) != n {
			t.Errorf("%d of %d rules were reached", len(got), n)
		}
	})
}

func TestAPIDestinationIsCalledWithItsAuthorization(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		target := func(arn string) string {
			return `{"Id":"d","Arn":"` + arn + `","RoleArn":"arn:aws:iam::` + account + `:role/r","InputPath":"$.detail","HttpParameters":{"PathParameterValues":["p q"],"QueryStringParameters":{"a":"b"},"HeaderParameters":{"User-Agent":"mine"}}}`
		}
		basic := h.connect(`{"Name":"basic","AuthorizationType":"BASIC","AuthParameters":{"BasicAuthParameters":{"Username":"u","Password":"p"},"InvocationHttpParameters":{"BodyParameters":[{"Key":"extra","Value":"1"}]}}}`)
		h.rule("default", "r", `{"source":["basic"]}`, target(basic))
		h.put("default", "basic", `{"n":1}`)
		synctest.Wait()
		want := `POST https://example.com/p%20q/x?a=b [Authorization: Basic dTpw, Content-Type: application/json; charset=utf-8, Range: bytes=0-1048575, User-Agent: Amazon/EventBridge/ApiDestinations] {"extra":"1","n":1}`
		if diff := cmp.Diff([]string{want}, h.endpoint.seen()); diff != "" {
			t.Errorf("basic (-want +got):\n%s", diff)
		}

		// A token is asked for once, and again when it is not accepted; what fails is tried again.
		h.endpoint.body = `{"access_token":"T","token_type":"bearer","expires_in":3600}`
		oauth := h.connect(`{"Name":"oauth","AuthorizationType":"OAUTH_CLIENT_CREDENTIALS","AuthParameters":{"OAuthParameters":{"ClientParameters":{"ClientID":"c","ClientSecret":"s"},"AuthorizationEndpoint":"https://auth.example.com/token","HttpMethod":"POST"}}}`)
		h.rule("default", "o", `{"source":["oauth"]}`, target(oauth))
		h.put("default", "oauth", `{}`)
		h.advance(time.Second, time.Second)
		got := h.endpoint.seen()
		if len(got) != 2 || !strings.Contains(got[0], "client_id=c&client_secret=s&grant_type=client_credentials") || !strings.Contains(got[1], "Authorization: Bearer T") {
			t.Errorf("oauth: %q", got)
		}
		h.endpoint.statuses = []int{401, 200, 503, 200}
		h.put("default", "oauth", `{}`)
		h.advance(10*time.Second, time.Second)
		if got := h.endpoint.seen(); len(got) != 4 || !strings.Contains(got[1], "/token") {
			t.Errorf("oauth after a refusal: %q", got)
		}
		d, err := service.Call[api.DescribeConnectionOutput](h.ctx, h, "events", "DescribeConnection", &api.DescribeConnectionInput{Name: "oauth"})
		if err != nil {
			t.Fatal(err)
		}
		if text, err := json.Marshal(d); err != nil || strings.Contains(string(text), `"s"`) {
			t.Errorf("the secret is shown: %s, %v", text, err)
		}
	})
}

func TestServicesReachTheBusesOfTheirAccountOnly(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		for _, tc := range []struct {
			caller service.Principal
			policy bool
		}{
			{service.ServiceCaller("s3.amazonaws.com", "arn:aws:s3:::b", account), true},
			{service.ServiceCaller("s3.amazonaws.com", "arn:aws:s3:::b", "222222222222"), false},
			{service.Principal{Kind: service.User, Account: "222222222222"}, false},
		} {
			r := *service.RequestFrom(h.ctx)
			r.Principal = tc.caller
			target, err := h.impl.busTarget(service.WithRequest(h.ctx, &r), busKey{place{account, "eu-west-1"}, defaultBus}, "")
			if err != nil || (target.Policy != "") != tc.policy {
				t.Errorf("%+v: policy %q, %v", tc.caller, target.Policy, err)
			}
		}
	})
}

func TestOnlyServicesSendEventsOfAWS(t *testing.T) {
	e := &api.PutEventsRequestEntry{Source: new("aws.s3"), DetailType: new("x"), Detail: new("{}")}
	ctx := service.WithRequest(context.Background(), &service.Request{Principal: service.Principal{Kind: service.Root}})
	if code, _ := check(ctx, e); code != "NotAuthorizedForSource" {
		t.Errorf("a user: %q", code)
	}
	ctx = service.WithRequest(ctx, &service.Request{Principal: service.ServiceCaller("s3.amazonaws.com", "", account)})
	if code, _ := check(ctx, e); code != "" {
		t.Errorf("a service: %q", code)
	}
}

func TestPermissionsOfABus(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		put := func(text string) error {
			in := &api.PutPermissionInput{}
			if err := json.Unmarshal([]byte(text), in); err != nil {
				t.Fatal(err)
			}
			_, err := h.Call(h.ctx, "events", "PutPermission", in)
			return err
		}
		policy := func() string {
			out, err := service.Call[api.DescribeEventBusOutput](h.ctx, h, "events", "DescribeEventBus", &api.DescribeEventBusInput{})
			if err != nil {
				t.Fatal(err)
			}
			return opt.Value(out.Policy)
		}
		for _, text := range []string{
			`{"StatementId":"one","Action":"events:PutEvents","Principal":"222222222222"}`,
			`{"StatementId":"two","Action":"events:PutEvents","Principal":"*","Condition":{"Type":"StringEquals","Key":"aws:PrincipalOrgID","Value":"o-1"}}`,
			`{"StatementId":"one","Action":"events:PutEvents","Principal":"333333333333"}`,
		} {
			if err := put(text); err != nil {
				t.Fatal(err)
			}
		}
		got := policy()
		if strings.Contains(got, "222222222222") || !strings.Contains(got, "arn:aws:iam::333333333333:root") || !strings.Contains(got, `"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`) {
			t.Errorf("policy: %s", got)
		}
		remove := func(text string) error {
			in := &api.RemovePermissionInput{}
			if err := json.Unmarshal([]byte(text), in); err != nil {
				t.Fatal(err)
			}
			_, err := h.Call(h.ctx, "events", "RemovePermission", in)
			return err
		}
		if err := remove(`{"StatementId":"none"}`); service.Code(err) != codeNotFound {
			t.Errorf("an unknown statement: %v", err)
		}
		if err := remove(`{"RemoveAllPermissions":true}`); err != nil || policy() != "" {
			t.Errorf("after removing all: %v, %s", err, policy())
		}
		if err := put(`{"Policy":"{}x"}`); service.Code(err) != codeValidation {
			t.Errorf("no policy: %v", err)
		}
	})
}

func FuzzTransformer(f *testing.F) {
	f.Add(`{"a": <x>, "b": "<x>"}`, "$.detail.x")
	f.Add(`"text <aws.events.rule-name> <x>"`, "$.detail[0]")
	e := eventFor(`{"detail":{"x":["a",{"b":"c"}]}}`)
	f.Fuzz(func(t *testing.T, template, path string) {
		tr, err := newTransformer(&api.Target{Id: "t", InputTransformer: &api.InputTransformer{InputPathsMap: map[string]string{"x": path}, InputTemplate: template}})
		if err != nil {
			return
		}
		got, err := tr.render("arn", "name", e)
		if err == nil && !tr.text && !json.Valid(got) {
			t.Errorf("%q gives %q, which is no JSON", template, got)
		}
	})
}

// connect makes a connection from its members in JSON, and an API destination of its name.
func (h *harness) connect(text string) string {
	h.t.Helper()
	c := &api.CreateConnectionInput{}
	if err := json.Unmarshal([]byte(text), c); err != nil {
		h.t.Fatal(err)
	}
	out, err := service.Call[api.CreateConnectionOutput](h.ctx, h, "events", "CreateConnection", c)
	if err != nil {
		h.t.Fatal(err)
	}
	d, err := service.Call[api.CreateApiDestinationOutput](h.ctx, h, "events", "CreateApiDestination", &api.CreateApiDestinationInput{
		Name: c.Name, ConnectionArn: *out.ConnectionArn, InvocationEndpoint: "https://example.com/*/x", HttpMethod: "POST",
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return *d.ApiDestinationArn
}

func TestEventsAreHandedOutWithoutSpaceBetweenTokens(t *testing.T) {
	for text, want := range map[string]string{
		`{ "a" : [1 , 2 ] }`:                   `{"a":[1,2]}`,
		"{\n\t\"a b\": \"c \\\" d \\\\\"\r\n}": `{"a b":"c \" d \\"}`,
		`{"a":"ä  ö"}`:                         `{"a":"ä  ö"}`,
	} {
		e := &event{Time: time.Unix(0, 0)}
		e.seal(text, "")
		if !strings.HasSuffix(string(e.JSON), `,"detail":`+want+`}`) {
			t.Errorf("the detail %s became %s", text, e.JSON)
		}
	}
}
