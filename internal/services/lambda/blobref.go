package lambda

import (
	"context"
	"log/slog"
	"slices"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/store"
)

// archive is a zip file in the blob store, and what it unpacks to in the code store.
type archive struct {
	Hash     string // base64 of the zip's SHA-256
	Size     int64  // of the zip, in bytes
	Unzipped int64  // of what comes out of it, in bytes
	Blob     blob.ID
}

// unusedBlobs are zip files that a transaction took the last use of; they are deleted after it.
type unusedBlobs []blob.ID

// keepAll notes that the version uses its zip file and those of its layers.
func (v *version) keepAll(tx store.Txn, r ref) {
	for _, id := range v.blobs() {
		tx.Set(blobRef(id, r.with(v.Number).arn()), nil)
	}
}

// releaseAll notes that the version no longer uses its zip files, and adds those that nobody uses to unused.
func (v *version) releaseAll(tx store.Txn, r ref, unused *unusedBlobs) error {
	for _, id := range v.blobs() {
		if err := releaseBlob(tx, id, r.with(v.Number).arn(), unused); err != nil {
			return err
		}
	}
	return nil
}

// without returns the files of the list that the version does not use.
func (v *version) without(list unusedBlobs) unusedBlobs {
	mine := v.blobs()
	return slices.DeleteFunc(list, func(id blob.ID) bool { return slices.Contains(mine, id) })
}

// blobs are the zip files of a version. A version of an image has none of its own.
func (v *version) blobs() []blob.ID {
	var all []blob.ID
	if v.Code.Blob != "" {
		all = append(all, v.Code.Blob)
	}
	for i := range v.Layers {
		if id := v.Layers[i].Content.Blob; id != "" {
			all = append(all, id)
		}
	}
	return all
}

// releaseBlob notes that what has this ARN no longer uses a zip file.
func releaseBlob(tx store.Txn, id blob.ID, arn string, unused *unusedBlobs) error {
	tx.Delete(blobRef(id, arn))
	live, err := blobUsed(tx, id)
	if err == nil && !live {
		*unused = append(*unused, id)
	}
	return err
}

func blobUsed(rd store.Reader, id blob.ID) (bool, error) {
	span := blobRefs(id).Span()
	span.Limit = 1
	for _, err := range rd.Range(span) {
		return err == nil, err
	}
	return false, nil
}

// holdsBody tells whether a blob is the zip file of a function or a layer, or a payload of a durable execution.
func (l *Lambda) holdsBody(ctx context.Context, id blob.ID) (live bool, err error) {
	if live, err = l.durable.HoldsBody(ctx, id); live || err != nil {
		return live, err
	}
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		live, err = blobUsed(rd, id)
		return err
	})
	return live, err
}

// dropBlobs deletes zip files that no version uses; what fails is left to the sweep.
func (l *Lambda) dropBlobs(ctx context.Context, ids ...blob.ID) {
	for _, id := range ids {
		if id == "" {
			continue
		}
		if err := l.deps.Blobs.Delete(context.WithoutCancel(ctx), id); err != nil {
			l.deps.Log.WarnContext(ctx, "function code was not deleted", slog.String("blob", string(id)), slog.Any("error", err))
		}
	}
}
