package dynamodb

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"lambent.dev/lambent/internal/service"
)

// registerOp is an operation on two counters that are two items: a read of both in one transaction, a conditional increment of one, or one of both.
type registerOp struct {
	kind string // read, one or both
	i    int    // of one
	from [2]int // what the condition expects
}

type registerResult struct {
	values [2]int // of a read
	done   bool   // of a conditional increment
}

func registerModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return [2]int{} },
		Step: func(state, input, output any) (bool, any) {
			s, in, out := state.([2]int), input.(registerOp), output.(registerResult)
			switch in.kind {
			case "read":
				return out.values == s, s
			case "one":
				if holds := s[in.i] == in.from[in.i]; holds != out.done {
					return false, s
				}
				if out.done {
					s[in.i]++
				}
				return true, s
			}
			if holds := s == in.from; holds != out.done {
				return false, s
			}
			if out.done {
				s[0]++
				s[1]++
			}
			return true, s
		},
	}
}

// run makes the operation.
func (op registerOp) run(h *harness) (registerResult, error) {
	update := func(i int) string {
		return fmt.Sprintf(`{"TableName":"accounts","Key":{"id":{"S":"r%d"}},"UpdateExpression":"ADD n :one","ConditionExpression":"n = :from","ExpressionAttributeValues":{":one":{"N":"1"},":from":{"N":"%d"}}}`, i, op.from[i])
	}
	switch op.kind {
	case "one":
		_, err := h.call("UpdateItem", update(op.i))
		if service.Code(err) == codeCondition {
			return registerResult{}, nil
		}
		return registerResult{done: true}, err
	case "both":
		_, err := h.call("TransactWriteItems", `{"TransactItems":[{"Update":`+update(0)+`},{"Update":`+update(1)+`}]}`)
		if service.Code(err) == codeCanceled {
			return registerResult{}, nil
		}
		return registerResult{done: true}, err
	}
	out, err := h.call("TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"accounts","Key":{"id":{"S":"r0"}},"ProjectionExpression":"n"}},{"Get":{"TableName":"accounts","Key":{"id":{"S":"r1"}},"ProjectionExpression":"n"}}]}`)
	var r registerResult
	if err == nil {
		_, err = fmt.Sscanf(strings.NewReplacer(`{"Responses":[{"Item":{"n":{"N":"`, "", `"}}},{"Item":{"n":{"N":"`, " ", `"}}}]}`, "").Replace(out), "%d %d", &r.values[0], &r.values[1])
	}
	return r, err
}

func TestConditionalWritesAndTransactionsAreLinearizable(t *testing.T) {
	h := newHarness(t)
	h.must(t, "CreateTable", accounts)
	for i := range 2 {
		h.must(t, "PutItem", fmt.Sprintf(`{"TableName":"accounts","Item":{"id":{"S":"r%d"},"n":{"N":"0"}}}`, i))
	}
	var mu sync.Mutex
	var history []porcupine.Operation
	var tick atomic.Int64 // a clock that only orders
	var wg sync.WaitGroup
	for client := range 6 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 1))
			var seen [2]int
			for range 60 {
				op := registerOp{kind: []string{"read", "one", "both"}[random.IntN(3)], i: random.IntN(2), from: seen}
				begin := tick.Add(1)
				out, err := op.run(h)
				end := tick.Add(1)
				if err != nil {
					t.Error(err)
					return
				}
				if op.kind == "read" {
					seen = out.values
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: client, Input: op, Call: begin, Output: out, Return: end})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if got := porcupine.CheckOperationsTimeout(registerModel(), history, 20*time.Second); got != porcupine.Ok {
		t.Errorf("the history of %d operations is %s", len(history), got)
	}
}
