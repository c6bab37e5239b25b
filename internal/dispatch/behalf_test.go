package dispatch_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

func TestRequestOfAServiceIsThatOfItsPrincipal(t *testing.T) {
	p := newPlatform(t)
	alicePrincipal := service.Principal{Kind: service.User, Account: account, ARN: "arn:aws:iam::" + account + ":user/alice", UserID: "AIDA1"}
	rootPrincipal := service.Principal{Kind: service.Root, Account: account, ARN: "arn:aws:iam::" + account + ":root", UserID: account}
	for name, tc := range map[string]struct {
		service, action, target, contentType, body string
		principal                                  service.Principal
		status                                     int
		text                                       string
	}{
		"an action, parameters in the query": {"sts", "GetAccessKeyInfo", "/?AccessKeyId=AKIAIOSFODNN7EXAMPLE", "application/json", `{"a":1}`, rootPrincipal, 200, "AKIAIOSFODNN7EXAMPLE"},
		"an action, parameters in a form":    {"sts", "GetAccessKeyInfo", "/", "application/x-www-form-urlencoded", "AccessKeyId=AKIAIOSFODNN7FORMFORM", rootPrincipal, 200, "FORMFORM"},
		"a whole request":                    {"sts", "", "/", "application/x-www-form-urlencoded", keyInfo(), rootPrincipal, 200, "AKIAIOSFODNN7EXAMPLE"},
		"who may not":                        {"sts", "GetAccessKeyInfo", "/?AccessKeyId=AKIAIOSFODNN7EXAMPLE", "", "", alicePrincipal, 403, "AccessDenied"},
		"an action of a JSON API":            {"logs", "DescribeLogGroups", "/", "application/json", "{}", rootPrincipal, 501, "NotImplemented"},
		"an action that there is not":        {"sts", "Fly", "/", "", "", rootPrincipal, 400, "InvalidAction"},
		"a service that there is not":        {"flights", "Book", "/", "", "", rootPrincipal, 404, "flights"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, tc.target, strings.NewReader(tc.body))
			if tc.contentType != "" {
				r.Header.Set("Content-Type", tc.contentType)
			}
			w := httptest.NewRecorder()
			p.plane.ServeRequest(w, r, &port.ServiceRequest{Service: tc.service, Action: tc.action, Caller: service.Request{ID: "id-1", Account: account, Region: region, Principal: tc.principal}})
			expect(t, w, tc.status, tc.text)
		})
	}
	for _, r := range p.calls() {
		if r.ID != "id-1" || r.Region != region || r.Principal.Kind != service.Root {
			t.Errorf("a handler saw %+v", r)
		}
	}
}
