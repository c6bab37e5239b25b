package domain

import (
	"strings"
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
	// ID is the id of the endpoint, of which [Name.Target] is made. It tells private names apart, of which an account may have many that are alike.
	ID      string
	Created time.Time
	// Endpoint is the kind of endpoint, AddressType ipv4 or dualstack.
	Endpoint, AddressType string
	// SecurityPolicy is TLS_1_0, TLS_1_2 or one of the newer names; AccessMode is BASIC or STRICT, or empty.
	SecurityPolicy string
	AccessMode     string `json:",omitempty"`
	Certificate    Certificate
	RoutingMode    string
	MutualTLS      *MutualTLS        `json:",omitempty"`
	Tags           map[string]string `json:",omitempty"`
	// Policy says who may call a private name, ManagementPolicy which accounts may associate their VPC endpoints with it.
	Policy, ManagementPolicy string `json:",omitempty"`
}

// Association lets requests through a VPC endpoint reach a private name.
type Association struct {
	// Owner is the account and region of the endpoint, which made the association, and Provider those of the name.
	Owner, Provider Scope
	// Name is the key of the name ([Ref]), Domain the name itself.
	Name, Domain string
	// Endpoint is the id of the endpoint, VPC its network.
	Endpoint, VPC string
	Tags          map[string]string `json:",omitempty"`
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
func privateKey(name string) key.Key            { return Scope{}.root("p").Str(name) }
func (s Scope) private(n *Name) key.Key {
	return privateKey(n.Domain).Str(s.Account).Str(s.Region).Str(n.ID)
}
func (s Scope) associations() key.Key { return s.root("a") }
func (s Scope) association(name, endpoint string) key.Key {
	return s.associations().Str(name + "/" + endpoint)
}

// consumers are the associations with a name, and consumer one of them: a name and what follows are one text, by which lists go on.
func (s Scope) consumers(name string) key.Key { return s.root("c").StrPrefix(name + "/") }
func (a *Association) key() key.Key           { return a.Owner.association(a.Name, a.Endpoint) }
func (a *Association) consumer() key.Key {
	return a.Provider.root("c").Str(a.Name + "/" + a.Owner.Account + "/" + a.Endpoint)
}
func (a *Association) way() key.Key { return wayKey(a.Endpoint, a.Domain) }

// wayKey leads from a VPC endpoint and a host to an association.
func wayKey(endpoint, name string) key.Key { return Scope{}.root("w").Str(endpoint).Str(name) }

// Ref returns the key by which a name is found in its account and region: the name itself, and the id of a private one. What holds a + is no name, and is found
// by nobody: permissions are asked for the name and the id that a call gives.
func Ref(name, id string) string {
	if name = strings.ReplaceAll(strings.ToLower(name), "+", " "); id != "" {
		name += "+" + id
	}
	return name
}

// Key is the name's [Ref].
func (n *Name) Key() string {
	if n.Endpoint == Private {
		return Ref(n.Domain, n.ID)
	}
	return n.Domain
}

// NameARN is the ARN of a name by its [Ref]; that of a private one holds its account
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html).
func NameARN(s Scope, ref string) string {
	account := ""
	if strings.Contains(ref, "+") {
		account = s.Account
	}
	return "arn:aws:apigateway:" + s.Region + ":" + account + ":/domainnames/" + ref
}

// ParseARN returns the scope and the [Ref] in the ARN of a name, or of something of it, which is what path then has. An ARN without an account is of own's.
func ParseARN(own Scope, arn string) (s Scope, ref, path string, ok bool) {
	part := strings.SplitN(arn, ":", 6)
	if len(part) != 6 || part[0] != "arn" || part[2] != "apigateway" {
		return s, "", "", false
	}
	rest, ok := strings.CutPrefix(part[5], "/domainnames/")
	if s = (Scope{part[4], part[3]}); s.Account == "" {
		s.Account = own.Account
	}
	ref, path, _ = strings.Cut(rest, "/")
	return s, ref, path, ok && ref != ""
}

// ARN is the name's ARN.
func (n *Name) ARN(s Scope) string { return NameARN(s, n.Key()) }

// invokeARN is the resource that the policy of a private name is about.
func (n *Name) invokeARN(s Scope) string {
	return "arn:aws:execute-api:" + s.Region + ":" + s.Account + ":/domainnames/" + n.Key()
}

// ARN is the association's ARN.
func (a *Association) ARN() string {
	return "arn:aws:apigateway:" + a.Owner.Region + ":" + a.Owner.Account + ":/domainnameaccessassociations/domainname/" + a.Name + "/vpcesource/" + a.Endpoint
}

// Target is the host name of the endpoint that the name's DNS record leads to.
func (n *Name) Target(region string) string {
	return "d-" + n.ID + ".execute-api." + region + ".amazonaws.com"
}

// HostedZone is the hosted zone id of the endpoint.
func (n *Name) HostedZone() string { return "Z1UJRXOUMOOFQ8" }
