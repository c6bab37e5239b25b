// Package apigateway is Amazon API Gateway's first API: REST APIs, their deployments and stages, API keys and usage plans.
//
// This package is the control plane. What it keeps is in package apigateway/api, which the data plane (package apigateway/plane) reads: the two share
// records and keys, and nothing else.
//
// # Records
//
// What a deployment copies is one tree ([api.Tree]): resources with their methods and integrations, models, validators, authorizers, gateway responses and
// the settings of the API that take effect with a deployment. An API has one working tree, which every change reads and writes whole in its
// transaction. A deployment names a tree by the hash of its content. Deployments of an unchanged API share one tree, and a tree goes with the last deployment that names
// it. Nothing changes what a stage serves but another deployment and the stage's own settings.
//
// # Keys
//
// All keys begin with ("apigateway", account, region), then:
//
//	"a", api                  the API: its name, description, tags and what else takes effect at once
//	"w", api                  its working tree
//	"t", api, hash            a deployed tree; never changed
//	"d", api, deployment      a deployment, with the hash of its tree
//	"s", api, stage           a stage
//	"c", api, part            a documentation part
//	"y", api, version         a documentation version: a copy of the parts
//	"k", key                  an API key
//	"v", digest of a value    the id of the API key that has the value
//	"u", plan                 a usage plan
//	"m", plan, key            a key of a plan
//	"n", key, plan            the same, by key
//	"e", plan, key            how much of a plan's quota a key has left in the current period
//	"q", plan, key, day       what a key used on a day
//	"l", link                 a VPC link
//	"x", certificate          a client certificate with its key
//	"o"                       the account's settings
//
// and, as the ids of APIs are unique over all accounts because host names hold them,
//
//	("apigateway", "", "", "i", api)   the account and region of an API
//
// # Patches
//
// An update is a list of patch operations. Each kind of resource has a table of the paths that it has, with the operations that each of them takes
// (package apigateway/patch); what is not in the table is refused with AWS's error.
package apigateway
