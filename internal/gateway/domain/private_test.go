package domain_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/gateway/vpcendpoint"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/test/fake"
)

// networks has the VPC endpoints whose ids begin with vpce-0, all in one network.
type networks struct{ port.Networks }

func (networks) Endpoint(_ context.Context, id, _ string) (vpc string, err error) {
	if !strings.HasPrefix(id, "vpce-0") {
		return "", service.Errorf("InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '%s' does not exist", id)
	}
	return "vpc-0abc", nil
}

var other = domain.Scope{Account: "111122223333", Region: "us-east-1"}

// ofNetwork lets callers in one network call.
const ofNetwork = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"},
	{"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*", "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-0abc"}}}]}`

// private makes a private name with a mapping to a private API, and returns it.
func private(t *testing.T, d *domain.Domains, policy string) *domain.Name {
	t.Helper()
	n := &domain.Name{Domain: "private.example.com", Endpoint: domain.Private, Policy: policy}
	if err := d.Create(t.Context(), own, n); err != nil {
		t.Fatal(err)
	}
	if err := d.PutMapping(t.Context(), own, n.Key(), &domain.Mapping{API: "private-" + n.ID, Stage: "prod"}); err != nil {
		t.Fatal(err)
	}
	return n
}

func associate(t *testing.T, d *domain.Domains, s domain.Scope, n *domain.Name, endpoint string) *domain.Association {
	t.Helper()
	a, err := d.Associate(fake.Root(t.Context(), s.Account, s.Region), s, n.ARN(own), endpoint, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestPrivateNameIsReachedThroughAssociatedEndpointsAlone(t *testing.T) {
	d := newDomains(t, nil)
	first, second, closed := private(t, d, ofNetwork), private(t, d, ofNetwork), private(t, d, "")
	associate(t, d, own, first, "vpce-01")
	associate(t, d, own, second, "vpce-02")
	associate(t, d, own, closed, "vpce-03")
	create(t, d, domain.Name{Domain: "api.example.com"})
	if err := d.PutMapping(t.Context(), own, "api.example.com", &domain.Mapping{API: "public", Stage: "prod"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host, endpoint string
		status         int
		want           string
	}{
		{"private.example.com", "", 403, `{"message":"Forbidden"}`},
		{"private.example.com", "vpce-09", 403, `{"message":"Forbidden"}`},
		{"private.example.com", "vpce-01", 200, "private-" + first.ID + "  /a"},
		{"private.example.com", "vpce-02", 200, "private-" + second.ID + "  /a"},
		{"private.example.com", "vpce-03", 403, `{"message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: ` +
			`arn:aws:execute-api:us-east-1:********0000:/domainnames/private.example.com+` + closed.ID + `"}`},
		{"api.example.com", "vpce-01", 200, "public  /a"},
	} {
		if status, body := get(d, c.host, "/a", vpcendpoint.Header, c.endpoint); status != c.status || body != c.want {
			t.Errorf("%s through %q: %d %q, want %d %q", c.host, c.endpoint, status, body, c.status, c.want)
		}
	}
	if !d.Knows(t.Context(), "private.example.com") {
		t.Error("a private name is nobody's")
	}
	if err := d.Delete(t.Context(), own, first.Key()); err != nil {
		t.Fatal(err)
	}
	if status, _ := get(d, "private.example.com", "/a", vpcendpoint.Header, "vpce-01"); status != http.StatusForbidden {
		t.Errorf("a deleted name: %d", status)
	}
}

// TestRequestsAreBelievedWhereTheyMayBe asks as if the listener were open to others.
func TestRequestsAreBelievedWhereTheyMayBe(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(vpcendpoint.Header, "vpce-01")
	for want, e := range map[string]*vpcendpoint.Endpoints{"vpce-01": {Networks: networks{}, Heard: true}, "": {Networks: networks{}}} {
		if got := e.Of(r, own.Account, own.Region).ID; got != want {
			t.Errorf("heard %v: %q", e.Heard, got)
		}
	}
}

func TestPolicyOfAPrivateNameDeniesOtherNetworks(t *testing.T) {
	d := newDomains(t, nil)
	n := private(t, d, strings.Replace(ofNetwork, "vpc-0abc", "vpc-0def", 1))
	associate(t, d, own, n, "vpce-01")
	if status, body := get(d, "private.example.com", "/", vpcendpoint.Header, "vpce-01"); status != http.StatusForbidden || !strings.Contains(body, "explicit deny") {
		t.Errorf("%d %q", status, body)
	}
	if n.Policy == "" || strings.Contains(n.Policy, "execute-api:/") || !strings.Contains(n.Policy, ":/domainnames/"+n.Key()) {
		t.Errorf("the policy is kept as %s", n.Policy)
	}
}

func TestAssociationsAreOfTheirOwner(t *testing.T) {
	d := newDomains(t, nil)
	n := private(t, d, ofNetwork)
	mine, theirs := associate(t, d, own, n, "vpce-01"), associate(t, d, other, n, "vpce-02")
	ctx := fake.Root(t.Context(), own.Account, own.Region)
	for name, arn := range map[string][2]string{
		"of a public name": {"arn:aws:apigateway:us-east-1::/domainnames/api.example.com", "vpce-03"}, "of no ARN": {"private.example.com", "vpce-03"},
		"of another region": {strings.Replace(n.ARN(own), "us-east-1", "eu-west-1", 1), "vpce-03"}, "of an endpoint that is not there": {n.ARN(own), "vpce-9"},
		"that is there": {n.ARN(own), "vpce-01"}, "of a name that is not there": {n.ARN(own) + "x", "vpce-03"},
	} {
		if _, err := d.Associate(ctx, own, arn[0], arn[1], nil); err == nil {
			t.Errorf("an association %s was made", name)
		}
	}
	for _, c := range []struct {
		s      domain.Scope
		others bool
		want   string
	}{{own, false, mine.ARN()}, {own, true, theirs.ARN()}, {other, false, theirs.ARN()}, {other, true, ""}} {
		got := ""
		if _, err := d.Associations(ctx, c.s, c.others, nil, 10, func(a *domain.Association) { got += a.ARN() }); err != nil || got != c.want {
			t.Errorf("%s, others %t: %q, %v, want %q", c.s.Account, c.others, got, err, c.want)
		}
	}
	for _, c := range []struct {
		code string
		err  error
	}{
		{"NotFoundException", d.Dissociate(ctx, own, theirs.ARN())},
		{"NotFoundException", d.Reject(ctx, other, theirs.ARN(), n.ARN(own))},
		{"BadRequestException", d.Reject(ctx, own, mine.ARN(), n.ARN(own))},
		{"BadRequestException", d.Dissociate(ctx, own, "arn:aws:apigateway:us-east-1::/restapis/a")},
		{"", d.Reject(ctx, own, theirs.ARN(), n.ARN(own))},
		{"", d.Dissociate(ctx, own, mine.ARN())},
		{"NotFoundException", d.Dissociate(ctx, own, mine.ARN())},
	} {
		if service.Code(c.err) != c.code {
			t.Errorf("%v, want %q", c.err, c.code)
		}
	}
	for _, endpoint := range []string{"vpce-01", "vpce-02"} {
		if status, _ := get(d, "private.example.com", "/", vpcendpoint.Header, endpoint); status != http.StatusForbidden {
			t.Errorf("without its association %s: %d", endpoint, status)
		}
	}
}

func TestPrivateNamesStayPrivate(t *testing.T) {
	d := newDomains(t, nil)
	n := private(t, d, ofNetwork)
	create(t, d, domain.Name{Domain: "api.example.com"})
	for name, err := range map[string]error{
		"an address for IPv4 alone":     d.Create(t.Context(), own, &domain.Name{Domain: "a.example.com", Endpoint: domain.Private, AddressType: "ipv4"}),
		"a policy of a public name":     d.Create(t.Context(), own, &domain.Name{Domain: "a.example.com", Endpoint: domain.Regional, Policy: ofNetwork}),
		"a policy that is none":         d.Create(t.Context(), own, &domain.Name{Domain: "a.example.com", Endpoint: domain.Private, Policy: `{"Statement": 1}`}),
		"a mapping to a public API":     d.PutMapping(t.Context(), own, n.Key(), &domain.Mapping{Path: "x", API: "public", Stage: "prod"}),
		"a rule to a public API":        d.PutRule(t.Context(), own, n.Key(), &domain.Rule{Priority: 1, API: "public", Stage: "prod"}),
		"a public name made private":    change(t, d, "api.example.com", func(n *domain.Name) { n.Endpoint = domain.Private }),
		"a private name made public":    change(t, d, n.Key(), func(n *domain.Name) { n.Endpoint = domain.Regional }),
		"a management policy of no one": change(t, d, n.Key(), func(n *domain.Name) { n.ManagementPolicy = "{" }),
	} {
		if service.Code(err) != "BadRequestException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.Get(t.Context(), own, domain.Ref("private.example.com+"+n.ID, "")); service.Code(err) != "NotFoundException" {
		t.Errorf("a private name is found without its id: %v", err)
	}
}

func change(t *testing.T, d *domain.Domains, ref string, edit func(n *domain.Name)) error {
	t.Helper()
	_, err := d.Change(t.Context(), own, ref, func(n *domain.Name) error { edit(n); return nil })
	return err
}
