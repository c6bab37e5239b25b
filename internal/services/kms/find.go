package kms

import (
	"context"
	"regexp"
	"strings"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// found is a key with where it is.
type found struct {
	place
	keyRecord
	// alias is the alias by which it was named; empty for an id.
	alias string
}

func (f *found) arn() string { return f.place.arn(f.ID) }

var keyIDs = regexp.MustCompile(`^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$`)

// multiIDs begins the ids of multi-Region keys.
const multiIDs = "mrk-"

func noKey(p place, id string) error {
	return refused(codeNotFound, "Key '%s' does not exist", p.arn(id))
}

func noAlias(p place, name string) error {
	return refused(codeNotFound, "Alias %s is not found.", p.aliasARN(name))
}

// parse reads the id of a key (an id, the ARN of a key, an alias or the ARN of one) as what is in the region of p, or in another account in it.
func (p place) parse(text string) (place, string, error) {
	name := text
	if strings.HasPrefix(text, "arn:") {
		a, err := arn.Parse(text)
		if err != nil || a.Service != "kms" {
			return p, "", refused(codeARN, "Invalid arn %s", text)
		}
		if a.Region != p.region {
			return p, "", refused(codeNotFound, "Invalid arn %s", a.Region)
		}
		p.account = a.Account
		name = strings.TrimPrefix(a.Resource, "key/")
	}
	if strings.HasPrefix(name, aliasPrefix) || keyIDs.MatchString(name) {
		return p, name, nil
	}
	return p, "", refused(codeNotFound, "Invalid keyId '%s'", text)
}

// look returns the key that text names.
func look(r store.Reader, p place, text string) (*found, error) {
	p, name, err := p.parse(text)
	if err != nil {
		return nil, err
	}
	f := &found{place: p}
	id := name
	if strings.HasPrefix(name, aliasPrefix) {
		a, there, err := record.Get[aliasRecord](r, p.alias(name))
		if err != nil {
			return nil, err
		}
		if !there {
			return nil, noAlias(p, name)
		}
		f.alias, id = name, a.Target
	}
	var there bool
	f.keyRecord, there, err = record.Get[keyRecord](r, p.key(id))
	if err == nil && !there {
		err = noKey(p, id)
	}
	return f, err
}

// find returns the key that text names. The key of a service comes into being when it is named.
func (s *Service) find(ctx context.Context, text string) (f *found, err error) {
	p := placeOf(ctx)
	look := func() error {
		return s.deps.Store.View(ctx, func(r store.Reader) (err error) {
			f, err = look(r, p, text)
			return err
		})
	}
	err = look()
	if err == nil || !strings.Contains(text, managedPrefix) {
		return f, err
	}
	at, name, parsed := p.parse(text)
	if parsed != nil {
		return nil, err
	}
	if made, makeErr := s.makeManaged(ctx, at, strings.TrimPrefix(name, managedPrefix)); makeErr != nil || !made {
		if makeErr != nil {
			err = makeErr
		}
		return nil, err
	}
	return f, look()
}

// change loads the key that text names, lets fn change it and saves it.
func (s *Service) change(ctx context.Context, text string, fn func(tx store.Txn, f *found) error) (f *found, err error) {
	p := placeOf(ctx)
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if f, err = look(tx, p, text); err != nil {
			return err
		}
		if err := fn(tx, f); err != nil {
			return err
		}
		return record.Set(tx, f.key(f.ID), f.keyRecord)
	})
	return f, err
}

// aliasNames returns the aliases of a key.
func aliasNames(r store.Reader, p place, id string) (names []string, err error) {
	prefix := p.aliasesOf(id)
	for row, err := range r.Range(prefix.Span()) {
		if err != nil {
			return nil, err
		}
		names = append(names, key.Decode(row.Key).Skip(prefix).Str())
	}
	return names, nil
}
