package apigatewayv2

import (
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
)

// httpAPI is the record of one API with all that a deployment copies.
type httpAPI struct {
	ID          string
	Name        string
	Description *string `json:",omitempty"`
	Version     *string `json:",omitempty"`
	Created     time.Time
	NoEndpoint  bool              `json:",omitempty"` // DisableExecuteApiEndpoint
	Tags        map[string]string `json:",omitempty"`
	Config      config
}

// config is what a stage serves.
type config struct {
	CORS         *api.Cors     `json:",omitempty"`
	Routes       []route       `json:",omitempty"`
	Integrations []integration `json:",omitempty"`
}

// route sends requests to an integration. Key is "$default" or "METHOD /path".
type route struct {
	ID            string
	Key           string
	Integration   string  `json:",omitempty"`
	OperationName *string `json:",omitempty"`
}

// integration is a Lambda proxy integration with payload format 2.0.
type integration struct {
	ID          string
	URI         string
	Description *string `json:",omitempty"`
	TimeoutMS   int32
}

// stage is the record of a stage.
type stage struct {
	Name        string
	Auto        bool              `json:",omitempty"`
	Deployment  string            `json:",omitempty"`
	Description *string           `json:",omitempty"`
	Variables   map[string]string `json:",omitempty"`
	Tags        map[string]string `json:",omitempty"`
	Created     time.Time
	Updated     time.Time
}

// deployment is an immutable copy of an API's configuration.
type deployment struct {
	ID          string
	Description *string `json:",omitempty"`
	Created     time.Time
	Config      config
}

func (c *config) route(id string) int {
	return slices.IndexFunc(c.Routes, func(r route) bool { return r.ID == id })
}

func (c *config) integration(id string) int {
	return slices.IndexFunc(c.Integrations, func(i integration) bool { return i.ID == id })
}

func ptr[T any](v T) *T { return &v }

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
