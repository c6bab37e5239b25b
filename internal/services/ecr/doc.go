// Package ecr is Amazon Elastic Container Registry: repositories with their settings, policies and tags.
//
// # Keys
//
// All keys begin with ("ecr", kind, account, region), then:
//
//	"r", name    a repository (record), with its settings, repository policy, lifecycle policy and tags
//
// # What it deliberately is not
//
// The registry protocol, by which images come and go, is not there yet: GetAuthorizationToken and all that moves layers are refused by name, so that a repository is always empty.
// What asks about images answers that. Settings of the whole registry (replication, pull-through caches, templates, scanning) are refused by name too.
//
// # Locks
//
// None: all state is in the store.
package ecr
