package authorizer

import (
	"net/http"
	"strconv"
	"time"

	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/gateway/vpcendpoint"
)

// RequestKeys are the condition keys of a request of somebody without credentials of AWS, for the policies of authorizers and APIs.
type RequestKeys struct {
	Request *http.Request
	Time    time.Time
	// Region is that of the API.
	Region string
	// Endpoint is the VPC endpoint that the request came through, and Domain the ARN of the private custom domain name that it was sent to; both may be empty.
	Endpoint vpcendpoint.Endpoint
	Domain   string
}

var _ iam.Context = RequestKeys{}

// Private returns the keys of a request that came through a VPC endpoint, for the door; nil for any other.
func (k RequestKeys) Private() map[string][]string {
	if k.Endpoint.ID == "" {
		return nil
	}
	keys := map[string][]string{"aws:SourceVpce": {k.Endpoint.ID}, "aws:SourceVpc": {k.Endpoint.VPC}}
	if k.Domain != "" {
		keys["execute-api:viaDomainArn"] = []string{k.Domain}
	}
	return keys
}

// Values implements [iam.Context].
func (k RequestKeys) Values(key string) []string {
	value := ""
	switch key {
	case "aws:sourceip":
		if ip := front.Peer(k.Request); ip.IsValid() {
			value = ip.String()
		}
	case "aws:useragent":
		value = k.Request.UserAgent()
	case "aws:referer":
		value = k.Request.Referer()
	case "aws:securetransport":
		value = strconv.FormatBool(front.Secure(k.Request))
	case "aws:currenttime":
		value = k.Time.UTC().Format(time.RFC3339)
	case "aws:epochtime":
		value = strconv.FormatInt(k.Time.Unix(), 10)
	case "aws:requestedregion":
		value = k.Region
	case "aws:principaltype":
		value = "Anonymous"
	case "execute-api:viadomainarn":
		value = k.Domain
	default:
		value = k.Endpoint.Value(key)
	}
	if value == "" {
		return nil
	}
	return []string{value}
}
