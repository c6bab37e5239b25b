package apigatewayv2

import (
	"strings"
	"testing"
)

// FuzzSelection holds that whatever expression an API has and whatever message comes, a route is selected or not, and what is resolved was known when the expression was parsed.
func FuzzSelection(f *testing.F) {
	f.Add("$request.body.action", `{"action":"say"}`)
	f.Add("${request.body.a[0].b}-${context.connectionId}/${stageVariables.x}", `{"a":[{"b":null}]}`)
	f.Add("$request.body.a..b", "[[[[")
	f.Add("${request.body", `"\ud800"`)
	f.Fuzz(func(t *testing.T, expression, message string) {
		e, err := parseExpression(expression, messageReference)
		if err != nil {
			return
		}
		e.text(func(reference string) string {
			if !messageReference(reference) {
				t.Errorf("%q is asked for of %q", reference, expression)
			}
			path, _ := strings.CutPrefix(reference, "request.body.")
			return bodyPath([]byte(message), path)
		})
	})
}
