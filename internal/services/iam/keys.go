package iam

import (
	"strings"

	"lambent.dev/lambent/internal/store/key"
)

func all(account, kind string) key.Key { return key.New("iam", account, "", kind) }

func entityKey(account string, k kind, name string) key.Key {
	return all(account, string(k)).Str(strings.ToLower(name))
}

func policyKey(account, name string) key.Key {
	return all(account, "policy").Str(strings.ToLower(name))
}

func profileKey(account, name string) key.Key {
	return all(account, "profile").Str(strings.ToLower(name))
}

// oidcKey is by the issuer's URL without its scheme; letters of different case differ.
func oidcKey(account, url string) key.Key { return all(account, "oidc").Str(url) }

func certificateKey(account, name string) key.Key {
	return all(account, "certificate").Str(strings.ToLower(name))
}

// samlKey is by name; letters of different case differ.
func samlKey(account, name string) key.Key { return all(account, "saml").Str(name) }

// mfaKey is by path and name.
func mfaKey(account, place string) key.Key { return all(account, "mfa").Str(strings.ToLower(place)) }

func aliasKey(account, name string) key.Key { return all(account, "alias").Str(name) }

func accessKeyKey(id string) key.Key { return all("", "key").Str(id) }
