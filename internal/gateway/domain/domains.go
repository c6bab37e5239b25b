package domain

import (
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/gateway/vpcendpoint"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/memo"
	"lambent.dev/lambent/internal/store/record"
)

// Quotas of AWS (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html).
const (
	maxNames    = 120
	maxMappings = 200
	maxRules    = 50
)

// Options are what the domains need of others.
type Options struct {
	// Objects reads trust stores.
	Objects port.Objects
	// Endpoints knows VPC endpoints, and which a request came through.
	Endpoints *vpcendpoint.Endpoints
}

// Domains are the custom domain names of a Lambent. Make one with [New].
type Domains struct {
	deps    service.Deps
	options Options
	planes  map[string]Plane
	hosts   *memo.Cache[struct{}, hostKey, *host]
}

// New returns the domains of a store.
func New(deps service.Deps, o Options) *Domains {
	return &Domains{
		deps: deps, options: o, planes: map[string]Plane{},
		hosts: memo.New[struct{}, hostKey, *host](deps.Store, maxHosts, func(struct{}) [][]byte { return [][]byte{key.New(prefix)} }),
	}
}

// Close forgets what is kept in memory.
func (d *Domains) Close() { d.hosts.Close() }

// Register adds a plane under the name that mappings keep. It is called before the first request, and twice by nobody.
func (d *Domains) Register(name string, p Plane) { d.planes[name] = p }

var domainName = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func badRequest(format string, args ...any) error {
	return service.Errorf("BadRequestException", format, args...)
}

func notFound(format string, args ...any) error {
	return service.Errorf("NotFoundException", format, args...)
}

func conflict(format string, args ...any) error {
	return service.Errorf("ConflictException", format, args...)
}

// owner is the record behind a name.
type owner struct{ Account, Region string }

// Create stores a new name: Domain is given by the caller, Created is filled in, and ID unless it is given. The error is one that clients see.
func (d *Domains) Create(ctx context.Context, s Scope, n *Name) error {
	n.Domain = strings.ToLower(n.Domain)
	if len(n.Domain) > 253 || !domainName.MatchString(n.Domain) {
		return badRequest("The domain name %q is not valid: give a full name such as api.example.com, or *.example.com.", n.Domain)
	}
	if err := d.complete(ctx, n); err != nil {
		return err
	}
	if n.ID == "" {
		var err error
		if n.ID, err = d.newID(10); err != nil {
			return err
		}
	}
	n.Created = d.deps.Clock.Now().UTC()
	if err := n.takePolicy(s); err != nil {
		return err
	}
	return d.deps.Store.Update(ctx, func(tx store.Txn) error {
		if n.Endpoint != Private {
			if taken, err := record.Has(tx, ownerKey(n.Domain)); err != nil || taken {
				if err == nil {
					err = conflict("The domain name you provided already exists.")
				}
				return err
			}
		}
		have, err := record.List[Name](tx, s.names().Span())
		if err != nil {
			return err
		}
		if len(have) >= maxNames {
			return service.Errorf("LimitExceededException", "An account has at most %d custom domain names in a region.", maxNames)
		}
		at := ownerKey(n.Domain)
		if n.Endpoint == Private {
			at = s.private(n)
		}
		if err := record.Set(tx, at, owner(s)); err != nil {
			return err
		}
		return record.Set(tx, s.name(n.Key()), *n)
	})
}

// complete checks a name's settings and reads its trust store.
func (d *Domains) complete(ctx context.Context, n *Name) error {
	if n.RoutingMode == "" {
		n.RoutingMode = MappingOnly
	}
	if !slices.Contains([]string{MappingOnly, RuleOnly, RuleFirst}, n.RoutingMode) {
		return badRequest("Invalid routing mode %q.", n.RoutingMode)
	}
	if n.SecurityPolicy == "" {
		n.SecurityPolicy = "TLS_1_2"
	}
	switch {
	case n.AddressType == "" && n.Endpoint == Private:
		n.AddressType = "dualstack"
	case n.AddressType == "":
		n.AddressType = "ipv4"
	case n.AddressType != "dualstack" && n.Endpoint == Private:
		return badRequest("Only dualstack ipAddressType is supported for private custom domain names.")
	}
	if n.Endpoint != Private && n.Policy+n.ManagementPolicy != "" {
		return badRequest("policy and managementPolicy are supported only for private custom domain names.")
	}
	if n.MutualTLS == nil || n.MutualTLS.PEM != nil {
		return nil
	}
	if n.Endpoint != Regional {
		return badRequest("Mutual TLS is supported only for regional custom domain names.")
	}
	return d.readTrustStore(ctx, n.MutualTLS)
}

// Load returns a name by its [Ref], or NotFoundException.
func Load(r store.Reader, s Scope, name string) (Name, error) {
	n, ok, err := record.Get[Name](r, s.name(strings.ToLower(name)))
	if err == nil && !ok {
		err = notFound("Invalid domain name identifier specified")
	}
	return n, err
}

// Save stores a name that [Load] returned.
func Save(tx store.Txn, s Scope, n *Name) error { return record.Set(tx, s.name(n.Key()), *n) }

// Get returns a name, or NotFoundException.
func (d *Domains) Get(ctx context.Context, s Scope, name string) (n Name, err error) {
	err = d.deps.Store.View(ctx, func(r store.Reader) error {
		n, err = Load(r, s, name)
		return err
	})
	return n, err
}

// Change runs fn on a name and stores what it leaves. A MutualTLS without PEM is read anew. A name stays private or public.
func (d *Domains) Change(ctx context.Context, s Scope, name string, fn func(n *Name) error) (Name, error) {
	n, err := d.Get(ctx, s, name)
	if err != nil {
		return n, err
	}
	was := n.Key()
	// The trust store is read before the transaction, which may run more than once.
	if err := fn(&n); err != nil {
		return n, err
	}
	if err := d.complete(ctx, &n); err != nil {
		return n, err
	}
	if n.Key() != was {
		return n, badRequest("The endpoint type of a custom domain name cannot change to PRIVATE or from it: make another name.")
	}
	tls := n.MutualTLS
	err = d.deps.Store.Update(ctx, func(tx store.Txn) error {
		if n, err = Load(tx, s, name); err != nil {
			return err
		}
		if err := fn(&n); err != nil {
			return err
		}
		n.MutualTLS = tls
		if err := n.takePolicy(s); err != nil {
			return err
		}
		return Save(tx, s, &n)
	})
	return n, err
}

// Delete removes a name with its mappings, rules and associations.
func (d *Domains) Delete(ctx context.Context, s Scope, name string) error {
	return d.deps.Store.Update(ctx, func(tx store.Txn) error {
		n, err := Load(tx, s, name)
		if err != nil {
			return err
		}
		ref := n.Key()
		tx.Delete(s.name(ref))
		tx.DeleteRange(s.mappings(ref), s.mappings(ref).End())
		tx.DeleteRange(s.rules(ref), s.rules(ref).End())
		if n.Endpoint != Private {
			tx.Delete(ownerKey(n.Domain))
			return nil
		}
		tx.Delete(s.private(&n))
		return dissociate(tx, s, ref)
	})
}

// Names calls show with a page of the names of a scope in their order, and returns the token of the next page. show tells whether it takes a name.
func (d *Domains) Names(ctx context.Context, s Scope, token *string, limit int, show func(n *Name) bool) (*string, error) {
	return pageOf(ctx, d, s.names(), token, limit, show)
}

// pageOf calls show with a page of records.
func pageOf[T any](ctx context.Context, d *Domains, at key.Key, token *string, limit int, show func(v *T) bool) (*string, error) {
	next, err := record.Page(ctx, d.deps.Store, at, record.Paging{Token: token, Limit: limit}, func(_ string, v T) bool { return show(&v) })
	if errors.Is(err, record.ErrToken) {
		err = badRequest("Invalid token %q: give the one that the page before had.", *token)
	}
	return next, err
}

const idAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

// newID returns n random characters.
func (d *Domains) newID(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(d.deps.Random, b); err != nil {
		return "", err
	}
	for i := range b {
		b[i] = idAlphabet[int(b[i])%len(idAlphabet)]
	}
	return string(b), nil
}
