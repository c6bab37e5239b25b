package api

import (
	"maps"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
)

// defaultStatus is the status of each type of gateway response; those of the two defaults are not fixed
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html).
var defaultStatus = map[string]string{
	aws.GatewayResponseTypeAccessDenied:                 "403",
	aws.GatewayResponseTypeApiConfigurationError:        "500",
	aws.GatewayResponseTypeAuthorizerConfigurationError: "500",
	aws.GatewayResponseTypeAuthorizerFailure:            "500",
	aws.GatewayResponseTypeBadRequestBody:               "400",
	aws.GatewayResponseTypeBadRequestParameters:         "400",
	aws.GatewayResponseTypeDefault4xx:                   "",
	aws.GatewayResponseTypeDefault5xx:                   "",
	aws.GatewayResponseTypeExpiredToken:                 "403",
	aws.GatewayResponseTypeIntegrationFailure:           "504",
	aws.GatewayResponseTypeIntegrationTimeout:           "504",
	aws.GatewayResponseTypeInvalidApiKey:                "403",
	aws.GatewayResponseTypeInvalidSignature:             "403",
	aws.GatewayResponseTypeMissingAuthenticationToken:   "403",
	aws.GatewayResponseTypeQuotaExceeded:                "429",
	aws.GatewayResponseTypeRequestTooLarge:              "413",
	aws.GatewayResponseTypeResourceNotFound:             "404",
	aws.GatewayResponseTypeThrottled:                    "429",
	aws.GatewayResponseTypeUnauthorized:                 "401",
	aws.GatewayResponseTypeUnsupportedMediaType:         "415",
	aws.GatewayResponseTypeWafFiltered:                  "403",
}

// GatewayResponseTypes returns the types of gateway responses in their order.
func GatewayResponseTypes() []string { return slices.Sorted(maps.Keys(defaultStatus)) }

// defaultTemplate is the body of a gateway response that nobody defined.
const defaultTemplate = `{"message":$context.error.messageString}`

// Builtin returns AWS's own gateway response of a type. DEFAULT_4XX and DEFAULT_5XX have no status.
func Builtin(kind string) *aws.GatewayResponse {
	r := &aws.GatewayResponse{
		ResponseType: kind, ResponseParameters: map[string]string{}, ResponseTemplates: map[string]string{"application/json": defaultTemplate}, DefaultResponse: new(bool),
	}
	*r.DefaultResponse = true
	if status := defaultStatus[kind]; status != "" {
		r.StatusCode = &status
	}
	return r
}

// Response returns the gateway response that applies for a type: the one defined for it, or the one defined for DEFAULT_4XX or DEFAULT_5XX with its status if it
// has one, or AWS's own. DefaultResponse tells that the type itself has none.
func (t *Tree) Response(kind string) *aws.GatewayResponse {
	if r := t.Responses[kind]; r != nil {
		return r
	}
	own := Builtin(kind)
	family := aws.GatewayResponseTypeDefault5xx
	if strings.HasPrefix(defaultStatus[kind], "4") {
		family = aws.GatewayResponseTypeDefault4xx
	}
	general := t.Responses[family]
	if general == nil || kind == aws.GatewayResponseTypeDefault4xx || kind == aws.GatewayResponseTypeDefault5xx {
		return own
	}
	r := *general
	r.ResponseType, r.DefaultResponse = kind, own.DefaultResponse
	if r.StatusCode == nil {
		r.StatusCode = own.StatusCode
	}
	return &r
}

// IsGatewayResponse tells whether kind is a type of gateway responses.
func IsGatewayResponse(kind string) bool { _, ok := defaultStatus[kind]; return ok }
