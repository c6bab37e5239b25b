package clients

import "testing"

func TestAWebSocketClientAndBoto3ShareAConnection(t *testing.T) {
	s := start(t)
	key := s.RootKey()
	out, err := python(t, "websocket.py", map[string]string{"url": s.URL(), "key": key.AccessKeyID, "secret": key.Secret, "wscat": module(t, "wscat", "bin", "wscat")})
	if err != nil || out != "ok\n" {
		t.Errorf("%v\n%s", err, out)
	}
}
