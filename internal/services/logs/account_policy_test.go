package logs

import (
	"context"
	"fmt"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/service"
)

func subscriptionPolicyOf(name, document, criteria string) *api.PutAccountPolicyInput {
	in := &api.PutAccountPolicyInput{PolicyName: name, PolicyType: "SUBSCRIPTION_FILTER_POLICY", PolicyDocument: document}
	if criteria != "" {
		in.SelectionCriteria = &criteria
	}
	return in
}

func toFunction(pattern string) string {
	return fmt.Sprintf(`{"DestinationArn": %q, "FilterPattern": %q, "Distribution": "Random"}`, functionARN, pattern)
}

const notReader = `LogGroupName NOT IN ["/aws/lambda/reader", "quiet"]`

func TestAccountPoliciesSubscribeToAllGroups(t *testing.T) {
	ctx, l, door := subscribed(t)
	for _, g := range []string{"g", "quiet"} {
		makeStream(t, ctx, l, g, "s")
	}
	if _, err := l.putAccountPolicy(ctx, subscriptionPolicyOf("all", toFunction("ERROR"), notReader)); err != nil {
		t.Fatal(err)
	}
	if err := subscribe(ctx, l, "g", "own", "own", functionARN, nil); err != nil {
		t.Fatal(err)
	}
	makeStream(t, ctx, l, "later", "s")
	for _, group := range []string{"quiet", "g", "later"} {
		in := &api.PutLogEventsInput{LogGroupName: group, LogStreamName: "s", LogEvents: []api.InputLogEvent{{Timestamp: start.UnixMilli(), Message: "fine"}, {Timestamp: start.UnixMilli(), Message: "ERROR of " + group}}}
		if _, err := l.putLogEvents(ctx, in); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]bool{}
	for _, e := range door.next(t, 2) {
		got[fmt.Sprintf("%s %v %s %d %s", e.Group, e.Filters, e.Level, len(e.Events), e.Events[0].Message)] = true
	}
	for _, want := range []string{"g [all] ACCOUNT_LEVEL_POLICY 1 ERROR of g", "later [all] ACCOUNT_LEVEL_POLICY 1 ERROR of later"} {
		if !got[want] {
			t.Errorf("not delivered: %s; was %v", want, got)
		}
	}
	put(t, ctx, l, "s", "own line")
	if e := door.next(t, 1)[0]; e.Filters[0] != "own" || e.Level != "" {
		t.Errorf("by the group's filter came %+v", e)
	}
	if _, err := l.deleteAccountPolicy(ctx, &api.DeleteAccountPolicyInput{PolicyName: "all", PolicyType: "SUBSCRIPTION_FILTER_POLICY"}); err != nil {
		t.Fatal(err)
	}
	put(t, ctx, l, "s", "ERROR that nobody wants", "own again")
	if e := door.next(t, 1)[0]; e.Filters[0] != "own" {
		t.Errorf("after the deletion came %+v", e)
	}
}

func TestAccountPoliciesAreDescribed(t *testing.T) {
	ctx, l, _ := subscribed(t)
	in := subscriptionPolicyOf("all", toFunction(""), notReader)
	for range 2 { // the second puts it again
		out, err := l.putAccountPolicy(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		p := out.AccountPolicy
		if *p.AccountId != "000000000000" || *p.PolicyName != "all" || p.Scope != "ALL" || *p.SelectionCriteria != notReader || *p.PolicyDocument != in.PolicyDocument || *p.LastUpdatedTime != start.UnixMilli() {
			t.Errorf("put %+v", p)
		}
	}
	for name, want := range map[string]int{"": 1, "all": 1, "other": 0} {
		in := &api.DescribeAccountPoliciesInput{PolicyType: "SUBSCRIPTION_FILTER_POLICY"}
		if name != "" {
			in.PolicyName = &name
		}
		if out, err := l.describeAccountPolicies(ctx, in); err != nil || len(out.AccountPolicies) != want {
			t.Errorf("policies %q: %+v, %v", name, out, err)
		}
	}
	for i, want := range []string{"", "ResourceNotFoundException"} {
		if _, err := l.deleteAccountPolicy(ctx, &api.DeleteAccountPolicyInput{PolicyName: "all", PolicyType: "SUBSCRIPTION_FILTER_POLICY"}); service.Code(err) != want {
			t.Errorf("deletion %d: %v", i, err)
		}
	}
	if _, err := l.describeAccountPolicies(ctx, &api.DescribeAccountPoliciesInput{PolicyType: "SUBSCRIPTION_FILTER_POLICY", AccountIdentifiers: []string{"1"}}); service.Code(err) != "InvalidParameterException" {
		t.Errorf("other accounts: %v", err)
	}
}

func TestAccountPoliciesAreRefusedWithReasons(t *testing.T) {
	ctx, l, door := subscribed(t)
	makeStream(t, ctx, l, "/aws/lambda/reader", "s")
	writer := strings.Replace(functionARN, "reader", "writer", 1)
	if err := subscribe(ctx, l, "/aws/lambda/reader", "f", "", writer, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, document, criteria, want string }{
		{"p", `{`, "", "malformed"},
		{"p", `{"DestinationArn": "a", "Colour": 1}`, "", "Colour"},
		{"p", `{}`, "", "no DestinationArn"},
		{"p", toFunction("{"), notReader, "Invalid filter pattern"},
		{"p", fmt.Sprintf(`{"DestinationArn": %q, "Distribution": "Even"}`, functionARN), "", "neither Random nor ByLogStream"},
		{"p", fmt.Sprintf(`{"DestinationArn": %q}`, streamARN), "", "cannot be used without roleArn"},
		{"p", `{"DestinationArn": "arn:aws:logs:us-east-1:000000000000:destination:d"}`, "", "The specified destination does not exist."},
		{"p", toFunction(""), `LogGroupName IN ["a"]`, "LogGroupName NOT IN"},
		{"p", toFunction(""), `LogGroupName NOT IN [1]`, "LogGroupName NOT IN"},
		{"p", toFunction(""), "", `NOT IN ["/aws/lambda/reader"]`},
		{"p", toFunction(""), notReader, "by the log group /aws/lambda/writer"},
		{"aws/p", toFunction(""), notReader, `policyName "aws/p"`},
		{"p", toFunction(strings.Repeat("x", maxAccountPolicy)), "", "more than 30720 characters"},
		{"p", toFunction(""), `LogGroupName NOT IN ["` + strings.Repeat("x", maxCriteria) + `"]`, "larger than 25600 bytes"},
	} {
		if _, err := l.putAccountPolicy(ctx, subscriptionPolicyOf(c.name, c.document, c.criteria)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, kind := range []string{"DATA_PROTECTION_POLICY", "FIELD_INDEX_POLICY", "METRIC_EXTRACTION_POLICY"} {
		in := subscriptionPolicyOf("p", "{}", "")
		in.PolicyType = kind
		if _, err := l.putAccountPolicy(ctx, in); err == nil || !strings.Contains(err.Error(), kind) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	both := `LogGroupName NOT IN ["/aws/lambda/reader", "/aws/lambda/writer"]`
	if _, err := l.putAccountPolicy(ctx, subscriptionPolicyOf("p", toFunction(""), both)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.putAccountPolicy(ctx, subscriptionPolicyOf("q", toFunction(""), both)); service.Code(err) != "LimitExceededException" {
		t.Errorf("a second policy: %v", err)
	}
	// A filter through which the account's would come back is refused as well: reader, over third, whose logs the account's filter sends to reader.
	if err := subscribe(ctx, l, "/aws/lambda/reader", "loop", "", strings.Replace(functionARN, "reader", "third", 1), nil); err == nil || !strings.Contains(err.Error(), "would come back to it without end") {
		t.Errorf("a loop over the account's filter: %v", err)
	}
	door.mu.Lock()
	door.refused = service.Errorf("AccessDeniedException", "no")
	door.mu.Unlock()
	if _, err := l.putAccountPolicy(ctx, subscriptionPolicyOf("p", toFunction(""), both)); err == nil || !strings.Contains(err.Error(), "Could not execute the lambda function") {
		t.Errorf("a function that may not be invoked: %v", err)
	}
}

func TestAccountPoliciesNeedWhatTheyDo(t *testing.T) {
	ctx, l, _ := subscribed(t)
	for want, targets := range map[string]func(context.Context) ([]service.Target, error){
		"* logs:PutSubscriptionFilter arn:aws:logs:us-east-1:000000000000:log-group:*:*": func(ctx context.Context) ([]service.Target, error) {
			return l.puttingPolicy(ctx, subscriptionPolicyOf("p", toFunction(""), ""))
		},
		"* logs:PutSubscriptionFilter arn:aws:logs:us-east-1:000000000000:log-group:*:* logs:PutSubscriptionFilter arn:aws:logs:us-east-1:111111111111:destination:d of 111111111111": func(ctx context.Context) ([]service.Target, error) {
			return l.puttingPolicy(ctx, subscriptionPolicyOf("p", `{"DestinationArn": "arn:aws:logs:us-east-1:111111111111:destination:d"}`, ""))
		},
		"*": func(ctx context.Context) ([]service.Target, error) { return policyTargets(ctx, ""), nil },
	} {
		got, err := targets(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, x := range got {
			fmt.Fprintf(&text, " %s %s", x.Action, x.ARN)
			if x.Owner != "" {
				fmt.Fprintf(&text, " of %s", x.Owner)
			}
		}
		if s := strings.Join(strings.Fields(text.String()), " "); s != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
}
