package sigv4

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signer signs requests of clients inside the program: the command line, the console's presigned
// links, tests. Its fields are fixed after the first use.
type Signer struct {
	// AccessKeyID, Secret and Token are the credentials; Token may be empty.
	AccessKeyID, Secret, Token string
	// Region and Service are the credential scope. For V4a, Region is a set such as "us-east-1,eu-*".
	Region, Service string
	// V4a signs with ECDSA.
	V4a bool
	// S3 selects S3's path rules and unsigned payloads for presigned URLs.
	S3 bool
}

// Sign adds X-Amz-Date, X-Amz-Content-Sha256 and Authorization to r, which it changes. hash is
// the hex SHA-256 of the body or a name such as UNSIGNED-PAYLOAD.
func (s *Signer) Sign(r *Request, hash string, now time.Time) error {
	now = now.UTC()
	r.Fields = append(r.Fields, Field{"X-Amz-Date", now.Format(timeFormat)}, Field{"X-Amz-Content-Sha256", hash})
	if s.Token != "" {
		r.Fields = append(r.Fields, Field{"X-Amz-Security-Token", s.Token})
	}
	if s.V4a {
		r.Fields = append(r.Fields, Field{"X-Amz-Region-Set", s.Region})
	}
	sig := s.signature(r, now, func(name string) bool {
		return strings.HasPrefix(name, "x-amz-") || name == "content-type" || name == "content-md5" || name == "content-length"
	})
	_, query := r.split()
	sig.params, _ = params(query)
	value, err := s.compute(r, sig, hash)
	if err != nil {
		return err
	}
	r.Fields = append(r.Fields, Field{"Authorization", s.algorithm() + " Credential=" + s.AccessKeyID + "/" + sig.scopeText() +
		", SignedHeaders=" + strings.Join(sig.SignedHeaders, ";") + ", Signature=" + value})
	return nil
}

// SignHTTP signs r with the body hash, and adds the fields to its header.
func (s *Signer) SignHTTP(r *http.Request, hash string, now time.Time) error {
	req := FromHTTP(r)
	n := len(req.Fields)
	if err := s.Sign(req, hash, now); err != nil {
		return err
	}
	for _, f := range req.Fields[n:] {
		r.Header.Set(f.Name, f.Value)
	}
	return nil
}

// Presign returns the target of r with a signature that is good for expires. The fields of r,
// apart from the host, become part of what is signed and must be sent with the request.
func (s *Signer) Presign(r *Request, now time.Time, expires time.Duration) (target string, err error) {
	now = now.UTC()
	sig := s.signature(r, now, func(string) bool { return true })
	sig.Query = true
	add := []Field{
		{"X-Amz-Algorithm", s.algorithm()},
		{"X-Amz-Credential", s.AccessKeyID + "/" + sig.scopeText()},
		{"X-Amz-Date", now.Format(timeFormat)},
		{"X-Amz-Expires", strconv.FormatInt(int64(expires/time.Second), 10)},
		{"X-Amz-SignedHeaders", strings.Join(sig.SignedHeaders, ";")},
	}
	if s.V4a {
		add = append(add, Field{"X-Amz-Region-Set", s.Region})
	}
	if s.Token != "" {
		add = append(add, Field{"X-Amz-Security-Token", s.Token})
	}
	path, query := r.split()
	b := []byte(path + "?" + query)
	for _, f := range add {
		if b[len(b)-1] != '?' {
			b = append(b, '&')
		}
		b = append(b, f.Name+"="...)
		b = appendEncoded(b, f.Value)
	}
	signed := *r
	signed.Target = string(b)
	_, query = signed.split()
	sig.params, _ = params(query)
	hash := EmptyHash
	if s.S3 {
		hash = Unsigned256
	}
	value, err := s.compute(&signed, sig, hash)
	return signed.Target + "&X-Amz-Signature=" + value, err
}

func (s *Signer) algorithm() string {
	if s.V4a {
		return algV4a
	}
	return algV4
}

// signature prepares the parts that do not depend on the form.
func (s *Signer) signature(r *Request, now time.Time, include func(name string) bool) *Signature {
	sig := &Signature{
		Version: V4, AccessKeyID: s.AccessKeyID, Date: now.Format("20060102"), Region: s.Region,
		Service: s.Service, Time: now, SignedHeaders: []string{"host"},
	}
	if s.V4a {
		sig.Version, sig.Region = V4a, ""
	}
	for _, f := range r.Fields {
		if name := strings.ToLower(f.Name); include(name) && !slices.Contains(sig.SignedHeaders, name) {
			sig.SignedHeaders = append(sig.SignedHeaders, name)
		}
	}
	slices.Sort(sig.SignedHeaders)
	return sig
}

// compute returns the hex signature of the canonical request.
func (s *Signer) compute(r *Request, sig *Signature, hash string) (string, error) {
	canonical := appendCanonical(nil, r, sig, sig.params, hash, form{s3: s.S3})
	toSign := appendToSign(nil, sig, canonical)
	if !s.V4a {
		key := deriveKey(s.Secret, sig.Date, sig.Region, sig.Service)
		sum := hmac256(key[:], toSign)
		return hex.EncodeToString(sum[:]), nil
	}
	key, err := deriveECDSA(s.AccessKeyID, s.Secret)
	if err != nil {
		return "", err
	}
	return signECDSA(key, toSign)
}

func signECDSA(key *ecdsa.PrivateKey, msg []byte) (string, error) {
	sum := sha256.Sum256(msg)
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	return hex.EncodeToString(sig), err
}

// ChunkSigner signs the chunks of a body in AWS's chunked framing.
type ChunkSigner struct {
	signer   *Signer
	sig      *Signature
	previous string
}

// Chunks returns the signer for the body of r, which Sign has signed with a STREAMING- hash.
func (s *Signer) Chunks(r *Request) (*ChunkSigner, error) {
	sig, err := Parse(r, Options{S3: s.S3})
	if err != nil {
		return nil, err
	}
	return &ChunkSigner{s, sig, sig.Value}, nil
}

// Chunk returns the signature of the next chunk; the last one is empty.
func (c *ChunkSigner) Chunk(data []byte) (string, error) {
	return c.next("-PAYLOAD", "\n"+EmptyHash+"\n"+Hash(data))
}

// Trailer returns the signature of the trailers: sorted lines of name, colon, value and newline.
func (c *ChunkSigner) Trailer(lines []byte) (string, error) {
	return c.next("-TRAILER", "\n"+Hash(lines))
}

func (c *ChunkSigner) next(suffix, tail string) (string, error) {
	toSign := []byte(c.signer.algorithm() + suffix + "\n" + c.sig.Time.Format(timeFormat) + "\n" + c.sig.scopeText() + "\n" + c.previous + tail)
	if c.signer.V4a {
		key, err := deriveECDSA(c.signer.AccessKeyID, c.signer.Secret)
		if err != nil {
			return "", err
		}
		c.previous, err = signECDSA(key, toSign)
		return c.previous, err
	}
	key := deriveKey(c.signer.Secret, c.sig.Date, c.sig.Region, c.sig.Service)
	sum := hmac256(key[:], toSign)
	c.previous = hex.EncodeToString(sum[:])
	return c.previous, nil
}
