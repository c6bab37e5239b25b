package apigatewayv2

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/lib/httpevent"
)

// outgoing is a request as its integration gets it.
type outgoing struct {
	// request has the headers. It is the client's own unless they were changed.
	request *http.Request
	// path is the raw path within the stage, or what a mapping put in its place.
	path        string
	overwritten bool
	// query is raw, without its question mark.
	query string
}

// prepare applies the request parameters of the integration.
func (x *exchange) prepare() (*outgoing, *refusal) {
	out := &outgoing{request: x.request, path: x.to.Path, query: x.rawQuery()}
	changes := x.route.integration.requests
	if len(changes) == 0 {
		return out, nil
	}
	step := x.trace.Step("integration request", "")
	changed := *x.request
	changed.Header = maps.Clone(x.request.Header)
	out.request = &changed
	query := queryFields(out.query)
	mapped := false
	for i := range changes {
		c := &changes[i]
		switch c.place {
		case "header":
			if err := c.header(changed.Header, x.resolve); err != nil {
				refused := &refusal{status: http.StatusBadRequest, message: "Bad Request", err: err}
				step.EndText(x.outcome(refused, nil))
				return nil, refused
			}
		case "querystring":
			query, mapped = c.query(query, x.resolve), true
		case "path":
			out.path, out.overwritten = c.value.text(x.resolvePath), true
			if !strings.HasPrefix(out.path, "/") {
				out.path = "/" + out.path
			}
		}
	}
	if mapped {
		out.query = encodeQuery(query)
	}
	step.EndText(trace.Text{Line: out.path + "?" + out.query, Head: trace.Map(changed.Header)})
	return out, nil
}

// header changes headers. A value that would be empty changes nothing; one that cannot be sent is an error.
func (c *change) header(h http.Header, resolve func(reference string) string) error {
	name := http.CanonicalHeaderKey(c.name)
	if c.verb == "remove" {
		delete(h, name)
		return nil
	}
	text := c.value.text(resolve)
	if text == "" {
		return nil
	}
	if !httpevent.ValidHeader(name, text) {
		return errors.New("the value that is mapped to the header " + c.name + " cannot be sent in one")
	}
	if c.verb == "append" {
		h[name] = append(slices.Clip(h[name]), text)
		return nil
	}
	h[name] = []string{text}
	return nil
}

// query changes the parameters of a query.
func (c *change) query(list []field, resolve func(reference string) string) []field {
	i := slices.IndexFunc(list, func(f field) bool { return f.name == c.name })
	if c.verb == "remove" {
		if i >= 0 {
			list = slices.Delete(list, i, i+1)
		}
		return list
	}
	text := c.value.text(resolve)
	switch {
	case text == "":
	case i < 0:
		list = append(list, field{c.name, []string{text}})
	case c.verb == "append":
		list[i].values = append(list[i].values, text)
	default:
		list[i].values = []string{text}
	}
	return list
}

func encodeQuery(list []field) string {
	var b strings.Builder
	for _, f := range list {
		for _, v := range f.values {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(url.QueryEscape(f.name) + "=" + url.QueryEscape(v))
		}
	}
	return b.String()
}

// change applies the response parameters for the answer's status.
func (x *exchange) change(out *reply) *refusal {
	changes := x.route.integration.responses[strconv.Itoa(out.status)]
	if len(changes) == 0 {
		x.trace.NoteText("response", x.outcome(nil, out.text))
		return nil
	}
	resolve := x.resolveAnswer(&reply{status: out.status, header: maps.Clone(out.header), body: out.body})
	for i := range changes {
		c := &changes[i]
		if c.place == "header" {
			if err := c.header(out.header, resolve); err != nil {
				return misconfigured(err)
			}
			continue
		}
		text := c.value.text(resolve)
		status, err := strconv.Atoi(text)
		if err != nil || status < 200 || status > 599 {
			return misconfigured(errors.New("the mapped status code " + strconv.Quote(text) + " is not one from 200 to 599"))
		}
		out.status = status
	}
	x.trace.NoteText("response", x.outcome(nil, out.text))
	return nil
}

// text is the reply as the trace shows it.
func (r *reply) text() trace.Text {
	return messageText(r.status, trace.Copy(r.header), r.body) // the map of a response serves the next one, too
}

// messageText is an answer as the trace shows it.
func messageText(status int, head trace.Head, body []byte) trace.Text {
	return trace.Text{Line: trace.Status(status), Head: head, Body: body}
}
