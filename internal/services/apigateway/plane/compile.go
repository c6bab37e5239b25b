package plane

import (
	"crypto/tls"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/lib/vtl"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

// tree is a deployed API, compiled. It is immutable.
type tree struct {
	routes    node
	resources map[string]*resource // by id
	responses map[string]*gatewayResponse
	binary    []string
	policy    *resourcePolicy
	// keyFromAuthorizer tells where a request has its API key.
	keyFromAuthorizer bool
	noEndpoint        bool
	minimum           int // least size of an answer that is compressed; -1 for none
}

// resource is a resource with its methods by HTTP method or ANY.
type resource struct {
	id, path string
	methods  map[string]*method
}

// method is one method, ready to be run. A problem that only shows when the method is called is in broken.
type method struct {
	*aws.Method

	name     string // the HTTP method or ANY
	label    string // name and the path of the resource
	resource *resource
	auth     *methodAuthorizer // nil without one
	validate *validator
	call     *call
	// responses are the method responses by status.
	responses map[string]*aws.MethodResponse
}

// call is the integration of a method.
type call struct {
	*aws.Integration

	uri        *uri
	parameters []assignment
	templates  map[string]*vtl.Template // by media type
	responses  []*integrationResponse   // those with a pattern first, in the order of their status
	fallback   *integrationResponse     // the one without a pattern
	link       *uri                     // the id of the VPC link; nil for an integration over the internet
	namespace  string
	timeout    int32
	broken     error
	// function and service are set for the integrations of that kind whose URI has no variables.
	function string
	transport
}

// transport says how an HTTP backend is reached.
type transport struct{ insecure bool }

// integrationResponse is what becomes of an answer of the integration.
type integrationResponse struct {
	*aws.IntegrationResponse

	status     int
	pattern    *regexp.Regexp
	parameters []assignment
	templates  map[string]*vtl.Template
	types      []string // media types of templates, sorted
	broken     error
}

// defaultTimeoutMS is the integration timeout of REST APIs, in milliseconds.
const defaultTimeoutMS = 29_000

// compileTree compiles a deployed tree of an API.
func compileTree(s api.Scope, id string, from *api.Tree) (*tree, error) {
	t := &tree{
		resources: make(map[string]*resource, len(from.Resources)), responses: map[string]*gatewayResponse{}, binary: from.BinaryMediaTypes,
		keyFromAuthorizer: from.KeySource == "AUTHORIZER", noEndpoint: from.NoEndpoint, minimum: -1,
	}
	if from.MinimumCompression != nil {
		t.minimum = int(*from.MinimumCompression)
	}
	var err error
	if t.policy, err = compilePolicy(s, id, from.Policy); err != nil {
		return nil, fmt.Errorf("resource policy: %w", err)
	}
	models := &models{from: from.Models}
	for _, key := range slices.Sorted(maps.Keys(from.Resources)) {
		r := from.Resources[key]
		c := &resource{id: deref(r.Id), path: deref(r.Path), methods: make(map[string]*method, len(r.ResourceMethods))}
		for name := range r.ResourceMethods {
			m := r.ResourceMethods[name]
			c.methods[name] = compileMethod(from, models, c, name, &m)
		}
		t.resources[c.id] = c
		t.routes.insert(c.path, c)
	}
	for kind, r := range from.Responses {
		t.responses[kind] = compileGatewayResponse(r)
	}
	return t, nil
}

func deref[T any](p *T) (v T) {
	if p != nil {
		return *p
	}
	return v
}

func compileMethod(from *api.Tree, models *models, r *resource, name string, m *aws.Method) *method {
	c := &method{Method: m, name: name, label: name + " " + r.path, resource: r, responses: map[string]*aws.MethodResponse{}}
	for status := range m.MethodResponses {
		response := m.MethodResponses[status]
		c.responses[status] = &response
	}
	c.auth = compileAuthorizer(from, m)
	c.validate = compileValidator(from, models, m)
	if m.MethodIntegration != nil {
		c.call = compileCall(r, m.MethodIntegration)
	}
	return c
}

func compileCall(r *resource, i *aws.Integration) *call {
	c := &call{Integration: i, uri: parseURI(deref(i.Uri)), timeout: defaultTimeoutMS, namespace: deref(i.CacheNamespace)}
	if c.namespace == "" {
		c.namespace = r.id
	}
	if i.TimeoutInMillis != nil && *i.TimeoutInMillis > 0 {
		c.timeout = *i.TimeoutInMillis
	}
	if i.ConnectionType == aws.ConnectionTypeVpcLink {
		c.link = parseURI(deref(i.ConnectionId))
	}
	if i.TlsConfig != nil {
		c.insecure = deref(i.TlsConfig.InsecureSkipVerification)
	}
	c.parameters, c.broken = compileAssignments(i.RequestParameters, "integration.request.")
	var err error
	if c.templates, err = compileTemplates(i.RequestTemplates); err != nil && c.broken == nil {
		c.broken = err
	}
	if c.uri.plain() {
		if f, ok := integration.FunctionOf(c.uri.text); ok {
			c.function = f
		}
	}
	for _, status := range slices.Sorted(maps.Keys(i.IntegrationResponses)) {
		response := i.IntegrationResponses[status]
		k := compileIntegrationResponse(status, &response)
		if k.pattern == nil && k.broken == nil && deref(response.SelectionPattern) == "" {
			if c.fallback == nil {
				c.fallback = k
			}
			continue
		}
		c.responses = append(c.responses, k)
	}
	return c
}

func compileIntegrationResponse(status string, r *aws.IntegrationResponse) *integrationResponse {
	k := &integrationResponse{IntegrationResponse: r}
	if r.StatusCode != nil {
		status = *r.StatusCode
	}
	k.status, k.broken = strconv.Atoi(status)
	if pattern := deref(r.SelectionPattern); pattern != "" {
		var err error
		if k.pattern, err = regexp.Compile(`\A(?:` + pattern + `)\z`); err != nil {
			k.broken = fmt.Errorf("the selection pattern %q: %w", pattern, err)
		}
	}
	var err error
	if k.parameters, err = compileAssignments(r.ResponseParameters, "method.response."); err != nil {
		k.broken = err
	}
	if k.templates, err = compileTemplates(r.ResponseTemplates); err != nil {
		k.broken = err
	}
	k.types = slices.Sorted(maps.Keys(k.templates))
	return k
}

// compileTemplates compiles mapping templates. An empty template stands for the body as it is.
func compileTemplates(from map[string]string) (map[string]*vtl.Template, error) {
	out := make(map[string]*vtl.Template, len(from))
	for kind, text := range from {
		if text == "" {
			out[mediaType(kind)] = nil
			continue
		}
		t, err := vtl.Parse(text)
		if err != nil {
			return out, fmt.Errorf("the mapping template for %s: %w", kind, err)
		}
		out[mediaType(kind)] = t
	}
	return out, nil
}

// mediaType is a content type without parameters, in lower case.
func mediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// tlsConfig returns how backends are reached over TLS: with a client certificate, and for those that ask for it without a check of theirs.
func tlsConfig(certificate *tls.Certificate, insecure bool) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: insecure} //nolint:gosec // the integration asks for it by name
	if certificate != nil {
		c.Certificates = []tls.Certificate{*certificate}
	}
	return c
}
