package domain

import (
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

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

// Domains are the custom domain names of a Lambent. Make one with [New].
type Domains struct {
	deps    service.Deps
	objects port.Objects
	planes  map[string]Plane
	hosts   *memo.Cache[struct{}, string, *host]
}

// New returns the domains of a store. objects reads trust stores.
func New(deps service.Deps, objects port.Objects) *Domains {
	return &Domains{
		deps: deps, objects: objects, planes: map[string]Plane{},
		hosts: memo.New[struct{}, string, *host](deps.Store, maxHosts, func(struct{}) [][]byte { return [][]byte{key.New(prefix)} }),
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

// Create stores a new name: Domain is given by the caller, ID and Created are filled in. The error is one that clients see.
func (d *Domains) Create(ctx context.Context, s Scope, n *Name) error {
	n.Domain = strings.ToLower(n.Domain)
	if len(n.Domain) > 253 || !domainName.MatchString(n.Domain) {
		return badRequest("The domain name %q is not valid: give a full name such as api.example.com, or *.example.com.", n.Domain)
	}
	if err := d.complete(ctx, n); err != nil {
		return err
	}
	id, err := d.newID(10)
	if err != nil {
		return err
	}
	n.ID, n.Created = id, d.deps.Clock.Now().UTC()
	return d.deps.Store.Update(ctx, func(tx store.Txn) error {
		if taken, err := record.Has(tx, ownerKey(n.Domain)); err != nil || taken {
			if err == nil {
				err = conflict("The domain name you provided already exists.")
			}
			return err
		}
		have, err := record.List[Name](tx, s.names().Span())
		if err != nil {
			return err
		}
		if len(have) >= maxNames {
			return service.Errorf("LimitExceededException", "An account has at most %d custom domain names in a region.", maxNames)
		}
		if err := record.Set(tx, ownerKey(n.Domain), owner(s)); err != nil {
			return err
		}
		return record.Set(tx, s.name(n.Domain), *n)
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
	if n.AddressType == "" {
		n.AddressType = "ipv4"
	}
	if n.MutualTLS == nil || n.MutualTLS.PEM != nil {
		return nil
	}
	if n.Endpoint != Regional {
		return badRequest("Mutual TLS is supported only for regional custom domain names.")
	}
	return d.readTrustStore(ctx, n.MutualTLS)
}

// Load returns a name, or NotFoundException.
func Load(r store.Reader, s Scope, name string) (Name, error) {
	n, ok, err := record.Get[Name](r, s.name(strings.ToLower(name)))
	if err == nil && !ok {
		err = notFound("Invalid domain name identifier specified")
	}
	return n, err
}

// Save stores a name that [Load] returned.
func Save(tx store.Txn, s Scope, n *Name) error { return record.Set(tx, s.name(n.Domain), *n) }

// Get returns a name, or NotFoundException.
func (d *Domains) Get(ctx context.Context, s Scope, name string) (n Name, err error) {
	err = d.deps.Store.View(ctx, func(r store.Reader) error {
		n, err = Load(r, s, name)
		return err
	})
	return n, err
}

// Change runs fn on a name and stores what it leaves. A MutualTLS without PEM is read anew.
func (d *Domains) Change(ctx context.Context, s Scope, name string, fn func(n *Name) error) (Name, error) {
	n, err := d.Get(ctx, s, name)
	if err != nil {
		return n, err
	}
	// The trust store is read before the transaction, which may run more than once.
	if err := fn(&n); err != nil {
		return n, err
	}
	if err := d.complete(ctx, &n); err != nil {
		return n, err
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
		return record.Set(tx, s.name(n.Domain), n)
	})
	return n, err
}

// Delete removes a name with its mappings and rules.
func (d *Domains) Delete(ctx context.Context, s Scope, name string) error {
	return d.deps.Store.Update(ctx, func(tx store.Txn) error {
		n, err := Load(tx, s, name)
		if err != nil {
			return err
		}
		tx.Delete(s.name(n.Domain))
		tx.Delete(ownerKey(n.Domain))
		tx.DeleteRange(s.mappings(n.Domain), s.mappings(n.Domain).End())
		tx.DeleteRange(s.rules(n.Domain), s.rules(n.Domain).End())
		return nil
	})
}

// Names calls show with a page of the names of a scope in their order, and returns the token of the next page.
func (d *Domains) Names(ctx context.Context, s Scope, token *string, limit int, show func(n *Name)) (*string, error) {
	next, err := record.Page(ctx, d.deps.Store, s.names(), record.Paging{Token: token, Limit: limit}, func(_ string, n Name) bool {
		show(&n)
		return true
	})
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
