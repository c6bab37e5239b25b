package cloudcontrol

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudcontrol"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// keep is how long a request can be asked about, see
// https://docs.aws.amazon.com/cloudcontrolapi/latest/userguide/resource-operations-manage-requests.html.
const keep = 7 * 24 * time.Hour

// requestsPage is how many requests a page has when the call does not say.
const requestsPage = 20

const (
	// workKind is the durable work that carries out a request.
	workKind = "cloudcontrol.request"
	// expiryKind is the durable work that forgets one.
	expiryKind = "cloudcontrol.expiry"
)

// requestRecord is a request. Its Operation is CREATE, UPDATE or DELETE.
type requestRecord struct {
	Token, Type, Operation string
	// Identifier is nil until the identifier of what is made is known.
	Identifier service.Identifier `json:",omitempty"`
	// Desired are the normalised properties that a create or an update aims at.
	Desired map[string]any `json:",omitempty"`
	// ClientToken and Digest, which stands for what was asked, recognise a call that is repeated.
	ClientToken string `json:",omitempty"`
	Digest      string
	Principal   service.Principal
	RoleARN     string `json:",omitempty"`
	// Begun tells that the resource type may have been called.
	Begun bool `json:",omitempty"`
	// Hooks are what the hooks said; nil before, and when there are none.
	Hooks                 []port.HookAnswer `json:",omitempty"`
	Status, Code, Message string
	Asked, Changed        time.Time
}

// job is the payload of the durable work.
type job struct{ Account, Region, Token string }

// ended tells that nothing more happens to the request.
func (r *requestRecord) ended() bool {
	switch r.Status {
	case cloudcontrol.OperationStatusSuccess, cloudcontrol.OperationStatusFailed, cloudcontrol.OperationStatusCancelComplete:
		return true
	}
	return false
}

// event shows the request.
func (r *requestRecord) event() *cloudcontrol.ProgressEvent {
	e := &cloudcontrol.ProgressEvent{
		TypeName: &r.Type, Identifier: opt.Of(r.Identifier.String()), RequestToken: &r.Token, Operation: r.Operation, OperationStatus: r.Status, EventTime: &r.Changed,
		ErrorCode: r.Code, StatusMessage: opt.Of(r.Message),
	}
	if r.Hooks != nil {
		e.HooksRequestToken = &r.Token
	}
	return e
}

// ask makes a request durable, with its job.
func (s *Service) ask(ctx context.Context, r *requestRecord, clientToken, role *string, asked ...string) (*cloudcontrol.ProgressEvent, error) {
	if role != nil {
		if err := s.options.Roles.CheckPassRole(ctx, *role, roleService); err != nil {
			return nil, err
		}
	}
	token, err := uuid.New(s.Random)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(strings.Join(append(asked, r.Operation, r.Type, opt.Value(role)), "\x00")))
	r.Token, r.ClientToken, r.Digest, r.RoleARN = token, opt.Value(clientToken), hex.EncodeToString(sum[:]), opt.Value(role)
	r.Principal, r.Status, r.Asked = service.RequestFrom(ctx).Principal, cloudcontrol.OperationStatusInProgress, s.Clock.Now()
	r.Changed = r.Asked
	made := r
	err = s.Store.Update(ctx, func(tx store.Txn) error {
		made = r
		p := placeOf(ctx)
		if r.ClientToken != "" {
			earlier, err := clientsRequest(tx, p, r)
			if err != nil || earlier != nil {
				made = earlier
				return err
			}
			if err := record.Set(tx, p.client(r.ClientToken), r.Token); err != nil {
				return err
			}
		}
		if err := claim(tx, p, r); err != nil {
			return err
		}
		if err := record.Set(tx, p.token(r.Token), r.Asked); err != nil {
			return err
		}
		payload, err := json.Marshal(job{p.account, p.region, r.Token})
		if err != nil {
			return fmt.Errorf("encode job: %w", err)
		}
		if err := events.Enqueue(tx, events.Job{Kind: workKind, Payload: payload}); err != nil {
			return err
		}
		if err := events.Enqueue(tx, events.Job{Kind: expiryKind, Payload: payload, NotBefore: r.Asked.Add(keep)}); err != nil {
			return err
		}
		return record.Set(tx, p.request(r), r)
	})
	if err != nil {
		return nil, err
	}
	return made.event(), nil
}

// clientsRequest returns the earlier request of the same client token, if there is one and it asked for the same.
func clientsRequest(tx store.Txn, p place, r *requestRecord) (*requestRecord, error) {
	token, found, err := record.Get[string](tx, p.client(r.ClientToken))
	if err != nil || !found {
		return nil, err
	}
	earlier, err := lookup(tx, p, token)
	if err == nil && earlier.Digest != r.Digest {
		err = service.Errorf("ClientTokenConflictException", "ClientToken %s is already associated with an existing operation with RequestToken %s", r.ClientToken, token)
	}
	return earlier, err
}

// claim notes that a request works on a resource, and refuses it when another one does.
func claim(tx store.Txn, p place, r *requestRecord) error {
	if r.Identifier == nil {
		return nil
	}
	at := p.busy(r.Type, r.Identifier.String())
	if token, found, err := record.Get[string](tx, at); err != nil || found && token != r.Token {
		if err == nil {
			err = service.Errorf("ConcurrentOperationException", "Resource %s is already being worked on by the request %s. Wait until that has ended.", r.Identifier, token)
		}
		return err
	}
	return record.Set(tx, at, r.Token)
}

// lookup finds a request by its token.
func lookup(r store.Reader, p place, token string) (*requestRecord, error) {
	asked, found, err := record.Get[time.Time](r, p.token(token))
	if err != nil {
		return nil, err
	}
	row, ok, err := record.Get[requestRecord](r, p.request(&requestRecord{Asked: asked, Token: token}))
	if err == nil && (!found || !ok) {
		err = noRequest(token)
	}
	return &row, err
}

// change changes a request in one transaction, and returns it as it then is. It gives up the resource of a request that has ended.
func (s *Service) change(ctx context.Context, token string, fn func(r *requestRecord) error) (*requestRecord, error) {
	var r *requestRecord
	p := placeOf(ctx)
	err := s.Store.Update(ctx, func(tx store.Txn) (err error) {
		if r, err = lookup(tx, p, token); err != nil {
			return err
		}
		claimed := r.Identifier
		if err := fn(r); err != nil {
			return err
		}
		r.Changed = s.Clock.Now()
		if r.ended() && claimed != nil {
			if by, _, err := record.Get[string](tx, p.busy(r.Type, claimed.String())); err != nil {
				return err
			} else if by == r.Token {
				tx.Delete(p.busy(r.Type, claimed.String()))
			}
		}
		return record.Set(tx, p.request(r), r)
	})
	return r, err
}

func (s *Service) getResourceRequestStatus(ctx context.Context, in *cloudcontrol.GetResourceRequestStatusInput) (*cloudcontrol.GetResourceRequestStatusOutput, error) {
	var r *requestRecord
	err := s.Store.View(ctx, func(tx store.Reader) (err error) {
		r, err = lookup(tx, placeOf(ctx), in.RequestToken)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &cloudcontrol.GetResourceRequestStatusOutput{ProgressEvent: r.event(), HooksProgressEvent: r.hookEvents()}, nil
}

func (s *Service) listResourceRequests(ctx context.Context, in *cloudcontrol.ListResourceRequestsInput) (*cloudcontrol.ListResourceRequestsOutput, error) {
	limit := requestsPage
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	filter := in.ResourceRequestStatusFilter
	if filter == nil {
		filter = &cloudcontrol.ResourceRequestStatusFilter{}
	}
	out := &cloudcontrol.ListResourceRequestsOutput{}
	err := s.Store.View(ctx, func(tx store.Reader) error {
		out.ResourceRequestStatusSummaries, out.NextToken = []cloudcontrol.ProgressEvent{}, nil
		all, err := record.List[requestRecord](tx, placeOf(ctx).requests().Span())
		slices.Reverse(all) // the newest first
		skip := opt.Value(in.NextToken) != ""
		for i := range all {
			r := &all[i]
			if skip {
				skip = r.Token != *in.NextToken
				continue
			}
			if len(filter.Operations) > 0 && !slices.Contains(filter.Operations, r.Operation) ||
				len(filter.OperationStatuses) > 0 && !slices.Contains(filter.OperationStatuses, r.Status) {
				continue
			}
			if n := len(out.ResourceRequestStatusSummaries); n == limit {
				out.NextToken = out.ResourceRequestStatusSummaries[n-1].RequestToken
				break
			}
			out.ResourceRequestStatusSummaries = append(out.ResourceRequestStatusSummaries, *r.event())
		}
		if skip && err == nil {
			err = invalid("NextToken is not one that ListResourceRequests returned")
		}
		return err
	})
	return out, err
}

func (s *Service) cancelResourceRequest(ctx context.Context, in *cloudcontrol.CancelResourceRequestInput) (*cloudcontrol.CancelResourceRequestOutput, error) {
	r, err := s.change(ctx, in.RequestToken, func(r *requestRecord) error {
		switch {
		case r.Status == cloudcontrol.OperationStatusSuccess || r.Status == cloudcontrol.OperationStatusFailed:
			return invalid("Request %s is already in status %s", r.Token, r.Status)
		case r.Status == cloudcontrol.OperationStatusInProgress && r.Begun:
			r.Status = cloudcontrol.OperationStatusCancelInProgress
		case r.Status == cloudcontrol.OperationStatusInProgress:
			r.Status = cloudcontrol.OperationStatusCancelComplete
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if stop, found := s.running.Load(in.RequestToken); found {
		stop.(context.CancelFunc)()
	}
	return &cloudcontrol.CancelResourceRequestOutput{ProgressEvent: r.event()}, nil
}

// expire forgets a request.
func (s *Service) expire(_ context.Context, j events.Job) error {
	var w job
	if err := json.Unmarshal(j.Payload, &w); err != nil {
		return events.Permanent(fmt.Errorf("decode job: %w", err))
	}
	p := place{w.Account, w.Region}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		r, err := lookup(tx, p, w.Token)
		if err != nil {
			return service.Unless(err, "RequestTokenNotFoundException")
		}
		tx.Delete(p.request(r))
		tx.Delete(p.token(r.Token))
		if r.ClientToken != "" {
			tx.Delete(p.client(r.ClientToken))
		}
		return nil
	})
}
