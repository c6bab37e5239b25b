package key_test

import (
	"bytes"
	"cmp"
	"testing"
	"time"

	"lambent.dev/lambent/internal/store/key"
)

// tuple is one value of every kind of element.
type tuple struct {
	s string
	b []byte
	u uint64
	i int64
}

func (t tuple) key() key.Key { return key.New("svc", t.s).Bytes(t.b).Uint(t.u).Int(t.i) }

func (t tuple) compare(o tuple) int {
	return cmp.Or(cmp.Compare(t.s, o.s), bytes.Compare(t.b, o.b), cmp.Compare(t.u, o.u), cmp.Compare(t.i, o.i))
}

func FuzzKeysSortLikeTuples(f *testing.F) {
	f.Add("a", []byte{0}, uint64(1), int64(-1), "a\x00", []byte{}, uint64(0), int64(1))
	f.Add("", []byte{0xff}, uint64(1)<<63, int64(0), "", []byte{0xff, 0}, uint64(0), int64(0))
	f.Add("a", []byte{0, 1}, uint64(0), int64(0), "a", []byte{0, 0xff}, uint64(0), int64(0))
	f.Fuzz(func(t *testing.T, s1 string, b1 []byte, u1 uint64, i1 int64, s2 string, b2 []byte, u2 uint64, i2 int64) {
		x, y := tuple{s1, b1, u1, i1}, tuple{s2, b2, u2, i2}
		if got, want := bytes.Compare(x.key(), y.key()), x.compare(y); got != want {
			t.Errorf("keys compare %d, tuples %d: %v %v", got, want, x, y)
		}
		d := key.Decode(x.key()).Skip(key.New("svc"))
		back := tuple{d.Str(), d.Bytes(), d.Uint(), d.Int()}
		if err := d.Done(); err != nil || back.compare(x) != 0 {
			t.Errorf("%v decodes as %v, %v", x, back, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("svc\x00\x01\x00"))
	f.Add([]byte{0, 0xff, 0, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		d := key.Decode(b)
		s, x, u := d.Str(), d.Bytes(), d.UintDesc()
		if d.Err() != nil {
			return
		}
		if again := key.New(s).Bytes(x).UintDesc(u).Raw(d.Rest()); !bytes.Equal(again, b) {
			t.Errorf("%q is read and written again as %q", b, []byte(again))
		}
	})
}

func TestSpanSelectsContinuations(t *testing.T) {
	span := key.New("s3", "bucket").Span()
	for name, c := range map[string]struct {
		k    key.Key
		want bool
	}{
		"itself":         {key.New("s3", "bucket"), true},
		"a continuation": {key.New("s3", "bucket", "x").Uint(1), true},
		"longer element": {key.New("s3", "bucket2"), false},
		"a zero byte":    {key.New("s3", "bucket\x00"), false},
		"a sibling":      {key.New("s3", "bucke"), false},
	} {
		got := bytes.Compare(c.k, span.Lo) >= 0 && bytes.Compare(c.k, span.Hi) < 0
		if got != c.want {
			t.Errorf("%s: selected %v, want %v", name, got, c.want)
		}
	}
}

func TestStrPrefixSelectsBeginnings(t *testing.T) {
	span := key.New("s3").StrPrefix("photos/").Span()
	for s, want := range map[string]bool{"photos/": true, "photos/1": true, "photos": false, "photos0": false, "photos/\x00": true} {
		k := key.New("s3", s)
		if got := bytes.Compare(k, span.Lo) >= 0 && bytes.Compare(k, span.Hi) < 0; got != want {
			t.Errorf("%q: selected %v, want %v", s, got, want)
		}
	}
}

func TestKeysBuiltOnOnePrefixShareNoBytes(t *testing.T) {
	p := key.New("s3", "account")
	a, b := p.Str("a"), p.Str("b")
	if want := key.New("s3", "account", "a"); !bytes.Equal(a, want) {
		t.Errorf("building %q changed the first key to %q", []byte(b), []byte(a))
	}
}

func TestDescendingAndTimes(t *testing.T) {
	p := key.New("x")
	if bytes.Compare(p.UintDesc(2), p.UintDesc(1)) >= 0 {
		t.Error("a greater number does not sort first")
	}
	at := time.Date(1969, 7, 20, 20, 17, 40, 5, time.UTC)
	if bytes.Compare(p.Time(at), p.Time(at.Add(1))) >= 0 {
		t.Error("times do not sort")
	}
	if got := key.Decode(p.Time(at)).Skip(p).Time(); !got.Equal(at) {
		t.Errorf("time decodes as %s", got)
	}
}

func TestDecodingWhatIsNotThere(t *testing.T) {
	d := key.Decode([]byte("abc"))
	if d.Str() != "" || d.Uint() != 0 || !d.Time().IsZero() || d.UintDesc() != 0 || d.Rest() != nil || d.Err() == nil {
		t.Error("a malformed key decodes")
	}
	if key.Decode(key.New("a", "b")).Skip(key.New("a")).Done() == nil {
		t.Error("Done ignores what is left")
	}
}
