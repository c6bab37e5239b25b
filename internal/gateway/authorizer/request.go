package authorizer

import (
	"net/http"
	"strconv"
	"time"

	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/front"
)

// RequestKeys are the condition keys of a request of somebody without credentials of AWS, for the policies of authorizers and APIs.
type RequestKeys struct {
	Request *http.Request
	Time    time.Time
	// Region is that of the API.
	Region string
}

var _ iam.Context = RequestKeys{}

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
	}
	if value == "" {
		return nil
	}
	return []string{value}
}
