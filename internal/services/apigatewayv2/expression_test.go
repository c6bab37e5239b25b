package apigatewayv2

import "testing"

// TestReferencesStandWithinText holds what values of parameter mappings come to.
func TestReferencesStandWithinText(t *testing.T) {
	for value, want := range map[string]string{
		"$request.path.proxy": "<request.path.proxy>", "$request.path": "<request.path>", "$request.body.a['x y'][0]": "<request.body.a['x y'][0]>",
		"/$request.path.proxy": "/<request.path.proxy>", "/v1/$request.path.id/x": "/v1/<request.path.id>/x", "$request.path.id/x": "<request.path.id>/x", "$request.path/x": "<request.path>/x",
		"${request.header.a}-${context.requestId}": "<request.header.a>-<context.requestId>", "a ${request.header.a} $context.requestId.": "a <request.header.a> <context.requestId>.",
		"$request.header.a $request.querystring.b-c": "<request.header.a> <request.querystring.b-c>", "costs $5, $request, $response.header.a": "costs $5, $request, $response.header.a", "plain": "plain",
	} {
		e, err := parseExpression(value, requestReference)
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if got := e.text(func(reference string) string { return "<" + reference + ">" }); got != want {
			t.Errorf("%s came to %s, want %s", value, got, want)
		}
	}
	for _, bad := range []string{"$nothing", "${nothing}", "/${request.path.a"} {
		if _, err := parseExpression(bad, requestReference); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
