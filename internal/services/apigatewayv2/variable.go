package apigatewayv2

import (
	"net/http"
	"strconv"
	"strings"
)

// contextValue returns the text of a $context variable of an HTTP API, or "" for one that has no value
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html).
func (x *exchange) contextValue(name string) string {
	head, rest, _ := strings.Cut(name, ".")
	switch head {
	case "identity":
		return x.from().Value(rest)
	case "authorizer":
		return x.authorizerValue(rest)
	case "error":
		return x.errorValue(rest)
	case "integration":
		return x.integrationValue(rest)
	}
	switch name {
	case "accountId":
		return x.account
	case "apiId":
		return x.api
	case "customDomain.basePathMatched":
		return x.to.BasePath
	case "domainName":
		host, _ := x.domain()
		return host
	case "domainPrefix":
		_, prefix := x.domain()
		return prefix
	case "httpMethod":
		return x.request.Method
	case "path":
		return x.shownPath(x.to.Path)
	case "protocol":
		return x.request.Proto
	case "requestId", "extendedRequestId":
		return x.id
	case "awsEndpointRequestId":
		return x.integrationValue("requestId")
	case "requestTime":
		return x.now.UTC().Format(requestTime)
	case "requestTimeEpoch":
		return strconv.FormatInt(x.now.UnixMilli(), 10)
	case "routeKey":
		if x.route != nil {
			return x.route.key
		}
		return ""
	case "stage":
		return x.table.stage
	case "integrationErrorMessage":
		return x.integrationValue("error")
	case "integrationLatency":
		return x.integrationValue("latency")
	case "integrationStatus":
		return x.integrationValue("integrationStatus")
	}
	return x.answerValue(name)
}

// answerValue returns a variable that has a value when the request is answered.
func (x *exchange) answerValue(name string) string {
	if x.status == 0 {
		return ""
	}
	switch name {
	case "status":
		return strconv.Itoa(x.status)
	case "dataProcessed":
		return strconv.Itoa(len(x.body) + x.sent)
	case "responseLength":
		return strconv.Itoa(x.sent)
	case "responseLatency":
		return strconv.FormatInt(x.gateway.deps.Clock.Now().Sub(x.now).Milliseconds(), 10)
	}
	return ""
}

// authorizerValue returns a variable of $context.authorizer.
func (x *exchange) authorizerValue(name string) string {
	claim, isClaim := strings.CutPrefix(name, "claims.")
	switch {
	case name == "error":
		if x.refused != nil && x.route != nil && x.answered == nil && x.times.integration == 0 && x.refused.err != nil && x.route.admission != nil {
			return x.refused.err.Error()
		}
	case name == "latency":
		if x.times.authorizer > 0 {
			return strconv.FormatInt(x.times.authorizer.Milliseconds(), 10)
		}
	case isClaim && x.claims != nil:
		text, _ := x.claims.Text(claim)
		return text
	case x.decision != nil:
		return x.decision.text(name)
	}
	return ""
}

// errorValue returns a variable of $context.error: what the gateway answered in its own words.
func (x *exchange) errorValue(name string) string {
	f := x.refused
	if f == nil {
		return ""
	}
	switch name {
	case "message":
		return f.message
	case "messageString":
		return strconv.Quote(f.message)
	case "responseType":
		return f.kind()
	}
	return ""
}

// kind is the name of the gateway's own answer
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html).
func (f *refusal) kind() string {
	switch f.status {
	case http.StatusUnauthorized:
		return "UNAUTHORIZED"
	case http.StatusForbidden:
		return "ACCESS_DENIED"
	case http.StatusRequestEntityTooLarge, http.StatusRequestHeaderFieldsTooLarge:
		return "REQUEST_TOO_LARGE"
	case http.StatusTooManyRequests:
		return "THROTTLED"
	case http.StatusServiceUnavailable:
		return "INTEGRATION_FAILURE"
	case http.StatusInternalServerError:
		return "API_CONFIGURATION_ERROR"
	}
	if f.status < http.StatusInternalServerError {
		return "DEFAULT_4XX"
	}
	return "DEFAULT_5XX"
}

// integrationValue returns a variable of $context.integration.
func (x *exchange) integrationValue(name string) string {
	switch name {
	case "error":
		if x.refused != nil && x.refused.err != nil && x.refused.status >= http.StatusInternalServerError {
			return x.refused.err.Error()
		}
	case "latency":
		if x.times.integration > 0 || x.answered != nil {
			return strconv.FormatInt(x.times.integration.Milliseconds(), 10)
		}
	case "status":
		if x.answered != nil {
			return strconv.Itoa(x.answered.status)
		}
	case "integrationStatus":
		switch {
		case x.answered == nil:
		case x.route.integration.function != "":
			return strconv.Itoa(http.StatusOK) // of the invocation; status is what the function answered
		default:
			return strconv.Itoa(x.answered.status)
		}
	case "requestId":
		if x.answered != nil && x.route.integration.kind == kindAWSProxy {
			return x.id
		}
	}
	return ""
}
