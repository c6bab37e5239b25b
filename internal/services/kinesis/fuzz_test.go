package kinesis

import (
	"bytes"
	"testing"
	"time"
)

// Iterators, page tokens and sequence numbers come back from clients.

func FuzzParseIterator(f *testing.F) {
	f.Add((&iterator{stream: streamARN, id: 7, cursor: cursor{shard: 1, from: stamp{1}, since: 5}, issued: time.UnixMilli(9)}).String())
	f.Add(`"AQAA"`)
	f.Fuzz(func(t *testing.T, text string) {
		it, err := parseIterator(text)
		if err != nil {
			return
		}
		again, err := parseIterator(it.String())
		if err != nil || again != it {
			t.Errorf("%q is read as %+v and again as %+v, %v", text, it, again, err)
		}
	})
}

func FuzzReadToken(f *testing.F) {
	s := newHarness(f).impl
	f.Add(*s.token(pageToken{List: "ListShards", Stream: streamARN, ID: 7, After: firstShard}))
	f.Add("e30")
	f.Fuzz(func(t *testing.T, text string) {
		if tok, err := s.readToken(text, "ListShards"); err == nil && tok.After == "" {
			t.Errorf("%q has no place", text)
		}
	})
}

func FuzzParseSequence(f *testing.F) {
	created := time.Unix(1795997802, 0)
	f.Add(sequence(created, 3, stamp{1, 2, 3}))
	f.Add("-1")
	f.Fuzz(func(t *testing.T, text string) {
		if shard, s, ok := parseSequence(text, created); ok {
			if again := sequence(created, shard, s); number(t, again).Cmp(number(t, text)) != 0 {
				t.Errorf("%s is read as shard %d, stamp %x, which is %s", text, shard, s, again)
			}
		}
	})
}

func FuzzDecodeRow(f *testing.F) {
	f.Add((&row{kind: rowRecord, at: time.UnixMilli(1795997802123), partition: "k", data: []byte("data")}).encode())
	f.Add((&row{kind: rowRecord, encrypted: true, at: time.UnixMilli(5), partition: "k", size: 700_000, body: "b"}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRow(b)
		if err != nil {
			return
		}
		again, err := decodeRow(r.encode())
		if err != nil || again.kind != r.kind || !again.at.Equal(r.at) || again.partition != r.partition || !bytes.Equal(again.data, r.data) || again.body != r.body {
			t.Errorf("%x is read as %+v and again as %+v, %v", b, r, again, err)
		}
	})
}
