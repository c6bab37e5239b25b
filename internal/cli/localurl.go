package cli

import (
	"regexp"
	"strings"
)

// awsHost is a URL of AWS's whose data plane this Lambent serves: an API of API Gateway, or a function URL.
var awsHost = regexp.MustCompile(`^(?:https|wss)://([a-z0-9]+)\.(execute-api|lambda-url)\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws)(/.*)?$`)

// localURL returns the URL by which this Lambent serves what a value of AWS's form names; "" for any other value. Templates put such URLs together from ids, and
// they would lead to AWS.
func localURL(endpoint, value string) string {
	parts := awsHost.FindStringSubmatch(value)
	if parts == nil {
		return ""
	}
	if strings.HasPrefix(value, "wss:") {
		endpoint = "ws" + strings.TrimPrefix(endpoint, "http")
	}
	return strings.TrimSuffix(endpoint, "/") + "/_aws/" + parts[2] + "/" + parts[1] + parts[3]
}
