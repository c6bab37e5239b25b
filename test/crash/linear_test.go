package crash

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// registers are two items that hold a number each.
const registersTable = "registers"

// registerCall is a call on the registers: a read of both in one transaction, or a conditional increment of one or, in a transaction, of both.
type registerCall struct {
	kind string // read, one or both
	i    int    // of one
	from [2]int // what the condition expects
}

// registerAnswer is what a call found or did. Of an unknown one nobody got the answer.
type registerAnswer struct {
	values  [2]int
	done    bool
	unknown bool
}

// registerModel says what the registers may answer when they hold first. A call whose answer was lost ends at the end of time, so that it may also never
// have been made.
func registerModel(first [2]int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return first },
		Step: func(state, input, output any) (bool, any) {
			s, in, out := state.([2]int), input.(registerCall), output.(registerAnswer)
			var holds bool
			next := s
			switch in.kind {
			case "read":
				return out.values == s, s
			case "one":
				holds = s[in.i] == in.from[in.i]
				next[in.i]++
			default:
				holds = s == in.from
				next[0]++
				next[1]++
			}
			if !holds {
				return out.unknown || !out.done, s
			}
			return out.unknown || out.done, next
		},
	}
}

func registerID(i int) string { return "r" + strconv.Itoa(i) }

// make makes the call. The error tells that its outcome is not known.
func (in registerCall) make(ctx context.Context, c *client) (out registerAnswer, err error) {
	update := func(i int) map[string]any {
		return map[string]any{
			"TableName": registersTable, "Key": map[string]any{"id": text(registerID(i))}, "UpdateExpression": "ADD n :one", "ConditionExpression": "n = :from",
			"ExpressionAttributeValues": map[string]any{":one": map[string]string{"N": "1"}, ":from": map[string]string{"N": strconv.Itoa(in.from[i])}},
		}
	}
	switch in.kind {
	case "one":
		err = c.dynamodb(ctx, "UpdateItem", update(in.i), nil)
	case "both":
		err = c.dynamodb(ctx, "TransactWriteItems", map[string]any{"TransactItems": []any{map[string]any{"Update": update(0)}, map[string]any{"Update": update(1)}}}, nil)
	default:
		out.values, err = readRegisters(ctx, c)
		return out, err
	}
	var r *refusal
	if errors.As(err, &r) && strings.Contains(r.body, "ConditionalCheckFailed") {
		return out, nil
	}
	out.done = err == nil
	return out, err
}

// readRegisters reads both in one transaction.
func readRegisters(ctx context.Context, c *client) (values [2]int, err error) {
	get := func(i int) map[string]any {
		return map[string]any{"Get": map[string]any{"TableName": registersTable, "Key": map[string]any{"id": text(registerID(i))}}}
	}
	var found struct{ Responses []struct{ Item item } }
	if err := c.dynamodb(ctx, "TransactGetItems", map[string]any{"TransactItems": []any{get(0), get(1)}}, &found); err != nil {
		return values, err
	}
	for i, r := range found.Responses {
		if values[i], err = strconv.Atoi(r.Item.N.N); err != nil {
			return values, err
		}
	}
	return values, nil
}

// registerHistory collects the calls of all clients.
type registerHistory struct {
	mu    sync.Mutex // guards the field below
	calls []porcupine.Operation
}

// work makes calls until the process dies. known is what it believes that the registers hold.
func (h *registerHistory) work(ctx context.Context, t *testing.T, c *client, id int, known [2]int, random *rand.Rand) {
	for {
		in := registerCall{kind: []string{"read", "one", "both"}[random.IntN(3)], i: random.IntN(2), from: known}
		began := time.Now().UnixNano()
		out, err := in.make(ctx, c)
		op := porcupine.Operation{ClientId: id, Input: in, Call: began, Output: out, Return: time.Now().UnixNano()}
		var r *refusal
		switch {
		case errors.As(err, &r) && strings.Contains(r.body, "TransactionConflict"):
			continue // nothing was done
		case errors.As(err, &r):
			t.Errorf("%+v: %v", in, err)
			return
		case err != nil && in.kind == "read":
			return
		case err != nil:
			op.Output, op.Return = registerAnswer{unknown: true}, math.MaxInt64
		}
		h.mu.Lock()
		h.calls = append(h.calls, op)
		h.mu.Unlock()
		switch {
		case err != nil:
			return
		case in.kind == "read":
			known = out.values
		case out.done && in.kind == "one":
			known[in.i]++
		case out.done:
			known[0]++
			known[1]++
		}
	}
}

// TestKilledProcessKeepsOneOrder holds conditional writes and transactions against the registers that they are on, while the process is killed again and
// again: all answers fit one order of the calls.
func TestKilledProcessKeepsOneOrder(t *testing.T) {
	rounds, start := *kills, *seed
	if *long {
		rounds = 50
	}
	if start == 0 {
		start = uint64(time.Now().UnixNano())
	}
	p := newPlatform(t, t.TempDir())
	c := newClient(p.address)
	err := c.dynamodb(t.Context(), "CreateTable", map[string]any{
		"TableName": registersTable, "BillingMode": "PAY_PER_REQUEST",
		"AttributeDefinitions": []any{map[string]string{"AttributeName": "id", "AttributeType": "S"}}, "KeySchema": []any{map[string]string{"AttributeName": "id", "KeyType": "HASH"}},
	}, nil)
	for i := range 2 {
		err = errors.Join(err, c.dynamodb(t.Context(), "PutItem", map[string]any{
			"TableName": registersTable, "Item": map[string]any{"id": text(registerID(i)), "n": map[string]string{"N": "0"}},
		}, nil))
	}
	if err != nil {
		t.Fatal(err)
	}
	var first [2]int
	calls := 0
	for round := range rounds {
		c := newClient(p.address)
		h := &registerHistory{}
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
		last, err := readRegisters(t.Context(), newClient(p.address))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now().UnixNano()
		h.calls = append(h.calls, porcupine.Operation{ClientId: writers, Input: registerCall{kind: "read"}, Call: now, Output: registerAnswer{values: last}, Return: now + 1})
		if got := porcupine.CheckOperationsTimeout(registerModel(first), h.calls, time.Minute); got != porcupine.Ok {
			t.Errorf("the %d calls of round %d of seed %d are %s", len(h.calls), round, start, got)
		}
		first, calls = last, calls+len(h.calls)
	}
	t.Logf("seed %d: %d kills, %d calls, registers %v", start, rounds, calls, first)
}
