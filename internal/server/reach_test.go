package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
)

// signed makes a request with the conventional pair, or another signer.
func signed(t *testing.T, method, target string, body []byte, signer sigv4.Signer) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.SignHTTP(r, sigv4.Hash(body), time.Now()); err != nil {
		t.Fatal(err)
	}
	return r
}

func localPair(service string) sigv4.Signer {
	return sigv4.Signer{AccessKeyID: "test", Secret: "test", Region: "us-east-1", Service: service}
}

// do sends a request and returns status and body of the answer.
func do(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// proxyTo makes a REST API whose stage "live" passes everything on to a backend, and returns the URL of the stage.
func proxyTo(t *testing.T, s *Server, backend string) string {
	t.Helper()
	document, err := json.Marshal(map[string]any{
		"openapi": "3.0.1", "info": map[string]string{"title": "relay", "version": "1"},
		"paths": map[string]any{"/{proxy+}": map[string]any{"x-amazon-apigateway-any-method": map[string]any{
			"parameters": []any{map[string]any{"name": "proxy", "in": "path", "required": true, "schema": map[string]string{"type": "string"}}},
			"x-amazon-apigateway-integration": map[string]any{
				"type": "http_proxy", "httpMethod": "ANY", "uri": backend + "/{proxy}", "requestParameters": map[string]string{"integration.request.path.proxy": "method.request.path.proxy"},
			},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ ID string }
	status, body := do(t, signed(t, http.MethodPost, s.URL()+"/restapis?mode=import", document, localPair("apigateway")))
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusCreated {
		t.Fatalf("import: %d %s", status, body)
	}
	if status, body := do(t, signed(t, http.MethodPost, s.URL()+"/restapis/"+made.ID+"/deployments", []byte(`{"stageName":"live"}`), localPair("apigateway"))); status != http.StatusCreated {
		t.Fatalf("deployment: %d %s", status, body)
	}
	return s.URL() + "/_aws/execute-api/" + made.ID + "/live"
}

// through changes where a signed request goes to: to the same path below another URL.
func through(t *testing.T, stage string, r *http.Request) *http.Request {
	t.Helper()
	relayed, err := http.NewRequestWithContext(t.Context(), r.Method, stage+r.URL.Path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	relayed.Header = r.Header
	return relayed
}

func TestAnAPIReachesThisServerAsAStranger(t *testing.T) {
	s := run(t, machine{clock: clock.System{}}, func(c *config.Config) { c.Ephemeral = true })
	const functions = "/2015-03-31/functions"
	root := sigv4.Signer{AccessKeyID: s.RootKey().AccessKeyID, Secret: s.RootKey().Secret, Region: "us-east-1", Service: "lambda"}
	for _, host := range []string{strings.TrimPrefix(s.URL(), "http://"), strings.Replace(strings.TrimPrefix(s.URL(), "http://"), "127.0.0.1", "localhost", 1)} {
		stage := proxyTo(t, s, "http://"+host)
		if status, body := do(t, signed(t, http.MethodGet, "http://"+host+functions, nil, localPair("lambda"))); status != http.StatusOK {
			t.Fatalf("a person at this machine: %d %s", status, body)
		}
		if status, body := do(t, through(t, stage, signed(t, http.MethodGet, "http://"+host+functions, nil, localPair("lambda")))); status != http.StatusForbidden {
			t.Errorf("the conventional pair through an API: %d %s", status, body)
		}
		if status, body := do(t, through(t, stage, signed(t, http.MethodGet, "http://"+host+functions, nil, root))); status != http.StatusOK {
			t.Errorf("the root user through an API: %d %s", status, body)
		}
		if status, body := do(t, through(t, stage, signed(t, http.MethodGet, "http://"+host+"/_lambent/health", nil, root))); status != http.StatusOK {
			t.Errorf("what everybody may see: %d %s", status, body)
		}
	}
}

func TestBackendsAreWhereTheSettingAllows(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "local") }))
	defer backend.Close()
	for setting, want := range map[string]int{config.BackendsAuto: http.StatusOK, config.BackendsAny: http.StatusOK, config.BackendsPublic: http.StatusInternalServerError} {
		t.Run(setting, func(t *testing.T) {
			s := run(t, machine{clock: clock.System{}}, func(c *config.Config) { c.Ephemeral, c.Backends = true, setting })
			stage := proxyTo(t, s, backend.URL)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, stage+"/a", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if status, body := do(t, r); status != want {
				t.Errorf("a backend on this machine: %d %s", status, body)
			}
			metadata, err := http.NewRequestWithContext(t.Context(), http.MethodGet, proxyTo(t, s, "http://169.254.169.254")+"/latest/meta-data", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if status, body := do(t, metadata); status != http.StatusInternalServerError || body != `{"message": "Internal server error"}` {
				t.Errorf("the metadata service: %d %s", status, body)
			}
		})
	}
}
