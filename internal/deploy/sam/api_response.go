package sam

import (
	"regexp"
	"slices"
)

var statusCode = regexp.MustCompile(`^[0-9]{1,3}$`)

// addGatewayResponses says how the API answers when it refuses a call.
func (a *restAPI) addGatewayResponses() error {
	responses := a.properties.dict("GatewayResponses")
	if responses.len() == 0 {
		return nil
	}
	if !truthy(a.body) {
		return a.needsBody("GatewayResponses", "")
	}
	for k, v := range responses.all() {
		if isIntrinsic(v) {
			return invalid(a.id, "Unable to set GatewayResponses attribute because intrinsic functions are not supported for this field.")
		}
		d, ok := v.(*dict)
		if !ok {
			return invalid(a.id, "Invalid property type '%s' for GatewayResponses. Expected an object of type 'GatewayResponse'.", pythonType(v))
		}
		for p := range d.all() {
			if !slices.Contains([]string{"ResponseParameters", "ResponseTemplates", "StatusCode"}, p) {
				return invalid(a.id, "Invalid property '%s' in 'GatewayResponses' property '%s'.", p, k)
			}
		}
	}
	if err := a.needsBody("GatewayResponses", "Auth configuration"); err != nil {
		return err
	}
	return a.edit(func(e *swagger) error {
		to, ok := e.responses.(*dict)
		if !ok {
			return invalidDocument("Value of %s must be a dictionary according to Swagger spec.", keyGatewayResponses)
		}
		made := newHashed()
		for _, k := range responses.names() {
			r, err := a.gatewayResponse(k.text, responses.values[k.text].(*dict))
			if err != nil {
				return err
			}
			made.put(k, r)
		}
		for _, k := range made.names() {
			to.put(k, made.values[k.text])
		}
		return nil
	})
}

func (a *restAPI) gatewayResponse(typ string, given *dict) (*dict, error) {
	parameters, templates := given.get("ResponseParameters"), given.get("ResponseTemplates")
	if !truthy(parameters) {
		parameters = newHashed()
	}
	if !truthy(templates) {
		templates = newHashed()
	}
	p, err := inResource(a.id, "GatewayResponses."+typ+".ResponseParameters").dict(parameters)
	if err != nil {
		return nil, err
	}
	for k := range p.all() {
		if !slices.Contains([]string{"Headers", "Paths", "QueryStrings"}, k) {
			return nil, invalid(a.id, "Invalid gateway response parameter '%s'", k)
		}
	}
	var code any
	if v := given.get("StatusCode"); v != nil {
		s := python(v)
		if truthy(v) && !statusCode.MatchString(s) {
			return nil, invalid(a.id, "Property 'StatusCode' must be numeric")
		}
		if s != "" {
			code = s
		}
	}
	all := newHashed()
	for _, k := range [][2]string{{"Headers", "header."}, {"Paths", "path."}, {"QueryStrings", "querystring."}} {
		if !p.has(k[0]) {
			continue
		}
		values, err := inResource(a.id, "ResponseParameters."+k[0]).dict(p.get(k[0]))
		if err != nil {
			return nil, err
		}
		for _, n := range values.names() {
			all.put(name{"gatewayresponse." + k[1] + n.text, n.unicode}, values.values[n.text])
		}
	}
	return hashedOf("responseParameters", all, "responseTemplates", templates, "statusCode", code), nil
}
