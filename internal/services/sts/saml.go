package sts

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/saml"
	api "lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
)

const (
	samlAction = "sts:AssumeRoleWithSAML"
	// samlFresh is how long after it was issued an assertion is taken.
	samlFresh = 5 * time.Minute
	// samlNames begins the names of the attributes that are for AWS.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_saml_assertions.html
	samlNames = "https://aws.amazon.com/SAML/Attributes/"
	// nameIDFormats begins the formats of a NameID that are named without it.
	nameIDFormats = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
)

var (
	// samlRecipient is for whom an assertion is: AWS's sign-in endpoint, of any region or provider.
	samlRecipient = regexp.MustCompile(`^https://([a-z0-9-]+\.)?signin\.aws\.amazon\.com/saml(/acs/[A-Z0-9]+)?$`)
	samlName      = regexp.MustCompile(`^[a-zA-Z_0-9+=,.@-]{2,64}$`)
)

// samlKeys are the condition keys by the names of the attributes of eduPerson and eduOrg, and of the common name.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
var samlKeys = map[string]string{
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.1":  "saml:edupersonaffiliation",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.2":  "saml:edupersonnickname",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.3":  "saml:edupersonorgdn",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.4":  "saml:edupersonorgunitdn",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.5":  "saml:edupersonprimaryaffiliation",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.6":  "saml:edupersonprincipalname",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.7":  "saml:edupersonentitlement",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.8":  "saml:edupersonprimaryorgunitdn",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.9":  "saml:edupersonscopedaffiliation",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.10": "saml:edupersontargetedid",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.11": "saml:edupersonassurance",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.2":  "saml:eduorghomepageuri",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.3":  "saml:eduorgidentityauthnpolicyuri",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.4":  "saml:eduorglegalname",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.5":  "saml:eduorgsuperioruri",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.6":  "saml:eduorgwhitepagesuri",
	"urn:oid:2.5.4.3":                   "saml:cn",
}

// samlIdentity is what a proven assertion says, and who said it.
type samlIdentity struct {
	*saml.Assertion

	provider *auth.SAMLProvider
}

// identifySAML returns what a response says that the provider of an ARN signed.
func (s *STS) identifySAML(ctx context.Context, provider, response string) (*samlIdentity, error) {
	p, err := s.roles.SAMLProvider(ctx, provider)
	if err != nil {
		return nil, err
	}
	now := s.deps.Clock.Now()
	switch {
	case p == nil:
		return nil, badIdentity(nil, "Specified provider doesn't exist")
	case !now.Before(p.ValidUntil):
		return nil, badIdentity(nil, "The metadata of the provider %s ended at %s; give it newer with UpdateSAMLProvider.", p.ARN, p.ValidUntil.Format(time.RFC3339))
	}
	m, err := saml.ParseMetadata(p.Metadata)
	if err != nil {
		return nil, err // It was read when it was stored.
	}
	text, err := base64.StdEncoding.DecodeString(response)
	if err != nil {
		return nil, badIdentity(err, "Invalid base64 SAMLResponse")
	}
	a, err := m.Prove(text)
	switch {
	case errors.Is(err, saml.ErrSignature):
		return nil, badIdentity(err, "Response signature invalid: %s.", err.Error())
	case err != nil:
		return nil, badIdentity(err, "Invalid SAML response: %s.", err.Error())
	case a.Issuer != m.EntityID:
		return nil, badIdentity(nil, "Issuer not present in specified provider")
	}
	id := &samlIdentity{a, p}
	return id, id.check(now)
}

// check refuses an assertion that is not complete, not for AWS, or not of this time.
func (id *samlIdentity) check(now time.Time) error {
	ours := func(who string) bool { return who == "urn:amazon:webservices" || samlRecipient.MatchString(who) }
	switch {
	case id.Subject == "":
		return badIdentity(nil, "NameID is required in AuthnResponse")
	case id.Issued.IsZero() || id.Confirmed.IsZero():
		return badIdentity(nil, "The Assertion needs IssueInstant, and SubjectConfirmationData needs NotOnOrAfter.")
	case !samlRecipient.MatchString(id.Recipient):
		return badIdentity(nil, "The Recipient of SubjectConfirmationData must be https://signin.aws.amazon.com/saml, and is %q.", id.Recipient)
	case !slices.ContainsFunc(id.Audiences, ours):
		return badIdentity(nil, "Response does not contain the required audience.")
	case now.Sub(id.Issued) >= samlFresh:
		return service.Errorf("ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance").WithStatus(400)
	case over(id.Confirmed, now) || over(id.NotOnOrAfter, now) || over(id.SessionEnds, now):
		return service.Errorf("ExpiredTokenException", "Token expired: the assertion or the session of the user at the identity provider has ended.").WithStatus(400)
	case now.Add(earliest).Before(id.NotBefore) || now.Add(earliest).Before(id.Issued):
		return badIdentity(nil, "The assertion is not valid yet; the clocks here and at the identity provider differ.")
	}
	return nil
}

// over tells whether a time, if it is given, has come.
func over(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

// audience is where the assertion was sent, the value of SAML:aud.
func (id *samlIdentity) audience() string { return id.Recipient }

// format is the format of the NameID, short for those of SAML 2.0.
func (id *samlIdentity) format() string { return strings.TrimPrefix(id.Format, nameIDFormats) }

// qualifier tells users of the same name apart whom different providers know.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithSAML.html
func (id *samlIdentity) qualifier() string {
	sum := sha1.Sum([]byte(id.Issuer + id.provider.Account + "/" + id.provider.Name))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// conditions returns the condition keys about the assertion.
func (id *samlIdentity) conditions() map[string][]string {
	out := map[string][]string{
		"saml:aud": {id.audience()}, "saml:iss": {id.Issuer}, "saml:sub": {id.Subject}, "saml:sub_type": {id.format()},
		"saml:namequalifier": {id.qualifier()}, "saml:doc": {id.provider.Account + "/" + id.provider.Name},
	}
	for name, key := range samlKeys {
		if values := id.Attributes[name]; len(values) > 0 {
			out[key] = values
		}
	}
	return out
}

// names tells whether the assertion lets its user have the role, by a pair of the ARNs of role and provider in either order.
func (id *samlIdentity) names(role string) bool {
	return slices.ContainsFunc(id.Attributes[samlNames+"Role"], func(pair string) bool {
		a, b, _ := strings.Cut(pair, ",")
		a, b = strings.TrimSpace(a), strings.TrimSpace(b)
		return a == role && b == id.provider.ARN || b == role && a == id.provider.ARN
	})
}

// one returns the value of an attribute for AWS; "" when it is not there.
func (id *samlIdentity) one(name string) (string, error) {
	values := id.Attributes[samlNames+name]
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", badIdentity(nil, "The attribute %s must have one value.", name)
	}
	return values[0], nil
}

// asks returns the call as one of AssumeRole, with what the attributes give the session.
func (id *samlIdentity) asks(in *api.AssumeRoleWithSAMLInput) (*api.AssumeRoleInput, error) {
	name, err := id.one("RoleSessionName")
	switch {
	case err != nil:
		return nil, err
	case name == "":
		return nil, badIdentity(nil, "RoleSessionName is required in AuthnResponse")
	case !samlName.MatchString(name):
		return nil, badIdentity(nil, "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}")
	}
	out := &api.AssumeRoleInput{RoleArn: in.RoleArn, RoleSessionName: name, PolicyArns: in.PolicyArns, Policy: in.Policy, DurationSeconds: in.DurationSeconds}
	source, err := id.one("SourceIdentity")
	switch {
	case err != nil:
		return nil, err
	case source == "":
	case !samlName.MatchString(source) || strings.HasPrefix(source, "aws:"):
		return nil, badIdentity(nil, `Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"`)
	default:
		out.SourceIdentity = &source
	}
	for _, attribute := range slices.Sorted(maps.Keys(id.Attributes)) {
		key, ok := strings.CutPrefix(attribute, samlNames+"PrincipalTag:")
		if !ok {
			continue
		}
		value, err := id.one("PrincipalTag:" + key)
		if err != nil {
			return nil, err
		}
		out.Tags = append(out.Tags, api.Tag{Key: key, Value: value})
	}
	out.TransitiveTagKeys = id.Attributes[samlNames+"TransitiveTagKeys"]
	return out, nil
}

func (s *STS) assumeRoleWithSAML(ctx context.Context, in *api.AssumeRoleWithSAMLInput) (*api.AssumeRoleWithSAMLOutput, error) {
	name, err := arn.Parse(in.RoleArn)
	if err != nil {
		return nil, invalid("Request ARN is invalid: %s is not the ARN of a role.", in.RoleArn)
	}
	id, err := s.identifySAML(ctx, in.PrincipalArn, in.SAMLAssertion)
	if err != nil {
		return nil, err
	}
	if name.Account != id.provider.Account || !id.names(in.RoleArn) {
		e := denied("Not authorized to perform %s", samlAction)
		e.Err = errors.New("the attribute Role of the assertion does not name the role and the provider, of one account")
		return nil, e
	}
	asked, err := id.asks(in)
	if err != nil {
		return nil, err
	}
	role, err := s.admit(ctx, samlAction, id.provider.ARN, id.conditions(), asked)
	if err != nil {
		return nil, err
	}
	sess, creds, packed, err := s.open(&service.Principal{}, role, asked, id.SessionEnds)
	if err != nil {
		return nil, err
	}
	return &api.AssumeRoleWithSAMLOutput{
		Credentials: creds, PackedPolicySize: packed, AssumedRoleUser: &api.AssumedRoleUser{AssumedRoleId: sess.UserID, Arn: sess.ARN}, SourceIdentity: asked.SourceIdentity,
		Subject: &id.Subject, SubjectType: new(id.format()), Issuer: &id.Issuer, Audience: new(id.audience()), NameQualifier: new(id.qualifier()),
	}, nil
}
