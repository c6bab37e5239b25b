package sns

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// platforms are the push services that applications may name. What is pushed is kept in the outbox.
var platforms = []string{"ADM", "APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX", "APNS_MACOS", "APNS_MACOS_SANDBOX", "BAIDU", "FCM", "GCM", "MPNS", "WNS"}

const maxUserData = 2048 // bytes

// appRecord is the record of a platform application.
type appRecord struct {
	Attributes map[string]string `json:",omitempty"`
}

// endpointRecord is the record of a platform endpoint.
type endpointRecord struct{ Attributes map[string]string }

// appAttributes are the attributes of an application beside its credentials, which are never shown.
var appAttributes = []string{
	"PlatformCredential", "PlatformPrincipal", "EventEndpointCreated", "EventEndpointDeleted", "EventEndpointUpdated", "EventDeliveryFailure", "SuccessFeedbackRoleArn",
	"FailureFeedbackRoleArn", "SuccessFeedbackSampleRate", "ApplePlatformTeamID", "ApplePlatformBundleID",
}

var appName = regexp.MustCompile(`^[a-zA-Z0-9_.-]+$`)

// appOf takes the ARN of an application apart: "app/PLATFORM/name".
func appOf(arn string) (p place, id string, err error) {
	p, rest, err := parseARN(arn, "PlatformApplicationArn")
	if err != nil {
		return p, "", err
	}
	id, ok := strings.CutPrefix(rest, "app/")
	if !ok || strings.Count(id, "/") != 1 {
		return p, "", invalid("PlatformApplicationArn Reason: Wrong number of slashes in relative portion of the ARN.")
	}
	return p, id, nil
}

// endpointOf takes the ARN of an endpoint apart: "endpoint/PLATFORM/name/id".
func endpointOf(arn string) (p place, app, id string, err error) {
	p, rest, err := parseARN(arn, "EndpointArn")
	if err != nil {
		return p, "", "", err
	}
	rest, ok := strings.CutPrefix(rest, "endpoint/")
	if !ok || strings.Count(rest, "/") != 2 {
		return p, "", "", invalid("EndpointArn Reason: Wrong number of slashes in relative portion of the ARN.")
	}
	i := strings.LastIndexByte(rest, '/')
	return p, rest[:i], rest[i+1:], nil
}

func checkAppAttributes(in map[string]string, creating bool) error {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if !slices.Contains(appAttributes, name) {
			return invalid("Attributes Reason: Invalid attribute name: %s", name)
		}
	}
	_, credential := in["PlatformCredential"]
	_, principal := in["PlatformPrincipal"]
	switch {
	case creating && !credential && principal:
		return invalid("Attributes Reason: PlatformPrincipal attribute provided without PlatformCredential")
	case creating && credential && !principal:
		return invalid("Attributes Reason: PlatformCredential attribute provided without PlatformPrincipal")
	}
	return nil
}

func (s *Service) createPlatformApplication(ctx context.Context, in *api.CreatePlatformApplicationInput) (*api.CreatePlatformApplicationOutput, error) {
	switch {
	case in.Name == "":
		return nil, invalid(" Reason: cannot be empty")
	case len(in.Name) > 256:
		return nil, invalid("%s Reason: must be at most 256 characters long", in.Name)
	case !appName.MatchString(in.Name):
		return nil, invalid("%s Reason: must contain only characters 'a'-'z', 'A'-'Z', '0'-'9', '_', '-', and '.'", in.Name)
	case !slices.Contains(platforms, in.Platform):
		return nil, invalid("Platform Reason: %s is not supported", in.Platform)
	}
	if err := checkAppAttributes(in.Attributes, true); err != nil {
		return nil, err
	}
	p, id := placeOf(ctx), in.Platform+"/"+in.Name
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		return record.Set(tx, p.app(id), appRecord{in.Attributes})
	})
	return &api.CreatePlatformApplicationOutput{PlatformApplicationArn: new(p.arn("app/" + id))}, storeError(err)
}

// changeApp runs fn on an application and stores it.
func (s *Service) changeApp(ctx context.Context, arn string, fn func(tx store.Txn, p place, id string, r *appRecord) error) error {
	p, id, err := appOf(arn)
	if err != nil {
		return err
	}
	return storeError(s.deps.Store.Update(ctx, func(tx store.Txn) error {
		r, ok, err := record.Get[appRecord](tx, p.app(id))
		if err != nil {
			return err
		}
		if !ok {
			return notFound("PlatformApplication")
		}
		if err := fn(tx, p, id, &r); err != nil {
			return err
		}
		return record.Set(tx, p.app(id), r)
	}))
}

func (s *Service) deletePlatformApplication(ctx context.Context, in *api.DeletePlatformApplicationInput) (*api.DeletePlatformApplicationOutput, error) {
	p, id, err := appOf(in.PlatformApplicationArn)
	if err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		tx.Delete(p.app(id))
		span := p.appEndpoints(id).Span()
		tx.DeleteRange(span.Lo, span.Hi)
		return nil
	})
	return &api.DeletePlatformApplicationOutput{}, storeError(err)
}

// shown returns the attributes of an application without its credentials.
func (r *appRecord) shown() map[string]string {
	out := map[string]string{"Enabled": "true"}
	maps.Copy(out, r.Attributes)
	delete(out, "PlatformCredential")
	delete(out, "PlatformPrincipal")
	return out
}

func (s *Service) getPlatformApplicationAttributes(ctx context.Context, in *api.GetPlatformApplicationAttributesInput) (*api.GetPlatformApplicationAttributesOutput, error) {
	p, id, err := appOf(in.PlatformApplicationArn)
	if err != nil {
		return nil, err
	}
	out := &api.GetPlatformApplicationAttributesOutput{}
	err = s.deps.Store.View(ctx, func(rd store.Reader) error {
		r, ok, err := record.Get[appRecord](rd, p.app(id))
		if err == nil && !ok {
			err = notFound("PlatformApplication")
		}
		out.Attributes = r.shown()
		return err
	})
	return out, storeError(err)
}

func (s *Service) setPlatformApplicationAttributes(ctx context.Context, in *api.SetPlatformApplicationAttributesInput) (*api.SetPlatformApplicationAttributesOutput, error) {
	if _, _, err := appOf(in.PlatformApplicationArn); err != nil {
		return nil, err
	}
	if in.Attributes == nil {
		return nil, service.Errorf("ValidationError", "1 validation error detected: Value null at 'attributes' failed to satisfy constraint: Member must not be null").WithStatus(400)
	}
	err := s.changeApp(ctx, in.PlatformApplicationArn, func(_ store.Txn, _ place, _ string, r *appRecord) error {
		if err := checkAppAttributes(in.Attributes, false); err != nil {
			return err
		}
		if r.Attributes == nil {
			r.Attributes = map[string]string{}
		}
		maps.Copy(r.Attributes, in.Attributes)
		return nil
	})
	return &api.SetPlatformApplicationAttributesOutput{}, err
}

func (s *Service) listPlatformApplications(ctx context.Context, in *api.ListPlatformApplicationsInput) (*api.ListPlatformApplicationsOutput, error) {
	p := placeOf(ctx)
	out := &api.ListPlatformApplicationsOutput{PlatformApplications: []api.PlatformApplication{}}
	var err error
	out.NextToken, err = s.list(ctx, p.apps(), in.NextToken, func(_ store.Reader, id string, pair store.Pair) error {
		var r appRecord
		if err := json.Unmarshal(pair.Value, &r); err != nil {
			return err
		}
		out.PlatformApplications = append(out.PlatformApplications, api.PlatformApplication{PlatformApplicationArn: new(p.arn("app/" + id)), Attributes: r.shown()})
		return nil
	})
	return out, err
}

func checkEndpointAttributes(in map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		switch name {
		case "CustomUserData":
			if len(in[name]) > maxUserData {
				return invalid("Attributes Reason: Invalid value for attribute: CustomUserData: must be at most %d bytes long in UTF-8 encoding", maxUserData)
			}
		case "Enabled", "Token":
		default:
			return invalid("Attributes Reason: Invalid attribute name: %s", name)
		}
	}
	return nil
}

func (s *Service) createPlatformEndpoint(ctx context.Context, in *api.CreatePlatformEndpointInput) (*api.CreatePlatformEndpointOutput, error) {
	if err := checkEndpointAttributes(in.Attributes); err != nil {
		return nil, err
	}
	attributes := map[string]string{"Enabled": "true", "Token": in.Token}
	if in.CustomUserData != nil {
		attributes["CustomUserData"] = *in.CustomUserData
	}
	maps.Copy(attributes, in.Attributes)
	attributes["Enabled"] = strconv.FormatBool(strings.EqualFold(attributes["Enabled"], "true"))
	if err := checkEndpointAttributes(attributes); err != nil {
		return nil, err
	}
	out := &api.CreatePlatformEndpointOutput{}
	err := s.changeApp(ctx, in.PlatformApplicationArn, func(tx store.Txn, p place, app string, _ *appRecord) error {
		id := uuid.Of(p.account, p.region, app, in.Token)
		arn := p.arn("endpoint/" + app + "/" + id)
		out.EndpointArn = &arn
		old, ok, err := record.Get[endpointRecord](tx, p.appEndpoint(app, id))
		if err != nil {
			return err
		}
		if ok && !maps.Equal(old.Attributes, attributes) {
			return invalid("Token Reason: Endpoint %s already exists with the same Token, but different attributes.", arn)
		}
		return record.Set(tx, p.appEndpoint(app, id), endpointRecord{attributes})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) deleteEndpoint(ctx context.Context, in *api.DeleteEndpointInput) (*api.DeleteEndpointOutput, error) {
	p, app, id, err := endpointOf(in.EndpointArn)
	if err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		tx.Delete(p.appEndpoint(app, id))
		return nil
	})
	return &api.DeleteEndpointOutput{}, storeError(err)
}

func (s *Service) viewEndpoint(ctx context.Context, arn string) (r endpointRecord, err error) {
	p, app, id, err := endpointOf(arn)
	if err != nil {
		return r, err
	}
	err = s.deps.Store.View(ctx, func(rd store.Reader) error {
		var ok bool
		if r, ok, err = record.Get[endpointRecord](rd, p.appEndpoint(app, id)); err == nil && !ok {
			err = notFound("Endpoint")
		}
		return err
	})
	return r, storeError(err)
}

func (s *Service) getEndpointAttributes(ctx context.Context, in *api.GetEndpointAttributesInput) (*api.GetEndpointAttributesOutput, error) {
	r, err := s.viewEndpoint(ctx, in.EndpointArn)
	return &api.GetEndpointAttributesOutput{Attributes: r.Attributes}, err
}

func (s *Service) setEndpointAttributes(ctx context.Context, in *api.SetEndpointAttributesInput) (*api.SetEndpointAttributesOutput, error) {
	p, app, id, err := endpointOf(in.EndpointArn)
	if err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		r, ok, err := record.Get[endpointRecord](tx, p.appEndpoint(app, id))
		if err != nil {
			return err
		}
		if !ok {
			return notFound("Endpoint")
		}
		if err := checkEndpointAttributes(in.Attributes); err != nil {
			return err
		}
		maps.Copy(r.Attributes, in.Attributes)
		return record.Set(tx, p.appEndpoint(app, id), r)
	})
	return &api.SetEndpointAttributesOutput{}, storeError(err)
}

func (s *Service) listEndpointsByPlatformApplication(ctx context.Context, in *api.ListEndpointsByPlatformApplicationInput) (*api.ListEndpointsByPlatformApplicationOutput, error) {
	p, app, err := appOf(in.PlatformApplicationArn)
	if err != nil {
		return nil, err
	}
	if _, err := s.getPlatformApplicationAttributes(ctx, &api.GetPlatformApplicationAttributesInput{PlatformApplicationArn: in.PlatformApplicationArn}); err != nil {
		return nil, err
	}
	out := &api.ListEndpointsByPlatformApplicationOutput{Endpoints: []api.Endpoint{}}
	out.NextToken, err = s.list(ctx, p.appEndpoints(app), in.NextToken, func(_ store.Reader, id string, pair store.Pair) error {
		var r endpointRecord
		if err := json.Unmarshal(pair.Value, &r); err != nil {
			return err
		}
		out.Endpoints = append(out.Endpoints, api.Endpoint{EndpointArn: new(p.arn("endpoint/" + app + "/" + id)), Attributes: r.Attributes})
		return nil
	})
	return out, err
}

// publishToEndpoint keeps a push in the outbox.
func (s *Service) publishToEndpoint(ctx context.Context, arn string, e *api.PublishBatchRequestEntry) (*api.PublishOutput, error) {
	r, err := s.viewEndpoint(ctx, arn)
	if service.Code(err) == codeNotFound {
		return nil, invalid("TargetArn Reason: No endpoint found for the target arn specified")
	}
	if err != nil {
		return nil, err
	}
	if r.Attributes["Enabled"] != "true" {
		return nil, service.Errorf("EndpointDisabled", "Endpoint is disabled").WithStatus(400)
	}
	return s.publishToOutbox(ctx, protocolApplication, arn, e)
}
