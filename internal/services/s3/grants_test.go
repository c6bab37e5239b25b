package s3

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/s3"
	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// grantRoles lets every role be passed and assumed but "untrusting", and notes the sessions that it made.
type grantRoles struct {
	port.Roles

	made   []port.GrantedSession
	caller service.Principal
	refuse error
}

func untrusted() error {
	return &service.Error{Code: "AccessDenied", Message: "The role does not trust.", Err: port.ErrUntrusted}
}

func (g *grantRoles) CheckPassRole(_ context.Context, role, _ string) error {
	if strings.HasSuffix(role, "/untrusting") {
		return untrusted()
	}
	return nil
}

func (g *grantRoles) AssumeForGrant(ctx context.Context, s port.GrantedSession) (port.Credentials, error) {
	g.made, g.caller = append(g.made, s), service.RequestFrom(ctx).Principal
	return port.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "secret", SessionToken: "token", Expires: time.Unix(0, 0)}, g.refuse
}

const (
	readerRole = "arn:aws:iam::" + account + ":role/team/readers"
	dataRole   = "arn:aws:iam::" + account + ":role/data"
)

// granting is a fixture with an access grants instance.
type granting struct {
	*fixture

	roles *grantRoles
}

func newGranting(t *testing.T) *granting {
	f := &granting{newFixture(t), &grantRoles{}}
	f.Service.roles = f.roles
	if _, err := f.createAccessGrantsInstance(f.ctx(), &control.CreateAccessGrantsInstanceInput{AccountId: account}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *granting) location(scope string) string {
	f.t.Helper()
	out, err := f.createAccessGrantsLocation(f.ctx(), &control.CreateAccessGrantsLocationInput{AccountId: account, LocationScope: scope, IAMRoleArn: dataRole})
	if err != nil {
		f.t.Fatal(err)
	}
	return *out.AccessGrantsLocationId
}

// grant makes a grant for the readers; sub may be empty.
func (f *granting) grant(location, sub, permission, kind string) (*control.CreateAccessGrantOutput, error) {
	in := &control.CreateAccessGrantInput{
		AccountId: account, AccessGrantsLocationId: location, Permission: permission, S3PrefixType: kind,
		Grantee: &control.Grantee{GranteeType: "IAM", GranteeIdentifier: ptr(readerRole)},
	}
	if sub != "" {
		in.AccessGrantsLocationConfiguration = &control.AccessGrantsLocationConfiguration{S3SubPrefix: &sub}
	}
	return f.createAccessGrant(f.ctx(), in)
}

func (f *granting) mustGrant(location, sub, permission, kind string) *control.CreateAccessGrantOutput {
	f.t.Helper()
	out, err := f.grant(location, sub, permission, kind)
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

// reader is a call by a session of the readers' role.
func (f *granting) reader() context.Context {
	return service.As(f.ctx(), service.Principal{
		Kind: service.AssumedRole, Account: account, RoleARN: readerRole, ARN: "arn:aws:sts::" + account + ":assumed-role/readers/ann@example.com",
	})
}

// rowsOf returns the keys of the rows of the service.
func rowsOf(f *fixture) (keys []string) {
	f.t.Helper()
	err := f.store.View(f.t.Context(), func(r store.Reader) error {
		keys = nil
		for row, err := range r.Range(key.New("s3").Span()) {
			if err != nil {
				return err
			}
			keys = append(keys, string(row.Key))
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return keys
}

func TestScopesOfGrants(t *testing.T) {
	for _, c := range [][3]string{
		{"s3://", "pictures/*", "s3://pictures/*"},
		{"s3://pictures", "2026*", "s3://pictures/2026*"},
		{"s3://pictures/a/", "b*", "s3://pictures/a/b*"},
		{"s3://pictures/a*", "b*", "s3://pictures/ab*"},
		{"s3://pictures/*", "b*", "s3://pictures/b*"},
	} {
		if got := scopeOf(c[0], &c[1]); got != c[2] {
			t.Errorf("%s and %s make %s, want %s", c[0], c[1], got, c[2])
		}
	}
	prefix := func(scope string) grantTarget { return grantTarget{Scope: scope} }
	object := func(scope string) grantTarget { return grantTarget{scope, true} }
	for _, c := range []struct {
		granted, asked grantTarget
		want           bool
	}{
		{prefix("s3://b/*"), prefix("s3://b"), true},
		{prefix("s3://b/a*"), prefix("s3://b/ab*"), true},
		{prefix("s3://b/a*"), object("s3://b/ab"), true},
		{prefix("s3://b/a/*"), prefix("s3://b/a"), false},
		{prefix("s3://b/a*"), prefix("s3://b/*"), false},
		{prefix("s3://b/a*"), prefix("s3://bb/a*"), false},
		{prefix("s3://b"), object("s3://b/a*"), true},
		{object("s3://b/a"), object("s3://b/a"), true},
		{object("s3://b/a"), object("s3://b/ab"), false},
		{object("s3://b/a"), prefix("s3://b/a"), false},
		{object("s3://b/a*"), object("s3://b/ab"), false},
		{prefix("s3://"), prefix("s3://"), false},
		{prefix("s3://b*"), prefix("s3://b1/a"), false},
		{prefix("b/a"), prefix("b/a"), false},
	} {
		if got := c.granted.covers(c.asked); got != c.want {
			t.Errorf("%+v covers %+v: %v", c.granted, c.asked, got)
		}
	}
}

func TestClosestGrantGivesItsRole(t *testing.T) {
	f := newGranting(t)
	at := f.location("s3://pictures")
	f.mustGrant(at, "*", "READ", "")
	f.mustGrant(at, "2026/*", "READWRITE", "")
	f.mustGrant(at, "2026/only.txt", "WRITE", "Object")
	ask := func(target, permission, kind, privilege string) (string, error) {
		out, err := f.getDataAccess(f.reader(), &control.GetDataAccessInput{AccountId: account, Target: target, Permission: permission, TargetType: kind, Privilege: privilege})
		if err != nil {
			return "", err
		}
		return *out.MatchedGrantTarget, nil
	}
	for _, c := range [][5]string{
		{"s3://pictures/2025/*", "READ", "", "", "s3://pictures/*"},
		{"s3://pictures/2026/a*", "READ", "", "", "s3://pictures/2026/*"},
		{"s3://pictures/2026/a*", "WRITE", "", "Default", "s3://pictures/2026/*"},
		{"s3://pictures/2026/a*", "READWRITE", "", "Minimal", "s3://pictures/2026/a*"},
		{"s3://pictures/2026/only.txt", "WRITE", "Object", "", "s3://pictures/2026/only.txt"},
		{"s3://pictures/2026/only.txt", "READ", "Object", "Minimal", "s3://pictures/2026/only.txt"},
	} {
		if got, err := ask(c[0], c[1], c[2], c[3]); err != nil || got != c[4] {
			t.Errorf("%v matches %q, %v", c, got, err)
		}
	}
	s := f.roles.made[0]
	if s.Role != dataRole || s.SourceIdentity != "ann@example.com" || s.Lifetime != time.Hour || !strings.HasPrefix(s.Name, "access-grants-") || s.Instance != "arn:aws:s3:us-east-1:"+account+":access-grants/default" {
		t.Errorf("the session %+v", s)
	}
	if c := f.roles.caller; c.Service != "access-grants.s3.amazonaws.com" || c.SourceARN != s.Instance || c.SourceAccount != account {
		t.Errorf("the role is assumed by %+v", c)
	}
	for _, c := range [][3]string{{"s3://pictures/2025/*", "WRITE", "AccessDenied"}, {"s3://others/a", "READ", "AccessDenied"}, {"pictures", "READ", "InvalidArgument"}} {
		_, err := ask(c[0], c[1], "", "")
		code(t, err, c[2])
	}
	_, err := f.getDataAccess(f.ctx(), &control.GetDataAccessInput{AccountId: account, Target: "s3://pictures/*", Permission: "READ"})
	code(t, err, "AccessDenied") // the root user has no grants
	for _, c := range []struct {
		refuse error
		want   string
	}{
		{untrusted(), "StsNotAuthorizedError"},
		{service.Errorf("PackedPolicyTooLarge", "too large"), "StsPackedPolicyTooLargeError"},
		{service.Errorf("ValidationError", "too long"), "StsValidationError"},
	} {
		f.roles.refuse = c.refuse
		_, err := ask("s3://pictures/*", "READ", "", "")
		code(t, err, c.want)
	}
}

// TestSessionPoliciesAllowWhatIsGranted evaluates the policies of targets as those of a session.
func TestSessionPoliciesAllowWhatIsGranted(t *testing.T) {
	allowed := func(document, action, resource, prefix string) bool {
		p, err := iam.Parse(document, iam.Identity)
		if err != nil {
			t.Fatal(err)
		}
		d := iam.Evaluate(&iam.Request{
			Principal: iam.Principal{Kind: iam.User, Account: account, ARN: "arn:aws:iam::" + account + ":user/ann"}, Action: action, Resource: resource, Owner: account,
			Context: iam.Keys{"s3:prefix": {prefix}, "kms:viaservice": {"s3.us-east-1.amazonaws.com"}},
		}, &iam.Policies{Identity: []iam.Document{{Name: "session", Policy: p}}})
		return d.Allowed
	}
	tree, one := grantTarget{Scope: "s3://b/a/*"}, grantTarget{"s3://b/a*c$?", true}
	for _, c := range []struct {
		target                               grantTarget
		permission, action, resource, prefix string
		want                                 bool
	}{
		{tree, "READ", "s3:GetObject", "arn:aws:s3:::b/a/x", "", true},
		{tree, "READ", "s3:GetObject", "arn:aws:s3:::b/ax", "", false},
		{tree, "READ", "s3:PutObject", "arn:aws:s3:::b/a/x", "", false},
		{tree, "READ", "s3:ListBucket", "arn:aws:s3:::b", "a/x", true},
		{tree, "READ", "s3:ListBucket", "arn:aws:s3:::b", "", false},
		{tree, "WRITE", "s3:ListBucket", "arn:aws:s3:::b", "a/x", false},
		{tree, "WRITE", "s3:DeleteObject", "arn:aws:s3:::b/a/x", "", true},
		{tree, "WRITE", "s3:GetObject", "arn:aws:s3:::b/a/x", "", false},
		{tree, "WRITE", "kms:Decrypt", "arn:aws:kms:us-east-1:000000000000:key/1", "", false},
		{tree, "READWRITE", "kms:GenerateDataKey", "arn:aws:kms:us-east-1:000000000000:key/1", "", true},
		{tree, "READWRITE", "s3:GetObject", "arn:aws:s3:::b/a/x", "", true},
		{tree, "READWRITE", "s3:PutBucketPolicy", "arn:aws:s3:::b", "", false},
		{grantTarget{Scope: "s3://b"}, "READ", "s3:ListBucket", "arn:aws:s3:::b", "", true},
		{one, "READ", "s3:GetObject", "arn:aws:s3:::b/a*c$?", "", true},
		{one, "READ", "s3:GetObject", "arn:aws:s3:::b/abc$?", "", false},
		{one, "READ", "s3:GetObject", "arn:aws:s3:::b/a*c$d", "", false},
		{one, "READ", "s3:ListBucket", "arn:aws:s3:::b", "a*c$?", false},
	} {
		if got := allowed(c.target.policy(c.permission, "us-east-1"), c.action, c.resource, c.prefix); got != c.want {
			t.Errorf("%s of %+v allows %s on %s: %v", c.permission, c.target, c.action, c.resource, got)
		}
	}
}

func TestAccessGrantsRefusals(t *testing.T) {
	f := newGranting(t)
	at, all := f.location("s3://pictures"), f.location("s3://")
	if all != "default" {
		t.Errorf("the default location has the ID %s", all)
	}
	_, err := f.createAccessGrantsInstance(f.ctx(), &control.CreateAccessGrantsInstanceInput{AccountId: account})
	code(t, err, "AccessGrantsInstanceAlreadyExists")
	_, err = f.createAccessGrantsInstance(f.ctx(), &control.CreateAccessGrantsInstanceInput{AccountId: account, IdentityCenterArn: ptr("arn:aws:sso:::instance/ssoins-1")})
	code(t, err, "NotImplemented")
	for _, c := range [][3]string{
		{"s3://pictures", dataRole, "AccessGrantsLocationAlreadyExistsError"},
		{"pictures", dataRole, "InvalidAccessGrantsLocation"},
		{"s3://pictures/new", "arn:aws:iam::" + account + ":role/untrusting", "InvalidIamRole"},
	} {
		_, err := f.createAccessGrantsLocation(f.ctx(), &control.CreateAccessGrantsLocationInput{AccountId: account, LocationScope: c[0], IAMRoleArn: c[1]})
		code(t, err, c[2])
	}
	g := f.mustGrant(at, "a*", "READ", "")
	for _, c := range [][4]string{
		{at, "a*", "", "AccessGrantAlreadyExists"},
		{all, "", "", "InvalidAccessGrant"},
		{all, "*", "", "InvalidAccessGrant"},
		{at, "", "Object", "InvalidAccessGrant"},
		{"gone", "a*", "", "NoSuchAccessGrantsLocationError"},
	} {
		_, err := f.grant(c[0], c[1], "READ", c[2])
		code(t, err, c[3])
	}
	for want, grantee := range map[string]*control.Grantee{
		"MalformedXML":       nil,
		"NotImplemented":     {GranteeType: "DIRECTORY_USER", GranteeIdentifier: ptr("1")},
		"InvalidAccessGrant": {GranteeType: "IAM", GranteeIdentifier: ptr("arn:aws:iam::" + account + ":root")},
	} {
		_, err := f.createAccessGrant(f.ctx(), &control.CreateAccessGrantInput{AccountId: account, AccessGrantsLocationId: at, Permission: "READ", Grantee: grantee})
		code(t, err, want)
	}
	_, err = f.deleteAccessGrantsInstance(f.ctx(), &control.DeleteAccessGrantsInstanceInput{AccountId: account})
	code(t, err, "AccessGrantsInstanceNotEmptyError")
	_, err = f.deleteAccessGrantsLocation(f.ctx(), &control.DeleteAccessGrantsLocationInput{AccountId: account, AccessGrantsLocationId: at})
	code(t, err, "AccessGrantsLocationNotEmptyError")
	if _, err := f.deleteAccessGrant(f.ctx(), &control.DeleteAccessGrantInput{AccountId: account, AccessGrantId: *g.AccessGrantId}); err != nil {
		t.Fatal(err)
	}
	_, err = f.getAccessGrant(f.ctx(), &control.GetAccessGrantInput{AccountId: account, AccessGrantId: *g.AccessGrantId})
	code(t, err, "NoSuchAccessGrantError")
	f.mustGrant(at, "a*", "READ", "") // as if there had never been one
}

func TestAccessGrantsAreDeletedToTheLastRow(t *testing.T) {
	f := newGranting(t)
	before := rowsOf(f.fixture)
	at := f.location("s3://pictures")
	g := f.mustGrant(at, "a*", "READ", "")
	for _, resource := range []string{"access-grants/default/location/" + at, "access-grants/default/grant/" + *g.AccessGrantId} {
		arn := "arn:aws:s3:us-east-1:" + account + ":" + resource
		if _, err := f.tagResource(f.ctx(), &control.TagResourceInput{AccountId: account, ResourceArn: arn, Tags: []control.Tag{{Key: "team", Value: "a"}}}); err != nil {
			t.Fatal(err)
		}
		targets, err := f.tagTargets(f.ctx(), arn, nil, nil)
		if err != nil || targets[0].ARN != arn || !slices.Equal(targets[0].Condition["aws:ResourceTag/team"], []string{"a"}) {
			t.Errorf("targets %+v, %v", targets, err)
		}
	}
	if _, err := f.deleteAccessGrant(f.ctx(), &control.DeleteAccessGrantInput{AccountId: account, AccessGrantId: *g.AccessGrantId}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.deleteAccessGrantsLocation(f.ctx(), &control.DeleteAccessGrantsLocationInput{AccountId: account, AccessGrantsLocationId: at}); err != nil {
		t.Fatal(err)
	}
	if after := rowsOf(f.fixture); !slices.Equal(after, before) {
		t.Errorf("the rows %q, and before %q", after, before)
	}
}

func TestGrantsAreListedInPages(t *testing.T) {
	f := newGranting(t)
	at := f.location("s3://pictures")
	for i := range 5 {
		f.mustGrant(at, fmt.Sprintf("%d*", i), []string{"READ", "WRITE"}[i%2], "")
	}
	count := 0
	in := &control.ListAccessGrantsInput{AccountId: account, MaxResults: ptr(int32(2)), Permission: "READ"}
	for {
		out, err := f.listAccessGrants(f.ctx(), in)
		if err != nil {
			t.Fatal(err)
		}
		count += len(out.AccessGrantsList)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if count != 3 {
		t.Errorf("%d grants of READ, want 3", count)
	}
	mine, err := f.listCallerAccessGrants(f.reader(), &control.ListCallerAccessGrantsInput{AccountId: account, GrantScope: ptr("s3://pictures/3")})
	if err != nil || len(mine.CallerAccessGrantsList) != 1 || *mine.CallerAccessGrantsList[0].GrantScope != "s3://pictures/3*" {
		t.Errorf("the reader's grants: %+v, %v", mine, err)
	}
	mine, err = f.listCallerAccessGrants(f.ctx(), &control.ListCallerAccessGrantsInput{AccountId: account})
	if err != nil || len(mine.CallerAccessGrantsList) != 0 {
		t.Errorf("the root user's grants: %+v, %v", mine, err)
	}
	_, err = f.listAccessGrantsLocations(f.ctx(), &control.ListAccessGrantsLocationsInput{AccountId: account, NextToken: ptr("no token")})
	code(t, err, "InvalidArgument")
}

func TestOtherAccountsNeedTheInstancesPolicy(t *testing.T) {
	f := newGranting(t)
	document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"s3:GetDataAccess","Resource":"arn:aws:s3:us-east-1:000000000000:access-grants/default"}]}`
	if _, err := f.putAccessGrantsInstancePolicy(f.ctx(), &control.PutAccessGrantsInstanceResourcePolicyInput{AccountId: account, Policy: document}); err != nil {
		t.Fatal(err)
	}
	targets, err := f.grantsAccess()["GetDataAccess"].Targets(f.ctx(), &control.GetDataAccessInput{AccountId: account})
	if err != nil || targets[0].Policy != document || targets[0].Owner != account {
		t.Errorf("targets %+v, %v", targets, err)
	}
	out, err := f.getAccessGrantsInstanceForPrefix(f.ctx(), &control.GetAccessGrantsInstanceForPrefixInput{AccountId: account, S3Prefix: "s3://pictures/a"})
	if err != nil || *out.AccessGrantsInstanceArn != "arn:aws:s3:us-east-1:"+account+":access-grants/default" {
		t.Errorf("the instance of a prefix: %+v, %v", out, err)
	}
	for _, bad := range []string{"{", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`, strings.Repeat(" ", maxPolicy+1)} {
		_, err := f.putAccessGrantsInstancePolicy(f.ctx(), &control.PutAccessGrantsInstanceResourcePolicyInput{AccountId: account, Policy: bad})
		code(t, err, "InvalidResourcePolicy")
	}
	if _, err := f.deleteAccessGrantsInstancePolicy(f.ctx(), &control.DeleteAccessGrantsInstanceResourcePolicyInput{AccountId: account}); err != nil {
		t.Fatal(err)
	}
	_, err = f.getAccessGrantsInstancePolicy(f.ctx(), &control.GetAccessGrantsInstanceResourcePolicyInput{AccountId: account})
	code(t, err, "AccessGrantsInstanceResourcePolicyNotExists")
	elsewhere := *service.RequestFrom(f.ctx())
	elsewhere.Region = "eu-west-1"
	if _, err := f.createAccessGrantsInstance(service.WithRequest(t.Context(), &elsewhere), &control.CreateAccessGrantsInstanceInput{AccountId: account}); err != nil {
		t.Fatal(err)
	}
	_, err = f.createAccessGrantsLocation(service.WithRequest(t.Context(), &elsewhere), &control.CreateAccessGrantsLocationInput{AccountId: account, LocationScope: "s3://pictures", IAMRoleArn: dataRole})
	code(t, err, "InvalidAccessGrantsLocation")
	_, err = f.getAccessGrantsInstanceForPrefix(f.ctx(), &control.GetAccessGrantsInstanceForPrefixInput{AccountId: account, S3Prefix: "s3://gone/a"})
	code(t, err, "NoSuchBucket")
	if _, err := f.deleteBucket(f.ctx(), &api.DeleteBucketInput{Bucket: "pictures"}); err != nil {
		t.Fatal(err)
	}
}
