package api

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
)

// DefaultTimeout is the integration timeout in milliseconds, MinTimeout and MaxTimeout are the limits of what may be set. Regional APIs may have more than 29 s on AWS when the quota is raised, here always.
const (
	DefaultTimeout = 29_000
	MinTimeout     = 50
	MaxTimeout     = 300_000
	// MaxStreamTimeout is MaxTimeout of an integration whose answer is passed on while it arrives
	// (https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html).
	MaxStreamTimeout = 900_000
	// maxTemplate is the size of a mapping template in bytes.
	maxTemplate = 300 << 10
)

// HTTPMethods are the methods that a resource may have.
var HTTPMethods = []string{"GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY"}

// The values of passthroughBehavior.
var passthroughs = []string{"WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"}

// serviceARN is the URI of an integration with an AWS service: arn:aws:apigateway:{region}:{service}:{path|action}/{…}.
var serviceARN = regexp.MustCompile(`^arn:[\w-]+:apigateway:([^:]+):([^:]+):(path|action)/.+$`)

// proxied is the path of what AWS_PROXY integrations may call.
var proxied = regexp.MustCompile(`^arn:[\w-]+:apigateway:[^:]+:(lambda:path/(/?2015-03-31/functions/.+/invocations|/?2021-11-15/functions/.+/response-streaming-invocations)|firehose:(path|action)/.*PutRecord.*)$`)

// HasVariable tells whether a text is known only when a request comes, because a stage variable is in it.
func HasVariable(s string) bool {
	return strings.Contains(s, "${stageVariables.") || strings.Contains(s, "$stageVariables.")
}

// CompleteIntegration fills in the defaults of an integration of a resource.
func CompleteIntegration(i *aws.Integration, resource string) {
	if i.PassthroughBehavior == nil {
		i.PassthroughBehavior = ptr("WHEN_NO_MATCH")
	}
	if i.TimeoutInMillis == nil {
		i.TimeoutInMillis = ptr(int32(DefaultTimeout))
	}
	if i.CacheNamespace == nil || *i.CacheNamespace == "" {
		i.CacheNamespace = ptr(resource)
	}
	if i.CacheKeyParameters == nil {
		i.CacheKeyParameters = []string{}
	}
	if i.Type == aws.IntegrationTypeMock {
		i.HttpMethod, i.Uri, i.ConnectionType, i.ConnectionId = nil, nil, "", nil
	}
	if i.ConnectionType == "" && (i.Type == aws.IntegrationTypeHttp || i.Type == aws.IntegrationTypeHttpProxy) {
		i.ConnectionType = aws.ConnectionTypeInternet
	}
}

// CheckIntegration validates an integration that has its defaults.
func CheckIntegration(i *aws.Integration) error {
	if i.Type == aws.IntegrationTypeMock {
		return checkTemplates(i)
	}
	if text(i.HttpMethod) == "" {
		return BadRequest("Enumeration value for HttpMethod must be non-empty")
	}
	if !slices.Contains(HTTPMethods, strings.ToUpper(*i.HttpMethod)) {
		return BadRequest("Invalid HttpMethod specified. Valid options are %s", strings.Join(HTTPMethods, ","))
	}
	i.HttpMethod = ptr(strings.ToUpper(*i.HttpMethod))
	if err := checkURI(i.Type, text(i.Uri)); err != nil {
		return err
	}
	longest := int32(MaxTimeout)
	if i.ResponseTransferMode == aws.ResponseTransferModeStream {
		longest = MaxStreamTimeout
	}
	switch {
	case *i.TimeoutInMillis < MinTimeout || *i.TimeoutInMillis > longest:
		return BadRequest("Timeout should be between %d ms and %d ms", MinTimeout, longest)
	case !slices.Contains([]string{"", aws.ResponseTransferModeBuffered, aws.ResponseTransferModeStream}, i.ResponseTransferMode):
		return BadRequest("Invalid response transfer mode specified. Valid options are BUFFERED,STREAM")
	case i.ConnectionType == aws.ConnectionTypeVpcLink && text(i.ConnectionId) == "":
		return BadRequest("A connectionId is required for connectionType VPC_LINK")
	case text(i.IntegrationTarget) != "":
		return BadRequest("integrationTarget is not supported: there are no load balancers here. Leave it out: a private integration calls the host of its uri")
	case i.ResponseTransferMode == aws.ResponseTransferModeStream && i.Type != aws.IntegrationTypeHttpProxy && i.Type != aws.IntegrationTypeAwsProxy:
		return BadRequest("Response transfer mode STREAM is only supported for HTTP_PROXY and AWS_PROXY integrations.")
	}
	return checkTemplates(i)
}

func checkURI(kind, uri string) error {
	if kind == aws.IntegrationTypeHttp || kind == aws.IntegrationTypeHttpProxy {
		u, err := url.Parse(strings.NewReplacer("{", "x", "}", "x", "$", "x").Replace(uri))
		if err != nil || !HasVariable(uri) && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			return BadRequest("Invalid HTTP endpoint specified for URI")
		}
		return nil
	}
	switch {
	case !strings.HasPrefix(uri, "arn:"):
		return BadRequest("Invalid ARN specified in the request")
	case !serviceARN.MatchString(uri):
		return BadRequest("AWS ARN for integration must contain path or action")
	case kind == aws.IntegrationTypeAwsProxy && !(proxied.MatchString(uri) && (HasVariable(uri) || wellFormed(uri))):
		return BadRequest("Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.")
	}
	return nil
}

// wellFormed tells whether a URI that calls a function names one.
func wellFormed(uri string) bool {
	_, rest, ok := strings.Cut(uri, "/functions/")
	return !ok || strings.HasPrefix(rest, "arn:") && strings.Count(rest[:strings.LastIndexByte(rest, '/')], ":") >= 6
}

func checkTemplates(i *aws.Integration) error {
	if !slices.Contains(passthroughs, *i.PassthroughBehavior) {
		return BadRequest("Invalid passthrough behavior specified. Valid options are %s", strings.Join(passthroughs, ","))
	}
	for _, contentType := range sorted(i.RequestTemplates) {
		if len(i.RequestTemplates[contentType]) > maxTemplate {
			return BadRequest("The mapping template for %s is %d bytes long; at most %d are accepted.", contentType, len(i.RequestTemplates[contentType]), maxTemplate)
		}
	}
	for _, p := range sorted(i.RequestParameters) {
		if err := checkMapping(p, i.RequestParameters[p]); err != nil {
			return err
		}
	}
	return nil
}

var (
	integrationParameter = regexp.MustCompile(`^integration\.request\.(header|querystring|path|multivalueheader|multivaluequerystring)\..+$`)
	requestSource        = regexp.MustCompile(`^(method\.request\.(header|querystring|path|multivalueheader|multivaluequerystring)\..+|method\.request\.body(\..+|\[.*)?|context\..+|stageVariables\..+|'(.|\n)*')$`)
)

// checkMapping validates a mapping of a request's parts to those of the integration's request.
func checkMapping(to, from string) error {
	if !integrationParameter.MatchString(to) {
		return BadRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %s]", to)
	}
	if !requestSource.MatchString(from) {
		return BadRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %s]", from)
	}
	return nil
}

// ResponseParameter is what a method response may name: a header of the answer.
var ResponseParameter = regexp.MustCompile(`^method\.response\.(header|multivalueheader)\..+$`)

var responseSource = regexp.MustCompile(`^(integration\.response\.(header|multivalueheader)\..+|integration\.response\.body(\..+|\[.*)?|context\..+|stageVariables\..+|'(.|\n)*')$`)

// CheckIntegrationResponse validates an answer of a method's integration.
func CheckIntegrationResponse(r *aws.IntegrationResponse) error {
	for _, to := range sorted(r.ResponseParameters) {
		if !ResponseParameter.MatchString(to) {
			return BadRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: %s]", to)
		}
		if from := r.ResponseParameters[to]; !responseSource.MatchString(from) {
			return BadRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %s]", from)
		}
	}
	for _, contentType := range sorted(r.ResponseTemplates) {
		if !mediaType.MatchString(contentType) {
			return BadRequest("Validation Result: warnings : [], errors : [Invalid content type specified: %s]", contentType)
		}
		if len(r.ResponseTemplates[contentType]) > maxTemplate {
			return BadRequest("The mapping template for %s is %d bytes long; at most %d are accepted.", contentType, len(r.ResponseTemplates[contentType]), maxTemplate)
		}
	}
	if r.SelectionPattern != nil {
		if _, err := regexp.Compile(*r.SelectionPattern); err != nil {
			return BadRequest("Invalid selection pattern specified: %v. Lambent reads selection patterns as RE2 expressions (https://github.com/google/re2/wiki/Syntax), which have no lookaround.", err)
		}
	}
	return nil
}

// mediaType is what the key of a template may be.
var mediaType = regexp.MustCompile(`^([\w.+*$-]+/[\w.+*-]+(\s*;.*)?|\$default)$`)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func ptr[T any](v T) *T { return &v }

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
