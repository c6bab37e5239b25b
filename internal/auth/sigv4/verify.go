package sigv4

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"slices"
	"strconv"
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
	// states holds *hmacState of the key.
	states *sync.Pool
}

// hmacState computes sums with one key, again and again in the same memory.
type hmacState struct {
	hash hash.Hash
	sum  [sha256.Size]byte
}

// sum returns the HMAC-SHA256 of msg.
func (k *hmacKey) sum(msg []byte) [sha256.Size]byte {
	s := k.states.Get().(*hmacState)
	defer k.states.Put(s)
	s.hash.Reset()
	s.hash.Write(msg)
	s.hash.Sum(s.sum[:0])
	return s.sum
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
		return s.s3Scope(&Error{
			Kind: Scope, InQuery: s.Query, AccessKeyID: s.AccessKeyID,
			Message: "Credential should be scoped to correct service: '" + opt.Services[0] + "'. ",
		}, "incorrect service "+strconv.Quote(clip(s.Service))+`. This endpoint belongs to "`+opt.Services[0]+`".`)
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
		e := &Error{Kind: Expired, InQuery: true, AccessKeyID: s.AccessKeyID, Message: "Request has expired."}
		if s.Version != V2 {
			e.Extra = append(e.Extra, Field{"X-Amz-Expires", strconv.FormatInt(int64(s.Expires/time.Second), 10)})
		}
		e.Extra = append(e.Extra, Field{"Expires", s.Deadline.UTC().Format(time.RFC3339)}, Field{"ServerTime", now.Format(time.RFC3339)})
		return e
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
	canonical := appendCanonical((*buf)[:0], r, s, s.params, hash, form{s3: opt.S3})
	toSign := appendToSign(canonical, s, canonical)[len(canonical):]
	payload, ok := check(s, secret, toSign)
	if !ok && s.Query && s.Token != "" {
		// Some services leave the token out of what is signed; the secret depends on it anyway.
		if p, ok := check(s, secret, appendToSign(nil, s, appendCanonical(nil, r, s, s.params, hash, form{s3: opt.S3, noToken: true}))); ok {
			return p.with(r, s)
		}
	}
	if path, _ := r.split(); !ok && opt.S3 && slashes(path) != path {
		// The SDK for Java sends "//" as "/%2F" and signs it as it was.
		plain := form{s3: true, plainSlashes: true}
		if p, ok := check(s, secret, appendToSign(nil, s, appendCanonical(nil, r, s, s.params, hash, plain))); ok {
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
func (v *Verifier) checkHMAC(s *Signature, secret string, toSign []byte) (*Payload, bool) {
	key := v.signingKey(s, secret)
	sum := key.sum(toSign)
	var want [2 * sha256.Size]byte
	hex.Encode(want[:], sum[:])
	ok := subtle.ConstantTimeCompare(want[:], []byte(s.Value)) == 1
	return &Payload{hmac: key.key, seed: s.Value}, ok
}

// signingKey returns the derived key of the scope, from the cache when it is there.
func (v *Verifier) signingKey(s *Signature, secret string) hmacKey {
	id := scopeKey{s.AccessKeyID, s.Date, s.Region, s.Service}
	if k, ok := v.hmacs.Get(id); ok && k.secret == secret {
		return k
	}
	k := hmacKey{secret: secret, key: deriveKey(secret, s.Date, s.Region, s.Service)}
	k.states = &sync.Pool{New: func() any { return &hmacState{hash: hmac.New(sha256.New, k.key[:])} }}
	// The names came with the request; the cache must not keep its whole head alive.
	id = scopeKey{strings.Clone(id.id), strings.Clone(id.date), strings.Clone(id.region), strings.Clone(id.service)}
	v.hmacs.Put(id, k)
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

// appendToSign adds what is signed: the algorithm, the time, the scope and the hash of the canonical request.
func appendToSign(dst []byte, s *Signature, canonical []byte) []byte {
	sum := sha256.Sum256(canonical)
	alg := algV4
	if s.Version == V4a {
		alg = algV4a
	}
	dst = append(append(dst, alg...), '\n')
	dst = append(s.Time.AppendFormat(dst, timeFormat), '\n')
	dst = append(s.appendScope(dst), '\n')
	return hex.AppendEncode(dst, sum[:])
}

// scopeText is the credential without its key id.
func (s *Signature) scopeText() string { return string(s.appendScope(make([]byte, 0, 64))) }

func (s *Signature) appendScope(dst []byte) []byte {
	dst = append(append(dst, s.Date...), '/')
	if s.Version != V4a {
		dst = append(append(dst, s.Region...), '/')
	}
	return append(append(append(dst, s.Service...), '/'), terminator...)
}
