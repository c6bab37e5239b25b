package lambda

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// published is the record of a published version.
type published struct {
	version

	// Fingerprint is that of the unpublished version which it was made from.
	Fingerprint string `json:",omitempty"`
}

// fingerprint is the same for versions that run the same code with the same configuration.
func (v version) fingerprint() (string, error) {
	v.Number, v.Revision, v.OuterRevision, v.Modified, v.Code.Blob, v.State, v.Update = "", "", "", time.Time{}, "", nil, nil
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("compare versions: %w", err)
	}
	h := sha256.Sum256(b)
	return base64.RawStdEncoding.EncodeToString(h[:]), nil
}

// publish keeps the unpublished version under the next number, or, where to says so, as latestPublished, in the place of what was that before. A version
// that has not changed since it was published last is not published again, unless that one could not be prepared.
// f is changed and must be saved by the caller.
func (l *Lambda) publish(ctx context.Context, tx store.Txn, r ref, f *function, description, to string) (version, error) {
	fingerprint, err := f.Latest.fingerprint()
	if err != nil {
		return version{}, err
	}
	number, last := latestPublished, latestPublished
	switch {
	case to == "":
		number, last = strconv.FormatUint(f.Versions+1, 10), strconv.FormatUint(f.Versions, 10)
	case f.Latest.Capacity == nil:
		return version{}, invalid("PublishTo %s is for functions with a capacity provider. Leave it out to publish a numbered version.", to)
	}
	before, ok, err := record.Get[published](tx, r.scope.version(r.name, last))
	if err != nil || ok && before.Fingerprint == fingerprint && !before.State.is(api.StateFailed) {
		return before.version, err
	}
	id, err := l.newID()
	if err != nil {
		return version{}, err
	}
	if to == "" {
		f.Versions++
	}
	v := published{version: f.Latest, Fingerprint: fingerprint}
	v.OuterRevision, v.State, v.Update = "", nil, nil
	v.Number, v.Revision = number, id
	if description != "" {
		v.Description = description
	}
	if err := l.prepare(ctx, tx, r, &v.version); err != nil {
		return version{}, err
	}
	if to != "" && ok {
		if err := before.release(tx, r, &v.version); err != nil {
			return version{}, err
		}
	}
	f.Latest.OuterRevision = uuid.Of("published", id)
	v.keepAll(tx, r)
	return v.version, record.Set(tx, r.scope.version(r.name, v.Number), v)
}

// release makes room for the version that is published in the place of v, and that is used at once if v could be. Zip files that nothing uses any more are left to the sweep
// of bodies.
func (v *published) release(tx store.Txn, r ref, next *version) error {
	if v.State.is(api.StateActive) {
		next.State, next.Update = nil, updateInProgress()
	}
	var unused unusedBlobs
	return v.releaseAll(tx, r, &unused)
}

// prepare begins what a version that is being published needs before it is active.
func (l *Lambda) prepare(ctx context.Context, tx store.Txn, r ref, v *version) error {
	switch {
	case v.SnapStart:
		return l.orderSnapshot(tx, r, v)
	case v.Capacity != nil:
		return orderFleet(ctx, tx, r, v)
	case l.imageMissing(v):
		v.State = pending()
		return orderImage(tx, r, v)
	}
	return nil
}

func (l *Lambda) publishVersion(ctx context.Context, in *api.PublishVersionInput) (*api.PublishVersionOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	var v version
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		f, err := loadFunction(tx, r)
		if err != nil {
			return err
		}
		if err := errors.Join(f.changeable(r), checkRevision(in.RevisionId, f.Latest.revision())); err != nil {
			return err
		}
		if in.CodeSha256 != nil && *in.CodeSha256 != "" && *in.CodeSha256 != f.Latest.Code.Hash {
			return invalid("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", *in.CodeSha256, f.Latest.Code.Hash)
		}
		if v, err = l.publish(ctx, tx, r, &f, orZero(in.Description), in.PublishTo); err != nil {
			return err
		}
		return record.Set(tx, r.scope.function(r.name), f)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return v.configuration(r.with(v.Number)), nil
}

// deleteVersion deletes a published version that no alias points to. A version that does not exist is no error, as on AWS.
func (l *Lambda) deleteVersion(ctx context.Context, r ref) error {
	var unused unusedBlobs
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		unused = nil
		if _, err := loadFunction(tx, r.with("")); err != nil {
			return err
		}
		if !isPublished(r.qualifier) {
			return invalid("Deletion of aliases is not currently supported.")
		}
		gone, ok, err := record.Get[version](tx, r.scope.version(r.name, r.qualifier))
		if err != nil || !ok {
			return err
		}
		for a, err := range record.Range[alias](tx, r.aliases(r.name).Span()) {
			if err != nil {
				return err
			}
			if _, routed := a.Value.Weights[r.qualifier]; routed || a.Value.Version == r.qualifier {
				return conflict("Unable to delete version because the following aliases reference it: [%s]", a.Value.Name)
			}
		}
		tx.Delete(r.scope.version(r.name, r.qualifier))
		removeQualified(tx, r)
		return gone.releaseAll(tx, r, &unused)
	})
	if err != nil {
		return unavailable(err)
	}
	l.dropBlobs(ctx, unused...)
	l.pools.retireVersion(r)
	l.imagePuller.unused()
	return nil
}

// removeQualified removes what belongs to a version or an alias.
func removeQualified(tx store.Txn, r ref) {
	for _, k := range []key.Key{r.policies(r.name), r.asyncs(r.name), r.provisions(r.name), r.runtimeSettings(r.name), r.snapStarts(r.name), r.managed(r.name), r.imageOrders(r.name)} {
		tx.Delete(k.Str(r.qualifier))
	}
}
