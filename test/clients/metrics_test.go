package clients

import "testing"

func TestMetricsArePutAndReadInEveryProtocol(t *testing.T) {
	out, err := python(t, "metrics.py", map[string]string{"endpoint": start(t).URL()})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
