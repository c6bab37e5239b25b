package plane

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"lambent.dev/lambent/internal/service/port"
)

// The levels of execution logs.
const (
	levelInfo  = "INFO"
	levelError = "ERROR"
)

// maxLogged is how much of a body an execution log shows, in bytes.
const maxLogged = 1024

// executionLog collects what is written of one request to the stage's execution log
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html). A nil log collects nothing.
type executionLog struct {
	id    string
	info  bool // everything is told, and not errors alone
	data  bool // with bodies
	plain bool // lines are for the caller of TestInvokeMethod, and do not name the request
	now   func() time.Time
	lines []port.LogLine
}

// startLog begins the execution log when the stage wants one.
func (x *exchange) startLog() {
	s := x.settings
	if !x.logRole || s.level != levelInfo && s.level != levelError || x.logger != nil {
		return
	}
	x.logger = &executionLog{id: x.id, info: s.level == levelInfo, data: s.data, now: x.plane.o.Clock.Now}
	x.logger.tell("Extended Request Id: %s", x.extended)
	x.logger.begin(x)
}

// begin tells of the request.
func (l *executionLog) begin(x *exchange) {
	l.tell("Starting execution for request: %s", x.id)
	path := x.resource.path
	if l.plain {
		path = x.path // as TestInvokeMethod was asked for it
	}
	l.tell("HTTP Method: %s, Resource Path: %s", x.http.Method, path)
	if l.data {
		l.tell("Method request path: %s", mapText(x.params))
		l.tell("Method request query string: %s", mapText(x.query))
		l.tell("Method request headers: %s", headerText(x.fields))
		l.tell("Method request body before transformations: %s", cut(x.body))
	}
}

// tell adds a line when everything is told.
func (l *executionLog) tell(format string, args ...any) {
	if l != nil && l.info {
		l.add(fmt.Sprintf(format, args...))
	}
}

func (l *executionLog) add(text string) {
	if !l.plain {
		text = "(" + l.id + ") " + text
	}
	l.lines = append(l.lines, port.LogLine{Time: l.now(), Message: text})
}

// failed adds why the request failed.
func (l *executionLog) failed(f *failed) {
	if l == nil {
		return
	}
	if f.logged != "" {
		l.add("Execution failed due to configuration error: " + f.logged)
		return
	}
	text := "Execution failed due to " + f.kind + ": " + f.message
	if f.validation != "" {
		text += " " + f.validation
	}
	if f.err != nil {
		text += ": " + f.err.Error()
	}
	l.add(text)
}

// request tells what goes to the integration.
func (l *executionLog) request(target string, headers fields, body []byte) {
	if l == nil {
		return
	}
	l.tell("Endpoint request URI: %s", target)
	if l.data {
		l.tell("Endpoint request headers: %s", headerText(headers))
		l.tell("Endpoint request body after transformations: %s", cut(body))
	}
	l.tell("Sending request to %s", target)
}

// answered tells what came back from the integration.
func (l *executionLog) answered(a *answer, took time.Duration) {
	if l == nil {
		return
	}
	l.tell("Received response. Status: %d, Integration latency: %d ms", a.status, took.Milliseconds())
	if l.data {
		l.tell("Endpoint response headers: %s", headerText(a.fields))
		l.tell("Endpoint response body before transformations: %s", cut(a.body))
	}
}

// responded tells what the client gets.
func (l *executionLog) responded(out *response) {
	if l == nil || !l.data {
		return
	}
	l.tell("Method response body after transformations: %s", cut(out.body))
	l.tell("Method response headers: %s", headerText(fieldsOf(out.header)))
}

// text is the log as TestInvokeMethod shows it.
func (l *executionLog) text() string {
	var b strings.Builder
	b.WriteString("Execution log for request " + l.id + "\n")
	for _, line := range l.lines {
		b.WriteString(line.Time.UTC().Format("Mon Jan 02 15:04:05 MST 2006") + " : " + line.Message + "\n")
	}
	return b.String()
}

// cut is the text of a body as logs show it.
func cut(body []byte) string {
	if len(body) <= maxLogged {
		return string(body)
	}
	return string(body[:maxLogged]) + " [TRUNCATED]"
}

// mapText is {a=b, c=d}.
func mapText(list pairs) string {
	parts := make([]string, len(list))
	for i, p := range list {
		parts[i] = p.name + "=" + p.value
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// headerText is {A=b, C=d} without what proves who somebody is.
func headerText(list fields) string {
	parts := make([]string, len(list))
	for i, f := range list {
		switch strings.ToLower(f.name) {
		case "authorization", "cookie", "x-api-key", "x-amz-security-token":
			f.value = strings.Repeat("*", min(len(f.value), 20))
		}
		parts[i] = f.name + "=" + f.value
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// writeLogs writes the access log's line and the execution log of a request that is over.
func (x *exchange) writeLogs(ctx context.Context) {
	if x.access != nil {
		source := "arn:aws:apigateway:" + x.Region + "::/restapis/" + x.API.ID + "/stages/" + x.name
		x.plane.o.Access.Write(ctx, x.accessTo, source, x.Account, x.ended, x.access.Line(x.contextValue))
	}
	l := x.logger
	if l == nil || len(l.lines) == 0 || x.plane.o.Logs == nil {
		return
	}
	l.tell("Method completed with status: %d", x.status)
	sum := sha256.Sum256([]byte(x.API.ID + "/" + x.name))
	group := "API-Gateway-Execution-Logs_" + x.API.ID + "/" + x.name
	if err := x.plane.o.Logs.PutLog(ctx, x.Account, x.Region, group, hex.EncodeToString(sum[:16]), l.lines); err != nil {
		x.plane.o.Log.WarnContext(ctx, "execution log could not be written", slog.String("group", group), slog.Any("error", err))
	}
}
