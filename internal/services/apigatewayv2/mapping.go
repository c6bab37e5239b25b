package apigatewayv2

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// change is one change that a parameter mapping of an HTTP API makes to a request or to a response
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html).
type change struct {
	verb  string // append, overwrite or remove
	place string // header, querystring, path or statuscode
	name  string // of a header or a query parameter
	value expression
}

// reservedHeader are the headers that no mapping may touch.
var reservedHeader = regexp.MustCompile(`(?i)^(access-control-.*|apigw-.*|authorization|connection|content-encoding|content-length|content-location|forwarded|keep-alive|origin|` +
	`proxy-authenticate|proxy-authorization|te|trailers|transfer-encoding|upgrade|x-amz-.*|x-amzn-.*|x-forwarded-for|x-forwarded-host|x-forwarded-proto|via)$`)

// parseChange parses one member of RequestParameters or of ResponseParameters.
func parseChange(key, value string, response bool) (change, error) {
	verb, target, ok := strings.Cut(key, ":")
	place, name, named := strings.Cut(target, ".")
	c := change{verb: verb, place: place, name: name}
	valid := ok && slices.Contains([]string{"append", "overwrite", "remove"}, verb)
	switch place {
	case "header":
		valid = valid && named && name != ""
		if reservedHeader.MatchString(name) {
			return c, badRequest("Invalid mapping expression specified: %s: the header %s is reserved.", key, name)
		}
	case "querystring":
		valid = valid && named && name != "" && !response
	case "path":
		valid = valid && !named && verb == "overwrite" && !response
	case "statuscode":
		valid = valid && !named && verb == "overwrite" && response
	default:
		valid = false
	}
	if !valid {
		return c, badRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: %s]", key)
	}
	if verb == "remove" {
		return c, nil
	}
	if value == "" {
		return c, badRequest("The mapping %s has no value.", key)
	}
	known := requestReference
	if response {
		known = responseReference
	}
	var err error
	if c.value, err = parseExpression(value, known); err != nil {
		return c, badRequest("Invalid mapping expression specified: %s: %v", value, err)
	}
	return c, nil
}

func requestReference(reference string) bool {
	return reference == "request.path" || reference == "request.body" || anyPrefix(reference, "request.header.", "request.querystring.", "request.path.", "request.body.", "context.", "stageVariables.")
}

func responseReference(reference string) bool {
	return reference == "response.body" || anyPrefix(reference, "response.header.", "response.body.", "context.", "stageVariables.")
}

func anyPrefix(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// parseChanges parses a whole mapping, in a fixed order: removals, overwrites, appends.
func parseChanges(m map[string]string, response bool) ([]change, error) {
	var out []change
	for _, key := range slices.Sorted(maps.Keys(m)) {
		c, err := parseChange(key, m[key], response)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	order := map[string]int{"remove": 0, "overwrite": 1, "append": 2}
	slices.SortStableFunc(out, func(a, b change) int { return order[a.verb] - order[b.verb] })
	return out, nil
}

// checkMappings checks the parameter mappings of an integration of an HTTP API.
func (i *integration) checkMappings() error {
	if i.IntegrationSubtype == nil {
		if _, err := parseChanges(i.RequestParameters, false); err != nil {
			return err
		}
	}
	for status, m := range i.ResponseParameters {
		if n, err := strconv.Atoi(status); err != nil || n < 200 || n > 599 {
			return badRequest("Invalid key %q of ResponseParameters: give a status code from 200 to 599.", status)
		}
		if _, err := parseChanges(m, true); err != nil {
			return err
		}
	}
	return nil
}
