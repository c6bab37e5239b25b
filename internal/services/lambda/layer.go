package lambda

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/runtimes/code"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// layer is the record of a layer's name. It outlives the versions, so that their numbers are never given again.
type layer struct {
	Name string
	Last int64 // the number of the version that was published last
}

// layerVersion is the record of a version of a layer. It never changes, but for its policy.
type layerVersion struct {
	Number      int64
	Description string
	License     string   `json:",omitempty"`
	Runtimes    []string // what the publisher says that it is for; nil where nothing was said
	Archs       []string
	Created     time.Time
	Content     archive
	Policy      policy
}

// layerUse is a layer version as a function has it. It stays when the layer version is deleted.
type layerUse struct {
	ARN     string
	Content archive
}

// layerRef names a layer, with a version if the number is not 0.
type layerRef struct {
	scope
	name   string
	number int64
}

// layer is the ARN without the version.
func (r layerRef) layer() string {
	return "arn:aws:lambda:" + r.region + ":" + r.account + ":layer:" + r.name
}

// arn is the ARN of the version.
func (r layerRef) arn() string { return r.layer() + ":" + strconv.FormatInt(r.number, 10) }

var layerARN = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]+)(?::(\d+))?$`)

// parseLayer reads the ARN of a layer or a layer version.
func parseLayer(arn string) (layerRef, bool) {
	m := layerARN.FindStringSubmatch(arn)
	if m == nil {
		return layerRef{}, false
	}
	r := layerRef{scope: scope{account: m[2], region: m[1]}, name: m[3]}
	if m[4] != "" {
		n, err := strconv.ParseInt(m[4], 10, 64)
		if err != nil {
			return r, false
		}
		r.number = n
	}
	return r, true
}

// layerOf reads the name of a layer in the forms that the API accepts: a name or an ARN.
func layerOf(ctx context.Context, name string, number int64) layerRef {
	r, ok := parseLayer(name)
	if !ok {
		r = layerRef{scope: scopeOf(ctx), name: name}
	}
	r.number = number
	return r
}

func layerNotFound() *service.Error { return notFound("The resource you requested does not exist.") }

// load returns the record of the version.
func (r layerRef) load(rd store.Reader) (layerVersion, bool, error) {
	if r.number < 1 {
		return layerVersion{}, false, nil
	}
	return record.Get[layerVersion](rd, r.layerVersion(r.name, r.number))
}

func (v *layerVersion) item(r layerRef) *api.LayerVersionsListItem {
	r.number = v.Number
	return &api.LayerVersionsListItem{
		LayerVersionArn: ptr(r.arn()), Version: ptr(v.Number), Description: ptr(v.Description), CreatedDate: ptr(v.Created.UTC().Format(lastModified)),
		CompatibleRuntimes: v.Runtimes, LicenseInfo: optional(v.License), CompatibleArchitectures: v.Archs,
	}
}

func (l *Lambda) layerAnswer(ctx context.Context, r layerRef, v *layerVersion) (*api.GetLayerVersionResponse, error) {
	at, err := l.download(ctx, v.Content.Blob)
	if err != nil {
		return nil, err
	}
	i := v.item(r)
	return &api.GetLayerVersionResponse{
		Content:  &api.LayerVersionContentOutput{CodeSha256: ptr(v.Content.Hash), CodeSize: ptr(v.Content.Size), Location: ptr(at)},
		LayerArn: ptr(r.layer()), LayerVersionArn: i.LayerVersionArn, Description: i.Description, CreatedDate: i.CreatedDate, Version: i.Version,
		CompatibleRuntimes: i.CompatibleRuntimes, LicenseInfo: i.LicenseInfo, CompatibleArchitectures: i.CompatibleArchitectures,
	}, nil
}

func (l *Lambda) publishLayerVersion(ctx context.Context, in *api.PublishLayerVersionInput) (*api.PublishLayerVersionOutput, error) {
	r := layerOf(ctx, in.LayerName, 0)
	if r.scope != scopeOf(ctx) {
		return nil, invalid("Layers can be published only in the account and the region of the call, and %s is in another.", in.LayerName)
	}
	content, err := l.takeArchive(ctx, codeSource{operation: "PublishLayerVersion", zip: in.Content.ZipFile, bucket: in.Content.S3Bucket, key: in.Content.S3Key, version: in.Content.S3ObjectVersion})
	if err != nil {
		return nil, err
	}
	v := layerVersion{
		Description: orZero(in.Description), License: orZero(in.LicenseInfo), Runtimes: in.CompatibleRuntimes, Archs: in.CompatibleArchitectures,
		Created: l.deps.Clock.Now().UTC(), Content: content,
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		meta, _, err := record.Get[layer](tx, r.scope.layer(r.name))
		if err != nil {
			return err
		}
		meta.Name, meta.Last = r.name, meta.Last+1
		v.Number, r.number = meta.Last, meta.Last
		tx.Set(blobRef(content.Blob, r.arn()), nil)
		if err := record.Set(tx, r.scope.layer(r.name), meta); err != nil {
			return err
		}
		return record.Set(tx, r.layerVersion(r.name, v.Number), v)
	})
	if err != nil {
		l.dropBlobs(ctx, content.Blob)
		return nil, unavailable(err)
	}
	a, err := l.layerAnswer(ctx, r, &v)
	return (*api.PublishLayerVersionOutput)(a), err
}

func (l *Lambda) getLayerVersion(ctx context.Context, in *api.GetLayerVersionInput) (*api.GetLayerVersionOutput, error) {
	if in.VersionNumber < 1 {
		return nil, invalid("Layer Version Cannot be less than 1")
	}
	return l.findLayerVersion(ctx, layerOf(ctx, in.LayerName, in.VersionNumber))
}

func (l *Lambda) getLayerVersionByArn(ctx context.Context, in *api.GetLayerVersionByArnInput) (*api.GetLayerVersionByArnOutput, error) {
	r, ok := parseLayer(in.Arn)
	if !ok {
		return nil, layerNotFound()
	}
	return l.findLayerVersion(ctx, r)
}

func (l *Lambda) findLayerVersion(ctx context.Context, r layerRef) (*api.GetLayerVersionResponse, error) {
	var v layerVersion
	err := l.deps.Store.View(ctx, func(rd store.Reader) (err error) {
		var ok bool
		if v, ok, err = r.load(rd); err == nil && !ok {
			err = layerNotFound()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return l.layerAnswer(ctx, r, &v)
}

// deleteLayerVersion deletes a layer version. Functions that have it keep it. One that does not exist is no error, as on AWS.
func (l *Lambda) deleteLayerVersion(ctx context.Context, in *api.DeleteLayerVersionInput) (*api.DeleteLayerVersionOutput, error) {
	if in.VersionNumber < 1 {
		return nil, invalid("Layer Version Cannot be less than 1")
	}
	r := layerOf(ctx, in.LayerName, in.VersionNumber)
	var unused unusedBlobs
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		unused = nil
		v, ok, err := r.load(tx)
		if err != nil || !ok {
			return err
		}
		tx.Delete(r.layerVersion(r.name, r.number))
		return releaseBlob(tx, v.Content.Blob, r.arn(), &unused)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	l.dropBlobs(ctx, unused...)
	return &api.DeleteLayerVersionOutput{}, nil
}

// suits tells whether a layer version is said to be for a runtime and an architecture; empty ones are not asked about.
func (v *layerVersion) suits(runtime, arch string) bool {
	return (runtime == "" || slices.Contains(v.Runtimes, runtime)) && (arch == "" || slices.Contains(v.Archs, arch))
}

// listLayerVersions lists from the newest.
func (l *Lambda) listLayerVersions(ctx context.Context, in *api.ListLayerVersionsInput) (*api.ListLayerVersionsOutput, error) {
	r := layerOf(ctx, in.LayerName, 0)
	limit := pageSize(in.MaxItems, defaultPage)
	span := r.layerVersions(r.name).Span()
	span.Reverse = true
	if in.Marker != nil {
		n, err := strconv.ParseInt(*in.Marker, 10, 64)
		if err != nil || n < 1 {
			return nil, invalid("The marker %s is not one of this operation's.", *in.Marker)
		}
		span.Hi = r.layerVersion(r.name, n)
	}
	out := &api.ListLayerVersionsOutput{LayerVersions: []api.LayerVersionsListItem{}}
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		for row, err := range record.Range[layerVersion](rd, span) {
			if err != nil {
				return err
			}
			v := &row.Value
			if !v.suits(in.CompatibleRuntime, in.CompatibleArchitecture) {
				continue
			}
			if len(out.LayerVersions) == limit {
				out.NextMarker = ptr(strconv.FormatInt(*out.LayerVersions[limit-1].Version, 10))
				return nil
			}
			out.LayerVersions = append(out.LayerVersions, *v.item(r))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// listLayers lists the layers, each with its newest version that suits.
func (l *Lambda) listLayers(ctx context.Context, in *api.ListLayersInput) (*api.ListLayersOutput, error) {
	s := scopeOf(ctx)
	limit := pageSize(in.MaxItems, defaultPage)
	span := s.layers().Span()
	if in.Marker != nil {
		span.Lo = s.layer(*in.Marker).End()
	}
	out := &api.ListLayersOutput{Layers: []api.LayersListItem{}}
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		for row, err := range record.Range[layer](rd, span) {
			if err != nil {
				return err
			}
			r := layerRef{scope: s, name: row.Value.Name}
			v, err := newest(rd, r, in)
			if err != nil {
				return err
			}
			if v == nil {
				continue
			}
			if len(out.Layers) == limit {
				out.NextMarker = out.Layers[limit-1].LayerName
				return nil
			}
			out.Layers = append(out.Layers, api.LayersListItem{LayerName: ptr(r.name), LayerArn: ptr(r.layer()), LatestMatchingVersion: v.item(r)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// newest is a layer's newest version that suits; nil without one.
func newest(rd store.Reader, r layerRef, in *api.ListLayersInput) (*layerVersion, error) {
	span := r.layerVersions(r.name).Span()
	span.Reverse = true
	for row, err := range record.Range[layerVersion](rd, span) {
		if err != nil {
			return nil, err
		}
		if row.Value.suits(in.CompatibleRuntime, in.CompatibleArchitecture) {
			return &row.Value, nil
		}
	}
	return nil, nil //nolint:nilnil // no version suits
}

// maxLayers is how many layers a function may have, https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
const maxLayers = 5

// findLayers returns the layer versions with these ARNs, if a function in the place of r may have them.
func (l *Lambda) findLayers(ctx context.Context, r ref, arns []string) ([]layerUse, error) {
	if len(arns) > maxLayers {
		return nil, invalid("Cannot reference more than %d layers.", maxLayers)
	}
	refs := make([]layerRef, 0, len(arns))
	for _, arn := range arns {
		layer, ok := parseLayer(arn)
		if !ok || layer.number == 0 {
			return nil, invalid("Layer version %s does not exist.", arn)
		}
		if layer.region != r.region {
			return nil, invalid("Layers are not in the same region as the function. Layers are expected to be in region %s.", r.region)
		}
		refs = append(refs, layer)
	}
	uses := make([]layerUse, 0, len(arns))
	for _, layer := range refs {
		u, err := l.findLayer(ctx, layer)
		if err != nil {
			return nil, err
		}
		uses = append(uses, u)
	}
	for i, a := range refs {
		for _, b := range refs[i+1:] {
			if a.layer() == b.layer() {
				return nil, invalid("Two different versions of the same layer are not allowed to be referenced in the same function. %s and %s are versions of the same layer.", a.arn(), b.arn())
			}
		}
	}
	return uses, nil
}

// findLayer returns a layer version, if the caller may get it.
func (l *Lambda) findLayer(ctx context.Context, r layerRef) (layerUse, error) {
	u := layerUse{ARN: r.arn()}
	t := service.Target{Action: "lambda:GetLayerVersion", ARN: r.arn(), Owner: r.account}
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		v, ok, err := r.load(rd)
		if err != nil {
			return err
		}
		if !ok {
			return invalid("Layer version %s does not exist.", r.arn())
		}
		u.Content = v.Content
		t.Policy, err = v.Policy.text()
		return err
	})
	if err != nil {
		return u, err
	}
	return u, l.deps.Door.Allow(ctx, t)
}

// ensureLayers returns the folder with a version's layers, laid over each other in their order; empty for a version without layers.
func (l *Lambda) ensureLayers(ctx context.Context, v *version) (string, error) {
	if len(v.Layers) == 0 {
		return "", nil
	}
	hashes := make([]code.Hash, len(v.Layers))
	for i := range v.Layers {
		h, err := l.ensureArchive(ctx, &v.Layers[i].Content)
		if err != nil {
			return "", err
		}
		hashes[i] = h
	}
	h, err := l.o.Code.Merge(ctx, hashes)
	if err != nil {
		return "", err
	}
	return l.o.Code.Path(h), nil
}

// optional is a pointer to a text, nil for an empty one.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
