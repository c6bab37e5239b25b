package lambda

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/lambda"
)

// watcher is an extension that keeps the telemetry which it is sent in a file.
const watcher = `#!/usr/bin/env node
const http = require('http'), fs = require('fs');
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const call = (method, path, headers, body) => new Promise((resolve, reject) => {
  const q = http.request({host, port, method, path, headers}, (r) => {
    let text = '';
    r.on('data', (d) => { text += d; }).on('end', () => resolve({status: r.statusCode, headers: r.headers, text}));
  });
  q.on('error', reject).end(body && JSON.stringify(body));
});
const collect = (file) => http.createServer((q, r) => {
  let text = '';
  q.on('data', (d) => { text += d; }).on('end', () => {
    fs.appendFileSync(file, JSON.parse(text).map((e) => JSON.stringify(e) + '\n').join(''));
    r.end();
  });
});
fs.writeFileSync('/tmp/events', '');
(async () => {
  await new Promise((done) => collect('/tmp/events').listen(4243, 'sandbox.localdomain', done));
  const r = await call('POST', '/2020-01-01/extension/register', {'Lambda-Extension-Name': 'watcher'}, {events: ['INVOKE', 'SHUTDOWN']});
  const me = {'Lambda-Extension-Identifier': r.headers['lambda-extension-identifier']};
  const buffering = {maxItems: 1000, maxBytes: 262144, timeoutMs: 25};
  const destination = {protocol: 'HTTP', URI: 'http://sandbox.localdomain:4243'};
  const wrong = await call('PUT', '/2022-07-01/telemetry', me, {schemaVersion: '2022-12-13', types: ['everything'], destination});
  const right = await call('PUT', '/2022-07-01/telemetry', me, {schemaVersion: '2022-12-13', types: ['platform', 'function', 'extension'], buffering, destination});
  const stranger = await call('PUT', '/2022-07-01/telemetry', {'Lambda-Extension-Identifier': 'x'}, {});
  console.log('answers', wrong.status, right.status, right.text, stranger.status);
  for (;;) {
    await call('GET', '/2020-01-01/extension/event/next', me);
    const late = await call('PUT', '/2022-07-01/telemetry', me, {schemaVersion: '2022-12-13', types: ['platform'], destination});
    fs.writeFileSync('/tmp/late', String(late.status));
  }
})();
`

// watched is a function that says something, or returns what the watcher has kept: the whole lines, since it may be writing one.
const watched = `const fs = require('fs');
exports.handler = async (event) => {
  if (!event.read) { console.log('said', event.n); return 'ok'; }
  return {late: fs.readFileSync('/tmp/late', 'utf8'), events: fs.readFileSync('/tmp/events', 'utf8').split('\n').slice(0, -1).map((l) => JSON.parse(l))};
};
`

type telemetryEvent struct {
	Time, Type string
	Record     any
}

func TestExtensionIsSentTelemetry(t *testing.T) {
	f := newFixture(t, nil)
	layer := f.layer(t, "watcher", map[string]string{"extensions/watcher": watcher})
	f.create(t, "f", "nodejs20.x", "index.handler", map[string]string{"index.js": watched}, func(in *api.CreateFunctionInput) {
		in.Layers, in.Timeout = []string{layer}, ptr(int32(20))
	})
	if _, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f", Payload: []byte(`{"n":1}`)}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Late   string
		Events []telemetryEvent
	}
	reported := func() bool {
		return slices.ContainsFunc(got.Events, func(e telemetryEvent) bool { return e.Type == "platform.report" })
	}
	for !reported() {
		out, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f", Payload: []byte(`{"read":true}`)})
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out.Payload, &got); err != nil || out.FunctionError != nil {
			t.Fatalf("%v: %s\n%s", err, out.Payload, f.sink.text())
		}
	}
	end := slices.IndexFunc(got.Events, func(e telemetryEvent) bool { return e.Type == "platform.report" })
	want := []string{
		`platform.initStart functionName functionVersion initializationType instanceId instanceMaxMemory phase runtimeVersion runtimeVersionArn`,
		`platform.telemetrySubscription name state types`,
		"extension answers 400 200 \"OK\" 403\n",
		`platform.extension events name state`,
		`platform.initRuntimeDone initializationType phase status`,
		`platform.initReport initializationType metrics phase status`,
		`platform.start requestId tracing version`,
		"function said 1\n",
		`platform.runtimeDone metrics requestId status`,
		`platform.report metrics requestId status`,
	}
	var seen []string
	for _, e := range got.Events[:end+1] {
		seen = append(seen, e.Type+" "+shapeOf(e.Record))
	}
	// Where the extension's own line comes in depends on when it is scheduled; a line of the function's log has the runtime's head.
	slices.Sort(seen)
	slices.Sort(want)
	if d := cmp.Diff(want, seen); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	if got.Late != "403" {
		t.Errorf("a subscription after the initialisation is answered %s", got.Late)
	}
	if text := f.sink.text(); !strings.Contains(text, "answers 400 200") || !strings.Contains(text, "said 1") {
		t.Errorf("the log is\n%s", text)
	}
}

// shapeOf is a text, without what varies, or the names of an object's members.
func shapeOf(record any) string {
	switch r := record.(type) {
	case string:
		if parts := strings.Split(r, "\t"); len(parts) > 1 {
			return parts[len(parts)-1]
		}
		return r
	case map[string]any:
		var names []string
		for n := range r {
			names = append(names, n)
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	return "?"
}
