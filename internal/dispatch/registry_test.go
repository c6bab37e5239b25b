package dispatch_test

import (
	"context"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/dispatch"
	"lambent.dev/lambent/internal/service"
)

func TestRegistryRefusesServicesWhoseRulesAndHandlersDiffer(t *testing.T) {
	handlers := &sts.Handlers{GetCallerIdentity: func(context.Context, *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
		return &sts.GetCallerIdentityOutput{}, nil
	}}
	rule := service.OnAny("sts:GetCallerIdentity")
	for _, tc := range []struct {
		name   string
		access map[string]service.Access
		twice  bool
		want   string
	}{
		{name: "whole", access: map[string]service.Access{"GetCallerIdentity": rule}},
		{name: "handler without rule", want: "GetCallerIdentity has a handler and no access rule"},
		{name: "rule without handler", access: map[string]service.Access{"GetCallerIdentity": rule, "AssumeRole": rule}, want: "AssumeRole has an access rule and no handler"},
		{name: "rule without operation", access: map[string]service.Access{"GetCallerIdentity": rule, "GetCalerIdentity": rule}, want: "1 access rules name no operation"},
		{name: "registered twice", access: map[string]service.Access{"GetCallerIdentity": rule}, twice: true, want: "sts is registered twice"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			services := []service.Service{{API: sts.API, Operations: handlers.Bindings(), Access: tc.access}}
			if tc.twice {
				services = append(services, services[0])
			}
			_, err := dispatch.NewRegistry(services, nil)
			if tc.want == "" && err != nil {
				t.Fatal(err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Fatalf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestRegistryTellsWhatIsImplemented(t *testing.T) {
	p := &platform{}
	r, err := dispatch.NewRegistry([]service.Service{{API: sts.API, Operations: p.handlers().Bindings(), Access: rules()}}, []*awsapi.API{logs.API, sts.API})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		api, operation string
		want           bool
	}{
		{"sts", "GetCallerIdentity", true}, {"sts", "AssumeRole", false}, {"sts", "Nothing", false}, {"logs", "PutLogEvents", false}, {"nothing", "GetCallerIdentity", false},
	} {
		if got := r.Implemented(tc.api, tc.operation); got != tc.want {
			t.Errorf("Implemented(%s, %s) = %v, want %v", tc.api, tc.operation, got, tc.want)
		}
	}
}
