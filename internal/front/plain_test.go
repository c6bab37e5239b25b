package front

import (
	"bufio"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// heads are requests of many kinds; those that begin with a ! are left to net/http.
var heads = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /a/b.c~d/$&+,:;=@ HTTP/1.1\r\nHost: a.example:80\r\nuser-agent: x\r\nAccept: */*\r\nX-Amz-Date:20260101T000000Z \r\n\r\n",
	"GET /a?b=c&d=%20e&f HTTP/1.1\r\nHost: a\r\nAccept: a\r\nAccept: b\r\naccept:c\r\nEmpty:\r\nTabs:\t v\tw \t\r\n\r\n",
	"GET /a? HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /a?? HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /a%2Fb/c%20d HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /a%2fb?x=#y HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET //a//b/../c HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
	"GET /a!'()*[]\"<> HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /\xc3\xa9?\xc3\xa9 HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello and more",
	"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nconnection: Close\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nshort",
	"HEAD /a HTTP/1.1\r\nhost: a\r\nhost-name: b\r\n\r\n",
	"!GET /a HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\n\r\n",
	"!POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"!POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
	"!POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
	"!POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello",
	"!GET /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
	"!GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	"!GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	"!GET /a HTTP/1.1\r\nHost: a\r\nA: b\r\n folded\r\n\r\n",
	"!GET /a HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n",
	"!GET /a HTTP/1.1\r\nHost: a\r\nA: b\x00\r\n\r\n",
	"!GET /a HTTP/1.1\r\nHost: a\r\nA: b\nC: d\r\n\r\n",
	"!GET /a HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
	"!GET /a HTTP/1.1\r\nHost:\r\n\r\n",
	"!GET /a HTTP/1.1\r\n\r\n",
	"!GET /a HTTP/1.0\r\nHost: a\r\n\r\n",
	"!GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
	"!GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
	"!GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n",
	"!OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
	"!CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
	"!PRI * HTTP/2.0\r\n\r\n",
	"!PURGE /a HTTP/1.1\r\nHost: a\r\n\r\n",
	"!get /a HTTP/1.1\r\nHost: a\r\n\r\n",
	"!\r\n\r\n",
}

// TestPlainRequestsAreThoseOfNetHTTP holds what is read here against what net/http reads.
func TestPlainRequestsAreThoseOfNetHTTP(t *testing.T) {
	for _, text := range heads {
		text, left := strings.CutPrefix(text, "!")
		if got := sameAsNetHTTP(t, text); got == left {
			t.Errorf("%q is read here: %v", text, got)
		}
	}
}

func FuzzPlainRequest(f *testing.F) {
	for _, text := range heads {
		f.Add(strings.TrimPrefix(text, "!"))
	}
	f.Fuzz(func(t *testing.T, text string) { sameAsNetHTTP(t, text) })
}

// sameAsNetHTTP tells whether a request is read here, and fails the test unless net/http reads the same one.
func sameAsNetHTTP(t *testing.T, text string) bool {
	t.Helper()
	head, _, ok := strings.Cut(text, "\r\n\r\n")
	if !ok || len(text) > directBuffer || strings.Contains(head, "\n\n") || strings.Contains(head, "\n\r\n") {
		return false // awaitHead does not return it
	}
	head += "\r\n\r\n"
	in := bufio.NewReader(strings.NewReader(text))
	d := &direct{headConn: &headConn{}, r: in}
	got := plainRequest(head, newRoom(d))
	if got == nil {
		return false
	}
	want, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil || !ordinary(want, []byte(head)) {
		t.Fatalf("%q is read here, but net/http says %v", text, err)
	}
	if _, err := in.Discard(len(head)); err != nil {
		t.Fatal(err)
	}
	if reflect.TypeOf(got.Body) == reflect.TypeOf(http.NoBody) != (want.Body == http.NoBody) {
		t.Errorf("%q has a body: %v", text, got.Body != http.NoBody)
	}
	g, errGot := io.ReadAll(got.Body)
	w, errWant := io.ReadAll(want.Body)
	if string(g) != string(w) || errGot != errWant { //nolint:errorlint // the same, and not one that wraps it
		t.Errorf("%q has the body %q (%v), want %q (%v)", text, g, errGot, w, errWant)
	}
	if errGot := got.Body.Close(); (errGot == nil) != (errWant == nil) {
		t.Errorf("%q: closing the body says %v", text, errGot)
	}
	plain := *got.WithContext(t.Context())
	other := *want.WithContext(t.Context())
	plain.Body, other.Body = nil, nil
	if !reflect.DeepEqual(plain, other) {
		t.Errorf("%q is\n%+v, want\n%+v", text, plain, other)
	}
	return true
}

func TestPlainBodyIsReadInPartsAndClosed(t *testing.T) {
	d := &direct{headConn: &headConn{}, r: bufio.NewReader(strings.NewReader("hello, and the next"))}
	b := &plainBody{d: d, left: 5}
	p := make([]byte, 3)
	if n, err := b.Read(p); n != 3 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.Read(p); err != http.ErrBodyReadAfterClose { //nolint:errorlint // as net/http does
		t.Errorf("reading says %v", err)
	}
	if rest, _ := io.ReadAll(d.r); string(rest) != ", and the next" {
		t.Errorf("%q is left", rest)
	}
	short := &plainBody{d: &direct{r: bufio.NewReader(strings.NewReader("he"))}, left: 5}
	if err := short.Close(); err != io.ErrUnexpectedEOF { //nolint:errorlint // as net/http does
		t.Errorf("closing says %v", err)
	}
}
