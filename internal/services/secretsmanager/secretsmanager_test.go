package secretsmanager

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	api "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

const account = "000000000000"

// harness is Secrets Manager with a clock that the test moves and a function that the test is.
type harness struct {
	*Service
	t     *testing.T
	ctx   context.Context
	clock *clock.Fake
	desc  service.Service
	// rotate is the function that rotates; steps are those that it was called with.
	rotate func(step, secret, token string) error
	steps  []string
}

func in(t *testing.T, fn func(t *testing.T, h *harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(t, newHarness(t)) })
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{t: t, clock: clock.NewFake(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)), ctx: fake.Root(t.Context(), account, "us-east-1")}
	door := &fake.Door{}
	d := service.Deps{Store: mem.New(), Clock: h.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler), Door: door}
	h.Service = newService(d, Options{Keys: fake.Keys{}, Functions: functions{h: h}})
	h.desc = h.describe()
	door.Services = []service.Service{h.desc}
	jobs := events.New(d.Store, h.clock, d.Log)
	if err := errors.Join(jobs.Register(h.desc.Jobs...), jobs.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(jobs.Close(), d.Store.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// functions are the function of a harness.
type functions struct {
	port.Functions
	h *harness
}

// CheckInvoke implements [port.Functions].
func (f functions) CheckInvoke(_ context.Context, _ port.Source, function string) error {
	if function != "rotate" {
		return errors.New("there is no such function")
	}
	return nil
}

// Invoke implements [port.Functions].
func (f functions) Invoke(_ context.Context, _ port.Source, _ string, payload []byte) (port.Invocation, error) {
	var e struct{ Step, SecretId, ClientRequestToken string }
	if err := json.Unmarshal(payload, &e); err != nil {
		return port.Invocation{}, err
	}
	f.h.steps = append(f.h.steps, e.Step)
	if f.h.rotate == nil {
		return port.Invocation{}, nil
	}
	if err := f.h.rotate(e.Step, e.SecretId, e.ClientRequestToken); err != nil {
		return port.Invocation{Error: "Unhandled", Payload: []byte(err.Error())}, nil
	}
	return port.Invocation{}, nil
}

// replace is a function that puts a new value, as AWS's templates do.
func (h *harness) replace(step, secret, token string) error {
	switch step {
	case "createSecret":
		_, err := h.putSecretValue(h.ctx, &api.PutSecretValueInput{SecretId: secret, ClientRequestToken: &token, SecretString: new("new " + token), VersionStages: []string{stagePending}})
		return err
	case "finishSecret":
		f, err := h.find(h.ctx, secret)
		if err != nil {
			return err
		}
		_, err = h.updateSecretVersionStage(h.ctx, &api.UpdateSecretVersionStageInput{SecretId: secret, VersionStage: stageCurrent, MoveToVersionId: &token, RemoveFromVersionId: new(f.Stages[stageCurrent])})
		return err
	}
	return nil
}

func (h *harness) pass(d time.Duration) {
	synctest.Wait()
	h.clock.Advance(d)
	synctest.Wait()
}

func (h *harness) made(name, text string) string {
	h.t.Helper()
	out, err := h.createSecret(h.ctx, &api.CreateSecretInput{Name: name, ClientRequestToken: new("11111111-1111-1111-1111-" + name), SecretString: &text})
	if err != nil {
		h.t.Fatal(err)
	}
	return *out.ARN
}

// value returns the value at a stage, or the code of the error.
func (h *harness) value(ctx context.Context, id, stage string) string {
	out, err := h.getSecretValue(ctx, &api.GetSecretValueInput{SecretId: id, VersionStage: opt.Of(stage)})
	if err != nil {
		return service.Code(err)
	}
	return opt.Value(out.SecretString)
}

func TestValuesAreNotStoredInTheClear(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		h.made("s", "hunter2hunter2")
		err := h.deps.Store.View(h.ctx, func(r store.Reader) error {
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
	})
}

func TestRotationsFollowTheirSchedule(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		id := h.made("s", "old")
		h.rotate = h.replace
		token := "22222222-2222-2222-2222-222222222222"
		_, err := h.rotateSecret(h.ctx, &api.RotateSecretInput{SecretId: id, ClientRequestToken: &token, RotationLambdaARN: new("rotate"), RotationRules: &api.RotationRulesType{AutomaticallyAfterDays: new(int64(10))}})
		if err != nil {
			t.Fatal(err)
		}
		h.pass(0)
		if got := h.value(h.ctx, id, "") + ", " + h.value(h.ctx, id, stagePrevious) + ", " + h.value(h.ctx, id, stagePending); got != "new "+token+", old, ResourceNotFoundException" {
			t.Errorf("after the first rotation: %s", got)
		}
		if got := strings.Join(h.steps, " "); got != "createSecret setSecret testSecret finishSecret" {
			t.Errorf("the function is called with %s", got)
		}
		h.pass(10 * day)
		if got := h.value(h.ctx, id, stagePrevious); got != "new "+token {
			t.Errorf("after the second rotation the value before is %s", got)
		}
		if _, err := h.cancelRotateSecret(h.ctx, &api.CancelRotateSecretInput{SecretId: id}); err != nil {
			t.Fatal(err)
		}
		n := len(h.steps)
		h.pass(30 * day)
		if len(h.steps) != n {
			t.Error("it is rotated after the end of its rotation")
		}
	})
}

func TestAFailedRotationIsTriedAgain(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		id := h.made("s", "old")
		failures := 2
		h.rotate = func(step, secret, token string) error {
			if step == "setSecret" && failures > 0 {
				failures--
				return errors.New("the database is away")
			}
			return h.replace(step, secret, token)
		}
		if _, err := h.rotateSecret(h.ctx, &api.RotateSecretInput{SecretId: id, ClientRequestToken: new("22222222-2222-2222-2222-222222222222"), RotationLambdaARN: new("rotate")}); err != nil {
			t.Fatal(err)
		}
		h.pass(0)
		if got := h.value(h.ctx, id, ""); got != "old" {
			t.Errorf("while the database is away: %s", got)
		}
		if _, err := h.rotateSecret(h.ctx, &api.RotateSecretInput{SecretId: id, ClientRequestToken: new("33333333-3333-3333-3333-333333333333")}); service.Code(err) != codeRequest {
			t.Errorf("another rotation meanwhile: %v", err)
		}
		h.pass(time.Minute)
		h.pass(time.Minute)
		if got := h.value(h.ctx, id, ""); !strings.HasPrefix(got, "new") {
			t.Errorf("when it is back: %s", got)
		}
	})
}

func TestReplicasFollowTheirSecret(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		id := h.made("s", "one")
		there := fake.Root(t.Context(), account, "eu-west-1")
		if _, err := h.replicateSecretToRegions(h.ctx, &api.ReplicateSecretToRegionsInput{SecretId: id, AddReplicaRegions: []api.ReplicaRegionType{{Region: new("eu-west-1")}}}); err != nil {
			t.Fatal(err)
		}
		if got := h.value(there, "s", ""); got != "one" {
			t.Errorf("the replica has %s", got)
		}
		if _, err := h.putSecretValue(h.ctx, &api.PutSecretValueInput{SecretId: id, ClientRequestToken: new("22222222-2222-2222-2222-222222222222"), SecretString: new("two")}); err != nil {
			t.Fatal(err)
		}
		if got := h.value(there, "s", "") + " " + h.value(there, "s", stagePrevious); got != "two one" {
			t.Errorf("after a change the replica has %s", got)
		}
		if _, err := h.putSecretValue(there, &api.PutSecretValueInput{SecretId: "s", ClientRequestToken: new("33333333-3333-3333-3333-333333333333"), SecretString: new("three")}); service.Code(err) != codeRequest {
			t.Errorf("a replica is changed: %v", err)
		}
		if _, err := h.deleteSecret(h.ctx, &api.DeleteSecretInput{SecretId: id}); service.Code(err) != codeRequest {
			t.Errorf("a secret with replicas is deleted: %v", err)
		}
		if _, err := h.stopReplicationToReplica(there, &api.StopReplicationToReplicaInput{SecretId: "s"}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.putSecretValue(there, &api.PutSecretValueInput{SecretId: "s", ClientRequestToken: new("44444444-4444-4444-4444-444444444444"), SecretString: new("three")}); err != nil {
			t.Fatal(err)
		}
		if got := h.value(there, "s", "") + " " + h.value(h.ctx, "s", ""); got != "three two" {
			t.Errorf("apart they have %s", got)
		}
	})
}

func TestDeletedSecretsComeBackUntilTheirTime(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		id := h.made("s", "one")
		remove := func() {
			if _, err := h.deleteSecret(h.ctx, &api.DeleteSecretInput{SecretId: id, RecoveryWindowInDays: new(int64(7))}); err != nil {
				t.Fatal(err)
			}
		}
		remove()
		h.pass(6 * day)
		if _, err := h.restoreSecret(h.ctx, &api.RestoreSecretInput{SecretId: id}); err != nil {
			t.Fatal(err)
		}
		h.pass(7 * day)
		if got := h.value(h.ctx, id, ""); got != "one" {
			t.Errorf("after its return: %s", got)
		}
		remove()
		h.pass(7 * day)
		if got := h.value(h.ctx, id, ""); got != codeNotFound {
			t.Errorf("after its time: %s", got)
		}
	})
}

func TestPasswordsHaveWhatIsAskedFor(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		for range 200 {
			text, err := h.password(&api.GetRandomPasswordInput{PasswordLength: new(int64(4)), ExcludeCharacters: new("abc")})
			if err != nil {
				t.Fatal(err)
			}
			for _, class := range []string{lowercase, uppercase, numbers, punctuation} {
				if !strings.ContainsAny(text, class) {
					t.Errorf("%q has none of %s", text, class)
				}
			}
			if strings.ContainsAny(text, "abc") {
				t.Errorf("%q has what is excluded", text)
			}
		}
		if _, err := h.password(&api.GetRandomPasswordInput{ExcludeCharacters: new(numbers)}); service.Code(err) != codeParameter {
			t.Errorf("without any number: %v", err)
		}
	})
}

func TestFiltersFindWords(t *testing.T) {
	for _, tc := range []struct {
		text, want string
		found      bool
	}{
		{"a secret", "a", true}, {"an secret", "a secret", true}, {"asecret", "a secret", false}, {"thesecret", "a", false}, {"The Shop", "shop the", true},
	} {
		if got := hasWords(tc.text, tc.want); got != tc.found {
			t.Errorf("%q in %q: %v", tc.want, tc.text, got)
		}
	}
}
