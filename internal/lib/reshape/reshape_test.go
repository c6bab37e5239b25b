package reshape

import (
	"reflect"
	"testing"
)

type pairOf struct{ Key, Value string }

type properties struct {
	Name    *string  `cfn:"QueueName"`
	Timeout *int64   `cfn:"VisibilityTimeout"`
	Fifo    *bool    `cfn:"FifoQueue"`
	Policy  any      `cfn:"Policy"`
	Tags    []pairOf `cfn:"Tags"`
	Nested  *struct {
		Days int32 `cfn:"Days"`
	} `cfn:"Nested"`
	Env map[string]string `cfn:"Env"`
}

type answer struct {
	QUEUENAME *string
	Nested    *struct{ DAYS *int32 }
	Policy    string
	Tags      map[string]string
	Env       []pairOf
	Unknown   string
}

func TestAnswersBecomeProperties(t *testing.T) {
	name, days := "orders", int32(3)
	p := To[properties](
		map[string]string{"VisibilityTimeout": "40", "FifoQueue": "true", "Other": "x", "QueueName": ""},
		&answer{
			QUEUENAME: &name, Nested: &struct{ DAYS *int32 }{&days}, Policy: `{"a":[1]}`, Tags: map[string]string{"b": "2", "a": "1", "aws:cloudformation:stack-id": "s"},
			Env: []pairOf{{"k", "v"}},
		})
	if *p.Name != "orders" || *p.Timeout != 40 || !*p.Fifo || p.Nested.Days != 3 || p.Env["k"] != "v" {
		t.Errorf("%+v", p)
	}
	if want := []pairOf{{"a", "1"}, {"b", "2"}}; !reflect.DeepEqual(p.Tags, want) {
		t.Errorf("tags %v, want %v", p.Tags, want)
	}
	if want := (map[string]any{"a": []any{1.0}}); !reflect.DeepEqual(p.Policy, want) {
		t.Errorf("policy %v, want %v", p.Policy, want)
	}
}

func TestWhatIsNotSaidStaysAsItIs(t *testing.T) {
	p := To[properties](map[string]string{"QueueName": "a"}, &answer{}, map[string]any{"Tags": nil, "Nested": nil})
	if *p.Name != "a" || p.Timeout != nil || p.Fifo != nil || p.Policy != nil || p.Tags != nil || p.Nested != nil || p.Env != nil {
		t.Errorf("%+v", p)
	}
}
