package integration

import (
	"context"
	"testing"

	"lambent.dev/lambent/internal/service"
)

// asked is a door that notes what it is asked, and allows it.
type asked struct {
	service.Door

	target service.Target
}

func (d *asked) Allow(_ context.Context, t service.Target) error {
	d.target = t
	return nil
}

func TestRolesArePassedByPermission(t *testing.T) {
	for name, tc := range map[string]struct{ role, asks, code string }{
		"none":                   {"", "", ""},
		"the caller's own right": {AnyUser, "", ""},
		"a role":                 {"arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/a", ""},
		"a variable name":        {"arn:aws:iam::111122223333:role/${stageVariables.r}", "arn:aws:iam::111122223333:role/*", ""},
		"a variable resource":    {"arn:aws:iam::111122223333:$stageVariables.r", "arn:aws:iam::111122223333:*", ""},
		"another account's":      {"arn:aws:iam::999999999999:role/a", "", "AccessDeniedException"},
		"a variable account":     {"arn:aws:iam::${stageVariables.a}:role/a", "", "AccessDeniedException"},
		"all of it a variable":   {"${stageVariables.a}", "", "AccessDeniedException"},
		"no ARN":                 {"admin", "", "AccessDeniedException"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &asked{}
			err := MayPass(service.WithRequest(t.Context(), &service.Request{Account: "111122223333"}), d, &tc.role)
			if got := service.Code(err); got != tc.code {
				t.Errorf("answers %v, want the code %q", err, tc.code)
			}
			if d.target.ARN != tc.asks || tc.asks != "" && (d.target.Owner != "111122223333" || d.target.Condition["iam:PassedToService"][0] != Principal) {
				t.Errorf("asks for %+v, want %q", d.target, tc.asks)
			}
		})
	}
}
