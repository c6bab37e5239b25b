package apigatewayv2

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
)

// maxBody bounds an OpenAPI document, in bytes.
const maxBody = 6 << 20

const anyMethod = "x-amazon-apigateway-any-method"

// document is the part of an OpenAPI 3.0 definition that an HTTP API is made of, for import and export alike
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-open-api.html). Schemas, responses and descriptions say nothing about
// routing and are skipped.
type document struct {
	OpenAPI string `json:"openapi" yaml:"openapi"`
	Info    struct {
		Title       string  `json:"title" yaml:"title"`
		Description *string `json:"description,omitempty" yaml:"description,omitempty"`
		Version     string  `json:"version" yaml:"version"`
	} `json:"info" yaml:"info"`
	Servers    []server                              `json:"servers,omitempty" yaml:"servers,omitempty"`
	Tags       []documentTag                         `json:"tags,omitempty" yaml:"tags,omitempty"`
	Security   []map[string][]string                 `json:"security,omitempty" yaml:"security,omitempty"`
	Paths      map[string]map[string]json.RawMessage `json:"paths" yaml:"paths"`
	Components components                            `json:"components,omitzero" yaml:"components,omitempty"`
	CORS       *corsExtension                        `json:"x-amazon-apigateway-cors,omitempty" yaml:"x-amazon-apigateway-cors,omitempty"`
	Version    string                                `json:"x-amazon-apigateway-importexport-version,omitempty" yaml:"x-amazon-apigateway-importexport-version,omitempty"`
}

type documentTag struct {
	Name  string  `json:"name"`
	Value *string `json:"x-amazon-apigateway-tag-value,omitempty"`
}

type server struct {
	URL       string                    `json:"url,omitempty"`
	Variables map[string]serverVariable `json:"variables,omitempty"`
	Endpoint  *struct {
		Disabled *bool `json:"disableExecuteApiEndpoint,omitempty"`
	} `json:"x-amazon-apigateway-endpoint-configuration,omitempty"`
}

type serverVariable struct {
	Default string `json:"default"`
}

type components struct {
	SecuritySchemes map[string]securityScheme       `json:"securitySchemes,omitempty"`
	Integrations    map[string]integrationExtension `json:"x-amazon-apigateway-integrations,omitempty"`
}

type securityScheme struct {
	Type       string               `json:"type,omitempty"`
	Name       string               `json:"name,omitempty"`
	In         string               `json:"in,omitempty"`
	Flows      json.RawMessage      `json:"flows,omitempty"`
	OpenID     string               `json:"openIdConnectUrl,omitempty"`
	Authorizer *authorizerExtension `json:"x-amazon-apigateway-authorizer,omitempty"`
}

type authorizerExtension struct {
	Type           string `json:"type"`
	IdentitySource any    `json:"identitySource,omitempty"`
	JWT            *struct {
		Issuer   *string  `json:"issuer"`
		Audience []string `json:"audience"`
	} `json:"jwtConfiguration,omitempty"`
	URI             *string `json:"authorizerUri,omitempty"`
	Credentials     *string `json:"authorizerCredentials,omitempty"`
	PayloadVersion  any     `json:"authorizerPayloadFormatVersion,omitempty"`
	TTL             *int32  `json:"authorizerResultTtlInSeconds,omitempty"`
	SimpleResponses *bool   `json:"enableSimpleResponses,omitempty"`
}

type corsExtension struct {
	AllowOrigins     []string `json:"allowOrigins,omitempty"`
	AllowMethods     []string `json:"allowMethods,omitempty"`
	AllowHeaders     []string `json:"allowHeaders,omitempty"`
	ExposeHeaders    []string `json:"exposeHeaders,omitempty"`
	MaxAge           *int32   `json:"maxAge,omitempty"`
	AllowCredentials *bool    `json:"allowCredentials,omitempty"`
}

func (c *corsExtension) cors() *api.Cors {
	if c == nil {
		return nil
	}
	return &api.Cors{
		AllowCredentials: c.AllowCredentials, AllowHeaders: c.AllowHeaders, AllowMethods: c.AllowMethods, AllowOrigins: c.AllowOrigins,
		ExposeHeaders: c.ExposeHeaders, MaxAge: c.MaxAge,
	}
}

type pathOperation struct {
	OperationID *string               `json:"operationId,omitempty"`
	Parameters  []pathParameter       `json:"parameters,omitempty"`
	Responses   json.RawMessage       `json:"responses,omitempty"`
	Security    []map[string][]string `json:"security,omitempty"`
	Auth        *struct {
		Type string `json:"type"`
	} `json:"x-amazon-apigateway-auth,omitempty"`
	Integration *integrationExtension `json:"x-amazon-apigateway-integration,omitempty"`
}

type pathParameter struct {
	Name     string            `json:"name"`
	In       string            `json:"in"`
	Required bool              `json:"required"`
	Schema   map[string]string `json:"schema,omitempty"`
}

type integrationExtension struct {
	Ref                  string                       `json:"$ref,omitempty"`
	Type                 string                       `json:"type,omitempty"`
	Description          *string                      `json:"description,omitempty"`
	Subtype              *string                      `json:"integrationSubtype,omitempty"`
	Credentials          *string                      `json:"credentials,omitempty"`
	HTTPMethod           *string                      `json:"httpMethod,omitempty"`
	URI                  *string                      `json:"uri,omitempty"`
	ConnectionID         *string                      `json:"connectionId,omitempty"`
	ConnectionType       string                       `json:"connectionType,omitempty"`
	RequestParameters    map[string]string            `json:"requestParameters,omitempty"`
	ResponseParameters   map[string]map[string]string `json:"responseParameters,omitempty"`
	PayloadFormatVersion any                          `json:"payloadFormatVersion,omitempty"`
	TimeoutInMillis      *int32                       `json:"timeoutInMillis,omitempty"`
	PassthroughBehavior  string                       `json:"passthroughBehavior,omitempty"`
	ContentHandling      string                       `json:"contentHandling,omitempty"`
	TLS                  *struct {
		ServerName *string `json:"serverNameToVerify"`
	} `json:"tlsConfig,omitempty"`
}

// parseDocument reads an OpenAPI definition in JSON or YAML.
func parseDocument(body string) (*document, error) {
	if len(body) > maxBody {
		return nil, badRequest("The OpenAPI definition is %d bytes long; at most %d are accepted.", len(body), maxBody)
	}
	raw := []byte(body)
	if !json.Valid(raw) {
		var tree any
		if err := yaml.Unmarshal(raw, &tree); err != nil {
			return nil, badRequest("Unable to parse API definition because of a malformed document: %v", err)
		}
		var err error
		if raw, err = json.Marshal(tree); err != nil {
			return nil, badRequest("Unable to parse API definition: %v", err)
		}
	}
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, badRequest("Unable to parse API definition: %v", err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.0") {
		return nil, badRequest("Unsupported OpenAPI version %q: HTTP APIs are imported from OpenAPI 3.0.", d.OpenAPI)
	}
	return &d, nil
}

// routeKeyOf returns the route key of a member of a path item, or "" when the member is no method.
func routeKeyOf(path, method string) string {
	if method == anyMethod {
		if path == "/$default" || path == defaultRoute {
			return defaultRoute
		}
		return "ANY " + path
	}
	if m := strings.ToUpper(method); m != "ANY" && slices.Contains(methods, m) {
		return m + " " + path
	}
	return ""
}

// versionText is a payload format version, which a YAML document may hold as a number.
func versionText(v any) *string {
	switch text := fmt.Sprint(v); text {
	case "<nil>":
		return nil
	case "1", "2":
		return ptr(text + ".0")
	default:
		return ptr(text)
	}
}

// tags returns the tags that SAM writes into a definition.
func (d *document) tags() map[string]string {
	var out map[string]string
	for _, t := range d.Tags {
		if t.Value != nil {
			if out == nil {
				out = map[string]string{}
			}
			out[t.Name] = *t.Value
		}
	}
	return out
}

// basePath is the path of the first server, without a slash at its end.
func (d *document) basePath() string {
	if len(d.Servers) == 0 {
		return ""
	}
	text := d.Servers[0].URL
	for name, v := range d.Servers[0].Variables {
		text = strings.ReplaceAll(text, "{"+name+"}", v.Default)
	}
	if _, rest, ok := strings.Cut(text, "://"); ok {
		_, text, _ = strings.Cut(rest, "/")
		text = "/" + text
	}
	return strings.TrimRight(text, "/")
}
