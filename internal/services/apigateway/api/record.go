package api

import (
	"strings"
	"time"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
)

// RestAPI is the record of an API: what takes effect without a deployment. What a deployment copies is in its [Tree].
type RestAPI struct {
	ID          string
	Name        string
	Description *string `json:",omitempty"`
	Version     *string `json:",omitempty"`
	Created     time.Time
	// Endpoint has exactly one type (EDGE, REGIONAL or PRIVATE) and the VPC endpoints of a private API.
	Endpoint aws.EndpointConfiguration
	// SecurityPolicy and AccessMode are empty where the client chose none.
	SecurityPolicy, AccessMode string            `json:",omitempty"`
	Tags                       map[string]string `json:",omitempty"`
	Warnings                   []string          `json:",omitempty"`
}

// Owner is whose an API is.
type Owner struct{ Account, Region string }

// Deployment is the record of a deployment. It never changes but for its description.
type Deployment struct {
	ID          string
	Description *string `json:",omitempty"`
	Created     time.Time
	// Tree is the hash of the tree that it copied.
	Tree string
}

// Stage is the record of a stage. MethodSettings has the key "*/*" for all methods and "pets/{id}/GET" for one: see [MethodKey].
type Stage struct {
	aws.Stage

	// Flushed counts the flushes of the response cache: what was cached under another count is stale.
	Flushed int64 `json:",omitempty"`
	// AuthorizersFlushed counts those of the authorizers' cache.
	AuthorizersFlushed int64 `json:",omitempty"`
}

// MethodKey returns the key of a method in a stage's MethodSettings. path begins with a slash.
func MethodKey(path, method string) string { return strings.TrimPrefix(path, "/") + "/" + method }

// APIKey is the record of an API key.
type APIKey struct {
	ID          string
	Name        string  `json:",omitempty"`
	Value       string  // what clients send in x-api-key
	CustomerID  *string `json:",omitempty"`
	Description *string `json:",omitempty"`
	Enabled     bool
	// Stages are those that the key was made for ("api/stage"), an association from before usage plans. It allows nothing.
	Stages           []string          `json:",omitempty"`
	Tags             map[string]string `json:",omitempty"`
	Created, Updated time.Time
}

// UsagePlan is the record of a usage plan. Throttle and Quota are nil where it has none; ApiStages holds the throttles of single methods by
// "/pets/GET".
type UsagePlan struct {
	aws.UsagePlan
}

// PlanKey is a key of a usage plan.
type PlanKey struct {
	Plan, Key string
	// Type is API_KEY.
	Type string
}

// Quota is how much of a plan's quota a key has left.
type Quota struct {
	// Period is the first day of the period that Left is of, as "2006-01-02"; in a later period the whole quota is there again.
	Period string
	Left   int64
}

// UsageDay is what a key used on a day.
type UsageDay struct {
	// Used counts the requests of the day, and Left is what its quota had left after the last one.
	Used, Left int64
}

// DocumentationPart is a piece of documentation for what Location names. It has nothing to do with how requests are served.
type DocumentationPart struct {
	ID       string
	Location aws.DocumentationPartLocation
	// Properties is an object in JSON.
	Properties string
}

// DocumentationVersion is a copy of an API's documentation parts.
type DocumentationVersion struct {
	Version     string
	Description *string `json:",omitempty"`
	Created     time.Time
	Parts       []DocumentationPart `json:",omitempty"`
}

// ClientCertificate is a certificate that the gateway shows to HTTP backends.
type ClientCertificate struct {
	ID               string
	Description      *string `json:",omitempty"`
	PEM              string
	Created, Expires time.Time
	Tags             map[string]string `json:",omitempty"`
	// WrappedKey and SealedKey are the private key (PKCS #8) as package auth/datakey sealed it.
	WrappedKey, SealedKey []byte `json:",omitempty"`
}

// VPCLink is a link to load balancers of a private network.
type VPCLink struct{ aws.VpcLink }

// Account holds the settings of an account in a region.
type Account struct {
	// LogRole is the role with which execution logs are written; empty means that none are.
	LogRole string `json:",omitempty"`
}
