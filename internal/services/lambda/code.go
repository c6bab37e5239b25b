package lambda

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/runtimes/code"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// codeSource is where an input takes the code from.
type codeSource struct {
	zip                  []byte
	bucket, key, version *string
}

// takeCode reads the zip file, unpacks it and keeps it as a blob, and notes both in v.
func (l *Lambda) takeCode(ctx context.Context, v *version, src codeSource) error {
	archive, err := l.readZip(ctx, src)
	if err != nil {
		return err
	}
	h, err := l.o.Code.Put(ctx, archive)
	if err != nil {
		return codeError(err)
	}
	w, err := l.deps.Blobs.Create(ctx)
	if err != nil {
		return unavailable(err)
	}
	defer w.Abort()
	if _, err := w.Write(archive); err != nil {
		return unavailable(err)
	}
	id, err := w.Commit(ctx)
	if err != nil {
		return unavailable(err)
	}
	v.CodeHash, v.CodeSize, v.Blob = h.Base64(), int64(len(archive)), id
	return nil
}

func codeError(err error) error {
	var archive *code.ArchiveError
	if !errors.As(err, &archive) {
		return unavailable(err)
	}
	if archive.Entry == "" {
		return invalid("%s", archive.Reason)
	}
	return invalid("The deployment package is refused: %v", archive)
}

// readZip returns the zip file of an input.
func (l *Lambda) readZip(ctx context.Context, src codeSource) ([]byte, error) {
	switch {
	case src.zip != nil && src.bucket != nil:
		return nil, invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case src.zip != nil:
		if len(src.zip) == 0 {
			return nil, invalid("Uploaded file must be a non-empty zip")
		}
		if len(src.zip) > code.MaxZip {
			return nil, tooLarge("Zipped size must be smaller than %d bytes", code.MaxZip)
		}
		return src.zip, nil
	case src.bucket == nil || src.key == nil:
		return nil, invalid("Please provide a source for function code.")
	case l.o.Objects == nil:
		return nil, unsupported("CreateFunction", "Code.S3Bucket")
	}
	body, size, err := l.o.Objects.OpenObject(ctx, *src.bucket, *src.key, orZero(src.version))
	if err != nil {
		var e *service.Error
		if errors.As(err, &e) {
			return nil, invalid("Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s", e.Code, e.Message)
		}
		return nil, err
	}
	defer func() { _ = body.Close() }()
	if size > code.MaxUnzipped {
		return nil, invalid("Unzipped size must be smaller than %d bytes", code.MaxUnzipped)
	}
	archive := make([]byte, size)
	if _, err := io.ReadFull(body, archive); err != nil {
		return nil, fmt.Errorf("read code from bucket %s: %w", *src.bucket, err)
	}
	return archive, nil
}

// ensureCode returns the folder of a version's code, unpacking it again if the folder is gone.
func (l *Lambda) ensureCode(ctx context.Context, v *version) (string, error) {
	h, err := code.ParseHash(v.CodeHash)
	if err != nil {
		return "", err
	}
	if l.o.Code.Has(h) {
		return l.o.Code.Path(h), nil
	}
	b, err := l.deps.Blobs.Open(ctx, v.Blob)
	if err != nil {
		return "", fmt.Errorf("open function code: %w", err)
	}
	defer func() { _ = b.Close() }()
	archive, err := io.ReadAll(io.LimitReader(b, code.MaxUnzipped))
	if err != nil {
		return "", fmt.Errorf("read function code: %w", err)
	}
	got, err := l.o.Code.Put(ctx, archive)
	if err != nil {
		return "", fmt.Errorf("unpack function code: %w", err)
	}
	if got != h {
		return "", fmt.Errorf("function code: %w", blob.ErrDamaged)
	}
	return l.o.Code.Path(h), nil
}

// holdsBody tells whether a blob is the zip file of a function.
func (l *Lambda) holdsBody(ctx context.Context, id blob.ID) (live bool, err error) {
	err = l.deps.Store.View(ctx, func(r store.Reader) error {
		live, err = record.Has(r, blobRef(string(id)))
		return err
	})
	return live, err
}

// dropBlob deletes a zip file that no version uses; if that fails it is left to the sweep.
func (l *Lambda) dropBlob(ctx context.Context, id blob.ID) {
	if id == "" {
		return
	}
	if err := l.deps.Blobs.Delete(context.WithoutCancel(ctx), id); err != nil {
		l.deps.Log.WarnContext(ctx, "function code was not deleted", slog.String("blob", string(id)), slog.Any("error", err))
	}
}

func (l *Lambda) updateFunctionCode(ctx context.Context, in *api.UpdateFunctionCodeInput) (*api.UpdateFunctionCodeOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if in.ImageUri != nil {
		return nil, invalid("Please don't provide ImageUri when updating a function with packageType Zip.")
	}
	if err := refuse("UpdateFunctionCode", []refused{{"SourceKMSKeyArn", in.SourceKMSKeyArn != nil}, {"PublishTo", in.PublishTo != ""}}); err != nil {
		return nil, err
	}
	if len(in.Architectures) > 0 && in.Architectures[0] != hostArchitecture() {
		return nil, invalid("This machine runs %s code; %s cannot be run here.", hostArchitecture(), in.Architectures[0])
	}
	_, _, current, err := l.find(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	if err := checkRevision(in.RevisionId, current.Revision); err != nil {
		return nil, err
	}
	var fresh version
	if err := l.takeCode(ctx, &fresh, codeSource{in.ZipFile, in.S3Bucket, in.S3Key, in.S3ObjectVersion}); err != nil {
		return nil, err
	}
	if orZero(in.DryRun) {
		l.dropBlob(ctx, fresh.Blob)
		current.CodeHash, current.CodeSize = fresh.CodeHash, fresh.CodeSize
		return updating(current.configuration(r)), nil
	}
	shown, unused, err := l.replaceCode(ctx, r, in, &fresh)
	if err != nil {
		l.dropBlob(ctx, fresh.Blob)
		return nil, err
	}
	l.dropBlob(ctx, unused)
	if shown.Number == latest {
		return updating(shown.configuration(r)), nil
	}
	return updating(shown.configuration(r.with(shown.Number))), nil
}

// replaceCode makes fresh the code of the unpublished version. It returns the version to show and the blob that nothing uses any more.
func (l *Lambda) replaceCode(ctx context.Context, r ref, in *api.UpdateFunctionCodeInput, fresh *version) (shown version, unused blob.ID, err error) {
	v, err := l.changeLatest(ctx, r, in.RevisionId, func(tx store.Txn, f *function) error {
		shown, unused = version{}, f.Latest.Blob
		for row, err := range record.Range[version](tx, r.versions(r.name).Span()) {
			if err != nil {
				return err
			}
			if row.Value.Blob == unused {
				unused = ""
				break
			}
		}
		if unused != "" {
			tx.Delete(blobRef(string(unused)))
		}
		tx.Set(blobRef(string(fresh.Blob)), nil)
		f.Latest.CodeHash, f.Latest.CodeSize, f.Latest.Blob = fresh.CodeHash, fresh.CodeSize, fresh.Blob
		if !orZero(in.Publish) {
			return nil
		}
		shown, err = l.publish(tx, r, f, "")
		return err
	})
	if err != nil {
		return shown, "", err
	}
	if shown.Number == "" {
		shown = v
	}
	return shown, unused, nil
}
