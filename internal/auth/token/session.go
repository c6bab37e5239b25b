package token

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// maxToken bounds a session token, in bytes.
const maxToken = 64 << 10

// Session is what a session token carries.
type Session struct {
	// AccessKeyID is the key id that belongs to the token.
	AccessKeyID string `json:"k"`
	// Account is the 12-digit account.
	Account string `json:"a"`
	// ARN is the session's ARN: of an assumed role, a user, a federated user or the root user.
	ARN string `json:"n"`
	// RoleARN is the role of an assumed-role session, the user of a federated user.
	RoleARN string `json:"r,omitempty"`
	// UserID is the unique id: AROA…:session, AIDA….
	UserID string `json:"u"`
	// Policies are the session policies passed inline, PolicyARNs the managed ones.
	Policies   []string `json:"p,omitempty"`
	PolicyARNs []string `json:"m,omitempty"`
	// Tags are the session tags, Transitive the names of those that role chaining keeps.
	Tags       map[string]string `json:"t,omitempty"`
	Transitive []string          `json:"tt,omitempty"`
	// SourceIdentity is the source identity.
	SourceIdentity string `json:"s,omitempty"`
	// AccessGrants is the ARN of the S3 Access Grants instance that the session was made by; empty for all others.
	AccessGrants string `json:"g,omitempty"`
	// MFA tells whether the session was made with multi-factor authentication.
	MFA bool `json:"f,omitempty"`
	// Issued and Expires are Unix seconds.
	Issued  int64 `json:"i"`
	Expires int64 `json:"e"`
}

const sessionPurpose = "session token"

// SealSession returns the token of s and the secret access key that belongs to it.
func (k *Keyring) SealSession(s *Session) (token, secret string, err error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return "", "", fmt.Errorf("encode a session: %w", err)
	}
	sealed, err := k.Seal(sessionPurpose, plain)
	if err != nil {
		return "", "", err
	}
	secret, err = k.sessionSecret(sealed)
	return base64.RawURLEncoding.EncodeToString(sealed), secret, err
}

// OpenSession returns the session of a token and its secret access key. It does not look at the
// time.
func (k *Keyring) OpenSession(token string) (*Session, string, error) {
	if len(token) > maxToken {
		return nil, "", ErrInvalid
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return nil, "", ErrInvalid
	}
	plain, err := k.Open(sessionPurpose, sealed)
	if err != nil {
		return nil, "", err
	}
	s := &Session{}
	if err := json.Unmarshal(plain, s); err != nil {
		return nil, "", fmt.Errorf("decode a session: %w", err)
	}
	secret, err := k.sessionSecret(sealed)
	return s, secret, err
}

func (k *Keyring) sessionSecret(sealed []byte) (string, error) {
	raw, err := k.derive(sealed[:headSize], "lambent session secret")
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(raw[:30]), nil
}
