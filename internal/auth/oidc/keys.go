package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// keysLife is how long the keys of an issuer are used before they are fetched again, as API Gateway does.
	keysLife = 2 * time.Hour
	// refetchAfter is how long an issuer is left alone after it was asked.
	refetchAfter = 10 * time.Second
	// fetchTimeout bounds one fetch, maxKeys its size in bytes.
	fetchTimeout = 5 * time.Second
	maxKeys      = 1 << 20
	// maxIssuers bounds the issuers whose keys are kept.
	maxIssuers = 1024
	// maxFetches bounds the fetches that go on at the same time.
	maxFetches = 16
)

// errUnreachable tells that the keys of an issuer could not be had.
var errUnreachable = errors.New("the keys of the issuer cannot be fetched")

// issuer is what is known of one issuer's keys.
type issuer struct {
	url string

	mu sync.Mutex // guards the fields below
	// keys is nil until a fetch has succeeded.
	keys    *jose.JSONWebKeySet
	fetched time.Time
	asked   time.Time
	err     error // of the last fetch
	// fetching is closed when the fetch that goes on has ended; nil while there is none.
	fetching chan struct{}
}

// key returns the key that a token names, and until when it may be used.
func (v *Verifier) key(ctx context.Context, i *issuer, id, algorithm string) (*jose.JSONWebKey, time.Time, error) {
	for {
		i.mu.Lock()
		now := v.clock.Now()
		k := i.findLocked(id, algorithm)
		fresh := i.keys != nil && now.Before(i.fetched.Add(keysLife))
		rest := !i.asked.IsZero() && now.Before(i.asked.Add(refetchAfter))
		until, err, wait := i.fetched.Add(keysLife), i.err, i.fetching
		switch {
		case k != nil && (fresh || rest):
			i.mu.Unlock()
			if !fresh { // the issuer is not to be reached now; its old keys do until it is asked again
				until = now.Add(refetchAfter)
			}
			return k, until, nil
		case wait == nil && rest:
			i.mu.Unlock()
			if err == nil {
				err = fmt.Errorf("the issuer %s has no key %q for %s", i.url, id, algorithm)
			}
			return nil, time.Time{}, err
		case wait == nil:
			wait = make(chan struct{})
			i.fetching, i.asked = wait, now
			go v.refresh(i, wait)
		}
		i.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, time.Time{}, ctx.Err()
		}
	}
}

// findLocked returns the key of an id that is for an algorithm. A token without an id may use the only key.
func (i *issuer) findLocked(id, algorithm string) *jose.JSONWebKey {
	if i.keys == nil {
		return nil
	}
	for n := range i.keys.Keys {
		k := &i.keys.Keys[n]
		if (k.KeyID == id || id == "" && len(i.keys.Keys) == 1) && (k.Algorithm == "" || k.Algorithm == algorithm) && k.Use != "enc" && k.IsPublic() {
			return k
		}
	}
	return nil
}

// refresh fetches the keys of an issuer. It runs to its end whoever waits for it.
func (v *Verifier) refresh(i *issuer, done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	keys, err := v.fetchKeys(ctx, i.url)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err = err; err == nil {
		i.keys, i.fetched = keys, v.clock.Now()
	}
	i.fetching = nil
	close(done)
}

// fetchKeys gets an issuer's key set: from this Lambent when the issuer is one of its own, and otherwise by its discovery document
// (OpenID Connect Discovery 1.0, section 4).
func (v *Verifier) fetchKeys(ctx context.Context, url string) (*jose.JSONWebKeySet, error) {
	if v.local != nil {
		if doc, ok, err := v.local(ctx, url); ok || err != nil {
			if err != nil {
				return nil, err
			}
			return parseKeys(doc)
		}
	}
	select {
	case v.fetches <- struct{}{}:
		defer func() { <-v.fetches }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: too many others are being fetched", errUnreachable)
	}
	doc, err := v.get(ctx, strings.TrimSuffix(url, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	var discovery struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(doc, &discovery); err != nil || discovery.Keys == "" {
		return nil, fmt.Errorf("%w: the discovery document of %s names no jwks_uri", errUnreachable, url)
	}
	if strings.TrimSuffix(discovery.Issuer, "/") != strings.TrimSuffix(url, "/") {
		return nil, fmt.Errorf("%w: the discovery document of %s is of the issuer %q", errUnreachable, url, discovery.Issuer)
	}
	if doc, err = v.get(ctx, discovery.Keys); err != nil {
		return nil, err
	}
	return parseKeys(doc)
}

func parseKeys(doc []byte) (*jose.JSONWebKeySet, error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(doc, &raw); err != nil {
		return nil, fmt.Errorf("%w: the key set is not JSON", errUnreachable)
	}
	set := &jose.JSONWebKeySet{}
	for _, r := range raw.Keys {
		var k jose.JSONWebKey
		if json.Unmarshal(r, &k) == nil && k.Valid() { // a set may have keys of kinds that nobody here knows
			set.Keys = append(set.Keys, k)
		}
	}
	return set, nil
}

// get fetches a document.
func (v *Verifier) get(ctx context.Context, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	got, err := v.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer func() { _ = got.Body.Close() }()
	if got.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %s answers %s", errUnreachable, url, got.Status)
	}
	b, err := io.ReadAll(io.LimitReader(got.Body, maxKeys+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	if len(b) > maxKeys {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", errUnreachable, url, maxKeys)
	}
	return b, nil
}

// known returns the record of an issuer.
func (v *Verifier) known(url string) *issuer {
	v.mu.Lock()
	defer v.mu.Unlock()
	if i, ok := v.issuers.Get(url); ok {
		return i
	}
	i := &issuer{url: url}
	v.issuers.Put(url, i)
	return i
}
