package wire

import (
	"fmt"
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/service"
)

// Services tells which API a request is for.
type Services struct {
	byName    map[string]*API
	bySigning map[string][]*API
	byTarget  map[string]*API
	byVersion map[string][]*API
}

// NewServices makes the set of the APIs that a listener answers.
func NewServices(apis ...*API) *Services {
	s := &Services{
		byName:    make(map[string]*API),
		bySigning: make(map[string][]*API),
		byTarget:  make(map[string]*API),
		byVersion: make(map[string][]*API),
	}
	for _, a := range apis {
		s.byName[a.Name] = a
		s.bySigning[a.SigningName] = append(s.bySigning[a.SigningName], a)
		if a.TargetPrefix != "" {
			s.byTarget[a.TargetPrefix] = a
		}
		s.byVersion[a.Version] = append(s.byVersion[a.Version], a)
	}
	return s
}

// API returns an API by its name, or nil.
func (s *Services) API(name string) *API { return s.byName[name] }

// Identify finds the API of a request: by its X-Amz-Target, its rpcv2Cbor path,
// the service in the scope of its signature ("" when it has none), and for
// unsigned query requests by Action and Version.
func (s *Services) Identify(signingName string, req *Request) (*API, error) {
	if prefix, _, ok := strings.Cut(req.Header.Get("X-Amz-Target"), "."); ok {
		if a := s.byTarget[prefix]; a != nil {
			return a, nil
		}
	}
	if name, _, ok := smithyPath(req.RawPath); ok && req.Header.Get("Smithy-Protocol") != "" {
		if a := s.byTarget[name]; a != nil {
			return a, nil
		}
	}
	if a := s.bySignature(signingName, req); a != nil {
		return a, nil
	}
	if signingName == "" {
		if a := s.byAction(req); a != nil {
			return a, nil
		}
		return nil, &service.Error{
			Code: "MissingAuthenticationToken", Status: http.StatusForbidden,
			Message: "Request is missing Authentication Token: nothing in it says which service it is for. Sign the request.",
		}
	}
	return nil, &service.Error{
		Code: "UnknownServiceException", Status: http.StatusNotFound,
		Message: fmt.Sprintf("Lambent has no service with the signing name %q. See docs/coverage.md for the services that it has.", signingName),
	}
}

func (s *Services) bySignature(signingName string, req *Request) *API {
	candidates := s.bySigning[signingName]
	switch len(candidates) {
	case 0:
		return nil
	case 1:
		return candidates[0]
	}
	for _, a := range candidates {
		if _, err := a.Match(req); err == nil {
			return a
		}
	}
	return candidates[0]
}

// byAction serves unsigned calls such as AssumeRoleWithWebIdentity.
func (s *Services) byAction(req *Request) *API {
	if req.mediaType() != "application/x-www-form-urlencoded" && !strings.Contains(req.RawQuery, "Action=") {
		return nil
	}
	form, err := req.formValues()
	if err != nil {
		return nil
	}
	for version, apis := range s.byVersion {
		for _, a := range apis {
			// The links that topics send have no version.
			named := form["Version"] == version || form["Version"] == "" && a.Name == "sns"
			if named && a.Operation(form["Action"]) != nil {
				return a
			}
		}
	}
	return nil
}
