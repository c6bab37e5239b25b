package clients

import (
	"strings"
	"testing"
)

func TestCloudEventsOfTheSDKComeThrough(t *testing.T) {
	s := start(t)
	key := s.RootKey()
	out, err := python(t, "cloudevents_sdk.py", map[string]any{"url": s.URL(), "key": key.AccessKeyID, "secret": key.Secret})
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.TrimSpace(out))
	}
	t.Log(strings.TrimSpace(out))
}
