package lambda

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// exchange is one request to a function URL.
type exchange struct {
	r      *http.Request
	target ref
	url    urlConfig
	cors   *httpevent.CORS
	// request is what the decisions and the log see.
	request service.Request
	body    []byte
	// passed tells that the answer was sent while it arrived.
	passed bool
}

// serveURL answers a request to a function URL, see https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html.
func (l *Lambda) serveURL(w http.ResponseWriter, r *http.Request) {
	x := &exchange{r: r}
	w.Header()["Connection"] = []string{"keep-alive"} // which gateways in front of it show to their callers
	found, err := l.findURL(r, x)
	switch {
	case err != nil:
		l.deps.Log.ErrorContext(r.Context(), "function url could not be loaded", slog.Any("error", err))
		x.fail(w, http.StatusInternalServerError, "Internal Server Error")
		return
	case !found: // not told from one that nobody may call
		x.fail(w, http.StatusForbidden, forbidden)
		return
	case x.cors.Preflight(w, r):
		return
	}
	if x.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload)); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			x.fail(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
			return
		}
		x.fail(w, http.StatusBadRequest, "Bad Request")
		return
	}
	if err := l.admit(x); err != nil {
		l.refuse(w, x, err)
		return
	}
	l.answerURL(w, x)
}

// findURL loads the configuration of the URL that a request names, and says who asks as far as it is known.
func (l *Lambda) findURL(r *http.Request, x *exchange) (found bool, err error) {
	err = l.deps.Store.View(r.Context(), func(rd store.Reader) error {
		target, ok, err := record.Get[urlTarget](rd, urlID(strings.ToLower(front.RouteVar(r, "id"))))
		if err != nil || !ok {
			return err
		}
		x.target = target.ref()
		x.url, found, err = record.Get[urlConfig](rd, x.target.urls(x.target.name).Str(x.target.qualifier))
		return err
	})
	if err != nil || !found {
		return false, err
	}
	if region := front.RouteVar(r, "region"); region != "" && region != x.target.region {
		return false, nil
	}
	id, err := l.newID()
	if err != nil {
		return false, err
	}
	x.request = service.Request{
		ID: id, API: "lambda", Operation: "InvokeFunctionUrl", Account: x.target.account, Region: x.target.region, Time: l.deps.Clock.Now(), UserAgent: r.UserAgent(),
		Secure: front.Secure(r), SourceIP: front.Peer(r),
	}
	if c := x.url.CORS; c != nil {
		x.cors = &httpevent.CORS{
			AllowCredentials: orZero(c.AllowCredentials), AllowHeaders: c.AllowHeaders, AllowMethods: c.AllowMethods, AllowOrigins: c.AllowOrigins,
			ExposeHeaders: c.ExposeHeaders, MaxAge: c.MaxAge,
		}
	}
	return true, nil
}

// admit finds out who asks, where the URL wants to know, and decides whether they may. Since October 2025 that takes both permissions, see
// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html.
func (l *Lambda) admit(x *exchange) error {
	if x.url.Auth == api.FunctionUrlAuthTypeAwsIam {
		if l.o.Caller == nil {
			return errForbidden
		}
		p, err := l.o.Caller(x.r, x.body)
		if err != nil {
			return err
		}
		if p.Kind == service.Anonymous {
			return errForbidden
		}
		x.request.Principal = p
	}
	ctx := service.WithRequest(x.r.Context(), &x.request)
	for _, action := range []string{"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"} {
		t, err := l.target(ctx, action, x.target)
		if err != nil {
			return err
		}
		t.Condition = conditions{}.add("lambda:FunctionUrlAuthType", x.url.Auth).add("lambda:InvokedViaFunctionUrl", "true")
		if err := l.deps.Door.Allow(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

var errForbidden = errors.New("the request is not signed")

// refuse answers a request that is not admitted.
func (l *Lambda) refuse(w http.ResponseWriter, x *exchange, err error) {
	var known *service.Error
	if !errors.As(err, &known) && !errors.Is(err, errForbidden) {
		l.deps.Log.ErrorContext(x.r.Context(), "call of a function url failed", slog.String("request_id", x.request.ID), slog.Any("error", err))
		x.fail(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	l.deps.Log.WarnContext(x.r.Context(), "call of a function url was refused", slog.String("request_id", x.request.ID), slog.String("function", x.target.arn()), slog.Any("error", err))
	x.fail(w, http.StatusForbidden, forbidden)
}

// forbidden is AWS's answer to who may not call a URL.
const forbidden = "Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"

// traceHeader names the trace that a request belongs to.
const traceHeader = "X-Amzn-Trace-Id"

// answerURL invokes the function and writes what it answers.
func (l *Lambda) answerURL(w http.ResponseWriter, x *exchange) {
	ctx := service.WithRequest(x.r.Context(), &x.request)
	c := &call{ref: x.target, requestID: x.request.ID, at: x.request.Time}
	if x.url.Mode == api.InvokeModeResponseStream {
		c.stream = func(contentType string, body io.Reader) error { return x.pass(w, contentType, body) }
	}
	err := l.load(ctx, c)
	if err == nil {
		err = c.trace(x.r.Header.Get(traceHeader), x.request.Time)
	}
	if err == nil {
		w.Header()[traceHeader] = []string{c.traceID}
		c.payload = x.event(c.traceID)
		err = c.checkPayload()
	}
	var out outcome
	if err == nil {
		out, err = l.run(ctx, c)
	}
	log := l.deps.Log.With(slog.String("request_id", x.request.ID), slog.String("function", x.target.arn()))
	switch {
	case x.passed:
		if err != nil || out.failure != "" {
			log.WarnContext(ctx, "function failed while it answered", slog.String("function_error", out.failure), slog.Any("error", err))
		}
	case service.Code(err) == codeThrottled:
		x.fail(w, http.StatusTooManyRequests, "Rate Exceeded.")
	case service.Code(err) == "RequestTooLargeException":
		x.fail(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	case err != nil:
		log.ErrorContext(ctx, "function could not be invoked", slog.Any("error", err))
		x.badGateway(w)
	case out.failure != "":
		log.WarnContext(ctx, "function failed", slog.String("function_error", out.failure))
		x.badGateway(w)
	default:
		if err := x.write(w, &out); err != nil {
			log.WarnContext(ctx, "function answered what function urls do not accept", slog.Any("error", err))
			x.badGateway(w)
		}
	}
}

// write sends an answer that came as a whole. In streaming mode its bytes are the response; otherwise they describe it.
func (x *exchange) write(w http.ResponseWriter, out *outcome) error {
	w.Header()["X-Amzn-Requestid"] = []string{x.request.ID}
	if x.url.Mode == api.InvokeModeResponseStream || out.contentType == httpevent.StreamType {
		head, body, err := httpevent.ReadStreamed(out.contentType, bytes.NewReader(out.payload))
		if err != nil {
			return err
		}
		if head.Body, err = io.ReadAll(body); err != nil {
			return err
		}
		head.Write(w, x.r, x.cors)
		return nil
	}
	answer, err := httpevent.Parse(out.payload, httpevent.Rules{ContentType: "application/json", JSON: true})
	if err == nil {
		answer.Write(w, x.r, x.cors)
	}
	return err
}

// pass sends an answer while it arrives. When the caller goes away the function finishes all the same, as on AWS.
func (x *exchange) pass(w http.ResponseWriter, contentType string, body io.Reader) error {
	head, rest, err := httpevent.ReadStreamed(contentType, body)
	if err != nil {
		x.badGateway(w)
	} else {
		w.Header()["X-Amzn-Requestid"] = []string{x.request.ID}
		_ = head.WriteStream(w, x.r, x.cors, rest) // the caller knows best that it has gone
	}
	x.passed = true
	_, err = io.Copy(io.Discard, body)
	return err
}

// badGateway answers for a function that failed; as on AWS, in plain text.
func (x *exchange) badGateway(w http.ResponseWriter) {
	const text = "Internal Server Error"
	x.send(w, http.StatusBadGateway, "text/plain", []byte(text))
}

// fail answers in the platform's own words.
func (x *exchange) fail(w http.ResponseWriter, status int, message string) {
	body, err := json.Marshal(map[string]string{"Message": message})
	if err != nil {
		body = []byte("{}")
	}
	x.send(w, status, "application/json", body)
}

func (x *exchange) send(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	x.cors.Allow(h, x.r)
	h["Content-Type"] = []string{contentType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if x.request.ID != "" {
		h["X-Amzn-Requestid"] = []string{x.request.ID}
	}
	if status == http.StatusForbidden {
		h["X-Amzn-Errortype"] = []string{"AccessDeniedException"}
	}
	w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
