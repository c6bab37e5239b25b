package lambda

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
)

// TestSignedURLAdmitsWhoMayCallIt calls a function URL of the type AWS_IAM over HTTP, with signatures and without.
func TestSignedURLAdmitsWhoMayCallIt(t *testing.T) {
	c, role := start(t, false)
	made, err := c.call(t.Context(), "CreateFunction", map[string]any{
		"FunctionName": "signed", "Runtime": "python3.12", "Handler": "handler.handler", "Role": role, "Code": map[string]any{"ZipFile": archive("signed")},
	})
	if err != nil || made.status != http.StatusCreated {
		t.Fatalf("%+v, %v", made, err)
	}
	url, err := c.call(t.Context(), "CreateFunctionUrlConfig", map[string]any{"FunctionName": "signed", "AuthType": "AWS_IAM"})
	if err != nil || url.status != http.StatusCreated {
		t.Fatalf("%+v, %v", url, err)
	}
	at, _ := url.output["FunctionUrl"].(string)
	other := c.signer
	other.Service = "s3"
	wrong := c.signer
	wrong.Secret += "x"
	for name, tc := range map[string]struct {
		signer *sigv4.Signer
		status int
		text   string
	}{
		"signed":              {&c.signer, http.StatusOK, `"accountId":"` + account + `"`},
		"unsigned":            {nil, http.StatusForbidden, "Forbidden"},
		"wrong secret":        {&wrong, http.StatusForbidden, "Forbidden"},
		"for another service": {&other, http.StatusForbidden, "Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			const body = "hello"
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"path?x=1", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if tc.signer != nil {
				if err := tc.signer.SignHTTP(r, sigv4.Hash([]byte(body)), time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			got, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = got.Body.Close() }()
			answer, err := io.ReadAll(got.Body)
			if err != nil || got.StatusCode != tc.status || !strings.Contains(string(answer), tc.text) {
				t.Errorf("answer %d %s (%v), want %d with %s", got.StatusCode, answer, err, tc.status, tc.text)
			}
		})
	}
}
