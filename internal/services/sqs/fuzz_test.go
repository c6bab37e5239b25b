package sqs

import (
	"bytes"
	"context"
	"testing"

	"lambent.dev/lambent/internal/service"
)

func FuzzReceiptHandle(f *testing.F) {
	h := newHarness(f)
	url := h.create(f, "q", nil)
	h.send(f, url, "hello")
	f.Add(*h.receive(f, url, 1, 0)[0].ReceiptHandle)
	f.Add("garbage")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, handle string) {
		r, err := h.impl.openHandle(context.WithoutCancel(h.ctx), handle)
		if err != nil {
			if service.Code(err) != codeHandle {
				t.Errorf("%q: %v", handle, err)
			}
			return
		}
		codes, err := h.impl.codes(context.WithoutCancel(h.ctx))
		if err != nil {
			t.Fatal(err)
		}
		q := &queue{queueRecord: queueRecord{ID: r.queue}}
		if again := q.handle(codes, r.id, r.received); again != handle {
			t.Errorf("%q is taken for %q", handle, again)
		}
	})
}

func FuzzQueueURL(f *testing.F) {
	for _, url := range []string{"http://127.0.0.1:4566/000000000000/q", "/000000000000/q", "q", "http://host/q", "://", "a/b/c/d"} {
		f.Add(url)
	}
	ctx := service.WithRequest(context.Background(), &service.Request{Account: "000000000000", Region: "us-east-1"})
	f.Fuzz(func(t *testing.T, url string) {
		p, name, err := resolve(ctx, url)
		if err == nil && (!accountID(p.account) || name == "") {
			t.Errorf("%q leads to account %q, queue %q", url, p.account, name)
		}
	})
}

func FuzzMessageRows(f *testing.F) {
	st := state{where: inFlight, due: 5, first: 3, received: 2, parts: 1, group: "g", source: "arn"}
	f.Add(st.encode())
	c := content{body: "hello", attributes: []attribute{{"n", "String", "v"}}, sender: "s", trace: "t", dedup: "d", sent: 7}
	f.Add(c.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if st, err := decodeState(b); err == nil {
			again, err := decodeState(st.encode())
			if err != nil || again != st {
				t.Errorf("state %+v is read again as %+v, %v", st, again, err)
			}
		}
		if c, err := decodeContent(b); err == nil {
			again, err := decodeContent(c.encode())
			if err != nil || !bytes.Equal(again.encode(), c.encode()) {
				t.Errorf("content %+v is read again as %+v, %v", c, again, err)
			}
		}
	})
}

func FuzzTaskHandle(f *testing.F) {
	f.Add(taskHandle("id", "arn:aws:sqs:us-east-1:000000000000:dead"))
	f.Add("e30=")
	f.Fuzz(func(t *testing.T, handle string) {
		id, source, err := openTaskHandle(handle)
		if err == nil && (id == "" || source == "") {
			t.Errorf("%q has the task %q of %q", handle, id, source)
		}
	})
}
