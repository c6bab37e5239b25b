package keycheck_test

import (
	"context"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/keycheck"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/test/fake"
)

// keys is one key, and what is asked of it.
type keys struct {
	fake.Keys
	refuse        error
	made, opened  int
	madeByService bool
}

func (k *keys) GenerateDataKey(ctx context.Context, use port.KeyUse) (port.DataKey, error) {
	k.made++
	k.madeByService = use.Granted
	if k.refuse != nil && !use.Granted {
		return port.DataKey{}, k.refuse
	}
	return k.Keys.GenerateDataKey(ctx, use)
}

func (k *keys) Decrypt(ctx context.Context, use port.KeyUse, wrapped []byte) ([]byte, error) {
	k.opened++
	if k.refuse != nil {
		return nil, k.refuse
	}
	return k.Keys.Decrypt(ctx, use, wrapped)
}

func TestAYesHoldsAsLongAsADataKeyAndANoIsAskedAgain(t *testing.T) {
	k, now := &keys{}, clock.NewFake(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	c := keycheck.New(k, now)
	ctx := fake.Root(t.Context(), "000000000000", "us-east-1")
	use := port.KeyUse{Service: "sqs", Key: "k", Account: "000000000000", Region: "us-east-1"}
	check := func(ctx context.Context, right keycheck.Right) error { return c.Check(ctx, right, use, time.Minute) }
	for range 3 {
		if err := check(ctx, keycheck.Write); err != nil {
			t.Fatal(err)
		}
	}
	if k.made != 1 || k.opened != 1 || k.madeByService {
		t.Errorf("a writer made %d data keys and opened %d", k.made, k.opened)
	}
	if err := check(ctx, keycheck.Read); err != nil || !k.madeByService {
		t.Errorf("a reader: %v, whose data key was made by the service: %v", err, k.madeByService)
	}
	k.refuse = service.Errorf("KMS.DisabledException", "it is disabled")
	if err := check(ctx, keycheck.Write); err != nil {
		t.Errorf("within the time of the data key: %v", err)
	}
	other := fake.Root(t.Context(), "111111111111", "us-east-1")
	if err := check(other, keycheck.Write); err == nil {
		t.Error("another caller has the answer of the first")
	}
	now.Advance(time.Minute)
	for _, right := range []keycheck.Right{keycheck.Write, keycheck.Read} {
		err := check(ctx, right)
		if cause, message, ok := keycheck.CauseOf(err); !ok || cause != keycheck.Disabled || message != "it is disabled" {
			t.Errorf("the key is disabled, and to %s with it: %v", right, err)
		}
	}
	k.refuse = nil
	if err := check(ctx, keycheck.Write); err != nil {
		t.Errorf("once it is enabled: %v", err)
	}
}

func TestNobodyIsAskedWithoutAChecker(t *testing.T) {
	var c *keycheck.Checker
	if err := c.Check(t.Context(), keycheck.Write, port.KeyUse{Key: "k"}, time.Minute); err != nil {
		t.Error(err)
	}
	if _, _, ok := keycheck.CauseOf(nil); ok {
		t.Error("there is a cause without an error")
	}
}
