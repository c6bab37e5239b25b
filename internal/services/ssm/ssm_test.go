package ssm

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
)

// keys is a key service with one key, which refuses another context than that of its making.
type keys struct{}

func (keys) CheckKey(context.Context, port.KeyUse) (string, error) { return "arn:key", nil }

func (keys) GenerateDataKey(_ context.Context, use port.KeyUse) (port.DataKey, error) {
	plain := make([]byte, 32)
	_, _ = rand.Read(plain)
	return port.DataKey{Key: "arn:key", Plain: plain, Wrapped: append([]byte(use.Context["PARAMETER_ARN"]+"|"), plain...)}, nil
}

func (keys) Decrypt(_ context.Context, use port.KeyUse, wrapped []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(wrapped, []byte(use.Context["PARAMETER_ARN"]+"|"))
	if !ok {
		return nil, invalid("another context")
	}
	return plain, nil
}

func newTest(t *testing.T) (*Service, context.Context) {
	t.Helper()
	s := newService(service.Deps{Store: mem.New(), Clock: clock.NewFake(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)), Log: slog.New(slog.DiscardHandler)}, Options{Keys: keys{}})
	return s, service.WithRequest(t.Context(), &service.Request{Account: "111122223333", Region: "eu-west-1", Principal: service.Principal{ARN: "arn:aws:iam::111122223333:root"}})
}

func TestSecretValuesAreNotStoredInTheClear(t *testing.T) {
	s, ctx := newTest(t)
	if _, err := s.putParameter(ctx, &api.PutParameterInput{Name: "/db/password", Value: "hunter2hunter2", Type: "SecureString"}); err != nil {
		t.Fatal(err)
	}
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		for row, err := range r.Range(store.Span{}) {
			if err != nil {
				return err
			}
			if bytes.Contains(row.Value, []byte("hunter2")) {
				t.Errorf("the row %q holds the secret", row.Key)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, decrypt := range []bool{true, false} {
		out, err := s.getParameter(ctx, &api.GetParameterInput{Name: "/db/password", WithDecryption: &decrypt})
		if err != nil {
			t.Fatal(err)
		}
		if got := *out.Parameter.Value == "hunter2hunter2"; got != decrypt {
			t.Errorf("WithDecryption %v answers %q", decrypt, *out.Parameter.Value)
		}
	}
}

func TestTheOldestVersionGivesWayUnlessItHasALabel(t *testing.T) {
	s, ctx := newTest(t)
	put := func() error {
		_, err := s.putParameter(ctx, &api.PutParameterInput{Name: "p", Value: "v", Type: "String", Overwrite: ptr(true)})
		return err
	}
	for range maxVersions + 1 {
		if err := put(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.getParameter(ctx, &api.GetParameterInput{Name: "p:1"}); service.Code(err) != "ParameterVersionNotFound" {
		t.Errorf("version 1 of %d: %v", maxVersions+1, err)
	}
	if _, err := s.labelParameterVersion(ctx, &api.LabelParameterVersionInput{Name: "p", ParameterVersion: ptr(int64(2)), Labels: []string{"keep"}}); err != nil {
		t.Fatal(err)
	}
	if err := put(); service.Code(err) != "ParameterMaxVersionLimitExceeded" {
		t.Errorf("a version over a labelled one: %v", err)
	}
}

func TestNamesAreThoseThatAWSTakes(t *testing.T) {
	for name, code := range map[string]string{
		"a": "", "/a/b.c_d-e": "", "a/b": "ValidationException", "/a//b": "ValidationException", "/a/": "ValidationException", "ssm-x": "ValidationException",
		"awsome": "AccessDeniedException", "/aws/x": "AccessDeniedException", "a b": "ValidationException", strings.Repeat("/a", 16): "HierarchyLevelLimitExceededException",
	} {
		if got := service.Code(checkName(name)); got != code {
			t.Errorf("the name %q is refused with %q, want %q", name, got, code)
		}
	}
}
