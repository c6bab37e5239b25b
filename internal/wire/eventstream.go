package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"reflect"

	"lambent.dev/lambent/internal/awsapi"
)

// eventMediaType is the media type of a stream of events.
const eventMediaType = "application/vnd.amazon.eventstream"

// eventHeader is one header of an event's message; all that AWS's services use
// in answers are strings.
type eventHeader struct{ name, value string }

// appendEvent appends one message of vnd.amazon.eventstream: a prelude with the
// lengths and its CRC, the headers, the payload and the CRC of it all.
func appendEvent(dst []byte, headers []eventHeader, payload []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, 12)...)
	for _, h := range headers {
		const stringType = 7
		dst = append(dst, byte(len(h.name)))
		dst = append(dst, h.name...)
		dst = append(dst, stringType)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(h.value)))
		dst = append(dst, h.value...)
	}
	headersLen := len(dst) - start - 12
	dst = append(dst, payload...)
	total := len(dst) - start + 4
	binary.BigEndian.PutUint32(dst[start:], uint32(total))
	binary.BigEndian.PutUint32(dst[start+4:], uint32(headersLen))
	binary.BigEndian.PutUint32(dst[start+8:], crc32.ChecksumIEEE(dst[start:start+8]))
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
}

// sendEvents answers with a stream of events. The members beside the stream are
// headers in REST protocols and the initial-response event in the others.
func (a *answer) sendEvents(ctx context.Context, o *Operation, m *message, v reflect.Value) error {
	source, ok := v.Field(m.stream.index).Interface().(awsapi.EventSource)
	if !ok {
		return fmt.Errorf("encode %s: %s is not a stream of events", o.Name, m.stream.Name)
	}
	events, err := o.API.compiler.compile(m.stream.shape, eventType(m.stream.typ))
	if err != nil {
		return err
	}
	s := &eventWriter{answer: a, events: events, control: http.NewResponseController(a.w)}
	if a.req.Protocol == awsapi.RESTJSON || a.req.Protocol == awsapi.RESTXML {
		if status := writeLocated(a.w.Header(), m.node, v); status != 0 {
			a.status = status
		}
	}
	a.identify()
	a.contentType(eventMediaType)
	a.w.WriteHeader(a.status)
	if err := s.initial(m, v); err != nil {
		return err
	}
	if err := source.Run(ctx, s.send); err != nil {
		return s.fail(err)
	}
	return nil
}

// eventType returns T of an awsapi.EventStream[T]: the argument of the argument
// of its send function.
func eventType(stream reflect.Type) reflect.Type { return stream.In(1).In(0).Elem() }

// eventWriter writes the events of one answer.
type eventWriter struct {
	*answer
	events  *node
	control *http.ResponseController
	// broken is the first error of the connection.
	broken error
}

func (s *eventWriter) write(headers []eventHeader, payload []byte) error {
	if s.broken != nil {
		return s.broken
	}
	if _, err := s.w.Write(appendEvent(nil, headers, payload)); err != nil {
		s.broken = fmt.Errorf("write event: %w", err)
		return s.broken
	}
	if err := s.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.broken = fmt.Errorf("flush event: %w", err)
	}
	return s.broken
}

// initial sends the first event. AWS's RPC protocols start with it, and its
// flush gets the head to a REST client that waits for the first event.
func (s *eventWriter) initial(m *message, v reflect.Value) error {
	if s.req.Protocol == awsapi.RESTJSON || s.req.Protocol == awsapi.RESTXML {
		if err := s.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return fmt.Errorf("flush response head: %w", err)
		}
		return nil
	}
	payload, media, err := s.encodeEvent(m.field, v)
	if err != nil {
		return err
	}
	return s.write([]eventHeader{
		{":message-type", "event"}, {":event-type", "initial-response"}, {":content-type", media},
	}, payload)
}

func (s *eventWriter) encodeEvent(f *field, v reflect.Value) ([]byte, string, error) {
	switch s.req.Protocol {
	case awsapi.CBOR:
		b, err := s.cbor().append(nil, f, v, 0)
		return b, "application/cbor", err
	case awsapi.OldCBOR:
		b, err := s.cbor().append(nil, f, v, 0)
		return b, oldCBOR, err
	case awsapi.RESTXML:
		e := &xmlEncoder{}
		err := e.member(f, f.shape.Name, v, 0)
		return e.buf, "text/xml", err
	case awsapi.JSON:
		b, err := appendJSON(nil, f, v, 0)
		return b, "application/x-amz-json-" + firstOf(s.api.JSONVersion, "1.0"), err
	}
	b, err := appendJSON(nil, f, v, 0)
	return b, "application/json", err
}

// send writes one event: the member of the union that is set.
func (s *eventWriter) send(event any) error {
	v := reflect.ValueOf(event).Elem()
	for i := range s.events.fields {
		f := &s.events.fields[i]
		value, present := f.value(v)
		if !present {
			continue
		}
		kind, typeHeader := "event", ":event-type"
		if f.shape.Exception {
			kind, typeHeader = "exception", ":exception-type"
		}
		headers := []eventHeader{{":message-type", kind}, {typeHeader, f.Name}}
		payload, headers, err := s.eventBody(f, value, headers)
		if err != nil {
			return err
		}
		return s.write(headers, payload)
	}
	return errors.New("an event of a stream has no member set")
}

// eventBody encodes an event; its members may be headers, or one of them the
// payload.
func (s *eventWriter) eventBody(f *field, v reflect.Value, headers []eventHeader) ([]byte, []eventHeader, error) {
	var payload *field
	for i := range f.fields {
		member := &f.fields[i]
		value, present := member.value(v)
		switch {
		case member.EventPayload:
			payload = member
		case member.EventHeader && present:
			headers = append(headers, eventHeader{member.Name, member.text(value, formatEpoch)})
		}
	}
	if payload == nil {
		body, media, err := s.encodeEvent(f, v)
		return body, append(headers, eventHeader{":content-type", media}), err
	}
	value, present := payload.value(v)
	if !present {
		return nil, headers, nil
	}
	switch payload.kind {
	case awsapi.Blob:
		return value.Bytes(), append(headers, eventHeader{":content-type", "application/octet-stream"}), nil
	case awsapi.String:
		return []byte(value.String()), append(headers, eventHeader{":content-type", "text/plain"}), nil
	}
	body, media, err := s.encodeEvent(payload, value)
	return body, append(headers, eventHeader{":content-type", media}), err
}

// fail ends the stream with an exception event, unless the client has gone.
func (s *eventWriter) fail(err error) error {
	if s.broken != nil {
		return s.broken
	}
	e := s.api.describe(err)
	inner := &answer{w: discardHeader{}, req: s.req, api: s.api}
	for i := range s.events.fields {
		if f := &s.events.fields[i]; f.shape.Exception && f.shape.Name == e.name {
			media, encode := "application/json", func() error { return inner.encodeErrorJSON(e, false) }
			switch s.req.Protocol {
			case awsapi.CBOR:
				media, encode = "application/cbor", func() error { return inner.encodeErrorCBOR(e) }
			case awsapi.OldCBOR:
				media, encode = oldCBOR, func() error { return inner.encodeErrorCBOR(e) }
			}
			if err := encode(); err != nil {
				return err
			}
			return s.write([]eventHeader{
				{":message-type", "exception"}, {":exception-type", f.Name}, {":content-type", media},
			}, inner.body)
		}
	}
	return s.write([]eventHeader{
		{":message-type", "error"}, {":error-code", e.name}, {":error-message", e.message},
	}, nil)
}

// discardHeader is a ResponseWriter for encoding what is not an answer.
type discardHeader struct{}

func (discardHeader) Header() http.Header         { return http.Header{} }
func (discardHeader) Write(p []byte) (int, error) { return len(p), nil }
func (discardHeader) WriteHeader(int)             {}
