package crash

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// contended is the key that all clients write.
const contended = "contended"

// objectCall is a call on the one object. No body is put twice, so that a body tells of which write it is.
type objectCall struct {
	kind string // get, put, create (If-None-Match), replace (If-Match), delete, or remove (delete with If-Match)
	body string // what is put
	from string // the body that a condition expects
}

// objectAnswer is what a get found ("" for nothing), and whether a condition held. Of an unknown one nobody got the answer.
type objectAnswer struct {
	body          string
	held, unknown bool
}

// objectModel says what the object may answer when it has the body first, or is not there (""). A call whose answer was lost ends at the end of time, so that it may
// also never have been made.
func objectModel(first string) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return first },
		Step: func(state, input, output any) (bool, any) {
			now, in, out := state.(string), input.(objectCall), output.(objectAnswer)
			switch in.kind {
			case "get":
				return out.body == now, now
			case "put", "delete":
				return true, in.body
			}
			holds := now == in.from && (now != "" || in.kind == "create")
			if !holds {
				return out.unknown || !out.held, now
			}
			return out.unknown || out.held, in.body
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
	}
}

// whole returns the body of which name is the beginning: every third is large enough for a file of its own.
func whole(name string) []byte {
	if name != "" && name[len(name)-1]%3 == 0 {
		return append([]byte(name), make([]byte, 40<<10)...)
	}
	return []byte(name)
}

// make makes the call. The error tells that its outcome is not known, or that nothing was done.
func (in objectCall) make(ctx context.Context, c *client) (objectAnswer, error) {
	match := fmt.Sprintf("%q", fmt.Sprintf("%x", md5.Sum(whole(in.from))))
	method, header := http.MethodPut, http.Header{}
	switch in.kind {
	case "get":
		method = http.MethodGet
	case "delete", "remove":
		method = http.MethodDelete
	}
	switch in.kind {
	case "create":
		header.Set("If-None-Match", "*")
	case "replace", "remove":
		header.Set("If-Match", match)
	}
	got, err := c.do(ctx, "s3", method, "/"+bucket+"/"+contended, header, whole(in.body))
	var r *refusal
	if errors.As(err, &r) && (r.status == http.StatusNotFound || r.status == http.StatusPreconditionFailed) {
		return objectAnswer{}, nil
	}
	return objectAnswer{body: string(bytes.TrimRight(got, "\x00")), held: err == nil}, err
}

// objectHistory collects the calls of all clients.
type objectHistory struct {
	made  *atomic.Int64 // bodies
	mu    sync.Mutex    // guards the field below
	calls []porcupine.Operation
}

// work makes calls until the process dies. known is what the client believes that the object holds.
func (h *objectHistory) work(ctx context.Context, t *testing.T, c *client, id int, known string, random *rand.Rand) {
	for {
		in := objectCall{kind: []string{"get", "get", "put", "create", "replace", "replace", "delete", "remove"}[random.IntN(8)]}
		switch in.kind {
		case "put", "create", "replace":
			in.body = fmt.Sprintf("body-%d", h.made.Add(1))
		}
		if in.kind == "replace" || in.kind == "remove" {
			in.from = known
		}
		began := time.Now().UnixNano()
		out, err := in.make(ctx, c)
		op := porcupine.Operation{ClientId: id, Input: in, Call: began, Output: out, Return: time.Now().UnixNano()}
		var r *refusal
		switch {
		case errors.As(err, &r) && r.status == http.StatusConflict:
			continue // nothing was done
		case errors.As(err, &r):
			t.Errorf("%+v: %v", in, err)
			return
		case err != nil && in.kind == "get":
			return
		case err != nil:
			op.Output, op.Return = objectAnswer{unknown: true}, math.MaxInt64
		}
		h.mu.Lock()
		h.calls = append(h.calls, op)
		h.mu.Unlock()
		switch {
		case err != nil:
			return
		case in.kind == "get":
			known = out.body
		case out.held:
			known = in.body
		}
	}
}

// TestKilledProcessKeepsOneOrderOfAnObject holds puts, gets, deletes and their conditional forms against the one key that they are on, while the process is killed again
// and again.
func TestKilledProcessKeepsOneOrderOfAnObject(t *testing.T) {
	rounds, start := *kills, *seed
	if *long {
		rounds = 50
	}
	if start == 0 {
		start = uint64(time.Now().UnixNano())
	}
	p := newPlatform(t, t.TempDir())
	if _, err := newClient(p.address).do(t.Context(), "s3", http.MethodPut, "/"+bucket, nil, nil); err != nil {
		t.Fatal(err)
	}
	var made atomic.Int64
	first, calls := "", 0
	for round := range rounds {
		c := newClient(p.address)
		h := &objectHistory{made: &made}
		var all sync.WaitGroup
		for id := range writers {
			random := rand.New(rand.NewPCG(start, uint64(round)<<8|uint64(id+1)))
			all.Go(func() { h.work(t.Context(), t, c, id, first, random) })
		}
		<-time.After(time.Duration(200+rand.New(rand.NewPCG(start, uint64(round))).IntN(400)) * time.Millisecond)
		p.kill()
		all.Wait()
		c.http.CloseIdleConnections()
		p.start(t)
		began := time.Now().UnixNano()
		last, err := objectCall{kind: "get"}.make(t.Context(), newClient(p.address))
		if err != nil {
			t.Fatal(err)
		}
		h.calls = append(h.calls, porcupine.Operation{ClientId: writers, Input: objectCall{kind: "get"}, Call: began, Output: last, Return: time.Now().UnixNano()})
		if got := porcupine.CheckOperationsTimeout(objectModel(first), h.calls, time.Minute); got != porcupine.Ok {
			t.Errorf("the %d calls of round %d of seed %d are %s", len(h.calls), round, start, got)
		}
		first, calls = last.body, calls+len(h.calls)
	}
	t.Logf("seed %d: %d kills, %d calls", start, rounds, calls)
}
