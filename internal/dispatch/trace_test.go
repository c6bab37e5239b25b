package dispatch_test

import "testing"

func TestCallKeepsItsTracingHeader(t *testing.T) {
	const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
	p := newPlatform(t)
	r := request(t, &root, keyInfo(), keyInfo())
	r.Header.Set("X-Amzn-Trace-Id", trace)
	expect(t, p.serve(r), 200)
	if got := p.calls()[0].Trace; got != trace {
		t.Errorf("the handler saw the trace %q", got)
	}
}
