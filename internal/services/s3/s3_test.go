package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/datakey"
	keyring "lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/s3"
	blobmem "lambent.dev/lambent/internal/blob/mem"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	storemem "lambent.dev/lambent/internal/store/mem"
)

const account = "000000000000"

// fixture is an object store in memory with one bucket, "pictures".
type fixture struct {
	*Service
	t         testing.TB
	clock     *clock.Fake
	functions *functions
	door      *door
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: clock.NewFake(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)), functions: &functions{}, door: &door{}}
	st := storemem.New()
	ring, err := keyring.NewKeyring(map[uint32][]byte{1: make([]byte, keyring.KeySize)}, 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	blobs := blobmem.New()
	t.Cleanup(func() {
		if err := errors.Join(st.Close(), blobs.Close()); err != nil {
			t.Error(err)
		}
	})
	f.Service = New(service.Deps{
		Store: st, Blobs: blobs, Door: f.door, Clock: f.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler), BaseURL: "http://127.0.0.1:4566",
	}, Options{Functions: f.functions, Keys: datakey.New(ring, rand.Reader), Sender: deliver.New(service.Deps{Door: f.door, Clock: f.clock, Random: rand.Reader}, roles{})})
	f.door.service = f.Service.Service()
	if _, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "pictures"}); err != nil {
		t.Fatal(err)
	}
	return f
}

// ctx is a call by the account's root.
func (f *fixture) ctx() context.Context {
	return service.WithRequest(f.t.Context(), &service.Request{
		ID: "req-1", API: "s3", Account: account, Region: "us-east-1",
		Principal: service.Principal{Kind: service.Root, Account: account, ARN: "arn:aws:iam::" + account + ":root", UserID: account},
	})
}

func (f *fixture) put(object string, body []byte) *api.PutObjectOutput {
	f.t.Helper()
	out, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: object, Body: bytes.NewReader(body)})
	if err != nil {
		f.t.Fatalf("put %q: %v", object, err)
	}
	return out
}

func (f *fixture) get(in *api.GetObjectInput) (*api.GetObjectOutput, []byte, error) {
	f.t.Helper()
	in.Bucket = "pictures"
	out, err := f.getObject(f.ctx(), in)
	if err != nil {
		return nil, nil, err
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	return out, body, err
}

func (f *fixture) wantBody(object string, want []byte) {
	f.t.Helper()
	_, body, err := f.get(&api.GetObjectInput{Key: object})
	if err != nil {
		f.t.Fatalf("get %q: %v", object, err)
	}
	if !bytes.Equal(body, want) {
		f.t.Errorf("get %q: %d bytes that are not the %d that were put", object, len(body), len(want))
	}
}

// wantGet reads as in says, over TLS, and compares the body.
func (f *fixture) wantGet(in *api.GetObjectInput, want []byte) {
	f.t.Helper()
	out, err := f.getObject(f.secure(), in)
	if err != nil {
		f.t.Fatalf("get %q: %v", in.Key, err)
	}
	defer out.Body.Close()
	got, err := io.ReadAll(out.Body)
	if err != nil || !bytes.Equal(got, want) {
		f.t.Errorf("get %q: %d bytes that are not the %d that were put (%v)", in.Key, len(got), len(want), err)
	}
}

// secure is a call by the account's root over TLS.
func (f *fixture) secure() context.Context {
	r := *service.RequestFrom(f.ctx())
	r.Secure = true
	return service.WithRequest(f.t.Context(), &r)
}

// current returns the current version of an object of the bucket.
func (f *fixture) current(object string) (v *version, err error) {
	err = f.store.View(f.t.Context(), func(r store.Reader) error {
		b, err := findBucket(r, "pictures", nil)
		if err != nil {
			return err
		}
		v, _, err = findVersion(r, b, object)
		return err
	})
	return v, err
}

// customerHeaders are the headers of a customer's key.
func customerHeaders(key []byte) customerKey {
	sum := md5.Sum(key)
	return customerKey{ptr("AES256"), ptr(base64.StdEncoding.EncodeToString(key)), ptr(base64.StdEncoding.EncodeToString(sum[:]))}
}

// code checks the code of an error that a client would see.
func code(t testing.TB, err error, want string) {
	t.Helper()
	if got := service.Code(err); got != want {
		t.Errorf("error code is %q, want %q: %v", got, want, err)
	}
}

// pattern returns n bytes that differ from place to place.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 31 >> 3)
	}
	return b
}

// door lets everything through that deny does not name, and runs calls on the service under test.
type door struct {
	service service.Service
	deny    func(ctx context.Context, t service.Target) bool
	// sent are the calls to other services; refuse is their answer.
	sent   []any
	refuse error
}

func (d *door) Call(ctx context.Context, api, operation string, in any) (any, error) {
	if api != "s3" {
		d.sent = append(d.sent, in)
		return nil, d.refuse
	}
	for _, b := range d.service.Operations {
		if b.Name == operation {
			return b.Call(ctx, in)
		}
	}
	return nil, errors.New("no such operation: " + operation)
}

func (d *door) Allow(ctx context.Context, t service.Target) error {
	if d.deny != nil && d.deny(ctx, t) {
		return accessDenied("%s on %s", t.Action, t.ARN)
	}
	return nil
}

// roles gives every service the role that it asks for.
type roles struct{ port.Roles }

func (roles) SessionForService(_ context.Context, _, role, _ string) (service.Principal, error) {
	return service.Principal{Kind: service.AssumedRole, Account: account, ARN: role, RoleARN: role}, nil
}

// functions keeps what is queued in the transaction, as the real one does.
type functions struct {
	refuse  error // the answer of CheckInvoke
	enqueue error // the failure of EnqueueAsync
}

func queueKey() key.Key { return key.New("test", "queue") }

func (f *functions) Invoke(context.Context, port.Source, string, []byte) (port.Invocation, error) {
	return port.Invocation{}, errors.New("not used here")
}

func (f *functions) CheckInvoke(context.Context, port.Source, string) error { return f.refuse }

func (f *functions) EnqueueAsync(_ context.Context, tx store.Txn, from port.Source, function string, payload []byte) error {
	if f.enqueue != nil {
		return f.enqueue
	}
	b, err := json.Marshal(queued{from, function, payload})
	tx.Append(queueKey(), b)
	return err
}

type queued struct {
	From     port.Source
	Function string
	Payload  json.RawMessage
}

// events returns what was queued, in commit order.
func (f *fixture) events() []queued {
	f.t.Helper()
	var all []queued
	err := f.store.View(f.t.Context(), func(r store.Reader) error {
		for p, err := range r.Range(queueKey().Span()) {
			if err != nil {
				return err
			}
			var q queued
			if err := json.Unmarshal(p.Value, &q); err != nil {
				return err
			}
			all = append(all, q)
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

// garbage returns the queued garbage jobs.
func (f *fixture) garbage() []events.Job { return f.jobs(garbageKind) }

// jobs takes the waiting jobs of a kind out of their queue.
func (f *fixture) jobs(kind string) []events.Job {
	f.t.Helper()
	var mu sync.Mutex
	var jobs []events.Job
	q := events.New(f.store, f.clock, f.log)
	done := make(chan struct{}, 100)
	err := q.Register(events.Kind{Name: kind, Concurrency: 1, Handle: func(_ context.Context, j events.Job) error {
		mu.Lock()
		defer mu.Unlock()
		jobs = append(jobs, j)
		done <- struct{}{}
		return nil
	}})
	if err != nil {
		f.t.Fatal(err)
	}
	depths, err := q.Depths(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	if err := q.Start(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	for range depths[0].Waiting {
		<-done
	}
	if err := q.Close(); err != nil {
		f.t.Fatal(err)
	}
	return jobs
}

func denyARN(arn string) func(context.Context, service.Target) bool {
	return func(_ context.Context, t service.Target) bool { return t.ARN == arn }
}
