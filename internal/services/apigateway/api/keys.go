package api

import (
	"crypto/sha256"
	"time"

	"lambent.dev/lambent/internal/store/key"
)

// Prefix is the key that all keys of REST APIs begin with, for caches that watch them.
func Prefix() key.Key { return key.New("apigateway") }

// Scope is an account and a region; its methods are the keys of what is in them.
type Scope struct{ Account, Region string }

func (s Scope) root(kind string) key.Key { return key.New("apigateway", s.Account, s.Region, kind) }

// APIs is the prefix of the APIs.
func (s Scope) APIs() key.Key { return s.root("a") }

// API is the key of a [RestAPI].
func (s Scope) API(id string) key.Key { return s.APIs().Str(id) }

// Working is the key of the working [Tree] of an API.
func (s Scope) Working(api string) key.Key { return s.root("w").Str(api) }

// Trees is the prefix of an API's deployed trees.
func (s Scope) Trees(api string) key.Key { return s.root("t").Str(api) }

// Tree is the key of a deployed [Tree].
func (s Scope) Tree(api, hash string) key.Key { return s.Trees(api).Str(hash) }

// Deployments is the prefix of an API's deployments.
func (s Scope) Deployments(api string) key.Key { return s.root("d").Str(api) }

// Deployment is the key of a [Deployment].
func (s Scope) Deployment(api, id string) key.Key { return s.Deployments(api).Str(id) }

// Stages is the prefix of an API's stages.
func (s Scope) Stages(api string) key.Key { return s.root("s").Str(api) }

// Stage is the key of a [Stage].
func (s Scope) Stage(api, name string) key.Key { return s.Stages(api).Str(name) }

// Parts is the prefix of an API's documentation parts.
func (s Scope) Parts(api string) key.Key { return s.root("c").Str(api) }

// Part is the key of a [DocumentationPart].
func (s Scope) Part(api, id string) key.Key { return s.Parts(api).Str(id) }

// Versions is the prefix of an API's documentation versions.
func (s Scope) Versions(api string) key.Key { return s.root("y").Str(api) }

// Version is the key of a [DocumentationVersion].
func (s Scope) Version(api, version string) key.Key { return s.Versions(api).Str(version) }

// APIKeys is the prefix of the API keys.
func (s Scope) APIKeys() key.Key { return s.root("k") }

// APIKey is the key of an [APIKey].
func (s Scope) APIKey(id string) key.Key { return s.APIKeys().Str(id) }

// Value is the key under which the id of the API key with that value is found.
func (s Scope) Value(value string) key.Key {
	sum := sha256.Sum256([]byte(value))
	return s.root("v").Bytes(sum[:])
}

// Plans is the prefix of the usage plans.
func (s Scope) Plans() key.Key { return s.root("u") }

// Plan is the key of a [UsagePlan].
func (s Scope) Plan(id string) key.Key { return s.Plans().Str(id) }

// PlanKeys is the prefix of the keys of a plan.
func (s Scope) PlanKeys(plan string) key.Key { return s.root("m").Str(plan) }

// PlanKey is the key of a [PlanKey].
func (s Scope) PlanKey(plan, id string) key.Key { return s.PlanKeys(plan).Str(id) }

// KeyPlans is the prefix of the plans of a key, by the key's id.
func (s Scope) KeyPlans(id string) key.Key { return s.root("n").Str(id) }

// KeyPlan is the key of a [PlanKey], by the key's id.
func (s Scope) KeyPlan(id, plan string) key.Key { return s.KeyPlans(id).Str(plan) }

// Quotas is the prefix of what the keys of a plan have left.
func (s Scope) Quotas(plan string) key.Key { return s.root("e").Str(plan) }

// Quota is the key of a [Quota].
func (s Scope) Quota(plan, id string) key.Key { return s.Quotas(plan).Str(id) }

// Usage is the prefix of what the keys of a plan used.
func (s Scope) Usage(plan string) key.Key { return s.root("q").Str(plan) }

// UsageDay is the key of a [UsageDay]; the day is that of t in UTC.
func (s Scope) UsageDay(plan, id string, t time.Time) key.Key {
	return s.Usage(plan).Str(id).Str(t.UTC().Format(time.DateOnly))
}

// Links is the prefix of the VPC links.
func (s Scope) Links() key.Key { return s.root("l") }

// Link is the key of a [VPCLink].
func (s Scope) Link(id string) key.Key { return s.Links().Str(id) }

// Certificates is the prefix of the client certificates.
func (s Scope) Certificates() key.Key { return s.root("x") }

// Certificate is the key of a [ClientCertificate].
func (s Scope) Certificate(id string) key.Key { return s.Certificates().Str(id) }

// Settings is the key of an [Account].
func (s Scope) Settings() key.Key { return s.root("o") }

// OwnerKey is the key of the [Owner] of an API.
func OwnerKey(api string) key.Key { return Scope{}.root("i").Str(api) }
