package domain

import (
	"time"

	"lambent.dev/lambent/internal/store/key"
)

// The kinds of endpoints.
const (
	Regional = "REGIONAL"
	Edge     = "EDGE"
	Private  = "PRIVATE"
)

// The routing modes.
const (
	MappingOnly = "API_MAPPING_ONLY"
	RuleOnly    = "ROUTING_RULE_ONLY"
	RuleFirst   = "ROUTING_RULE_THEN_API_MAPPING"
)

// Name is a custom domain name.
type Name struct {
	// Domain is the name itself, in lower case. It may begin with "*.".
	Domain string
	// ID is the id of the endpoint, of which [Name.Target] is made.
	ID      string
	Created time.Time
	// Endpoint is the kind of endpoint, AddressType ipv4 or dualstack.
	Endpoint, AddressType string
	// SecurityPolicy is TLS_1_0, TLS_1_2 or one of the newer names.
	SecurityPolicy string
	Certificate    Certificate
	RoutingMode    string
	MutualTLS      *MutualTLS        `json:",omitempty"`
	Tags           map[string]string `json:",omitempty"`
	// Policy and ManagementPolicy are those of a private name.
	Policy, ManagementPolicy string `json:",omitempty"`
}

// Certificate is what a name was made with; it is shown, and not used.
type Certificate struct {
	ARN, Name string
	Uploaded  time.Time
	// Ownership is the ARN of the certificate that proves the ownership of the name.
	Ownership string `json:",omitempty"`
}

// MutualTLS is the trust store of a name whose clients have to show certificates.
type MutualTLS struct {
	// URI is the object s3://bucket/key, Version its version or empty.
	URI, Version string
	// PEM is what the object held.
	PEM []byte
	// Warnings tell what of it could not be used.
	Warnings []string `json:",omitempty"`
}

// Mapping leads from a path of a name to a stage of an API.
type Mapping struct {
	ID string
	// Path has one or more elements without slashes around them; empty is the whole name.
	Path string
	// Plane is the plane that has the API.
	Plane      string
	API, Stage string
}

// Rule leads from requests with a path or headers to a stage of an API.
type Rule struct {
	ID string
	// Priority orders the rules of a name; the least is asked first.
	Priority int32
	// BasePaths are the first elements of the path of which one has to match, Headers the headers of which one has to.
	BasePaths  []string `json:",omitempty"`
	Headers    []Header `json:",omitempty"`
	Plane      string
	API, Stage string
	// Strip takes the base path away from the path that the API sees.
	Strip bool `json:",omitempty"`
}

// Header is a header and a glob of its value.
type Header struct{ Name, Glob string }

// Scope is an account and a region.
type Scope struct{ Account, Region string }

// prefix is the first element of this package's keys.
const prefix = "gateway-domain"

func (s Scope) root(kind string) key.Key        { return key.New(prefix, s.Account, s.Region, kind) }
func (s Scope) names() key.Key                  { return s.root("n") }
func (s Scope) name(name string) key.Key        { return s.names().Str(name) }
func (s Scope) mappings(name string) key.Key    { return s.root("m").Str(name) }
func (s Scope) mapping(name, id string) key.Key { return s.mappings(name).Str(id) }
func (s Scope) rules(name string) key.Key       { return s.root("r").Str(name) }
func (s Scope) rule(name, id string) key.Key    { return s.rules(name).Str(id) }
func ownerKey(name string) key.Key              { return Scope{}.root("o").Str(name) }

// ARN is the name's ARN.
func (n *Name) ARN(region string) string {
	return "arn:aws:apigateway:" + region + "::/domainnames/" + n.Domain
}

// Target is the host name of the endpoint that the name's DNS record leads to.
func (n *Name) Target(region string) string {
	return "d-" + n.ID + ".execute-api." + region + ".amazonaws.com"
}

// HostedZone is the hosted zone id of the endpoint.
func (n *Name) HostedZone() string { return "Z1UJRXOUMOOFQ8" }
