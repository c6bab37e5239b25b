package sam

import (
	"fmt"
	"slices"
)

// eventAuth is what an event says about who may call it.
type eventAuth struct {
	auth, api *dict
	// apiID is the logical id of the API, event the name of the event.
	apiID, event string
	path, method string
	stage        any
}

// addAuth adds to the definition what an event of a function or a state machine says.
func (t *transform) addAuth(e *swagger, a eventAuth) error {
	resolved, err := t.resolve(a.api.get("Auth"))
	if err != nil {
		return err
	}
	apiAuth, _ := resolved.(*dict)
	if err := a.checkAuthorizer(apiAuth); err != nil {
		return err
	}
	scopes := a.auth.get("AuthorizationScopes")
	if truthy(scopes) {
		if _, err := inEvent(a.event, "Auth.AuthorizationScopes").list(scopes); err != nil {
			return err
		}
		if !truthy(a.auth.get("Authorizer")) {
			return invalidEvent(a.event, "AuthorizationScopes works only when Authorizer is set")
		}
	}
	key := a.auth.get("ApiKeyRequired")
	if key != nil && !truthy(key) && !truthy(apiAuth.get("ApiKeyRequired")) {
		return invalidEvent(a.event, "Unable to set ApiKeyRequired [False] on API method [%s] for path [%s] because the related API does not specify any ApiKeyRequired.", a.method, a.path)
	}
	if v := a.auth.get("Authorizer"); truthy(v) {
		if err := e.setAuthorizer(a.path, a.method, v, a.api.dict("Auth").get("Authorizers"), scopes); err != nil {
			return err
		}
	}
	if key != nil {
		if err := e.setAPIKey(a.path, a.method, truthy(key)); err != nil {
			return err
		}
	}
	v := a.auth.get("ResourcePolicy")
	if !truthy(v) {
		return nil
	}
	policy, err := inResource(a.event, "Auth.ResourcePolicy").dict(v)
	if err != nil {
		return err
	}
	if err := e.addResourcePolicy(policy, a.path, a.stage); err != nil {
		return err
	}
	if custom := policy.get("CustomStatements"); truthy(custom) {
		e.addStatements(custom)
	}
	return nil
}

// checkAuthorizer refuses an authorizer that the API does not have.
func (a eventAuth) checkAuthorizer(apiAuth *dict) error {
	v := a.auth.get("Authorizer")
	if !truthy(v) {
		return nil
	}
	authorizers := apiAuth.get("Authorizers")
	if truthy(authorizers) {
		if _, err := inResource(a.apiID, "Auth.Authorizers").dict(authorizers); err != nil {
			return err
		}
	}
	switch {
	case is(v, iamAuthorizer):
		return nil
	case is(v, "NONE"):
		if !truthy(apiAuth.get("DefaultAuthorizer")) {
			return a.noDefault()
		}
		return nil
	case !truthy(authorizers):
		return a.noAuthorizers(v)
	}
	if err := a.checkTypes(v, authorizers); err != nil {
		return err
	}
	s, _ := text(v)
	if !truthy(authorizers.(*dict).get(s)) {
		return a.notDefined(v)
	}
	return nil
}

func (a eventAuth) where() string {
	return fmt.Sprintf("on API method [%s] for path [%s]", a.method, a.path)
}

func (a eventAuth) noDefault() error {
	return invalidEvent(a.event, "Unable to set Authorizer %s because 'NONE' is only a valid value when a DefaultAuthorizer on the API is specified.", a.where())
}

func (a eventAuth) noAuthorizers(v any) error {
	return invalidEvent(a.event, "Unable to set Authorizer [%s] %s because the related API does not define any Authorizers.", python(v), a.where())
}

func (a eventAuth) notDefined(v any) error {
	return invalidEvent(a.event, "Unable to set Authorizer [%s] %s because it wasn't defined in the API's Authorizers.", python(v), a.where())
}

func (a eventAuth) checkTypes(v, authorizers any) error {
	if _, isMap := authorizers.(*dict); !isMap || !aText.fits(v) {
		return invalidEvent(a.event, "Unable to set Authorizer [%s] %s. The method authorizer must be a string with a corresponding dict entry in the api authorizer.", python(v), a.where())
	}
	return nil
}

// setAuthorizer lets an authorizer decide about a method.
func (s *swagger) setAuthorizer(path, method string, v, config, scopes any) error {
	key, _ := nameOf(v)
	authorizers, _ := config.(*dict)
	return s.each(path, method, func(o operation) error {
		existing, err := securityOf(o, path, method)
		if err != nil {
			return err
		}
		requirement := newHashed()
		requirement.put(key, []any{})
		if key.text != "NONE" && authorizers.len() > 0 {
			a, ok := authorizers.get(key.text).(*dict)
			if !ok && authorizers.has(key.text) {
				return invalidDocument("Type of authorizer '%s' must be a dictionary", key.text)
			}
			own := a.get("AuthorizationScopes")
			if scopes != nil {
				own = scopes
			}
			if a != nil && own != nil {
				requirement.put(key, own)
			}
		}
		return s.setSecurity(o, append(slices.Clone(existing), requirement))
	})
}

// setAPIKey says whether a method needs an API key.
func (s *swagger) setAPIKey(path, method string, needed bool) error {
	return s.each(path, method, func(o operation) error {
		key := "api_key_false"
		if needed {
			key = "api_key"
			if err := s.addAPIKeyScheme(); err != nil {
				return err
			}
		}
		existing, err := securityOf(o, path, method)
		if err != nil {
			return err
		}
		o.set("security", append(slices.Clone(existing), hashedOf(key, []any{})))
		return nil
	})
}
