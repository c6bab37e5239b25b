// Package auth says who makes a call and whether it may.
//
// [Authenticator] proves the signature of a request (package sigv4) and names its
// [service.Principal]: a user by its access key, a session by its stateless token (package
// token), the root user by the root key, or, on loopback, by the conventional pair test/test.
// [Authorizer] builds the condition keys of a call and asks the policy engine (package iam) with
// the principal's policies and the resource's own. Both are called at one place, package
// dispatch.
//
// Users, roles and policies come from a [Directory], which services/iam implements. What it
// returns is cached in a [Cache] until the directory says that it changed; a warm call reads
// nothing from the store. A change is visible to the next call: the directory forgets inside its
// commit, and an answer that was loaded before the change is not put into the cache after it.
//
// What a resource's policy allows another service is decided once for each policy, source and action (grant.go), unless the policy looks
// at the time; the policy's text is a part of the key, so a changed policy is decided about anew.
//
// [Journal] keeps the last decisions for `lambent iam explain`, in memory and bounded. The keys
// that everything rests on are made and kept by package keyfile.
//
// # Locks
//
// Cache.mu and Journal.mu are leaves; nothing is called while one is held.
//
// What it is not: it stores nothing, and it does not know operations; which action and resource
// a call needs is said by each service's access rules.
package auth
