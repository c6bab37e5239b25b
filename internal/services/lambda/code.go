package lambda

import (
	"context"
	"errors"
	"fmt"
	"io"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/runtimes/code"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// codeSource is where an input takes the code from.
type codeSource struct {
	operation                   string
	zip                         []byte
	bucket, key, version, image *string
}

// takeCode finds the code of an input and notes it in v.
func (l *Lambda) takeCode(ctx context.Context, v *version, src codeSource) error {
	if src.image != nil {
		return l.takeImage(ctx, v, src.operation, *src.image)
	}
	a, err := l.takeArchive(ctx, src)
	v.Code = a
	return err
}

// takeArchive reads the zip file of an input, unpacks it and keeps it as a blob.
func (l *Lambda) takeArchive(ctx context.Context, src codeSource) (archive, error) {
	zip, err := l.readZip(ctx, src)
	if err != nil {
		return archive{}, err
	}
	h, err := l.o.Code.Put(ctx, zip)
	if err != nil {
		return archive{}, codeError(err)
	}
	w, err := l.deps.Blobs.Create(ctx)
	if err != nil {
		return archive{}, unavailable(err)
	}
	defer w.Abort()
	if _, err := w.Write(zip); err != nil {
		return archive{}, unavailable(err)
	}
	id, err := w.Commit(ctx)
	if err != nil {
		return archive{}, unavailable(err)
	}
	return archive{Hash: h.Base64(), Size: int64(len(zip)), Unzipped: code.Unzipped(zip), Blob: id}, nil
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
		return nil, unsupported(src.operation, "S3Bucket")
	}
	body, size, err := l.openObject(ctx, *src.bucket, *src.key, orZero(src.version))
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	if size > code.MaxUnzipped {
		return nil, invalid("Unzipped size must be smaller than %d bytes", code.MaxUnzipped)
	}
	zip := make([]byte, size)
	if _, err := io.ReadFull(body, zip); err != nil {
		return nil, fmt.Errorf("read code from bucket %s: %w", *src.bucket, err)
	}
	return zip, nil
}

// openObject opens an object as the caller may.
func (l *Lambda) openObject(ctx context.Context, bucket, object, version string) (io.ReadCloser, int64, error) {
	body, size, err := l.o.Objects.OpenObject(ctx, bucket, object, version)
	var e *service.Error
	if errors.As(err, &e) {
		err = invalid("Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s", e.Code, e.Message)
	}
	return body, size, err
}

// checkSize fails for a version whose code and layers are too large together.
func (v *version) checkSize() error {
	size := v.Code.Unzipped
	for i := range v.Layers {
		size += v.Layers[i].Content.Unzipped
	}
	if size > code.MaxUnzipped {
		return invalid("Function code combined with layers exceeds the maximum allowed size of %d bytes. The actual size is %d bytes.", code.MaxUnzipped, size)
	}
	return nil
}

// ensureCode returns the folder of a version's code, unpacking it again if the folder is gone; empty for a version whose code is in its image.
func (l *Lambda) ensureCode(ctx context.Context, v *version) (string, error) {
	if v.Image != nil {
		return "", nil
	}
	h, err := l.ensureArchive(ctx, &v.Code)
	if err != nil {
		return "", err
	}
	return l.o.Code.Path(h), nil
}

// ensureArchive unpacks a zip file again if its folder is gone.
func (l *Lambda) ensureArchive(ctx context.Context, a *archive) (code.Hash, error) {
	h, err := code.ParseHash(a.Hash)
	if err != nil || l.o.Code.Has(h) {
		return h, err
	}
	b, err := l.deps.Blobs.Open(ctx, a.Blob, blob.Whole())
	if err != nil {
		return h, fmt.Errorf("open function code: %w", err)
	}
	defer func() { _ = b.Close() }()
	zip, err := io.ReadAll(io.LimitReader(b, code.MaxUnzipped))
	if err != nil {
		return h, fmt.Errorf("read function code: %w", err)
	}
	got, err := l.o.Code.Put(ctx, zip)
	if err != nil {
		return h, fmt.Errorf("unpack function code: %w", err)
	}
	if got != h {
		return h, fmt.Errorf("function code: %w", blob.ErrDamaged)
	}
	return h, nil
}

func (l *Lambda) updateFunctionCode(ctx context.Context, in *api.UpdateFunctionCodeInput) (*api.UpdateFunctionCodeOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err := refuse("UpdateFunctionCode", []refused{{"SourceKMSKeyArn", in.SourceKMSKeyArn != nil}}); err != nil {
		return nil, err
	}
	current, err := l.checkUpdate(ctx, r, in)
	if err != nil {
		return nil, err
	}
	fresh := version{Image: current.Image}
	if err := fresh.setArchitecture(in.Architectures, portable(current.Runtime)); err != nil {
		return nil, err
	}
	src := codeSource{operation: "UpdateFunctionCode", zip: in.ZipFile, bucket: in.S3Bucket, key: in.S3Key, version: in.S3ObjectVersion, image: in.ImageUri}
	if err := l.takeCode(ctx, &fresh, src); err != nil {
		return nil, err
	}
	if orZero(in.DryRun) {
		l.dropBlobs(ctx, fresh.Code.Blob)
		current.Code, current.Image = fresh.Code, fresh.Image
		return updating(current.configuration(r)), nil
	}
	replace := l.replaceCode
	if l.imageMissing(&fresh) {
		replace = l.orderCode
	}
	shown, err := replace(ctx, r, in, &fresh)
	if err != nil {
		l.dropBlobs(ctx, fresh.Code.Blob)
		return nil, err
	}
	if fresh.Image != nil {
		l.imagePuller.unused()
	}
	if shown.Number == latest {
		return updating(shown.configuration(r)), nil
	}
	return created(shown.configuration(r.with(shown.Number))), nil
}

// checkUpdate returns the unpublished version whose code is about to be replaced, unless the input does not fit it.
func (l *Lambda) checkUpdate(ctx context.Context, r ref, in *api.UpdateFunctionCodeInput) (v version, err error) {
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		f, err := loadFunction(rd, r)
		if err != nil {
			return err
		}
		v = f.Latest
		switch {
		case v.Image == nil && in.ImageUri != nil:
			return invalid("Please don't provide ImageUri when updating a function with packageType Zip.")
		case v.Image != nil && in.ImageUri == nil:
			return invalid("Please provide ImageUri when updating a function with packageType Image.")
		}
		if err := checkRevision(in.RevisionId, v.revision()); err != nil {
			return err
		}
		return l.checkSignature(ctx, rd, r, f.SigningConfig)
	})
	return v, err
}

// replaceCode makes fresh the code of the unpublished version, and returns the version to show.
func (l *Lambda) replaceCode(ctx context.Context, r ref, in *api.UpdateFunctionCodeInput, fresh *version) (shown version, err error) {
	v, unused, err := l.changeLatest(ctx, r, in.RevisionId, func(tx store.Txn, f *function) error {
		shown = version{}
		f.Latest.Code, f.Latest.Image, f.Latest.State = fresh.Code, fresh.Image, nil
		if fresh.Architecture != "" {
			f.Latest.Architecture = fresh.Architecture
		}
		if err := f.Latest.checkSize(); err != nil || !orZero(in.Publish) && in.PublishTo == "" {
			return err
		}
		shown, err = l.publish(ctx, tx, r, f, "", in.PublishTo)
		return err
	})
	if err != nil {
		return shown, err
	}
	l.dropBlobs(ctx, unused...)
	if shown.Number == "" {
		shown = v
	}
	return shown, nil
}

// codeLocation tells where the code of a version can be fetched.
func (l *Lambda) codeLocation(ctx context.Context, v *version) (*api.FunctionCodeLocation, error) {
	if v.Image != nil {
		return &api.FunctionCodeLocation{RepositoryType: ptr("ECR"), ImageUri: ptr(v.Image.URI), ResolvedImageUri: ptr(v.Image.resolved())}, nil
	}
	at, err := l.download(ctx, v.Code.Blob)
	return &api.FunctionCodeLocation{RepositoryType: ptr("S3"), Location: ptr(at)}, err
}
