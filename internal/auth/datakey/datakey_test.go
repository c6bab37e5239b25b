package datakey_test

import (
	"bytes"
	"crypto/rand"
	"testing"

	"lambent.dev/lambent/internal/auth/datakey"
	"lambent.dev/lambent/internal/auth/token"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

func keys(t *testing.T) *datakey.Keys {
	t.Helper()
	ring, err := token.NewKeyring(map[uint32][]byte{1: bytes.Repeat([]byte{7}, token.KeySize)}, 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return datakey.New(ring, rand.Reader)
}

func use() port.KeyUse {
	return port.KeyUse{Service: "s3", Account: "000000000000", Region: "us-east-1", Context: map[string]string{"bucket": "a", "key": "b"}}
}

func TestADataKeyOpensUnderItsKeyAndContextOnly(t *testing.T) {
	k := keys(t)
	made, err := k.GenerateDataKey(t.Context(), use())
	if err != nil || len(made.Plain) != 32 || bytes.Contains(made.Wrapped, made.Plain) {
		t.Fatalf("made %+v, %v", made, err)
	}
	again := use()
	again.Key = made.Key
	plain, err := k.Decrypt(t.Context(), again, made.Wrapped)
	if err != nil || !bytes.Equal(plain, made.Plain) {
		t.Errorf("opened %x, %v; want %x", plain, err, made.Plain)
	}
	changes := map[string]func(u *port.KeyUse){
		"another context": func(u *port.KeyUse) { u.Context = map[string]string{"bucket": "a", "key": "c"} },
		"no context":      func(u *port.KeyUse) { u.Context = nil },
		"another account": func(u *port.KeyUse) { u.Account = "111111111111" },
		"another service": func(u *port.KeyUse) { u.Service = "sqs" },
	}
	for name, change := range changes {
		other := use()
		change(&other)
		if _, err := k.Decrypt(t.Context(), other, made.Wrapped); service.Code(err) != "KMS.InvalidCiphertextException" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysOfUsersAreRefused(t *testing.T) {
	u := use()
	u.Key = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"
	if _, err := keys(t).GenerateDataKey(t.Context(), u); service.Code(err) != "KMS.NotFoundException" {
		t.Error(err)
	}
	u.Key = "alias/aws/s3"
	if _, err := keys(t).GenerateDataKey(t.Context(), u); err != nil {
		t.Error(err)
	}
}
