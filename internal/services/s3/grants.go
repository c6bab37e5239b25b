package s3

import (
	"net/http"
	"strings"
	"time"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// grantsPlace is where an S3 Access Grants instance is: each account has at most one in a region
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-grants.html).
type grantsPlace struct{ account, region string }

// grantsInstance is the record of an instance.
type grantsInstance struct {
	Created time.Time `json:"created"`
	// Policy is the resource policy, by which other accounts use the instance; empty without one.
	Policy        string    `json:"policy,omitempty"`
	PolicyCreated time.Time `json:"policy_created,omitzero"`
}

// grantsLocation is the record of a location: where data is, and the role that reaches it.
type grantsLocation struct {
	ID      string    `json:"id"`
	Scope   string    `json:"scope"`
	Role    string    `json:"role"`
	Created time.Time `json:"created"`
}

// accessGrant is the record of a grant.
type accessGrant struct {
	ID       string `json:"id"`
	Location string `json:"location"`
	// SubPrefix is nil where the grant is for the whole location.
	SubPrefix *string `json:"sub_prefix,omitempty"`
	// Grantee is the ARN of a user or role.
	Grantee    string    `json:"grantee"`
	Permission string    `json:"permission"`
	Created    time.Time `json:"created"`

	grantTarget
}

// grantTarget is data that is granted or asked for.
type grantTarget struct {
	// Scope is an S3 URI. Where Object is not set, it means all keys that begin with its own, with or without a * at its end.
	Scope  string `json:"scope"`
	Object bool   `json:"object,omitempty"`
}

// The ID of the one instance, and that of the location "s3://".
const (
	grantsID           = "default"
	defaultLocationURI = "s3://"
)

func (p grantsPlace) row(sort string) key.Key { return key.New("s3", p.account, p.region, sort) }

func (p grantsPlace) instanceKey() key.Key { return p.row("grants") }

func (p grantsPlace) locationsKey() key.Key { return p.row("grants-location") }

func (p grantsPlace) locationKey(id string) key.Key { return p.locationsKey().Str(id) }

func (p grantsPlace) grantsKey() key.Key { return p.row("grants-grant") }

func (p grantsPlace) grantKey(id string) key.Key { return p.grantsKey().Str(id) }

// atKey is the prefix of the rows that tell of the grants of a location, by their ids.
func (p grantsPlace) atKey(location string) key.Key { return p.row("grants-at").Str(location) }

// granteeKey is the prefix of the rows that tell of the grants of somebody.
func (p grantsPlace) granteeKey(grantee string) key.Key { return p.row("grants-of").Str(grantee) }

// ofKey is the row by which the grants of somebody are found, and a second one like it is refused. It holds the grant's id.
func (p grantsPlace) ofKey(g *accessGrant) key.Key {
	kind := "prefix"
	if g.Object {
		kind = "object"
	}
	return p.granteeKey(g.Grantee).Str(g.Scope).Str(kind).Str(g.Permission)
}

// tagsKey is the row of the tags of the instance, a location or a grant, which resource names.
func (p grantsPlace) tagsKey(resource string) key.Key { return p.row("grants-tags").Str(resource) }

// The resources of an instance, as its ARNs name them.
const grantsResource = "access-grants/" + grantsID

func locationResource(id string) string { return grantsResource + "/location/" + id }

func grantResource(id string) string { return grantsResource + "/grant/" + id }

func (p grantsPlace) arn(resource string) string {
	return arn.New("s3", p.region, p.account, resource).String()
}

// parseGrantsARN reads the ARN of an instance, a location or a grant.
func parseGrantsARN(text string) (p grantsPlace, resource string, ok bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "s3" || a.Resource != grantsResource && !strings.HasPrefix(a.Resource, grantsResource+"/") {
		return p, "", false
	}
	return grantsPlace{a.Account, a.Region}, a.Resource, true
}

// The errors of access grants are those of https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#S3AccessGrantsErrorCodeList.

func noGrantsInstance() error {
	return fail("AccessGrantsInstanceNotExistsError", http.StatusNotFound, "Access Grants Instance does not exist")
}

func noSuchLocation() error {
	return fail("NoSuchAccessGrantsLocationError", http.StatusNotFound, "The specified access grants location does not exist")
}

func noSuchGrant() error {
	return fail("NoSuchAccessGrantError", http.StatusNotFound, "The specified access grant does not exist")
}

func invalidLocation(format string, args ...any) error {
	return fail("InvalidAccessGrantsLocation", http.StatusBadRequest, format, args...)
}

func invalidGrant(format string, args ...any) error {
	return fail("InvalidAccessGrant", http.StatusBadRequest, format, args...)
}

// findInstance returns the instance of a place.
func findInstance(r store.Reader, p grantsPlace) (grantsInstance, error) {
	i, ok, err := record.Get[grantsInstance](r, p.instanceKey())
	if err == nil && !ok {
		err = noGrantsInstance()
	}
	return i, err
}

func findLocation(r store.Reader, p grantsPlace, id string) (grantsLocation, error) {
	if _, err := findInstance(r, p); err != nil {
		return grantsLocation{}, err
	}
	l, ok, err := record.Get[grantsLocation](r, p.locationKey(id))
	if err == nil && !ok {
		err = noSuchLocation()
	}
	return l, err
}

func findGrant(r store.Reader, p grantsPlace, id string) (accessGrant, error) {
	if _, err := findInstance(r, p); err != nil {
		return accessGrant{}, err
	}
	g, ok, err := record.Get[accessGrant](r, p.grantKey(id))
	if err == nil && !ok {
		err = noSuchGrant()
	}
	return g, err
}

// split returns the bucket and the beginning of keys, or the whole key, that a target means.
func (t grantTarget) split() (bucketName, prefix string, ok bool) {
	rest, ok := strings.CutPrefix(t.Scope, "s3://")
	bucketName, prefix, _ = strings.Cut(rest, "/")
	if !t.Object {
		prefix = strings.TrimSuffix(prefix, "*")
	}
	return bucketName, prefix, ok && bucketName != "" && !strings.ContainsAny(bucketName, "*?") && (!t.Object || prefix != "")
}

// covers tells whether all that u means is within t.
func (t grantTarget) covers(u grantTarget) bool {
	in, prefix, ok := t.split()
	of, asked, known := u.split()
	if !ok || !known || in != of {
		return false
	}
	if t.Object {
		return u.Object && prefix == asked
	}
	return strings.HasPrefix(asked, prefix)
}

// scopeOf returns the scope of a grant: the sub-prefix behind the scope of its location.
func scopeOf(location string, sub *string) string {
	if sub == nil {
		return location
	}
	location = strings.TrimSuffix(location, "*")
	if location != defaultLocationURI && !strings.Contains(strings.TrimPrefix(location, defaultLocationURI), "/") {
		location += "/"
	}
	return location + *sub
}

// permits tells whether what a grant permits has what is asked for.
func permits(granted, asked string) bool {
	return granted == asked || granted == control.PermissionReadwrite
}

// granteeOf returns the identity of a principal to which grants can be made: a user, or the role of a session.
func granteeOf(roleARN, callerARN string) string {
	if roleARN != "" {
		return roleARN
	}
	return callerARN
}
