package ec2

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// kind is a kind of object with records R.
type kind[R any] struct {
	class
	id func(*R) string
	// refs are the ids of the objects that one needs.
	refs func(*R) []string
}

// class is what is known of a kind without its records.
type class struct {
	// name is AWS's resource type, such as "route-table"; prefix is what ids begin with, without the hyphen.
	name, prefix string
	// absent and malformed are the codes for an id of nothing and for what is no id; unknown is the message of the former, with %s for the id.
	absent, malformed, unknown string
}

// notFound is the error of ids of nothing.
func (c *class) notFound(ids ...string) error {
	text := c.unknown
	if len(ids) > 1 {
		text = strings.Replace(strings.Replace(text, " ID '", " IDs '", 1), "does not exist", "do not exist", 1)
	}
	return refuse(c.absent, text, strings.Join(ids, ", "))
}

// idTail is what follows the prefix of an id: 17 hexadecimal digits, or 8 for what is older than 2016.
var idTail = regexp.MustCompile(`^-([0-9a-f]{8}|[0-9a-f]{17})$`)

// check refuses what cannot be an id of the kind.
func (c *class) check(id string) error {
	if tail, ok := strings.CutPrefix(id, c.prefix); !ok || !idTail.MatchString(tail) {
		return refuse(c.malformed, "Invalid id: \"%s\" (expecting \"%s-...\")", id, c.prefix)
	}
	return nil
}

// view is one state of the objects of an account in a region.
type view struct {
	store.Reader
	scope
}

// edit is a change of them, in one transaction.
type edit struct {
	*view
	tx  store.Txn
	now time.Time
	// seed is what ids are drawn from, and drawn how many were.
	seed  [sha256.Size]byte
	drawn uint32
	// reserved tells that tags of AWS itself may be given, as a deploy does.
	reserved bool
}

// user is an object that refers to another.
type user struct{ kind, id string }

// view runs fn on one state of the caller's objects.
func (s *Service) view(ctx context.Context, fn func(v *view) error) error {
	return storeError(s.deps.Store.View(ctx, func(r store.Reader) error { return fn(&view{r, scopeOf(ctx)}) }))
}

// update runs fn in a transaction on the caller's objects.
func (s *Service) update(ctx context.Context, fn func(e *edit) error) error {
	return s.updateIn(ctx, scopeOf(ctx), fn)
}

func (s *Service) updateIn(ctx context.Context, in scope, fn func(e *edit) error) error {
	seed, err := s.seed(ctx, in)
	if err != nil {
		return err
	}
	return storeError(s.deps.Store.Update(ctx, func(tx store.Txn) error {
		return fn(&edit{view: &view{tx, in}, tx: tx, now: s.now(), seed: seed, reserved: service.CreateToken(ctx) != ""})
	}))
}

// seed returns what the ids of a call are drawn from.
func (s *Service) seed(ctx context.Context, in scope) (seed [sha256.Size]byte, err error) {
	if token := tokenOf(ctx); token != "" {
		return sha256.Sum256([]byte(in.account + "\x00" + in.region + "\x00" + token)), nil
	}
	_, err = io.ReadFull(s.deps.Random, seed[:])
	return seed, err
}

// draw returns hexadecimal digits that no other draw of this call returns.
func (e *edit) draw(purpose string, digits int) string {
	e.drawn++
	b := append(e.seed[:], purpose...)
	sum := sha256.Sum256(binary.BigEndian.AppendUint32(b, e.drawn))
	return hex.EncodeToString(sum[:])[:digits]
}

// newID returns a new id with a prefix.
func (e *edit) newID(prefix string) string { return prefix + "-" + e.draw(prefix, 17) }

// find returns the object with an id, or nil.
func find[R any](v *view, k *kind[R], id string) (*R, error) {
	r, ok, err := record.Get[R](v, v.object(k.name, id))
	if err != nil || !ok {
		return nil, err
	}
	return &r, nil
}

// get is find for an id that a caller gave.
func get[R any](v *view, k *kind[R], id string) (*R, error) {
	if err := k.check(id); err != nil {
		return nil, err
	}
	r, err := find(v, k, id)
	if err == nil && r == nil {
		err = k.notFound(id)
	}
	return r, err
}

// all returns the objects of a kind.
func all[R any](v *view, k *kind[R]) ([]R, error) {
	return record.List[R](v, v.objects(k.name).Span())
}

// put writes an object and what it refers to.
func put[R any](e *edit, k *kind[R], r *R) error {
	id := k.id(r)
	old, err := find(e.view, k, id)
	if err != nil {
		return err
	}
	if old != nil {
		unref(e, k, old)
	}
	if k.refs != nil {
		for _, target := range k.refs(r) {
			e.tx.Set(e.users(target).Str(k.name).Str(id), nil)
		}
	}
	return record.Set(e.tx, e.object(k.name, id), *r)
}

func unref[R any](e *edit, k *kind[R], r *R) {
	if k.refs == nil {
		return
	}
	for _, target := range k.refs(r) {
		e.tx.Delete(e.users(target).Str(k.name).Str(k.id(r)))
	}
}

// drop deletes an object with its tags and references.
func drop[R any](e *edit, k *kind[R], r *R) {
	id := k.id(r)
	unref(e, k, r)
	e.tx.Delete(e.object(k.name, id))
	tags := e.tags(id)
	e.tx.DeleteRange(tags, tags.End())
}

// usersOf returns what refers to an object.
func (v *view) usersOf(id string) ([]user, error) {
	var out []user
	prefix := v.users(id)
	for p, err := range v.Range(prefix.Span()) {
		if err != nil {
			return nil, err
		}
		d := key.Decode(p.Key).Skip(prefix)
		out = append(out, user{d.Str(), d.Str()})
	}
	return out, nil
}

// using returns the objects of a kind that refer to an object.
func using[R any](v *view, k *kind[R], id string) ([]*R, error) {
	users, err := v.usersOf(id)
	if err != nil {
		return nil, err
	}
	var out []*R
	for _, u := range users {
		if u.kind != k.name {
			continue
		}
		r, err := find(v, k, u.id)
		if err == nil && r == nil {
			err = fmt.Errorf("ec2: %s refers to %s and is not there", u.id, id)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// make returns the id of a new object of a kind, and the object itself when an earlier try of the same call made it.
func (k *kind[R]) make(e *edit) (id string, made *R, err error) {
	id = e.newID(k.prefix)
	made, err = find(e.view, k, id)
	return id, made, err
}
