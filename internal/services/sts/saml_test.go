package sts_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/saml/samltest"
	api "lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/service"
)

const (
	samlARN    = "arn:aws:iam::" + account + ":saml-provider/corp"
	samlNames  = "https://aws.amazon.com/SAML/Attributes/"
	trustsCorp = `{"Effect":"Allow","Principal":{"Federated":"` + samlARN + `"},"Action":["sts:AssumeRoleWithSAML","sts:TagSession","sts:SetSourceIdentity"]`
	// trustsStaff wants everything that an assertion tells.
	trustsStaff = trustsCorp + `,"Condition":{"StringEquals":{"SAML:aud":"https://signin.aws.amazon.com/saml","SAML:iss":"https://id.example.com","SAML:sub":"ann","SAML:sub_type":"persistent",` +
		`"SAML:doc":"000000000000/corp"},"ForAnyValue:StringEquals":{"saml:edupersonaffiliation":"staff"}}}`
)

// attributes are those that AWS wants, with changes by name; nil removes one.
func attributes(changes map[string][]string) map[string][]string {
	out := map[string][]string{samlNames + "Role": {"arn:aws:iam::111111111111:role/app,arn:aws:iam::111111111111:saml-provider/corp", roleARN + ", " + samlARN}, samlNames + "RoleSessionName": {"ann@example.com"}}
	for name, values := range changes {
		if out[name] = values; values == nil {
			delete(out, name)
		}
	}
	return out
}

func (p *platform) samlCall(in *api.AssumeRoleWithSAMLInput, response string) (*api.AssumeRoleWithSAMLOutput, error) {
	if in.RoleArn == "" {
		in.RoleArn = roleARN
	}
	if in.PrincipalArn == "" {
		in.PrincipalArn = samlARN
	}
	if in.SAMLAssertion == "" {
		in.SAMLAssertion = base64.StdEncoding.EncodeToString([]byte(response))
	}
	return service.Call[api.AssumeRoleWithSAMLOutput](as(service.Principal{}), p.door, "sts", "AssumeRoleWithSAML", in)
}

func TestAnAssertionAssumesARole(t *testing.T) {
	corp := samltest.New(t, "https://id.example.com")
	p := newPlatform(t, trustsStaff)
	p.roles.metadata = corp.Metadata()
	response := samltest.Response(corp.Sign(t, corp.Assertion(start, attributes(map[string][]string{
		"urn:oid:1.3.6.1.4.1.5923.1.1.1.1": {"member", "staff"}, samlNames + "PrincipalTag:team": {"blue"}, samlNames + "TransitiveTagKeys": {"team"}, samlNames + "SourceIdentity": {"ann"},
	}))))
	out, err := p.samlCall(&api.AssumeRoleWithSAMLInput{DurationSeconds: ptr(int32(7200))}, response)
	if err != nil {
		t.Fatal(err)
	}
	// The hash is that of "https://id.example.com000000000000/corp".
	if *out.Subject != "ann" || *out.SubjectType != "persistent" || *out.Issuer != "https://id.example.com" || *out.Audience != "https://signin.aws.amazon.com/saml" ||
		*out.NameQualifier != "6v20XDK2mwYem/XX9fH/MniC0cs=" || *out.SourceIdentity != "ann" || out.AssumedRoleUser.AssumedRoleId != "AROAAPP:ann@example.com" {
		t.Errorf("answer = %+v, qualifier %s", out, *out.NameQualifier)
	}
	c := out.Credentials
	who := p.principal(t, c.AccessKeyId, c.SecretAccessKey, c.SessionToken)
	if who.ARN != "arn:aws:sts::000000000000:assumed-role/app/ann@example.com" || who.Tags["team"] != "blue" || !slices.Equal(who.TransitiveTags, []string{"team"}) || who.SourceIdentity != "ann" ||
		!c.Expiration.Equal(start.Add(2*time.Hour)) {
		t.Errorf("principal = %+v until %v", who, c.Expiration)
	}
	if _, err := p.samlCall(&api.AssumeRoleWithSAMLInput{}, samltest.Response(corp.Sign(t, corp.Assertion(start, attributes(nil))))); service.Code(err) != "AccessDenied" {
		t.Errorf("without the attribute that the trust wants: %v", err)
	}
}

func TestASessionEndsWithThatOfTheProvider(t *testing.T) {
	corp := samltest.New(t, "https://id.example.com")
	p := newPlatform(t, trustsCorp+"}")
	p.roles.metadata = corp.Metadata()
	for until, want := range map[string]time.Duration{"2026-11-25T12:10:00Z": 10 * time.Minute, "2026-11-25T20:00:00Z": time.Hour} {
		out, err := p.samlCall(&api.AssumeRoleWithSAMLInput{}, samltest.Response(corp.Sign(t, corp.Assertion(start, attributes(nil), "2026-11-25T20:00:00Z", until))))
		if err != nil || !out.Credentials.Expiration.Equal(start.Add(want)) {
			t.Errorf("until %s: %+v, %v", until, out, err)
		}
	}
}

func TestAssertionsAreRefused(t *testing.T) {
	corp, stranger := samltest.New(t, "https://id.example.com"), samltest.New(t, "https://id.example.com")
	type in = api.AssumeRoleWithSAMLInput
	for name, tc := range map[string]struct {
		from       *samltest.Provider
		at         time.Duration
		attributes map[string][]string
		changes    []string
		in         in
		want, text string
	}{
		"good":                             {corp, 0, nil, nil, in{}, "", ""},
		"the pair the other way round":     {corp, 0, map[string][]string{samlNames + "Role": {samlARN + "," + roleARN}}, nil, in{}, "", ""},
		"the audience of the sign-in page": {corp, 0, nil, []string{"urn:amazon:webservices", "https://eu-west-1.signin.aws.amazon.com/saml"}, in{}, "", ""},
		"a clock that is ahead":            {corp, 4 * time.Minute, nil, nil, in{}, "", ""},
		"a clock that is far ahead":        {corp, time.Hour, nil, nil, in{}, "InvalidIdentityToken", "not valid yet"},
		"old":                              {corp, -5 * time.Minute, nil, nil, in{}, "ExpiredTokenException", "within 5 minutes of issuance"},
		"the confirmation is over":         {corp, 0, nil, []string{`NotOnOrAfter="2026-11-25T12:05:00Z" Rec`, `NotOnOrAfter="2026-11-25T12:00:00Z" Rec`}, in{}, "ExpiredTokenException", "ended"},
		"the conditions are over":          {corp, 0, nil, []string{"13:00:00Z", "12:00:00Z"}, in{}, "ExpiredTokenException", "ended"},
		"the session is over":              {corp, 0, nil, []string{"20:00:00Z", "12:00:00Z"}, in{}, "ExpiredTokenException", "ended"},
		"no end of the confirmation":       {corp, 0, nil, []string{`NotOnOrAfter="2026-11-25T12:05:00Z" Rec`, "Rec"}, in{}, "InvalidIdentityToken", "NotOnOrAfter"},
		"another recipient":                {corp, 0, nil, []string{"https://signin.aws.amazon.com/saml", "https://signin.aws.amazon.com.example.com/saml"}, in{}, "InvalidIdentityToken", "Recipient"},
		"another audience":                 {corp, 0, nil, []string{"urn:amazon:webservices", "https://shop.example.com"}, in{}, "InvalidIdentityToken", "required audience"},
		"no name":                          {corp, 0, nil, []string{">ann<", "><"}, in{}, "InvalidIdentityToken", "NameID"},
		"another issuer":                   {corp, 0, nil, []string{"id.example.com", "evil.example.com"}, in{}, "InvalidIdentityToken", "Issuer not present in specified provider"},
		"a stranger":                       {stranger, 0, nil, nil, in{}, "InvalidIdentityToken", "Response signature invalid"},
		"no session name":                  {corp, 0, map[string][]string{samlNames + "RoleSessionName": nil}, nil, in{}, "InvalidIdentityToken", "RoleSessionName is required"},
		"a session name with a space":      {corp, 0, map[string][]string{samlNames + "RoleSessionName": {"ann lee"}}, nil, in{}, "InvalidIdentityToken", "must match"},
		"two session names":                {corp, 0, map[string][]string{samlNames + "RoleSessionName": {"ann", "bob"}}, nil, in{}, "InvalidIdentityToken", "one value"},
		"two values of a tag":              {corp, 0, map[string][]string{samlNames + "PrincipalTag:team": {"a", "b"}}, nil, in{}, "InvalidIdentityToken", "one value"},
		"a source identity of AWS":         {corp, 0, map[string][]string{samlNames + "SourceIdentity": {"aws:ann"}}, nil, in{}, "InvalidIdentityToken", "Source Identity"},
		"no role":                          {corp, 0, map[string][]string{samlNames + "Role": nil}, nil, in{}, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML"},
		"another role":                     {corp, 0, map[string][]string{samlNames + "Role": {roleARN + "x," + samlARN}}, nil, in{}, "AccessDenied", "sts:AssumeRoleWithSAML"},
		"the role with another provider":   {corp, 0, map[string][]string{samlNames + "Role": {roleARN + "," + samlARN + "x"}}, nil, in{}, "AccessDenied", "sts:AssumeRoleWithSAML"},
		"a role that is not there":         {corp, 0, map[string][]string{samlNames + "Role": {roleARN + "x," + samlARN}}, nil, in{RoleArn: roleARN + "x"}, "AccessDenied", "sts:AssumeRoleWithSAML"},
		"a role of another account":        {corp, 0, map[string][]string{samlNames + "Role": {"arn:aws:iam::111111111111:role/app," + samlARN}}, nil, in{RoleArn: "arn:aws:iam::111111111111:role/app"}, "AccessDenied", "sts:AssumeRoleWithSAML"},
		"no such provider":                 {corp, 0, nil, nil, in{PrincipalArn: samlARN + "x"}, "InvalidIdentityToken", "provider doesn't exist"},
		"no base 64":                       {corp, 0, nil, nil, in{SAMLAssertion: "<response/>"}, "InvalidIdentityToken", "base64"},
		"no response":                      {corp, 0, nil, nil, in{SAMLAssertion: "cmVzcG9uc2U="}, "InvalidIdentityToken", "Invalid SAML response"},
		"no role's ARN":                    {corp, 0, nil, nil, in{RoleArn: "a role of twenty letters"}, "ValidationError", "not the ARN of a role"},
		"a session for too long":           {corp, 0, nil, nil, in{DurationSeconds: ptr(int32(7201))}, "ValidationError", "MaxSessionDuration"},
	} {
		p := newPlatform(t, trustsCorp+"}")
		p.roles.metadata = corp.Metadata()
		_, err := p.samlCall(&tc.in, samltest.Response(tc.from.Sign(t, tc.from.Assertion(start.Add(tc.at), attributes(tc.attributes), tc.changes...))))
		if service.Code(err) != tc.want || tc.want != "" && !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: %v, want %s and %q", name, err, tc.want, tc.text)
		}
	}
	p := newPlatform(t, trustsAlice)
	p.roles.metadata = corp.Metadata()
	if _, err := p.samlCall(&in{}, samltest.Response(corp.Sign(t, corp.Assertion(start, attributes(nil))))); service.Code(err) != "AccessDenied" {
		t.Errorf("a role that trusts a user: %v", err)
	}
	p = newPlatform(t, trustsCorp+"}")
	p.roles.metadata = corp.Metadata()
	p.clock.Advance(366 * 24 * time.Hour)
	if _, err := p.samlCall(&in{}, samltest.Response(corp.Sign(t, corp.Assertion(p.clock.Now(), attributes(nil))))); service.Code(err) != "InvalidIdentityToken" || !strings.Contains(err.Error(), "UpdateSAMLProvider") {
		t.Errorf("metadata that ended: %v", err)
	}
}
