package auth

import (
	"context"
	"sync"
	"time"

	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/lib/lru"
)

// AccessKey is a long-term access key with its owner.
type AccessKey struct {
	ID, Secret string
	// Active is false for a key that was switched off.
	Active bool
	// Account, ARN and UserID name the user; Root tells that it is the root user.
	Account, ARN, UserID string
	Root                 bool
}

// Identity is what the policy engine needs to know of a user or a role.
type Identity struct {
	// UserID is the unique id; a role or user that was made again has another one.
	UserID string
	// Name is the user's or role's name.
	Name string
	// Documents are its inline and managed policies, for a user with those of its groups.
	Documents []iam.Document
	// Boundary is the permission boundary; nil when there is none.
	Boundary []iam.Document
	// Tags are its tags.
	Tags map[string]string
	// RevokedBefore refuses sessions issued earlier, in Unix seconds.
	RevokedBefore int64
}

// Directory finds users, roles and policies. services/iam implements it. A nil result means that
// there is none; errors are failures of the store.
type Directory interface {
	// AccessKey finds a long-term key by its id.
	AccessKey(ctx context.Context, id string) (*AccessKey, error)
	// Identity finds a user or a role by its ARN, arn:aws:iam::ACCOUNT:user/NAME or role/NAME.
	Identity(ctx context.Context, arn string) (*Identity, error)
	// ManagedPolicy finds the default version of a managed policy.
	ManagedPolicy(ctx context.Context, arn string) (*iam.Document, error)
}

// cached bounds each map of a Cache.
const cached = 8192

// Cache keeps what a [Directory] returned, also that something does not exist. It is safe for
// concurrent use.
type Cache struct {
	dir        Directory
	keys       *lru.Cache[string, *AccessKey]
	identities *lru.Cache[string, *Identity]
	managed    *lru.Cache[string, *iam.Document]

	mu sync.Mutex // guards the fields below
	// generation grows with every Forget.
	generation uint64
}

// NewCache returns an empty cache in front of dir.
func NewCache(dir Directory) *Cache {
	return &Cache{
		dir:        dir,
		keys:       lru.New[string, *AccessKey](cached),
		identities: lru.New[string, *Identity](cached),
		managed:    lru.New[string, *iam.Document](cached),
	}
}

// Forget drops everything. The directory calls it when a change is durable and before the change
// is acknowledged.
func (c *Cache) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	c.keys.Clear()
	c.identities.Clear()
	c.managed.Clear()
}

// AccessKey finds a key.
func (c *Cache) AccessKey(ctx context.Context, id string) (*AccessKey, error) {
	return cachedLoad(ctx, c, c.keys, id, c.dir.AccessKey)
}

// Identity finds a user or a role.
func (c *Cache) Identity(ctx context.Context, arn string) (*Identity, error) {
	return cachedLoad(ctx, c, c.identities, arn, c.dir.Identity)
}

// ManagedPolicy finds a managed policy.
func (c *Cache) ManagedPolicy(ctx context.Context, arn string) (*iam.Document, error) {
	return cachedLoad(ctx, c, c.managed, arn, c.dir.ManagedPolicy)
}

func cachedLoad[T any](ctx context.Context, c *Cache, m *lru.Cache[string, *T], key string, load func(context.Context, string) (*T, error)) (*T, error) {
	if v, ok := m.Get(key); ok {
		return v, nil
	}
	c.mu.Lock()
	before := c.generation
	c.mu.Unlock()
	v, err := load(ctx, key)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation == before {
		m.Put(key, v)
	}
	return v, nil
}

// Role is what STS needs to know of a role.
type Role struct {
	ARN, Account, Name, ID string
	// Trust is the assume-role policy document.
	Trust string
	// MaxSession is the longest session, in seconds.
	MaxSession int32
}

// OIDCProvider is what STS needs to know of an OpenID Connect provider.
type OIDCProvider struct {
	ARN string
	// URL is the issuer without its scheme, which is https. The names of the condition keys about its tokens begin with it.
	URL string
	// ClientIDs are the audiences that tokens may have.
	ClientIDs []string
}

// SAMLProvider is what STS needs to know of a SAML provider.
type SAMLProvider struct {
	ARN, Account, Name string
	// Metadata is the metadata document of the identity provider, and ValidUntil when it ends.
	Metadata   string
	ValidUntil time.Time
}

// MFA is what became of a code of a multi-factor authentication device.
type MFA int

// The outcomes of a code.
const (
	// MFAUnknown tells that the user has no such device.
	MFAUnknown MFA = iota
	// MFAWrong tells that the code is not one of now, or was used before.
	MFAWrong
	// MFABlocked tells that there were too many wrong codes: none is looked at for a while.
	MFABlocked
	// MFAProven tells that the code was right. It cannot be used again.
	MFAProven
)
