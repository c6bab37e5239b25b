package portal

import (
	"context"
	"io"
	"net/url"
	"regexp"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// maxIncluded and maxLogo, in bytes, are AWS's quotas for a portal.
	maxIncluded = 200
	maxLogo     = 200 << 10
)

// asked is what a call says about a portal; nil members say nothing.
type asked struct {
	content       *api.PortalContent
	authorization *api.Authorization
	endpoint      *api.EndpointConfigurationRequest
	products      []string
	logo          *string
}

// logo is the image of a portal.
type logo struct {
	Type string // media type
	Body []byte
}

// put moves what was asked for from wanted, where it is checked, to v.
func (a *asked) put(wanted, v *portal) {
	if a.content != nil {
		v.Content = wanted.Content
	}
	if a.authorization != nil {
		v.Authorization = wanted.Authorization
	}
	if a.endpoint != nil {
		v.Domain, v.Certificate = wanted.Domain, wanted.Certificate
	}
	if a.products != nil {
		v.Products = wanted.Products
	}
	if a.logo != nil {
		v.LogoUploaded = wanted.LogoUploaded
	}
}

// take checks what was asked for and puts it into v. The logo, which it reads with the permissions of the caller, is nil when nothing is said about it, and empty when there shall be none.
func (p *Portals) take(ctx context.Context, a *asked, v *portal) (*logo, error) {
	if a.content != nil {
		v.Content = *a.content
		if err := checkContent(&v.Content); err != nil {
			return nil, err
		}
	}
	if a.authorization != nil {
		v.Authorization = *a.authorization
		if err := checkAuthorization(scopeOf(ctx), &v.Authorization); err != nil {
			return nil, err
		}
	}
	if a.endpoint != nil {
		if err := p.setEndpoint(ctx, a.endpoint, v); err != nil {
			return nil, err
		}
	}
	if err := p.includes(ctx, a.products); err != nil {
		return nil, err
	}
	v.Products = a.products
	if a.logo == nil {
		return nil, nil
	}
	if *a.logo == "" {
		return &logo{}, nil
	}
	l, err := p.readLogo(ctx, *a.logo)
	v.LogoUploaded = ptr(p.deps.Clock.Now().UTC())
	return l, err
}

// color is what a color may be: a name, or one of CSS's forms with a hash. Nothing else can stand in a style sheet.
var color = regexp.MustCompile(`^(#([0-9a-fA-F]{3}|[0-9a-fA-F]{4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})|[a-zA-Z]{3,16})$`)

func checkContent(c *api.PortalContent) error {
	if c.Theme == nil || c.Theme.CustomColors == nil {
		return badRequest("Invalid portal content: give a theme with its customColors.")
	}
	c.Theme = &api.PortalTheme{CustomColors: c.Theme.CustomColors} // the time of the logo is not the caller's to say
	colors := c.Theme.CustomColors
	for _, named := range []struct{ name, value string }{
		{"accentColor", colors.AccentColor},
		{"backgroundColor", colors.BackgroundColor},
		{"errorValidationColor", colors.ErrorValidationColor},
		{"headerColor", colors.HeaderColor},
		{"navigationColor", colors.NavigationColor},
		{"textColor", colors.TextColor},
	} {
		if !color.MatchString(named.value) {
			return badRequest("Invalid %s %q: give a color such as #1a2b3c, or its name.", named.name, named.value)
		}
	}
	return nil
}

// checkAuthorization checks who may visit. As for authorizers of REST APIs, the user pool may be any issuer of tokens by its URL.
func checkAuthorization(s Scope, a *api.Authorization) error {
	if (a.CognitoConfig == nil) == (a.None == nil) {
		return badRequest("Invalid authorization: give one of cognitoConfig and none.")
	}
	if a.None != nil {
		return nil
	}
	c := a.CognitoConfig
	if _, ok := poolIssuer(s.Region, c.UserPoolArn); !ok {
		return badRequest("Invalid user pool %q: give the ARN of a user pool in %s, or the URL of an issuer.", c.UserPoolArn, s.Region)
	}
	if _, err := poolURL(c.UserPoolDomain, "/"); err != nil {
		return badRequest("Invalid user pool domain %q: give a name such as pets.auth.us-east-1.amazoncognito.com, or a URL.", c.UserPoolDomain)
	}
	return nil
}

var poolARN = regexp.MustCompile(`^arn:[\w-]+:cognito-idp:([\w-]+):\d{12}:userpool/([\w-]+)$`)

// poolIssuer is the issuer of the tokens of a user pool in a region.
func poolIssuer(region, pool string) (string, bool) {
	if m := poolARN.FindStringSubmatch(pool); m != nil {
		return "https://cognito-idp." + m[1] + ".amazonaws.com/" + m[2], m[1] == region
	}
	u, err := url.Parse(pool)
	return pool, err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// poolURL is the URL of a path at the domain of a user pool.
func poolURL(domain, path string) (*url.URL, error) {
	if !strings.Contains(domain, "://") {
		domain = "https://" + domain
	}
	u, err := url.Parse(strings.TrimSuffix(domain, "/") + path)
	if err == nil && (u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http") {
		err = badRequest("%q is no domain", domain)
	}
	return u, err
}

// setEndpoint takes the domain name of a portal. Certificates for CloudFront are in us-east-1
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-portals-create-portal.html).
func (p *Portals) setEndpoint(ctx context.Context, in *api.EndpointConfigurationRequest, v *portal) error {
	if (in.AcmManaged == nil) == (in.None == nil) {
		return badRequest("Invalid endpoint configuration: give one of acmManaged and none.")
	}
	v.Domain, v.Certificate = "", ""
	if in.None != nil {
		return nil
	}
	v.Domain, v.Certificate = strings.ToLower(in.AcmManaged.DomainName), in.AcmManaged.CertificateArn
	if !isDomain(v.Domain) {
		return badRequest("The domain name %q is not valid: give a full name such as portal.example.com.", v.Domain)
	}
	if !strings.HasPrefix(v.Certificate, "arn:aws:acm:us-east-1:") {
		return badRequest("Invalid certificate ARN: %s. The certificate of a portal must be in ACM in us-east-1.", v.Certificate)
	}
	if p.options.Taken(ctx, v.Domain) {
		return badRequest("The domain name %s is a custom domain name of APIs.", v.Domain)
	}
	return nil
}

// includes checks that products can be included: that they exist, in this region, and are named once. Access has asked whether the caller may see them.
func (p *Portals) includes(ctx context.Context, products []string) error {
	if len(products) > maxIncluded {
		return exceeded("A portal has at most %d portal products.", maxIncluded)
	}
	named := map[string]bool{}
	for _, text := range products {
		at, path, ok := parseARN(text)
		if !ok || at.Region != scopeOf(ctx).Region || len(path) != 2 || path[0] != productsPath || named[text] {
			return badRequest("Invalid portal product %s: give the ARNs of portal products of this region, each once.", text)
		}
		named[text] = true
		if err := p.productExists(ctx, at, path[1]); err != nil {
			return err
		}
	}
	return nil
}

// readLogo reads the image at an S3 URI.
func (p *Portals) readLogo(ctx context.Context, uri string) (*logo, error) {
	bucket, key, ok := strings.Cut(strings.TrimPrefix(uri, "s3://"), "/")
	if !strings.HasPrefix(uri, "s3://") || !ok || bucket == "" || key == "" {
		return nil, badRequest("Invalid logoUri %q: give s3://bucket/key.", uri)
	}
	l := &logo{Type: map[string]string{"svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg"}[strings.ToLower(key[strings.LastIndexByte(key, '.')+1:])]}
	if l.Type == "" {
		return nil, badRequest("Invalid logoUri %q: a logo is a .svg, a .png or a .jpg.", uri)
	}
	body, _, err := p.options.Objects.OpenObject(ctx, bucket, key, "")
	if err != nil {
		return nil, badRequest("The logo %s cannot be read: %v", uri, err)
	}
	defer func() { _ = body.Close() }()
	if l.Body, err = io.ReadAll(io.LimitReader(body, maxLogo+1)); err != nil {
		return nil, err
	}
	if len(l.Body) > maxLogo {
		return nil, badRequest("The logo %s has more than %d bytes.", uri, maxLogo)
	}
	return l, nil
}

// keepLogo stores the logo of a portal; nil leaves the one that it has.
func keepLogo(tx store.Txn, s Scope, v *portal, l *logo) error {
	switch {
	case l == nil:
		return nil
	case l.Type == "":
		tx.Delete(s.logo(v.ID))
		return nil
	}
	return record.Set(tx, s.logo(v.ID), *l)
}
