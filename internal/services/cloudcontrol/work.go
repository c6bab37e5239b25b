package cloudcontrol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudcontrol"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/jsonpatch"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

func (s *Service) createResource(ctx context.Context, in *cloudcontrol.CreateResourceInput) (*cloudcontrol.CreateResourceOutput, error) {
	k, err := s.kind(in.TypeName, "CREATE", in.TypeVersionId)
	if err != nil {
		return nil, err
	}
	m, err := model(in.DesiredState)
	if err != nil {
		return nil, err
	}
	if err := k.check(m, true); err != nil {
		return nil, err
	}
	r := &requestRecord{Type: k.Name, Operation: "CREATE", Desired: m, Identifier: given(k, m)}
	e, err := s.ask(ctx, r, in.ClientToken, in.RoleArn, in.DesiredState)
	return &cloudcontrol.CreateResourceOutput{ProgressEvent: e}, err
}

// given returns the identifier of a resource that is to be made, when its properties say it all.
func given(k *kind, properties map[string]any) service.Identifier {
	var id service.Identifier
	for _, name := range k.Identifier {
		part, _ := deploy.Member(properties, name).(string)
		if part == "" {
			return nil
		}
		id = append(id, part)
	}
	return id
}

func (s *Service) updateResource(ctx context.Context, in *cloudcontrol.UpdateResourceInput) (*cloudcontrol.UpdateResourceOutput, error) {
	k, err := s.kind(in.TypeName, "UPDATE", in.TypeVersionId)
	if err != nil {
		return nil, err
	}
	id, err := k.identifier(in.Identifier)
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatch.Parse([]byte(in.PatchDocument))
	if err != nil {
		return nil, invalid("Invalid patch document: %s", err)
	}
	as, err := s.as(ctx, in.RoleArn)
	if err != nil {
		return nil, err
	}
	actual, err := s.read(as, k, id)
	if err != nil {
		return nil, err
	}
	r := &requestRecord{Type: k.Name, Operation: "UPDATE", Identifier: id}
	if r.Desired, err = k.patched(actual, id, patch); err != nil {
		return nil, err
	}
	e, err := s.ask(ctx, r, in.ClientToken, in.RoleArn, in.Identifier, in.PatchDocument)
	return &cloudcontrol.UpdateResourceOutput{ProgressEvent: e}, err
}

// patched returns the properties that a patch leads to.
func (k *kind) patched(actual *deploy.Actual, id service.Identifier, patch []jsonpatch.Operation) (map[string]any, error) {
	before := actual.Model(k.Identifier, id)
	changed, err := jsonpatch.Apply(before, patch)
	if err != nil {
		return nil, service.Errorf("InvalidRequestException", "Invalid patch update: %s", err)
	}
	after, ok := changed.(map[string]any)
	if !ok {
		return nil, service.Errorf("InvalidRequestException", "Invalid patch update: the result is not an object")
	}
	var fixed, readOnly []string
	for name, v := range before {
		if k.shape.Has(name) {
			continue
		}
		if now, has := after[name]; !has || !property.Equal(v, now) {
			readOnly = append(readOnly, name)
		}
		delete(after, name)
	}
	for _, name := range k.Attributes {
		if head, _, nested := strings.Cut(name, "."); !nested || !k.shape.Has(head) {
			continue
		}
		if !property.Equal(deploy.Member(before, name), deploy.Member(after, name)) {
			readOnly = append(readOnly, name)
		}
		dropMember(after, strings.Split(name, "."))
	}
	if readOnly != nil {
		slices.Sort(readOnly)
		return nil, service.Errorf("NotUpdatableException", "Invalid patch update: readOnlyProperties [%s] cannot be updated", k.paths(readOnly))
	}
	if err := k.check(after, false); err != nil {
		return nil, err
	}
	for _, d := range k.shape.Diff(actual.Properties, after) {
		if d.Replaces {
			fixed = append(fixed, d.Path)
		}
	}
	if fixed != nil {
		return nil, service.Errorf("NotUpdatableException", "Invalid patch update: createOnlyProperties [%s] cannot be updated", k.paths(fixed))
	}
	return after, nil
}

// dropMember removes a member of an object, and leaves the rest of it as it is.
func dropMember(object map[string]any, path []string) {
	if inner, ok := object[path[0]].(map[string]any); ok && len(path) > 1 {
		inner = maps.Clone(inner)
		object[path[0]] = inner
		dropMember(inner, path[1:])
		return
	}
	delete(object, path[0])
}

func (s *Service) deleteResource(ctx context.Context, in *cloudcontrol.DeleteResourceInput) (*cloudcontrol.DeleteResourceOutput, error) {
	k, err := s.kind(in.TypeName, "DELETE", in.TypeVersionId)
	if err != nil {
		return nil, err
	}
	id, err := k.identifier(in.Identifier)
	if err != nil {
		return nil, err
	}
	e, err := s.ask(ctx, &requestRecord{Type: k.Name, Operation: "DELETE", Identifier: id}, in.ClientToken, in.RoleArn, in.Identifier)
	return &cloudcontrol.DeleteResourceOutput{ProgressEvent: e}, err
}

// work carries out the request that a job names.
func (s *Service) work(ctx context.Context, j events.Job) error {
	var w job
	if err := json.Unmarshal(j.Payload, &w); err != nil {
		return events.Permanent(fmt.Errorf("decode job: %w", err))
	}
	ctx = service.WithRequest(ctx, &service.Request{ID: w.Token, API: "cloudcontrol", Operation: "CreateResource", Account: w.Account, Region: w.Region, Time: s.Clock.Now(), Secure: true})
	within, stop := context.WithCancel(ctx)
	defer stop()
	s.running.Store(w.Token, stop)
	defer s.running.Delete(w.Token)
	r, err := s.request(ctx, w.Token)
	if err != nil {
		return service.Unless(err, "RequestTokenNotFoundException")
	}
	if r.Operation == "DELETE" {
		within = store.MakingRoom(within)
	}
	if within, err = s.asAsker(within, r); err != nil {
		if refused := (*service.Error)(nil); errors.As(err, &refused) {
			return s.end(ctx, r, r.Identifier, err)
		}
		return err
	}
	said, err := s.askHooks(within, r)
	if ctx.Err() != nil || err != nil && within.Err() == nil {
		return errors.Join(ctx.Err(), err)
	}
	var again bool
	r, err = s.change(ctx, w.Token, func(r *requestRecord) error {
		again = r.Begun
		if said != nil {
			r.Hooks = said
		}
		r.Begun = r.Begun || !r.ended() && forbidden(r.Hooks) == nil
		return nil
	})
	switch {
	case err != nil:
		return service.Unless(err, "RequestTokenNotFoundException")
	case r.ended():
		return nil
	case r.Status == cloudcontrol.OperationStatusCancelInProgress:
		return s.end(ctx, r, r.Identifier, context.Canceled)
	case !r.Begun:
		return s.end(ctx, r, r.Identifier, forbidden(r.Hooks))
	}
	id, err := s.carryOut(within, r, again)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && within.Err() == nil && handlerCode(err) == cloudcontrol.HandlerErrorCodeInternalFailure {
		s.Log.ErrorContext(ctx, "a resource type failed", slog.String("type", r.Type), slog.String("request", r.Token), slog.Any("error", err))
	}
	if within.Err() != nil {
		err = context.Canceled
	}
	return s.end(ctx, r, id, err)
}

// asAsker returns a context of calls by the role of a request that is to be carried out, or by whoever asked for it.
func (s *Service) asAsker(ctx context.Context, r *requestRecord) (context.Context, error) {
	ctx = service.As(ctx, r.Principal)
	if r.RoleARN == "" || r.Status != cloudcontrol.OperationStatusInProgress {
		return ctx, nil
	}
	p, err := s.options.Roles.SessionForService(ctx, roleService, r.RoleARN, "AWSCloudControlAPI")
	if err != nil {
		return ctx, err
	}
	return service.As(ctx, p), nil
}

// end keeps how a request came out.
func (s *Service) end(ctx context.Context, r *requestRecord, id service.Identifier, cause error) error {
	_, err := s.change(ctx, r.Token, func(r *requestRecord) error {
		r.Status, r.Code, r.Message = cloudcontrol.OperationStatusSuccess, "", ""
		switch {
		case errors.Is(cause, context.Canceled):
			r.Status = cloudcontrol.OperationStatusCancelComplete
		case cause != nil:
			r.Status, r.Code, r.Message = cloudcontrol.OperationStatusFailed, handlerCode(cause), message(cause)
		}
		if id != nil {
			r.Identifier = id
		}
		r.Desired = nil
		return nil
	})
	return err
}

// carryOut calls the resource type, and returns the identifier of the resource.
func (s *Service) carryOut(ctx context.Context, r *requestRecord, again bool) (service.Identifier, error) {
	k, err := s.kind(r.Type, r.Operation, nil)
	if err != nil {
		return r.Identifier, err
	}
	c := service.ResourceCall{
		LogicalID: k.short(), Type: k.Name, Token: strings.ReplaceAll(r.Token, "-", ""), Retry: again, Tags: map[string]string{},
		NameSeed: k.short() + "-" + strings.ToUpper(strings.ReplaceAll(r.Token, "-", "")[:12]),
	}
	if r.Operation == "CREATE" {
		return s.create(ctx, k, r, c)
	}
	state, err := k.Read(ctx, r.Identifier)
	if err != nil {
		return r.Identifier, err
	}
	c.PhysicalID = state.PhysicalID
	if r.Operation == "DELETE" {
		return r.Identifier, k.Delete(ctx, c, state.Properties)
	}
	want, err := k.decode(r.Desired)
	if err == nil {
		_, err = k.Update(ctx, c, state.Properties, want)
	}
	return r.Identifier, err
}

func (s *Service) create(ctx context.Context, k *kind, r *requestRecord, c service.ResourceCall) (service.Identifier, error) {
	want, err := k.decode(r.Desired)
	if err != nil {
		return r.Identifier, err
	}
	made, err := k.Create(ctx, c, want)
	if err != nil {
		return r.Identifier, err
	}
	return s.types().Identify(k.Name, deploy.Snapshot{PhysicalID: made.PhysicalID, Attributes: made.Attributes, Properties: r.Desired}), nil
}

// short is the last part of a type's name.
func (k *kind) short() string { return k.Name[strings.LastIndex(k.Name, ":")+1:] }
