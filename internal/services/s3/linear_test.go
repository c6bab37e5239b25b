package s3

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/cockroachdb/pebble/v2/vfs"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
)

// keyOp is an operation on one key. Bodies are never put twice, so that a body tells which write it is of.
type keyOp struct {
	kind string // get, put, create (If-None-Match), replace (If-Match), delete, remove (delete with If-Match)
	body string
	from string // the body that a condition expects
}

// keyResult is what came of it: the body of a get ("" for none), and whether a condition held.
type keyResult struct {
	body string
	held bool
}

func keyModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return "" },
		Step: func(state, input, output any) (bool, any) {
			now, in, out := state.(string), input.(keyOp), output.(keyResult)
			switch in.kind {
			case "get":
				return out.body == now, now
			case "put":
				return true, in.body
			case "delete":
				return true, ""
			}
			holds := now == in.from && (now != "" || in.kind == "create")
			switch {
			case holds != out.held:
				return false, now
			case !holds:
				return true, now
			}
			return true, in.body // which is empty for a removal
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
	}
}

// run makes the operation.
func (op keyOp) run(f *fixture) (keyResult, error) {
	const object = "contended"
	match := ptr(`"` + sumOf(op.whole(op.from)) + `"`)
	var err error
	switch op.kind {
	case "get":
		out, err := f.getObject(f.ctx(), &api.GetObjectInput{Bucket: "pictures", Key: object})
		if service.Code(err) == "NoSuchKey" {
			return keyResult{}, nil
		}
		if err != nil {
			return keyResult{}, err
		}
		defer out.Body.Close()
		body, err := io.ReadAll(out.Body)
		return keyResult{body: string(bytes.TrimRight(body, "\x00"))}, err
	case "delete":
		_, err = f.deleteObject(f.ctx(), &api.DeleteObjectInput{Bucket: "pictures", Key: object})
		return keyResult{}, err
	case "remove":
		_, err = f.deleteObject(f.ctx(), &api.DeleteObjectInput{Bucket: "pictures", Key: object, IfMatch: match})
	default:
		in := &api.PutObjectInput{Bucket: "pictures", Key: object, Body: bytes.NewReader(op.whole(op.body))}
		switch op.kind {
		case "create":
			in.IfNoneMatch = ptr("*")
		case "replace":
			in.IfMatch = match
		}
		_, err = f.putObject(f.ctx(), in)
	}
	switch service.Code(err) {
	case "":
		return keyResult{held: true}, nil
	case "PreconditionFailed", "NoSuchKey":
		return keyResult{}, nil
	}
	return keyResult{}, err
}

// whole returns the body of which name is the beginning: every third is large enough for a file of its own.
func (keyOp) whole(name string) []byte {
	if name != "" && name[len(name)-1]%3 == 0 {
		return append([]byte(name), make([]byte, 40<<10)...)
	}
	return []byte(name)
}

func TestConditionalWritesOfOneKeyAreLinearizable(t *testing.T) {
	f := onFS(t, vfs.NewMem())
	t.Cleanup(func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "pictures"}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var history []porcupine.Operation
	var tick atomic.Int64 // a clock that only orders
	var wg sync.WaitGroup
	for client := range 6 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 3))
			seen := ""
			for n := range 60 {
				op := keyOp{kind: []string{"get", "get", "put", "create", "replace", "replace", "delete", "remove"}[random.IntN(8)]}
				switch op.kind {
				case "put", "create", "replace":
					op.body = fmt.Sprintf("client %d writes %015d", client, n)
				}
				switch op.kind {
				case "replace", "remove":
					op.from = seen
				}
				begin := tick.Add(1)
				out, err := op.run(f)
				end := tick.Add(1)
				if err != nil {
					t.Errorf("%+v: %v", op, err)
					return
				}
				switch {
				case op.kind == "get":
					seen = out.body
				case op.kind == "put", out.held:
					seen = op.body
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: client, Input: op, Call: begin, Output: out, Return: end})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if got := porcupine.CheckOperationsTimeout(keyModel(), history, 20*time.Second); got != porcupine.Ok {
		t.Errorf("the history of %d operations is %s", len(history), got)
	}
}
