package lambda

import (
	"context"
	"strconv"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// publish keeps the unpublished version under the next number. A version that has not changed since it was published last is not published again.
// f is changed and must be saved by the caller.
func (l *Lambda) publish(tx store.Txn, r ref, f *function, description string) (version, error) {
	if f.Versions > 0 {
		last, ok, err := record.Get[version](tx, r.scope.version(r.name, strconv.FormatUint(f.Versions, 10)))
		if err != nil {
			return last, err
		}
		if ok && sameVersion(last, f.Latest) {
			return last, nil
		}
	}
	id, err := l.newID()
	if err != nil {
		return version{}, err
	}
	f.Versions++
	v := f.Latest
	v.Number, v.Revision = strconv.FormatUint(f.Versions, 10), id
	if description != "" {
		v.Description = description
	}
	return v, record.Set(tx, r.scope.version(r.name, v.Number), v)
}

// sameVersion tells whether two versions run the same code with the same configuration.
func sameVersion(a, b version) bool {
	if len(a.Env) != len(b.Env) {
		return false
	}
	for k, v := range a.Env {
		if w, ok := b.Env[k]; !ok || w != v {
			return false
		}
	}
	return a.CodeHash == b.CodeHash && a.Runtime == b.Runtime && a.Handler == b.Handler && a.Role == b.Role && a.Timeout == b.Timeout && a.Memory == b.Memory && a.Tmp == b.Tmp && a.Log == b.Log
}

func (l *Lambda) publishVersion(ctx context.Context, in *api.PublishVersionInput) (*api.PublishVersionOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if in.PublishTo != "" {
		return nil, unsupported("PublishVersion", "PublishTo")
	}
	var v version
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		f, err := loadFunction(tx, r)
		if err != nil {
			return err
		}
		if err := checkRevision(in.RevisionId, f.Latest.Revision); err != nil {
			return err
		}
		if in.CodeSha256 != nil && *in.CodeSha256 != "" && *in.CodeSha256 != f.Latest.CodeHash {
			return invalid("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", *in.CodeSha256, f.Latest.CodeHash)
		}
		if v, err = l.publish(tx, r, &f, orZero(in.Description)); err != nil {
			return err
		}
		return record.Set(tx, r.scope.function(r.name), f)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return v.configuration(r.with(v.Number)), nil
}

func (l *Lambda) listVersionsByFunction(ctx context.Context, in *api.ListVersionsByFunctionInput) (*api.ListVersionsByFunctionOutput, error) {
	r, err := parseRef(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	r.qualifier = ""
	limit := pageSize(in.MaxItems, 50)
	out := &api.ListVersionsByFunctionOutput{Versions: []api.FunctionConfiguration{}}
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		f, err := loadFunction(rd, r)
		if err != nil {
			return err
		}
		span := r.versions(r.name).Span()
		if in.Marker == nil {
			out.Versions = append(out.Versions, listed(f.Latest.configuration(r.with(latest))))
		} else if *in.Marker != latest {
			span.Lo = append(r.scope.version(r.name, *in.Marker), 0)
		}
		for row, err := range record.Range[version](rd, span) {
			if err != nil {
				return err
			}
			if len(out.Versions) == limit {
				out.NextMarker = out.Versions[limit-1].Version
				return nil
			}
			out.Versions = append(out.Versions, listed(row.Value.configuration(r.with(row.Value.Number))))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// deleteVersion deletes a published version that no alias points to. A version that does not exist is no error, as on AWS.
func (l *Lambda) deleteVersion(ctx context.Context, r ref) error {
	if !isNumber(r.qualifier) {
		return invalid("Deletion of aliases is not currently supported.")
	}
	var unused blob.ID
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		f, err := loadFunction(tx, r)
		if err != nil {
			return err
		}
		gone, ok, err := record.Get[version](tx, r.scope.version(r.name, r.qualifier))
		if err != nil || !ok {
			return err
		}
		for a, err := range record.Range[alias](tx, r.aliases(r.name).Span()) {
			if err != nil {
				return err
			}
			if a.Value.Version == r.qualifier {
				return conflict("Unable to delete version because the following aliases reference it: [%s]", a.Value.Name)
			}
		}
		unused = gone.Blob
		if f.Latest.Blob == unused {
			unused = ""
		}
		for v, err := range record.Range[version](tx, r.versions(r.name).Span()) {
			if err != nil {
				return err
			}
			if v.Value.Number != gone.Number && v.Value.Blob == unused {
				unused = ""
			}
		}
		if unused != "" {
			tx.Delete(blobRef(string(unused)))
		}
		tx.Delete(r.scope.version(r.name, r.qualifier))
		tx.Delete(r.scope.policy(r.name, r.qualifier))
		tx.Delete(r.scope.async(r.name, r.qualifier))
		return nil
	})
	if err != nil {
		return unavailable(err)
	}
	l.dropBlob(ctx, unused)
	l.pools.retireVersion(r)
	return nil
}
