package iam_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/auth/iam"
)

const (
	home  = "111111111111"
	other = "222222222222"
)

func docs(t testing.TB, role iam.Role, texts ...string) []iam.Document {
	t.Helper()
	var out []iam.Document
	for i, text := range texts {
		if !strings.Contains(text, `"Statement"`) {
			text = `{"Version":"2012-10-17","Statement":[` + text + `]}`
		}
		p, err := iam.Parse(text, role)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		out = append(out, iam.Document{Name: fmt.Sprintf("policy-%d", i), Policy: p})
	}
	return out
}

var (
	alice   = iam.Principal{Kind: iam.User, Account: home, ARN: "arn:aws:iam::" + home + ":user/alice", UserID: "AIDAALICEALICEALICE"}
	session = iam.Principal{
		Kind: iam.Session, Account: home, ARN: "arn:aws:sts::" + home + ":assumed-role/app/s1",
		RoleARN: "arn:aws:iam::" + home + ":role/app", UserID: "AROAAPPAPPAPPAPPAPP:s1",
	}
	root     = iam.Principal{Kind: iam.Root, Account: home, ARN: "arn:aws:iam::" + home + ":root", UserID: home}
	stranger = iam.Principal{Kind: iam.User, Account: other, ARN: "arn:aws:iam::" + other + ":user/bob", UserID: "AIDABOBBOBBOBBOBBOB"}
	s3svc    = iam.Principal{Kind: iam.Service, Service: "s3.amazonaws.com"}
)

const (
	allowAll  = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	allowGet  = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::pics/*"}`
	denyAll   = `{"Effect":"Deny","Action":"*","Resource":"*"}`
	allowSQS  = `{"Effect":"Allow","Action":"sqs:*","Resource":"*"}`
	object    = "arn:aws:s3:::pics/cat.png"
	getObject = "s3:GetObject"
)

func bucket(effect, principal, rest string) string {
	return `{"Effect":"` + effect + `","Principal":` + principal + `,"Action":"s3:GetObject","Resource":"arn:aws:s3:::pics/*"` + rest + `}`
}

// TestDecisions holds the worked examples of the IAM user guide's evaluation logic and the traps
// around it.
func TestDecisions(t *testing.T) {
	aws := func(arn string) string { return `{"AWS":"` + arn + `"}` }
	for _, tc := range []struct {
		name               string
		who                iam.Principal
		identity, resource []string
		boundary, session  []string
		scp, rcp           []string
		owner              string
		required, strict   bool
		want               string // "" for allowed, else a part of the message
	}{
		{name: "nothing allows", who: alice, want: "because no identity-based policy allows the s3:GetObject action"},
		{name: "identity allows", who: alice, identity: []string{allowGet}},
		{name: "identity denies over allow", who: alice, identity: []string{allowAll, denyAll}, want: "with an explicit deny in an identity-based policy"},
		{name: "resource names the user", who: alice, resource: []string{bucket("Allow", aws(alice.ARN), "")}},
		{name: "resource names the unique id", who: alice, resource: []string{bucket("Allow", aws(alice.UserID), "")}},
		{name: "resource names everybody", who: alice, resource: []string{bucket("Allow", `"*"`, "")}},
		{name: "resource names the account: identity decides", who: alice, resource: []string{bucket("Allow", aws(home), "")}, want: "no identity-based policy"},
		{name: "resource denies the account", who: alice, identity: []string{allowAll}, resource: []string{bucket("Deny", aws("arn:aws:iam::"+home+":root"), "")}, want: "explicit deny in a resource-based policy"},
		{name: "resource names another user", who: alice, resource: []string{bucket("Allow", aws(stranger.ARN), "")}, want: "no identity-based policy"},

		{name: "root of the account", who: root},
		{name: "root is denied by the resource", who: root, resource: []string{bucket("Deny", `"*"`, "")}, want: "explicit deny in a resource-based policy"},
		{name: "root under an SCP", who: root, scp: []string{allowSQS}, want: "no service control policy allows"},

		{name: "boundary allows", who: alice, identity: []string{allowAll}, boundary: []string{allowGet}},
		{name: "boundary does not allow", who: alice, identity: []string{allowAll}, boundary: []string{allowSQS}, want: "no permissions boundary allows"},
		{name: "boundary alone allows nothing", who: alice, boundary: []string{allowAll}, want: "no identity-based policy"},
		{name: "boundary does not limit a grant to the user", who: alice, boundary: []string{allowSQS}, resource: []string{bucket("Allow", aws(alice.ARN), "")}},
		{name: "boundary denies a grant to the user", who: alice, boundary: []string{denyAll}, resource: []string{bucket("Allow", aws(alice.ARN), "")}, want: "explicit deny in a permissions boundary"},
		{name: "boundary limits a grant to the role", who: session, boundary: []string{allowSQS}, resource: []string{bucket("Allow", aws(session.RoleARN), "")}, want: "no permissions boundary"},
		{name: "boundary does not limit a grant to the session", who: session, boundary: []string{allowSQS}, resource: []string{bucket("Allow", aws(session.ARN), "")}},
		{name: "boundary does not limit a grant to everybody", who: session, boundary: []string{allowSQS}, resource: []string{bucket("Allow", `"*"`, "")}},
		{
			name: "NotPrincipal denies whoever has a boundary", who: alice, identity: []string{allowAll}, boundary: []string{allowAll},
			resource: []string{`{"Effect":"Deny","NotPrincipal":` + aws(alice.ARN) + `,"Action":"*","Resource":"*"}`}, want: "explicit deny in a resource-based policy",
		},
		{name: "NotPrincipal spares the named user", who: alice, identity: []string{allowAll}, resource: []string{`{"Effect":"Deny","NotPrincipal":` + aws(alice.ARN) + `,"Action":"*","Resource":"*"}`}},

		{name: "role allows", who: session, identity: []string{allowGet}},
		{name: "session policy limits the role", who: session, identity: []string{allowAll}, session: []string{allowSQS}, want: "no session policy allows"},
		{name: "session policy alone allows nothing", who: session, session: []string{allowAll}, want: "no identity-based policy"},
		{name: "session policy limits a grant to the role", who: session, session: []string{allowSQS}, resource: []string{bucket("Allow", aws(session.RoleARN), "")}, want: "no session policy"},
		{name: "session policy and a grant to the session", who: session, session: []string{allowSQS}, resource: []string{bucket("Allow", aws(session.ARN), "")}},
		{name: "the strict reading", who: session, session: []string{allowSQS}, strict: true, resource: []string{bucket("Allow", aws(session.ARN), "")}, want: "no session policy"},
		{name: "grant to the role's unique id", who: session, resource: []string{bucket("Allow", aws("AROAAPPAPPAPPAPPAPP"), "")}},

		{name: "cross account needs both: resource missing", who: stranger, identity: []string{allowAll}, owner: home, want: "no resource-based policy allows"},
		{name: "cross account needs both: identity missing", who: stranger, resource: []string{bucket("Allow", aws(stranger.ARN), "")}, owner: home, want: "no identity-based policy"},
		{name: "cross account with both", who: stranger, identity: []string{allowGet}, resource: []string{bucket("Allow", aws(other), "")}, owner: home},
		{name: "cross account: the resource names its own account only", who: stranger, identity: []string{allowAll}, resource: []string{bucket("Allow", aws(home), "")}, owner: home, want: "no resource-based policy"},

		{name: "KMS: an identity policy never suffices", who: alice, identity: []string{allowAll}, required: true, resource: []string{bucket("Allow", aws(stranger.ARN), "")}, want: "no resource-based policy"},
		{name: "KMS: the account delegates", who: alice, identity: []string{allowAll}, required: true, resource: []string{bucket("Allow", aws(home), "")}},

		{name: "anonymous with a public resource", who: iam.Principal{}, owner: home, resource: []string{bucket("Allow", `"*"`, "")}},
		{name: "anonymous and nothing", who: iam.Principal{}, owner: home, want: "no resource-based policy"},
		{name: "anonymous ignores SCPs", who: iam.Principal{}, owner: home, scp: []string{denyAll}, resource: []string{bucket("Allow", `"*"`, "")}},
		{name: "anonymous is limited by RCPs", who: iam.Principal{}, owner: home, rcp: []string{denyAll}, resource: []string{bucket("Allow", `"*"`, "")}, want: "explicit deny in a resource control policy"},
		{name: "a service needs the resource's policy", who: s3svc, owner: home, want: "User: s3.amazonaws.com is not authorized"},
		{name: "a service that is named", who: s3svc, owner: home, resource: []string{bucket("Allow", `{"Service":"s3.amazonaws.com"}`, "")}},
		{name: "another service", who: s3svc, owner: home, resource: []string{bucket("Allow", `{"Service":["sns.amazonaws.com","sqs.amazonaws.com"]}`, "")}, want: "no resource-based policy"},

		{name: "SCP denies", who: alice, identity: []string{allowAll}, scp: []string{allowAll, denyAll}, want: "explicit deny in a service control policy"},
		{name: "SCP allows", who: alice, identity: []string{allowAll}, scp: []string{allowAll}},

		{name: "actions ignore case", who: alice, identity: []string{`{"Effect":"Allow","Action":"S3:getobject","Resource":"*"}`}},
		{name: "resources do not", who: alice, identity: []string{`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::Pics/*"}`}, want: "no identity-based"},
		{name: "wildcard in the vendor", who: alice, identity: []string{`{"Effect":"Allow","Action":"s*:Get*","Resource":"*"}`}},
		{name: "NotAction", who: alice, identity: []string{`{"Effect":"Allow","NotAction":["iam:*","s3:Put*"],"Resource":"*"}`}},
		{name: "NotAction that names it", who: alice, identity: []string{`{"Effect":"Allow","NotAction":["s3:Get*"],"Resource":"*"}`}, want: "no identity-based"},
		{name: "NotResource", who: alice, identity: []string{`{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::logs/*"}`}},
		{name: "an action with a space matches nothing", who: alice, identity: []string{`{"Effect":"Allow","Action":"s3:GetObject ","Resource":"*"}`}, want: "no identity-based"},
		{name: "NotAction with a space matches all", who: alice, identity: []string{`{"Effect":"Allow","NotAction":"s3:GetObject ","Resource":"*"}`}},
		{name: "short ARN is completed", who: alice, identity: []string{`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3"}`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ps := &iam.Policies{
				Identity: docs(t, iam.Identity, tc.identity...), Boundary: docs(t, iam.Identity, tc.boundary...),
				Session: docs(t, iam.Identity, tc.session...), Resource: docs(t, iam.ResourceBased, tc.resource...),
			}
			if tc.scp != nil {
				ps.SCPs = [][]iam.Document{docs(t, iam.Identity, tc.scp...)}
			}
			if tc.rcp != nil {
				ps.RCPs = [][]iam.Document{docs(t, iam.Identity, tc.rcp...)}
			}
			r := &iam.Request{Principal: tc.who, Action: getObject, Resource: object, Owner: tc.owner, ResourceRequired: tc.required, SessionLimitsGrants: tc.strict}
			d := iam.Evaluate(r, ps)
			if d.Allowed != (tc.want == "") {
				t.Fatalf("allowed = %v (layer %s, by %+v); message: %s", d.Allowed, d.Layer, d.By, d.Message(r))
			}
			if msg := d.Message(r); !d.Allowed && !strings.Contains(msg, tc.want) {
				t.Errorf("message = %q, want %q in it", msg, tc.want)
			}
			if x, trace := iam.Explain(r, ps); x != d || (len(tc.identity) > 0 && tc.who.Kind != iam.Anonymous && len(trace) == 0 && tc.name != "short ARN is completed") {
				t.Errorf("Explain = %+v with %d lines, Evaluate = %+v", x, len(trace), d)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	ctx := iam.Keys{
		"aws:username":         {"alice"},
		"aws:sourceip":         {"203.0.113.7"},
		"aws:currenttime":      {"2026-11-25T12:00:00Z"},
		"aws:epochtime":        {"1795608000"},
		"aws:securetransport":  {"true"},
		"aws:tagkeys":          {"team", "env"},
		"s3:max-keys":          {"50"},
		"aws:sourcearn":        {"arn:aws:sns:us-east-1:111111111111:topic"},
		"aws:principaltag/job": {"a*b"},
		"dynamodb:leadingkeys": {"alice"},
		"x:blob":               {"aGVsbG8="},
		"empty:key":            {},
	}
	for _, tc := range []struct {
		cond string
		want bool
	}{
		{`"StringEquals":{"aws:username":"alice"}`, true},
		{`"StringEquals":{"AWS:UserName":["bob","alice"]}`, true},
		{`"StringEquals":{"aws:username":"Alice"}`, false},
		{`"StringEqualsIgnoreCase":{"aws:username":"ALICE"}`, true},
		{`"StringNotEquals":{"aws:username":["bob","alice"]}`, false},
		{`"StringNotEquals":{"aws:username":["bob","carol"]}`, true},
		{`"StringNotEquals":{"no:key":"x"}`, true},
		{`"StringEquals":{"no:key":"x"}`, false},
		{`"StringEqualsIfExists":{"no:key":"x"}`, true},
		{`"StringEqualsIfExists":{"aws:username":"x"}`, false},
		{`"StringLike":{"aws:username":"a*e"}`, true},
		{`"StringLike":{"aws:username":"a?e"}`, false},
		{`"StringNotLike":{"aws:username":"b*"}`, true},
		{`"StringLike":{"aws:username":"${aws:username}"}`, true},
		{`"StringEquals":{"dynamodb:LeadingKeys":"${aws:username}"}`, true},
		{`"StringEquals":{"aws:username":"${no:key}"}`, false},
		{`"StringEquals":{"aws:username":"${no:key, 'alice'}"}`, true},
		{`"StringEquals":{"aws:PrincipalTag/job":"a${*}b"}`, true},
		{`"StringLike":{"aws:username":"${aws:PrincipalTag/job}"}`, false},
		{`"NumericLessThanEquals":{"s3:max-keys":50}`, true},
		{`"NumericLessThan":{"s3:max-keys":"50"}`, false},
		{`"NumericEquals":{"s3:max-keys":["49","50.0"]}`, true},
		{`"NumericGreaterThan":{"s3:max-keys":"9"}`, true},
		{`"NumericNotEquals":{"s3:max-keys":"9"}`, true},
		{`"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}`, true},
		{`"DateLessThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}`, false},
		{`"DateEquals":{"aws:EpochTime":"2026-11-25T12:00:00Z"}`, true},
		{`"DateLessThanEquals":{"aws:CurrentTime":1795608000}`, true},
		{`"Bool":{"aws:SecureTransport":true}`, true},
		{`"Bool":{"aws:SecureTransport":"false"}`, false},
		{`"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}`, true},
		{`"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`, true},
		{`"IpAddress":{"aws:SourceIp":["10.0.0.0/8","203.0.113.7"]}`, true},
		{`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`, false},
		{`"IpAddress":{"aws:SourceIp":"2001:db8::/32"}`, false},
		{`"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:111111111111:*"}`, true},
		{`"ArnEquals":{"aws:SourceArn":"arn:aws:sns:*:*:top*"}`, true},
		{`"ArnLike":{"aws:SourceArn":"arn:*:topic"}`, false},
		{`"ArnNotEquals":{"aws:SourceArn":"arn:aws:sns:us-east-1:111111111111:topic"}`, false},
		{`"BinaryEquals":{"x:blob":"aGVsbG8="}`, true},
		{`"Null":{"no:key":"true"}`, true},
		{`"Null":{"aws:username":"true"}`, false},
		{`"Null":{"aws:username":false}`, true},
		{`"Null":{"empty:key":"true"}`, true},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["team","env","cost"]}`, true},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}`, false},
		{`"ForAllValues:StringEquals":{"no:key":["team"]}`, true},
		{`"ForAnyValue:StringEquals":{"aws:TagKeys":["env"]}`, true},
		{`"ForAnyValue:StringEquals":{"aws:TagKeys":["x"]}`, false},
		{`"ForAnyValue:StringEquals":{"no:key":["x"]}`, false},
		{`"ForAnyValue:StringNotEquals":{"aws:TagKeys":["env"]}`, true},
		{`"ForAllValues:StringNotEquals":{"aws:TagKeys":["env"]}`, false},
		{`"ForAllValues:StringLike":{"aws:TagKeys":["t*","e*"]}`, true},
		{`"StringEquals":{"aws:username":"alice"},"Bool":{"aws:SecureTransport":"false"}`, false},
		{`"StringEquals":{"aws:username":"alice","no:key":"x"}`, false},
	} {
		ps := &iam.Policies{Identity: docs(t, iam.Identity, `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{`+tc.cond+`}}`)}
		r := &iam.Request{Principal: alice, Action: getObject, Resource: object, Context: ctx}
		if got := iam.Evaluate(r, ps).Allowed; got != tc.want {
			t.Errorf("{%s} = %v, want %v", tc.cond, got, tc.want)
		}
	}
}

func TestVariablesInResources(t *testing.T) {
	for _, tc := range []struct {
		version, resource, name, user string
		want                          bool
	}{
		{"2012-10-17", "arn:aws:s3:::pics/${aws:username}/*", "arn:aws:s3:::pics/alice/cat", "alice", true},
		{"2012-10-17", "arn:aws:s3:::pics/${aws:username}/*", "arn:aws:s3:::pics/bob/cat", "alice", false},
		{"2012-10-17", "arn:aws:s3:::pics/${aws:username}/*", "arn:aws:s3:::pics/bob/cat", "*", false},
		{"2012-10-17", "arn:aws:s3:::pics/${aws:username}/*", "arn:aws:s3:::pics/alice/cat", "", false},
		{"2012-10-17", "arn:aws:s3:::${*}/${?}${$}", "arn:aws:s3:::*/?$", "alice", true},
		{"2012-10-17", "arn:aws:s3:::${*}", "arn:aws:s3:::x", "alice", false},
		{"2012-10-17", "arn:aws:iam::${aws:PrincipalAccount, '1'}:user/*", "arn:aws:iam::1:user/x", "alice", true},
		{"2008-10-17", "arn:aws:s3:::pics/${aws:username}/*", "arn:aws:s3:::pics/alice/cat", "alice", false},
		{"2008-10-17", "arn:aws:s3:::pics/${aws:username}/*", "arn:aws:s3:::pics/${aws:username}/cat", "alice", true},
	} {
		ps := &iam.Policies{Identity: docs(t, iam.Identity,
			`{"Version":"`+tc.version+`","Statement":{"Effect":"Allow","Action":"*","Resource":"`+tc.resource+`"}}`)}
		keys := iam.Keys{}
		if tc.user != "" {
			keys["aws:username"] = []string{tc.user}
		}
		r := &iam.Request{Principal: alice, Action: getObject, Resource: tc.name, Context: keys}
		if got := iam.Evaluate(r, ps).Allowed; got != tc.want {
			t.Errorf("%s %s for %s as %q = %v, want %v", tc.version, tc.resource, tc.name, tc.user, got, tc.want)
		}
	}
}

func TestMalformedDocuments(t *testing.T) {
	stmt := func(s string) string { return `{"Version":"2012-10-17","Statement":[{` + s + `}]}` }
	for _, tc := range []struct {
		role      iam.Role
		doc, want string
	}{
		{iam.Identity, ``, "Syntax errors in policy."},
		{iam.Identity, `[]`, "Syntax errors in policy."},
		{iam.Identity, `{"Version":"2012-10-17"}`, "Syntax errors in policy."},
		{iam.Identity, `{"Version":"2020-01-01","Statement":[]}`, "Syntax errors in policy."},
		{iam.Identity, `{"Version":"2012-10-17","Statement":[]}`, "Syntax errors in policy."},
		{iam.Identity, stmt(`"Effect":"allow","Action":"*","Resource":"*"`), "Syntax errors in policy."},
		{iam.Identity, stmt(`"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"`), "Syntax errors in policy."},
		{iam.Identity, stmt(`"Effect":"Allow","Action":"*","Resource":"*","Extra":1`), "Syntax errors in policy."},
		{iam.Identity, stmt(`"Effect":"Allow","Resource":"*"`), "Policy statement must contain actions."},
		{iam.Identity, stmt(`"Effect":"Allow","Action":[],"Resource":"*"`), "Policy statement must contain actions."},
		{iam.Identity, stmt(`"Effect":"Allow","Action":"s3:*"`), "Policy statement must contain resources."},
		{iam.Identity, stmt(`"Effect":"Allow","Action":"invalid","Resource":"*"`), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
		{iam.Identity, stmt(`"Effect":"Allow","Action":"a:b:c","Resource":"*"`), "Actions/Condition can contain only one colon."},
		{iam.Identity, stmt(`"Effect":"Allow","Action":"a a:b","Resource":"*"`), "Vendor a a is not valid"},
		{iam.Identity, stmt(`"Effect":"Allow","Action":"s3:*","Resource":"bucket"`), `Resource bucket must be in ARN format or "*".`},
		{iam.Identity, stmt(`"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws"`), "Syntax errors in policy."},
		{iam.Identity, stmt(`"Effect":"Allow","Action":"s3:*","Resource":"*","Principal":"*"`), "Policy document should not specify a principal."},
		{iam.Identity, stmt(`"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEqual":{"a:b":"c"}}`), "Syntax errors in policy."},
		{iam.Identity, stmt(`"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"300.0.0.1"}}`), "Syntax errors in policy."},
		{iam.Identity, `{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"}]}`, "Statement IDs (SID) in a single policy must be unique."},
		{iam.Trust, stmt(`"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*","Principal":"*"`), "Has prohibited field Resource"},
		{iam.Trust, stmt(`"Effect":"Allow","Action":"sts:AssumeRole"`), "Missing required field Principal"},
		{iam.Trust, stmt(`"Effect":"Allow","Action":"s3:GetObject","Principal":{"Service":"lambda.amazonaws.com"}`), "AssumeRole policy may only specify STS AssumeRole actions."},
		{iam.Trust, stmt(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"nobody"}`), `Invalid principal in policy: "AWS":"nobody"`},
		{iam.ResourceBased, stmt(`"Effect":"Allow","Action":"s3:*","Resource":"*"`), "Missing required field Principal"},
		{iam.ResourceBased, stmt(`"Effect":"Allow","Action":"s3:*","Resource":"*","Principal":{"CanonicalUser":"x"}`), "CanonicalUser"},
	} {
		_, err := iam.Parse(tc.doc, tc.role)
		var m *iam.MalformedError
		if !errors.As(err, &m) || !strings.Contains(m.Message, tc.want) {
			t.Errorf("%s: %v, want %q", tc.doc, err, tc.want)
		}
	}
}

func TestContextKeysAreListed(t *testing.T) {
	d := docs(t, iam.Identity, `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}/*","Condition":{"StringEquals":{"s3:prefix":"${aws:userid}","S3:Prefix2":"x"}}}`)
	if got := fmt.Sprint(d[0].Policy.ContextKeys()); got != "[s3:prefix aws:userid S3:Prefix2 aws:username]" {
		t.Errorf("keys = %s", got)
	}
}

// FuzzParse compiles documents and evaluates what compiles.
func FuzzParse(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:Get*"],"Resource":"arn:aws:s3:::b/${aws:username, 'x'}/*","Condition":{"ForAllValues:StringLikeIfExists":{"s3:prefix":["${aws:userid}",1,true]}}}}`, "arn:aws:s3:::b/x/y", "203.0.113.7")
	f.Add(`{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":["111111111111"],"Service":"s3.amazonaws.com"},"NotAction":"*","NotResource":"*","Condition":{"IpAddress":{"a:b":"10.0.0.0/8"},"Null":{"x":"true"}}}]}`, "*", "2026-11-25T12:00:00Z")
	f.Fuzz(func(t *testing.T, doc, resource, value string) {
		for _, role := range []iam.Role{iam.Identity, iam.ResourceBased, iam.Trust} {
			p, err := iam.Parse(doc, role)
			if err != nil {
				continue
			}
			d := []iam.Document{{Name: "p", Policy: p}}
			ctx := iam.Keys{"aws:username": {value}, "s3:prefix": {value, ""}, "a:b": {value}}
			r := &iam.Request{Principal: alice, Action: getObject, Resource: resource, Context: ctx}
			ps := &iam.Policies{Identity: d, Resource: d, Boundary: d}
			if x, _ := iam.Explain(r, ps); x.Allowed != iam.Evaluate(r, ps).Allowed {
				t.Error("Explain and Evaluate differ")
			}
		}
	})
}

// benchPolicies is 20 policies of 10 statements with 5 action globs, 2 resources and 2 conditions.
func benchPolicies(b testing.TB) *iam.Policies {
	services := []string{"s3", "sqs", "sns", "dynamodb", "lambda", "logs", "ec2", "kms", "iam", "sts"}
	var texts []string
	for p := range 20 {
		var st []string
		for s := range 10 {
			svc := services[(p+s)%len(services)]
			st = append(st, fmt.Sprintf(`{"Effect":"Allow","Action":["%[1]s:Get*%[2]d","%[1]s:List*","%[1]s:Put?bject","%[1]s:Describe*","%[1]s:Batch*"],
				"Resource":["arn:aws:%[1]s:*:111111111111:thing-%[2]d/*","arn:aws:%[1]s:::b%[2]d/${aws:username}/*"],
				"Condition":{"StringLike":{"aws:UserAgent":"x%[2]d*"},"IpAddress":{"aws:SourceIp":"10.%[2]d.0.0/16"}}}`, svc, p*10+s))
		}
		texts = append(texts, strings.Join(st, ","))
	}
	ps := &iam.Policies{Identity: docs(b, iam.Identity, texts...)}
	ps.Identity = append(ps.Identity, docs(b, iam.Identity, allowGet)...)
	return ps
}

func BenchmarkEvaluate(b *testing.B) {
	ps := benchPolicies(b)
	r := &iam.Request{Principal: alice, Action: getObject, Resource: object, Context: iam.Keys{
		"aws:username": {"alice"}, "aws:useragent": {"boto"}, "aws:sourceip": {"10.1.2.3"},
	}}
	for b.Loop() {
		if !iam.Evaluate(r, ps).Allowed {
			b.Fatal("denied")
		}
	}
}

func TestTraceReadsAsSentence(t *testing.T) {
	r := &iam.Request{Principal: alice, Action: getObject, Resource: "arn:aws:s3:::other/x"}
	_, trace := iam.Explain(r, &iam.Policies{Identity: docs(t, iam.Identity, allowGet, `{"Sid":"No","Effect":"Deny","Action":"*","Resource":"*"}`)})
	want := []string{
		"Allow in statement 1 of policy-0, an identity-based policy, does not apply: its resource does not match",
		"Deny in statement 1 (No) of policy-1, an identity-based policy, applies",
	}
	if len(trace) != len(want) {
		t.Fatalf("the trace has %d lines, want %d", len(trace), len(want))
	}
	for i := range trace {
		if got := trace[i].String(); got != want[i] {
			t.Errorf("line %d is %q, want %q", i, got, want[i])
		}
	}
}
