package portal

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigatewayv2/paging"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// endpointPage is the record of a product REST endpoint page.
type endpointPage struct {
	ID string
	// Of is the method of a stage that the page is about.
	Of api.IdentifierParts
	// Overrides are the texts that stand in place of what the API says.
	Overrides api.DisplayContentOverrides
	TryIt     string
	Modified  time.Time
}

// place is the path under which stages of an API answer to clients on this machine.
func (p *Portals) place(of *api.IdentifierParts) string {
	return p.deps.BaseURL + "/_aws/execute-api/" + of.RestApiId + "/" + url.PathEscape(of.Stage)
}

// described is an endpoint page with what its API says.
type described struct {
	endpointPage

	operation *operation // nil when err is set
	private   bool
	err       error
}

// view has the members that the outputs of all calls about endpoint pages share.
func (p *Portals) view(d *described, s Scope, product string) *api.CreateProductRestEndpointPageOutput {
	out := &api.CreateProductRestEndpointPageOutput{
		DisplayContent: &api.EndpointDisplayContentResponse{Body: d.Overrides.Body, Endpoint: p.endpointOf(&d.endpointPage), OperationName: d.Overrides.OperationName},
		LastModified:   &d.Modified, ProductRestEndpointPageArn: ptr(s.endpointPageARN(product, d.ID)), ProductRestEndpointPageId: &d.ID,
		RestEndpointIdentifier: &api.RestEndpointIdentifier{IdentifierParts: &d.Of}, Status: api.StatusAvailable, TryItState: d.tryIt(),
	}
	if d.err != nil {
		out.Status, out.StatusException = api.StatusFailed, statusOf(d.err)
		return out
	}
	if out.DisplayContent.Body == nil {
		out.DisplayContent.Body = opt.Of(d.operation.body)
	}
	return out
}

// endpointOf is the URL of the stage of a page.
func (p *Portals) endpointOf(v *endpointPage) string {
	if v.Overrides.Endpoint != nil {
		return *v.Overrides.Endpoint
	}
	return p.place(&v.Of)
}

// tryIt is whether visitors can try the method. Private APIs cannot be tried
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-portals-try-it.html).
func (d *described) tryIt() string {
	if d.private || d.TryIt == "" {
		return api.TryItStateDisabled
	}
	return d.TryIt
}

// statusOf shows an error as the API shows those of what goes on by itself.
func statusOf(err error) *api.StatusException {
	message := err.Error()
	if e := (*service.Error)(nil); errors.As(err, &e) {
		message = e.Message
	}
	return &api.StatusException{Exception: ptr(service.Code(err)), Message: &message}
}

// describer describes endpoint pages; it reads each stage once.
type describer struct {
	portals *Portals
	owner   Scope
	stages  map[[2]string]*stageDocument
}

// stageDocument is what a stage of an API serves, or why that is not known.
type stageDocument struct {
	document *document
	private  bool
	err      error
}

func (p *Portals) describer(owner Scope) *describer {
	return &describer{portals: p, owner: owner, stages: map[[2]string]*stageDocument{}}
}

// describe reads what the API of a page says about it. The error is that of the platform; what is wrong with the page is in the result.
func (d *describer) describe(ctx context.Context, v endpointPage) (*described, error) {
	k := [2]string{v.Of.RestApiId, v.Of.Stage}
	st := d.stages[k]
	if st == nil {
		st = &stageDocument{}
		got, err := d.portals.options.APIs.DescribeREST(ctx, d.owner.Account, d.owner.Region, v.Of.RestApiId, v.Of.Stage)
		switch {
		case err == nil:
			st.private = got.Private
			if st.document, err = readDocument(got.Document); err != nil {
				return nil, err
			}
		case service.Code(err) == "NotFoundException":
			st.err = err
		default:
			return nil, err
		}
		d.stages[k] = st
	}
	out := &described{endpointPage: v, private: st.private, err: st.err}
	if st.err == nil {
		if out.operation = st.document.operation(v.Of.Path, v.Of.Method); out.operation == nil {
			out.err = service.Errorf("NotFoundException", "Stage %s of REST API %s has no method %s %s.", v.Of.Stage, v.Of.RestApiId, v.Of.Method, v.Of.Path)
		}
	}
	return out, nil
}

// setContent puts what a call says about the content of a page into its record.
func (v *endpointPage) setContent(in *api.EndpointDisplayContent) error {
	switch {
	case in == nil:
		return nil
	case (in.None == nil) == (in.Overrides == nil):
		return badRequest("Invalid display content: give one of none and overrides.")
	case in.None != nil:
		v.Overrides = api.DisplayContentOverrides{}
		return nil
	}
	v.Overrides = *in.Overrides
	if v.Overrides.Endpoint == nil {
		return nil
	}
	u, err := url.Parse(*v.Overrides.Endpoint)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return badRequest("Invalid endpoint %q: give the URL under which the API answers, such as https://api.example.com/v1.", *v.Overrides.Endpoint)
	}
	v.Overrides.Endpoint = ptr(strings.TrimSuffix(*v.Overrides.Endpoint, "/"))
	return nil
}

func (p *Portals) createEndpointPage(ctx context.Context, in *api.CreateProductRestEndpointPageInput) (*api.CreateProductRestEndpointPageOutput, error) {
	if in.RestEndpointIdentifier.IdentifierParts == nil {
		return nil, badRequest("Invalid REST endpoint identifier: give its identifierParts.")
	}
	v := endpointPage{Of: *in.RestEndpointIdentifier.IdentifierParts, TryIt: in.TryItState, Modified: p.deps.Clock.Now().UTC()}
	v.Of.Method = strings.ToUpper(v.Of.Method)
	if err := v.setContent(in.DisplayContent); err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	if err := p.productExists(ctx, s, in.PortalProductId); err != nil {
		return nil, err
	}
	var err error
	if v.ID, err = p.newID(idLength); err != nil {
		return nil, err
	}
	d, err := p.describer(s).describe(ctx, v)
	if err == nil {
		err = d.err
	}
	if err != nil {
		return nil, err
	}
	_, err = p.changeProduct(ctx, in.PortalProductId, func(tx store.Txn, _ Scope, _ *product) error {
		if err := checkRoom(tx, s.endpointPages(in.PortalProductId).Span(), maxEndpointPages, "product REST endpoint pages"); err != nil {
			return err
		}
		return record.Set(tx, s.endpointPage(in.PortalProductId, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	return p.view(d, s, in.PortalProductId), nil
}

func loadEndpointPage(r store.Reader, s Scope, product, id string) (endpointPage, error) {
	v, ok, err := record.Get[endpointPage](r, s.endpointPage(product, id))
	if err == nil && !ok {
		err = notFound("product REST endpoint page", id)
	}
	return v, err
}

func (p *Portals) getEndpointPage(ctx context.Context, in *api.GetProductRestEndpointPageInput) (*api.GetProductRestEndpointPageOutput, error) {
	raw, err := strconv.ParseBool(opt.Value(in.IncludeRawDisplayContent))
	if in.IncludeRawDisplayContent != nil && err != nil {
		return nil, badRequest("Invalid includeRawDisplayContent %q: give true or false.", *in.IncludeRawDisplayContent)
	}
	s := ownedBy(ctx, in.ResourceOwnerAccountId)
	var v endpointPage
	err = p.deps.Store.View(ctx, func(r store.Reader) (err error) {
		if _, err = loadProduct(r, s, in.PortalProductId); err == nil {
			v, err = loadEndpointPage(r, s, in.PortalProductId, in.ProductRestEndpointPageId)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	d, err := p.describer(s).describe(ctx, v)
	if err != nil {
		return nil, err
	}
	o := p.view(d, s, in.PortalProductId)
	out := &api.GetProductRestEndpointPageOutput{
		DisplayContent: o.DisplayContent, LastModified: o.LastModified, ProductRestEndpointPageArn: o.ProductRestEndpointPageArn, ProductRestEndpointPageId: o.ProductRestEndpointPageId,
		RestEndpointIdentifier: o.RestEndpointIdentifier, Status: o.Status, StatusException: o.StatusException, TryItState: o.TryItState,
	}
	if raw && d.operation != nil {
		out.RawDisplayContent, err = d.operation.raw()
	}
	return out, err
}

func (p *Portals) listEndpointPages(ctx context.Context, in *api.ListProductRestEndpointPagesInput) (*api.ListProductRestEndpointPagesOutput, error) {
	s := ownedBy(ctx, in.ResourceOwnerAccountId)
	if err := p.productExists(ctx, s, in.PortalProductId); err != nil {
		return nil, err
	}
	list, next, err := paging.Listed(ctx, p.deps.Store, s.endpointPages(in.PortalProductId), in.MaxResults, in.NextToken, func(v *endpointPage) endpointPage { return *v })
	if err != nil {
		return nil, err
	}
	out := &api.ListProductRestEndpointPagesOutput{Items: []api.ProductRestEndpointPageSummaryNoBody{}, NextToken: next}
	describer := p.describer(s)
	for _, v := range list {
		d, err := describer.describe(ctx, v)
		if err != nil {
			return nil, err
		}
		o := p.view(d, s, in.PortalProductId)
		out.Items = append(out.Items, api.ProductRestEndpointPageSummaryNoBody{
			Endpoint: o.DisplayContent.Endpoint, LastModified: *o.LastModified, OperationName: o.DisplayContent.OperationName, ProductRestEndpointPageArn: *o.ProductRestEndpointPageArn,
			ProductRestEndpointPageId: v.ID, RestEndpointIdentifier: o.RestEndpointIdentifier, Status: o.Status, StatusException: o.StatusException, TryItState: o.TryItState,
		})
	}
	return out, nil
}

func (p *Portals) updateEndpointPage(ctx context.Context, in *api.UpdateProductRestEndpointPageInput) (*api.UpdateProductRestEndpointPageOutput, error) {
	s := scopeOf(ctx)
	var v endpointPage
	_, err := p.changeProduct(ctx, in.PortalProductId, func(tx store.Txn, _ Scope, _ *product) (err error) {
		if v, err = loadEndpointPage(tx, s, in.PortalProductId, in.ProductRestEndpointPageId); err != nil {
			return err
		}
		if err := v.setContent(in.DisplayContent); err != nil {
			return err
		}
		if in.TryItState != "" {
			v.TryIt = in.TryItState
		}
		v.Modified = p.deps.Clock.Now().UTC()
		return record.Set(tx, s.endpointPage(in.PortalProductId, v.ID), v)
	})
	if err != nil {
		return nil, err
	}
	d, err := p.describer(s).describe(ctx, v)
	if err != nil {
		return nil, err
	}
	return ptr(api.UpdateProductRestEndpointPageOutput(*p.view(d, s, in.PortalProductId))), nil
}

// deleteEndpointPage deletes a page, and takes it out of the display order of its product.
func (p *Portals) deleteEndpointPage(ctx context.Context, in *api.DeleteProductRestEndpointPageInput) (*api.DeleteProductRestEndpointPageOutput, error) {
	_, err := p.changeProduct(ctx, in.PortalProductId, func(tx store.Txn, s Scope, v *product) error {
		if _, err := loadEndpointPage(tx, s, v.ID, in.ProductRestEndpointPageId); err != nil {
			return err
		}
		v.forget(s.endpointPageARN(v.ID, in.ProductRestEndpointPageId))
		tx.Delete(s.endpointPage(v.ID, in.ProductRestEndpointPageId))
		return nil
	})
	return &api.DeleteProductRestEndpointPageOutput{}, err
}
