package kms

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lambent.dev/lambent/internal/auth/datakey"
	"lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/kms/material"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

const account = "000000000000"

// harness is a key service with a clock that the test moves.
type harness struct {
	*Service
	t     *testing.T
	ctx   context.Context
	clock *clock.Fake
	desc  service.Service
	keys  *Keys
	door  *fake.Door
}

func in(t *testing.T, fn func(t *testing.T, h *harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(t, newHarness(t)) })
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	ring, err := token.NewKeyring(map[uint32][]byte{1: bytes.Repeat([]byte{7}, token.KeySize)}, 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{t: t, clock: clock.NewFake(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)), door: &fake.Door{}, ctx: fake.Root(t.Context(), account, "us-east-1")}
	d := service.Deps{Store: mem.New(), Clock: h.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler), Door: h.door}
	h.Service = newService(d, Options{Ring: ring, Platform: datakey.New(ring, rand.Reader)})
	h.desc, h.keys = h.describe(), &Keys{h.Service}
	h.door.Services = []service.Service{h.desc}
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

// pass moves the clock, and waits for what is due then.
func (h *harness) pass(d time.Duration) {
	synctest.Wait()
	h.clock.Advance(d)
	synctest.Wait()
}

func (h *harness) in(region string) context.Context { return fake.Root(h.t.Context(), account, region) }

// made makes a key and returns its id.
func (h *harness) made(in api.CreateKeyInput) string {
	h.t.Helper()
	out, err := h.createKey(h.ctx, &in)
	if err != nil {
		h.t.Fatal(err)
	}
	return out.KeyMetadata.KeyId
}

// state returns the state of a key, or the code of the error of asking for it.
func (h *harness) state(id string) string {
	h.t.Helper()
	out, err := h.describeKey(h.ctx, &api.DescribeKeyInput{KeyId: id})
	if err != nil {
		return service.Code(err)
	}
	return out.KeyMetadata.KeyState
}

func (h *harness) seal(id, text string, context map[string]string) []byte {
	h.t.Helper()
	out, err := h.encrypt(h.ctx, &api.EncryptInput{KeyId: id, Plaintext: []byte(text), EncryptionContext: context})
	if err != nil {
		h.t.Fatal(err)
	}
	return out.CiphertextBlob
}

// open returns what a ciphertext holds, or the code of the error.
func (h *harness) open(ctx context.Context, blob []byte) string {
	out, err := h.decrypt(ctx, &api.DecryptInput{CiphertextBlob: blob})
	if err != nil {
		return service.Code(err)
	}
	return string(out.Plaintext)
}

func TestMaterialIsNotStoredInTheClear(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		id := h.made(api.CreateKeyInput{})
		f, err := h.find(h.ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		err = h.deps.Store.View(h.ctx, func(r store.Reader) error {
			secret, _, err := h.openMaterial(r, f, 1)
			if err != nil {
				return err
			}
			for row, err := range r.Range(store.Span{}) {
				if err != nil {
					return err
				}
				if bytes.Contains(row.Value, secret) {
					t.Errorf("the row %q holds the material", row.Key)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestAnyBitOfACiphertextCounts(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		blob := h.seal(h.made(api.CreateKeyInput{}), "hello", nil)
		if got := h.open(h.ctx, blob); got != "hello" {
			t.Fatal(got)
		}
		if len(blob) > 150 {
			t.Errorf("5 bytes become %d", len(blob))
		}
		for i := range blob {
			blob[i] ^= 0x10
			if got := h.open(h.ctx, blob); got != codeCiphertext {
				t.Errorf("with byte %d changed: %s", i, got)
			}
			blob[i] ^= 0x10
		}
	})
}

func TestOldCiphertextsOpenAfterRotations(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		id := h.made(api.CreateKeyInput{})
		first := h.seal(id, "first", nil)
		if _, err := h.enableKeyRotation(h.ctx, &api.EnableKeyRotationInput{KeyId: id}); err != nil {
			t.Fatal(err)
		}
		h.pass(366 * day)
		second := h.seal(id, "second", nil)
		if _, err := h.rotateKeyOnDemand(h.ctx, &api.RotateKeyOnDemandInput{KeyId: id}); err != nil {
			t.Fatal(err)
		}
		for want, blob := range map[string][]byte{"first": first, "second": second} {
			if got := h.open(h.ctx, blob); got != want {
				t.Errorf("%s opens as %s", want, got)
			}
		}
		out, err := h.listKeyRotations(h.ctx, &api.ListKeyRotationsInput{KeyId: id, IncludeKeyMaterial: api.IncludeKeyMaterialAllKeyMaterial})
		if err != nil || len(out.Rotations) != 3 {
			t.Fatalf("%+v, %v", out, err)
		}
		var states []string
		for _, r := range out.Rotations {
			states = append(states, r.KeyMaterialState+" "+r.RotationType)
		}
		if got := strings.Join(states, ", "); got != "NON_CURRENT , NON_CURRENT AUTOMATIC, CURRENT ON_DEMAND" {
			t.Error(got)
		}
	})
}

func TestADeletedKeyTakesEverythingWithIt(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		count := func() (n int) {
			err := h.deps.Store.View(h.ctx, func(r store.Reader) error {
				for row, err := range r.Range(store.Span{}) {
					if err != nil {
						return err
					}
					if bytes.HasPrefix(row.Key, []byte("kms")) {
						n++
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		var id string
		for range 2 {
			out, err := h.createKey(service.WithCreateToken(h.ctx, "step"), &api.CreateKeyInput{})
			if err != nil || id != "" && out.KeyMetadata.KeyId != id {
				t.Fatalf("the same step of a deploy makes another key: %v", err)
			}
			id = out.KeyMetadata.KeyId
		}
		h.seal(id, "used", nil)
		_, err1 := h.createAlias(h.ctx, &api.CreateAliasInput{AliasName: "alias/a", TargetKeyId: id})
		_, err2 := h.createGrant(h.ctx, &api.CreateGrantInput{KeyId: id, GranteePrincipal: "arn:aws:iam::000000000000:user/a", RetiringPrincipal: new("arn:aws:iam::000000000000:user/b"), Operations: []string{"Decrypt"}})
		_, err3 := h.enableKeyRotation(h.ctx, &api.EnableKeyRotationInput{KeyId: id})
		_, err4 := h.scheduleKeyDeletion(h.ctx, &api.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: new(int32(7))})
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		h.pass(7*day - time.Hour)
		if got := h.state(id); got != api.KeyStatePendingDeletion {
			t.Errorf("an hour before the end it is %s", got)
		}
		h.pass(time.Hour)
		if got := h.state(id); got != codeNotFound {
			t.Errorf("at the end it is %s", got)
		}
		if n := count(); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestReplicasOpenWhatThePrimaryKeySealed(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		id := h.made(api.CreateKeyInput{MultiRegion: new(true)})
		before := h.seal(id, "before", nil)
		if _, err := h.replicateKey(h.ctx, &api.ReplicateKeyInput{KeyId: id, ReplicaRegion: "eu-west-1"}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.rotateKeyOnDemand(h.ctx, &api.RotateKeyOnDemandInput{KeyId: id}); err != nil {
			t.Fatal(err)
		}
		after := h.seal(id, "after", nil)
		there := h.in("eu-west-1")
		for want, blob := range map[string][]byte{"before": before, "after": after} {
			if got := h.open(there, blob); got != want {
				t.Errorf("%s opens as %s", want, got)
			}
		}
		if _, err := h.rotateKeyOnDemand(there, &api.RotateKeyOnDemandInput{KeyId: id}); service.Code(err) != codeUnsupported {
			t.Errorf("a replica is rotated: %v", err)
		}
		if _, err := h.scheduleKeyDeletion(h.ctx, &api.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: new(int32(7))}); err != nil {
			t.Fatal(err)
		}
		if got := h.state(id); got != api.KeyStatePendingReplicaDeletion {
			t.Errorf("a primary key with a replica is %s", got)
		}
		if _, err := h.scheduleKeyDeletion(there, &api.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: new(int32(7))}); err != nil {
			t.Fatal(err)
		}
		h.pass(7 * day)
		if got := h.state(id); got != api.KeyStatePendingDeletion {
			t.Errorf("when its replica is gone it is %s", got)
		}
		h.pass(7 * day)
		if got := h.state(id); got != codeNotFound {
			t.Errorf("in the end it is %s", got)
		}
	})
}

func TestImportedMaterialExpires(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		id := h.made(api.CreateKeyInput{Origin: api.OriginTypeExternal})
		secret := bytes.Repeat([]byte{5}, 32)
		bring := func(secret []byte, kind string, until *time.Time) error {
			p, err := h.getParametersForImport(h.ctx, &api.GetParametersForImportInput{KeyId: id, WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_2048"})
			if err != nil {
				return err
			}
			model := api.ExpirationModelTypeKeyMaterialDoesNotExpire
			if until != nil {
				model = api.ExpirationModelTypeKeyMaterialExpires
			}
			_, err = h.importKeyMaterial(h.ctx, &api.ImportKeyMaterialInput{
				KeyId: id, ImportToken: p.ImportToken, EncryptedKeyMaterial: wrap(t, p.PublicKey, secret), ImportType: kind, ExpirationModel: model, ValidTo: until,
			})
			return err
		}
		if err := bring(secret, "", new(h.now().Add(day))); err != nil {
			t.Fatal(err)
		}
		blob := h.seal(id, "hello", nil)
		h.pass(day)
		if got := h.state(id); got != api.KeyStatePendingImport {
			t.Errorf("after its time it is %s", got)
		}
		if err := bring(bytes.Repeat([]byte{6}, 32), "", nil); service.Code(err) != codeMaterial {
			t.Errorf("other material comes back: %v", err)
		}
		if err := bring(secret, "", nil); err != nil {
			t.Fatal(err)
		}
		if got := h.open(h.ctx, blob); got != "hello" {
			t.Errorf("with its material back: %s", got)
		}
		if err := bring(bytes.Repeat([]byte{6}, 32), api.ImportTypeNewKeyMaterial, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := h.rotateKeyOnDemand(h.ctx, &api.RotateKeyOnDemandInput{KeyId: id}); err != nil {
			t.Fatal(err)
		}
		if got := h.open(h.ctx, h.seal(id, "new", nil)) + h.open(h.ctx, blob); got != "newhello" {
			t.Errorf("after the rotation: %s", got)
		}
	})
}

func TestServicesUseKeysThroughThePort(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		id := h.made(api.CreateKeyInput{})
		use := port.KeyUse{Service: "s3", Account: account, Region: "us-east-1", Context: map[string]string{"aws:s3:arn": "arn:aws:s3:::b/k"}}
		for _, name := range []string{"", "alias/aws/s3", id} {
			use.Key = name
			made, err := h.keys.GenerateDataKey(h.ctx, use)
			if err != nil {
				t.Fatal(name, err)
			}
			again := use
			again.Key = made.Key
			if plain, err := h.keys.Decrypt(h.ctx, again, made.Wrapped); err != nil || !bytes.Equal(plain, made.Plain) {
				t.Errorf("the data key of %q: %v", name, err)
			}
			again.Context = nil
			if _, err := h.keys.Decrypt(h.ctx, again, made.Wrapped); service.Code(err) != "KMS.InvalidCiphertextException" {
				t.Errorf("the data key of %q in another context: %v", name, err)
			}
		}
		h.door.Deny("arn:aws:kms:us-east-1:000000000000:key/" + id)
		if _, err := h.keys.GenerateDataKey(h.ctx, use); service.Code(err) != "AccessDenied" {
			t.Errorf("without permission: %v", err)
		}
		use.Granted = true
		if _, err := h.keys.GenerateDataKey(h.ctx, use); err != nil {
			t.Errorf("with what was granted before: %v", err)
		}
		if _, err := h.disableKey(h.ctx, &api.DisableKeyInput{KeyId: id}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.keys.CheckKey(h.ctx, use); service.Code(err) != "KMS.DisabledException" {
			t.Errorf("a disabled key: %v", err)
		}
		use.Key = "alias/aws/nothing"
		if _, err := h.keys.CheckKey(h.ctx, use); service.Code(err) != "KMS.NotFoundException" {
			t.Errorf("a service that is none: %v", err)
		}
	})
}

func TestEveryKeyGoesIntoOneLayout(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		for _, s := range material.Specs() {
			usage := ""
			for _, u := range []string{material.UsageEncrypt, material.UsageSign, material.UsageMAC} {
				if usage == "" && s.Algorithms(u) != nil {
					usage = u
				}
			}
			if s.IsSlow() && s.Name != "RSA_2048" {
				continue
			}
			id := h.made(api.CreateKeyInput{KeySpec: s.Name, KeyUsage: usage})
			if _, err := h.getPublicKey(h.ctx, &api.GetPublicKeyInput{KeyId: id}); (err == nil) != s.IsAsymmetric() {
				t.Errorf("the public key of %s: %v", s.Name, err)
			}
		}
		seen := 0
		for marker := (*string)(nil); ; {
			out, err := h.listKeys(h.ctx, &api.ListKeysInput{Limit: new(int32(3)), Marker: marker})
			if err != nil {
				t.Fatal(err)
			}
			seen += len(out.Keys)
			if marker = out.NextMarker; marker == nil {
				break
			}
		}
		if want := len(material.Specs()) - 2; seen != want {
			t.Errorf("the pages have %d keys, want %d", seen, want)
		}
	})
}
