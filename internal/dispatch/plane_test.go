package dispatch_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/auth/sigv4"
)

func TestCallRunsForWhoMayMakeIt(t *testing.T) {
	for _, tc := range []struct {
		name   string
		signer *sigv4.Signer
		body   string
		status int
		text   string
		runs   bool
	}{
		{name: "root", signer: &root, body: keyInfo(), status: 200, text: "<Account>AKIAIOSFODNN7EXAMPLE</Account>", runs: true},
		{name: "user without policy", signer: &alice, body: keyInfo(), status: 403, text: "<Code>AccessDenied</Code>"},
		{name: "user, open operation", signer: &alice, body: form("GetCallerIdentity"), status: 200, text: "user/alice", runs: true},
		{name: "nobody", body: keyInfo(), status: 403, text: "MissingAuthenticationToken"},
		{name: "nobody, open operation", body: form("GetCallerIdentity"), status: 403, text: "MissingAuthenticationToken"},
		{name: "nobody, operation for everybody", status: 200, text: "AssumeRoleWithSAMLResponse", runs: true, body: form("AssumeRoleWithSAML",
			"RoleArn", "arn:aws:iam::000000000000:role/app", "PrincipalArn", "arn:aws:iam::000000000000:saml-provider/p", "SAMLAssertion", "YXNzZXJ0")},
		{name: "unknown key", signer: &sigv4.Signer{AccessKeyID: "AKIANOBODY", Secret: "x", Region: region, Service: "sts"}, body: keyInfo(), status: 403, text: "InvalidClientTokenId"},
		{name: "wrong secret", signer: &sigv4.Signer{AccessKeyID: root.AccessKeyID, Secret: "x", Region: region, Service: "sts"}, body: keyInfo(), status: 403, text: "SignatureDoesNotMatch"},
		{name: "input against the model", signer: &root, body: form("GetAccessKeyInfo"), status: 400, text: "ValidationError"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPlatform(t)
			w := p.serve(request(t, tc.signer, tc.body, tc.body))
			expect(t, w, tc.status, tc.text)
			if ran := len(p.calls()) > 0; ran != tc.runs {
				t.Errorf("handler ran: %v, want %v", ran, tc.runs)
			}
			if strings.Contains(p.log.String(), "level=ERROR") {
				t.Errorf("an answer that the client understands was logged as an error: %s", p.log)
			}
		})
	}
}

func TestOperationWithoutHandlerIsNamedToWhoIsKnown(t *testing.T) {
	p := newPlatform(t)
	body := form("AssumeRole", "RoleArn", "arn:aws:iam::000000000000:role/app", "RoleSessionName", "ss")
	expect(t, p.serve(request(t, &root, body, body)), http.StatusNotImplemented, "NotImplemented", "STS AssumeRole")
	stranger := sigv4.Signer{AccessKeyID: root.AccessKeyID, Secret: "guess", Region: region, Service: "sts"}
	expect(t, p.serve(request(t, &stranger, body, body)), http.StatusForbidden, "SignatureDoesNotMatch")

	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("{}"))
	r.Host = "127.0.0.1:4566"
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "Logs_20140328.DescribeLogGroups")
	signer := root
	signer.Service = "logs"
	if err := signer.SignHTTP(r, sigv4.Hash([]byte("{}")), start); err != nil {
		t.Fatal(err)
	}
	expect(t, p.serve(r), http.StatusNotImplemented, "NotImplemented", "DescribeLogGroups")
}

func TestBodyThatIsNotWhatWasSignedReachesNoHandler(t *testing.T) {
	other := form("GetAccessKeyInfo", "AccessKeyId", "AKIAIOSFODNN7OTHERS")
	for name, body := range map[string]string{"another": other, "longer": keyInfo() + "&X=1", "shorter": keyInfo()[:20], "none": ""} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t)
			w := p.serve(request(t, &root, keyInfo(), body))
			if w.Code < 400 || w.Code >= 500 || len(p.calls()) > 0 {
				t.Errorf("status %d and %d calls, want a refusal: %s", w.Code, len(p.calls()), w.Body)
			}
			if p.log.String() != "" {
				t.Errorf("the client's mistake was logged: %s", p.log)
			}
		})
	}
	t.Run("hash is not in the head", func(t *testing.T) {
		p := newPlatform(t)
		r := request(t, &root, keyInfo(), other)
		r.Header.Del("X-Amz-Content-Sha256")
		if w := p.serve(r); w.Code != http.StatusForbidden || len(p.calls()) > 0 {
			t.Errorf("status %d and %d calls, want a refusal: %s", w.Code, len(p.calls()), w.Body)
		}
	})
}

func TestUnknownErrorIsLoggedOnceAndNotShown(t *testing.T) {
	p := newPlatform(t)
	body := form("GetSessionToken")
	w := p.serve(request(t, &root, body, body))
	expect(t, w, http.StatusInternalServerError, "InternalFailure")
	if strings.Contains(w.Body.String(), "secret") {
		t.Errorf("the client sees the cause: %s", w.Body)
	}
	log := p.log.String()
	if n := strings.Count(log, errDisk.Error()); n != 1 {
		t.Errorf("the cause was logged %d times, want once: %s", n, log)
	}
	_, id, _ := strings.Cut(w.Body.String(), "<RequestId>")
	if id, _, _ = strings.Cut(id, "<"); len(id) != 36 || !strings.Contains(log, "request_id="+id) {
		t.Errorf("request id %q of the answer is not in the log: %s", id, log)
	}
}

func TestConventionalPairCountsOnlyForProgramsOfThisMachine(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(r *http.Request)
		ok     bool
	}{
		{name: "program", change: func(*http.Request) {}, ok: true},
		{name: "by name", change: func(r *http.Request) { r.Host = "localhost:4566" }, ok: true},
		{name: "virtual host", change: func(r *http.Request) { r.Host = "sts.eu-west-3.amazonaws.com" }, ok: true},
		{name: "page of this origin", change: func(r *http.Request) {
			r.Header.Set("Origin", "http://"+r.Host)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}, ok: true},
		{name: "foreign host", change: func(r *http.Request) { r.Host = "evil.example:4566" }},
		{name: "foreign origin", change: func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }},
		{name: "opaque origin", change: func(r *http.Request) { r.Header.Set("Origin", "null") }},
		{name: "cross-site page", change: func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }},
		{name: "same-site page", change: func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }},
		{name: "another machine", change: func(r *http.Request) { r.RemoteAddr = "192.0.2.7:1" }},
		{name: "no address", change: func(r *http.Request) { r.RemoteAddr = "@" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPlatform(t)
			r := request(t, nil, "", keyInfo())
			tc.change(r)
			if err := local.SignHTTP(r, sigv4.Hash([]byte(keyInfo())), start); err != nil {
				t.Fatal(err)
			}
			w := p.serve(r)
			if tc.ok {
				expect(t, w, http.StatusOK, "AKIAIOSFODNN7EXAMPLE")
				return
			}
			expect(t, w, http.StatusForbidden, "InvalidClientTokenId", "lambent env")
			if len(p.calls()) > 0 {
				t.Error("the handler ran")
			}
		})
	}
	t.Run("setting off", func(t *testing.T) {
		p := newPlatform(t)
		p.plane.LocalKeys = false
		expect(t, p.serve(request(t, &local, keyInfo(), keyInfo())), http.StatusForbidden, "InvalidClientTokenId")
	})
	t.Run("listener for the network", func(t *testing.T) {
		p := newPlatform(t)
		p.plane.Loopback = false
		expect(t, p.serve(request(t, &local, keyInfo(), keyInfo())), http.StatusForbidden, "InvalidClientTokenId")
	})
}

// FuzzPlane proves that nothing a client sends makes the plane panic, or reach a handler without a signature.
func FuzzPlane(f *testing.F) {
	for _, s := range []struct{ method, target, host, contentType, amzTarget, authorization, body string }{
		{"POST", "/", "127.0.0.1", "application/x-www-form-urlencoded", "", "", "Action=GetAccessKeyInfo&Version=2011-06-15&AccessKeyId=AKIAIOSFODNN7EXAMPLE"},
		{"POST", "/", "127.0.0.1", "application/x-amz-json-1.1", "Logs_20140328.PutLogEvents", "AWS4-HMAC-SHA256 Credential=AKIAROOT/20261125/x/logs/aws4_request, SignedHeaders=host, Signature=00", "{"},
		{"GET", "/?X-Amz-Credential=a%2Fb%2Fc%2Fsts%2Faws4_request&X-Amz-Signature=%zz", "sts.localhost", "", "", "", ""},
		{"GET", "/?Action=&Action=GetCallerIdentity", "", "", "", "AWS4-HMAC-SHA256 Credential=////", ""},
		{"PUT", "/%00%ff/../..//x?a=%", "[::1]:1", "text/xml", "a.b.c", "AWS :", "<"},
		{"POST", "/service/Logs/operation/PutLogEvents", "h", "application/cbor", "", "Bearer x", "\xbf\xff"},
		{"OPTIONS", "*", "x", "", "", "AWS4-ECDSA-P256-SHA256 Credential=a/b/c/d", ""},
	} {
		f.Add(s.method, s.target, s.host, s.contentType, s.amzTarget, s.authorization, []byte(s.body))
	}
	p := newPlatform(f)
	f.Fuzz(func(t *testing.T, method, target, host, contentType, amzTarget, authorization string, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(string(body)))
		r.Method, r.RequestURI, r.Host = method, target, host
		r.Header = http.Header{"Content-Type": {contentType}, "Authorization": {authorization}}
		if amzTarget != "" {
			r.Header.Set("X-Amz-Target", amzTarget)
		}
		w := p.serve(r)
		for _, c := range p.calls() {
			if c.Operation != "AssumeRoleWithSAML" {
				t.Fatalf("%s ran without a signature", c.Operation)
			}
		}
		if w.Code == http.StatusInternalServerError {
			t.Errorf("garbage made an internal failure: %s, log %s", w.Body, p.log)
		}
	})
}

func TestServiceIsToldOfEveryExchange(t *testing.T) {
	p := newPlatform(t)
	expect(t, p.serve(request(t, &root, keyInfo(), keyInfo())), http.StatusOK)
	expect(t, p.serve(request(t, &alice, keyInfo(), keyInfo())), http.StatusForbidden)
	expect(t, p.serve(request(t, &root, keyInfo(), "another body")), http.StatusForbidden)
	if len(p.told) != 3 {
		t.Fatalf("told of %d exchanges, want 3", len(p.told))
	}
	answered, denied, forged := p.told[0], p.told[1], p.told[2]
	if answered.Status != http.StatusOK || answered.Code != "" || answered.Request.Operation != "GetAccessKeyInfo" || answered.In == nil || answered.Out == nil || answered.Bytes == 0 {
		t.Errorf("the answered exchange is %+v", answered)
	}
	if denied.Status != http.StatusForbidden || denied.Code != "AccessDenied" || denied.In == nil || denied.Out != nil || denied.Request.Principal.UserID != "AIDA1" {
		t.Errorf("the denied exchange is %+v", denied)
	}
	if forged.Status != http.StatusForbidden || forged.Code != "SignatureDoesNotMatch" || forged.In != nil {
		t.Errorf("the forged exchange is %+v", forged)
	}
}
