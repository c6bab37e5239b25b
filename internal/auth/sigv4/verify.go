package sigv4

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/lru"
)

// maxSkew is how far a request's time may be from now, both ways.
const maxSkew = 15 * time.Minute

// cachedKeys bounds each of the two key caches.
const cachedKeys = 4096

// Verifier checks signatures. Make one with [NewVerifier]. It is safe for concurrent use.
type Verifier struct {
	clock  clock.Clock
	hmacs  *lru.Cache[scopeKey, hmacKey]
	ecdsas *lru.Cache[string, ecKey]
	// scratch holds *[]byte for canonical requests.
	scratch sync.Pool
}

// scopeKey names a derived signing key.
type scopeKey struct{ id, date, region, service string }

// hmacKey is a derived key with the secret it came from, so that a rotated secret is noticed.
type hmacKey struct {
	secret string
	key    [sha256.Size]byte
}

type ecKey struct {
	secret string
	key    *ecdsa.PublicKey
}

// NewVerifier returns a verifier that takes the time from c.
func NewVerifier(c clock.Clock) *Verifier {
	return &Verifier{
		clock:   c,
		hmacs:   lru.New[scopeKey, hmacKey](cachedKeys),
		ecdsas:  lru.New[string, ecKey](cachedKeys),
		scratch: sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }},
	}
}

// Verify checks that s, parsed from r, was made with secret, is in time and has the scope that
// opt asks for. It returns how to read the body. Every refusal is an [*Error].
func (v *Verifier) Verify(r *Request, s *Signature, secret string, opt Options) (*Payload, error) {
	now := v.clock.Now().UTC()
	if !s.Query {
		now = clock.Unmoved(v.clock).Now().UTC() // a header is signed by the time of day
	}
	switch s.Version {
	case V4, V4a:
		if err := s.inScope(opt); err != nil {
			return nil, err
		}
		if err := s.inTime(now); err != nil {
			return nil, err
		}
		return v.verify4(r, s, secret, opt)
	case V2:
		if err := s.inTime(now); err != nil {
			return nil, err
		}
		return verify2(r, s, secret, opt)
	case Anonymous:
	}
	return nil, &Error{Kind: Missing}
}

// inScope compares the credential scope with what the service accepts.
func (s *Signature) inScope(opt Options) error {
	if len(opt.Services) > 0 && !slices.Contains(opt.Services, s.Service) {
		return &Error{
			Kind: Scope, InQuery: s.Query, AccessKeyID: s.AccessKeyID,
			Message: "Credential should be scoped to correct service: '" + opt.Services[0] + "'. ",
		}
	}
	if opt.Region == "" {
		return nil
	}
	if s.Version == V4a {
		if s.inRegionSet(opt.Region) {
			return nil
		}
	} else if s.Region == opt.Region {
		return nil
	}
	msg := "Credential should be scoped to a valid region, not '" + clip(s.Region+s.Regions) + "'. "
	if opt.S3 {
		msg = "The authorization header is malformed; the region '" + clip(s.Region+s.Regions) + "' is wrong; expecting '" + opt.Region + "'"
	}
	return &Error{Kind: Scope, InQuery: s.Query, AccessKeyID: s.AccessKeyID, Message: msg, Extra: []Field{{"Region", opt.Region}}}
}

// inRegionSet reports whether region is in the comma-separated set, in which "*" is a wildcard.
func (s *Signature) inRegionSet(region string) bool {
	for r := range strings.SplitSeq(s.Regions, ",") {
		r = strings.TrimSpace(r)
		if prefix, ok := strings.CutSuffix(r, "*"); ok && strings.HasPrefix(region, prefix) || r == region {
			return true
		}
	}
	return false
}

// inTime checks the clock skew of a signed request and the life of a presigned one.
func (s *Signature) inTime(now time.Time) error {
	if !s.Query {
		if d := now.Sub(s.Time); d > maxSkew || d < -maxSkew {
			e := skewed(s.Time, now, false, maxSkew)
			e.AccessKeyID = s.AccessKeyID
			return e
		}
		return nil
	}
	if s.Version != V2 && s.Time.Sub(now) > maxSkew {
		e := skewed(s.Time, now, true, maxSkew)
		e.AccessKeyID = s.AccessKeyID
		return e
	}
	if now.After(s.Deadline) {
		return &Error{Kind: Expired, InQuery: true, AccessKeyID: s.AccessKeyID, Message: "Request has expired.", Extra: []Field{
			{"Expires", s.Deadline.UTC().Format(time.RFC3339)},
			{"ServerTime", now.Format(time.RFC3339)},
		}}
	}
	return nil
}

// verify4 computes the signature of V4, or checks that of V4a.
func (v *Verifier) verify4(r *Request, s *Signature, secret string, opt Options) (*Payload, error) {
	hash := s.Hash
	if hash == "" {
		hash = opt.BodyHash
	}
	if !validHash(hash) {
		return nil, &Error{Kind: PayloadHash, InQuery: s.Query, AccessKeyID: s.AccessKeyID}
	}
	buf := v.scratch.Get().(*[]byte)
	defer v.scratch.Put(buf)
	check := v.checkHMAC
	if s.Version == V4a {
		check = v.checkECDSA
	}
	canonical := appendCanonical((*buf)[:0], r, s, s.params, hash, opt.S3, false)
	payload, toSign, ok := check(s, secret, canonical)
	if !ok && s.Query && s.Token != "" {
		// Some services leave the token out of what is signed; the secret depends on it anyway.
		if p, _, ok := check(s, secret, appendCanonical(nil, r, s, s.params, hash, opt.S3, true)); ok {
			return p.with(r, s)
		}
	}
	*buf = canonical
	if !ok {
		return nil, &Error{
			Kind: Mismatch, InQuery: s.Query, AccessKeyID: s.AccessKeyID,
			StringToSign: string(toSign), Canonical: string(canonical), Signature: s.Value,
		}
	}
	return payload.with(r, s)
}

// checkHMAC compares the signature in constant time.
func (v *Verifier) checkHMAC(s *Signature, secret string, canonical []byte) (*Payload, []byte, bool) {
	toSign := stringToSign(algV4, s, canonical)
	key := v.signingKey(s, secret)
	sum := hmac256(key[:], toSign)
	var want [2 * sha256.Size]byte
	hex.Encode(want[:], sum[:])
	ok := subtle.ConstantTimeCompare(want[:], []byte(s.Value)) == 1
	return &Payload{hmac: key, seed: s.Value}, toSign, ok
}

// signingKey returns the derived key of the scope, from the cache when it is there.
func (v *Verifier) signingKey(s *Signature, secret string) [sha256.Size]byte {
	id := scopeKey{s.AccessKeyID, s.Date, s.Region, s.Service}
	if k, ok := v.hmacs.Get(id); ok && k.secret == secret {
		return k.key
	}
	k := deriveKey(secret, s.Date, s.Region, s.Service)
	// The names came with the request; the cache must not keep its whole head alive.
	id = scopeKey{strings.Clone(id.id), strings.Clone(id.date), strings.Clone(id.region), strings.Clone(id.service)}
	v.hmacs.Put(id, hmacKey{secret, k})
	return k
}

// deriveKey derives the signing key of a scope from a secret access key.
func deriveKey(secret, date, region, service string) [sha256.Size]byte {
	k := hmac256([]byte("AWS4"+secret), []byte(date))
	k = hmac256(k[:], []byte(region))
	k = hmac256(k[:], []byte(service))
	return hmac256(k[:], []byte(terminator))
}

func hmac256(key, msg []byte) (out [sha256.Size]byte) {
	h := hmac.New(sha256.New, key)
	h.Write(msg)
	h.Sum(out[:0])
	return out
}

// stringToSign names the algorithm, the time, the scope and the hash of the canonical request.
func stringToSign(alg string, s *Signature, canonical []byte) []byte {
	b := make([]byte, 0, 192)
	b = append(b, alg...)
	b = append(b, '\n')
	b = append(b, s.Time.Format(timeFormat)...)
	b = append(b, '\n')
	b = append(b, s.scopeText()...)
	b = append(b, '\n')
	sum := sha256.Sum256(canonical)
	return hex.AppendEncode(b, sum[:])
}

// scopeText is the credential without its key id.
func (s *Signature) scopeText() string {
	if s.Version == V4a {
		return s.Date + "/" + s.Service + "/" + terminator
	}
	return s.Date + "/" + s.Region + "/" + s.Service + "/" + terminator
}
