package lambda

import (
	"testing"

	"lambent.dev/lambent/internal/service"
)

func TestFormsOfAFunctionsName(t *testing.T) {
	ctx := service.WithRequest(t.Context(), &service.Request{Account: "111111111111", Region: "us-east-1"})
	for name, want := range map[string]string{
		"f":                       "arn:aws:lambda:us-east-1:111111111111:function:f",
		"f:live":                  "arn:aws:lambda:us-east-1:111111111111:function:f:live",
		"222222222222:function:f": "arn:aws:lambda:us-east-1:222222222222:function:f",
		"arn:aws:lambda:us-east-1:222222222222:function:f:3": "arn:aws:lambda:us-east-1:222222222222:function:f:3",
		"arn:aws:lambda:us-east-1:222222222222:f":            "arn:aws:lambda:us-east-1:222222222222:function:f",
		"arn:aws:lambda:us-east-1:222222222222:layer:f":      "",
		"arn:aws:sqs:us-east-1:222222222222:f":               "",
		"arn:aws:lambda:us-east-1":                           "",
	} {
		r, err := parseRef(ctx, name, nil)
		if got := r.arn(); (err != nil) != (want == "") || err == nil && got != want {
			t.Errorf("%s is read as %s, %v; want %q", name, got, err, want)
		}
	}
}
