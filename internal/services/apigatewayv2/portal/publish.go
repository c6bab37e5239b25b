package portal

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

const (
	// previewTime is how long a preview can be seen.
	previewTime = time.Hour
	// tokenLength is that of the part of a preview's address that nobody can guess, in characters of which each has five bits.
	tokenLength = 32
)

// previewed is the preview of a portal: an edition behind a token, or why there is none.
type previewed struct {
	Edition, Token string               `json:",omitempty"`
	Until          time.Time            // the end of it
	Failure        *api.StatusException `json:",omitempty"`
}

// previewView shows the preview of a portal until its end.
func (p *Portals) previewView(v *portal) *api.Preview {
	switch {
	case v.Preview == nil || !p.deps.Clock.Now().Before(v.Preview.Until):
		return nil
	case v.Preview.Failure != nil:
		return &api.Preview{PreviewStatus: api.PreviewStatusPreviewFailed, StatusException: v.Preview.Failure}
	}
	return &api.Preview{PreviewStatus: api.PreviewStatusPreviewReady, PreviewUrl: ptr(p.deps.BaseURL + previewPath + v.ID + "/" + v.Preview.Token)}
}

// edit writes an edition of a portal. What is wrong with its products is failure, which the portal shows as what went wrong after the call was taken.
func (p *Portals) edit(ctx context.Context, id string, preview bool) (edition string, failure *api.StatusException, err error) {
	v, l, edition, err := p.begin(ctx, id)
	if err != nil {
		return "", nil, err
	}
	if err = p.write(ctx, &v, &l, edition, preview); err != nil && service.Code(err) != "InternalFailure" {
		return edition, statusOf(err), nil
	}
	return edition, nil, err
}

// publishPortal makes the site show what the products say now. A publication that fails leaves the site as it is.
func (p *Portals) publishPortal(ctx context.Context, in *api.PublishPortalInput) (*api.PublishPortalOutput, error) {
	edition, failure, err := p.edit(ctx, in.PortalId, false)
	if err != nil {
		return nil, err
	}
	now := p.deps.Clock.Now().UTC()
	return &api.PublishPortalOutput{}, p.finish(ctx, in.PortalId, edition, func(v *portal) []string {
		if v.Failure = failure; failure != nil {
			v.Status = api.PublishStatusPublishFailed
			return []string{edition}
		}
		old := v.Live
		v.Live, v.Status, v.Published, v.Description = edition, api.PublishStatusPublished, &now, in.Description
		if old == "" {
			return nil
		}
		return []string{old}
	})
}

// previewPortal makes a preview, in place of the one that there was.
func (p *Portals) previewPortal(ctx context.Context, in *api.PreviewPortalInput) (*api.PreviewPortalOutput, error) {
	token, err := p.newID(tokenLength)
	if err != nil {
		return nil, err
	}
	edition, failure, err := p.edit(ctx, in.PortalId, true)
	if err != nil {
		return nil, err
	}
	until := p.deps.Clock.Now().UTC().Add(previewTime)
	return &api.PreviewPortalOutput{}, p.finish(ctx, in.PortalId, edition, func(v *portal) []string {
		var useless []string
		if v.Preview != nil && v.Preview.Edition != "" {
			useless = append(useless, v.Preview.Edition)
		}
		v.Preview = &previewed{Edition: edition, Token: token, Until: until}
		if failure != nil {
			v.Preview = &previewed{Until: until, Failure: failure}
			useless = append(useless, edition)
		}
		return useless
	})
}

// disablePortal takes the site down. One that is down stays so.
func (p *Portals) disablePortal(ctx context.Context, in *api.DisablePortalInput) (*api.DisablePortalOutput, error) {
	_, err := p.changePortal(ctx, in.PortalId, func(tx store.Txn, _ Scope, v *portal) error {
		if v.Live != "" {
			drop(tx, editionKey(v.ID, v.Live))
		}
		v.Live, v.Status, v.Failure = "", api.PublishStatusDisabled, nil
		return nil
	})
	return &api.DisablePortalOutput{}, err
}
