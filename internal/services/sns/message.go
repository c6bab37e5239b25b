package sns

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/service/port"
)

// The types of messages.
const (
	typeNotification = "Notification"
	typeConfirm      = "SubscriptionConfirmation"
	typeUnsubscribe  = "UnsubscribeConfirmation"
)

// message is something that was published.
type message struct {
	ID, TopicARN string
	Subject      *string `json:",omitempty"`
	Body         string
	// ByProtocol are the bodies of a message with the structure "json"; Body is the default then.
	ByProtocol map[string]string `json:",omitempty"`
	// Timestamp is the time of the publish as messages write it.
	Timestamp  string
	Attributes map[string]port.QueueAttribute `json:",omitempty"`
	// Group, Deduplication and Sequence are set for FIFO topics; Group for standard ones too where the publisher gives one.
	Group, Deduplication, Sequence string `json:",omitempty"`
	Trace                          string `json:",omitempty"`
	Replayed                       bool   `json:",omitempty"`
}

const timestampFormat = "2006-01-02T15:04:05.000Z"

// body returns the text for a protocol.
func (m *message) bodyFor(protocol string) string {
	if text, ok := m.ByProtocol[protocol]; ok {
		return text
	}
	return m.Body
}

// writer writes the members of an envelope in their order.
type writer struct{ bytes.Buffer }

func (w *writer) member(name, value string) { w.raw(name, quoted(value)) }

func (w *writer) raw(name string, value []byte) {
	if w.Len() == 0 {
		w.WriteByte('{')
	} else {
		w.WriteByte(',')
	}
	w.Write(quoted(name))
	w.WriteByte(':')
	w.Write(value)
}

func (w *writer) end() string {
	w.WriteByte('}')
	return w.String()
}

// sealed is a message with its signatures, which its deliveries share.
type sealed struct {
	*message

	s       *Service
	t       *topic
	version string // of the signature; "" for none
	// byText and envelopes are the signatures and envelopes that were made, by the body.
	byText    map[string]string
	envelopes map[string][2]string
	// failed are the subscriptions whose endpoints did not take the message, with the reasons.
	failed map[*subscriber]error
}

// seal prepares a message for its deliveries. Messages of FIFO topics are signed only when the topic names a version
// (https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html).
func (s *Service) seal(t *topic, m *message) *sealed {
	version := t.Attributes["SignatureVersion"]
	if version == "" && !t.fifo() {
		version = "1"
	}
	return &sealed{message: m, s: s, t: t, version: version, byText: map[string]string{}, envelopes: map[string][2]string{}}
}

// signature returns the signature of the message with a body, and the URL of the certificate.
func (m *sealed) signature(ctx context.Context, body string) (signature, url string, err error) {
	g, err := m.s.signer(ctx)
	if err != nil {
		return "", "", err
	}
	url = m.s.deps.BaseURL + certificatePath + g.file
	if have, ok := m.byText[body]; ok {
		return have, url, nil
	}
	lines := []string{"Message", body, "MessageId", m.ID}
	if m.Subject != nil {
		lines = append(lines, "Subject", *m.Subject)
	}
	lines = append(lines, "Timestamp", m.Timestamp, "TopicArn", m.TopicARN, "Type", typeNotification)
	signature, err = g.sign(m.version, strings.Join(lines, "\n")+"\n")
	m.byText[body] = signature
	return signature, url, err
}

func (s *Service) unsubscribeURL(topicARN, id string) string {
	return s.deps.BaseURL + "/?Action=Unsubscribe&SubscriptionArn=" + topicARN + ":" + id
}

// envelope is the JSON that an endpoint gets which does not ask for raw messages. Those of one message differ in the id of the subscription alone.
func (m *sealed) envelope(ctx context.Context, x *subscriber) (string, error) {
	body := m.bodyFor(x.Protocol)
	around, ok := m.envelopes[body]
	if !ok {
		var err error
		if around, err = m.aroundID(ctx, body); err != nil {
			return "", err
		}
		m.envelopes[body] = around
	}
	return around[0] + x.ID + around[1], nil
}

// aroundID returns what stands before and behind the id of the subscription in an envelope.
func (m *sealed) aroundID(ctx context.Context, body string) (around [2]string, err error) {
	var w writer
	w.member("Type", typeNotification)
	w.member("MessageId", m.ID)
	if m.Sequence != "" {
		w.member("SequenceNumber", m.Sequence)
	}
	w.member("TopicArn", m.TopicARN)
	if m.Subject != nil {
		w.member("Subject", *m.Subject)
	}
	w.member("Message", body)
	w.member("Timestamp", m.Timestamp)
	if m.version != "" {
		signature, url, err := m.signature(ctx, body)
		if err != nil {
			return around, err
		}
		w.member("SignatureVersion", m.version)
		w.member("Signature", signature)
		w.member("SigningCertURL", url)
	}
	url := quoted(m.s.unsubscribeURL(m.TopicARN, ""))
	w.raw("UnsubscribeURL", url[:len(url)-1])
	around[0] = w.String()
	w.Reset()
	w.WriteByte('"')
	if len(m.Attributes) > 0 {
		w.raw("MessageAttributes", m.attributes())
	}
	if m.Replayed {
		w.member("Replayed", "true")
	}
	around[1] = w.end()
	return around, nil
}

// attributes are the attributes as envelopes show them.
func (m *message) attributes() []byte {
	var w writer
	for _, name := range slices.Sorted(maps.Keys(m.Attributes)) {
		a := m.Attributes[name]
		value := a.Text
		if strings.HasPrefix(a.Type, "Binary") {
			value = base64.StdEncoding.EncodeToString(a.Binary)
		}
		var inner writer
		inner.member("Type", a.Type)
		inner.member("Value", value)
		w.raw(name, []byte(inner.end()))
	}
	if w.Len() == 0 {
		return []byte("{}")
	}
	return []byte(w.end())
}

// event is what a function gets (https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html).
func (m *sealed) event(ctx context.Context, x *subscriber) ([]byte, error) {
	body := m.bodyFor(protocolLambda)
	signature, url, err := m.signature(ctx, body)
	if err != nil {
		return nil, err
	}
	var w writer
	w.member("Type", typeNotification)
	w.member("MessageId", m.ID)
	w.member("TopicArn", m.TopicARN)
	if m.Subject != nil {
		w.member("Subject", *m.Subject)
	} else {
		w.raw("Subject", []byte("null"))
	}
	w.member("Message", body)
	w.member("Timestamp", m.Timestamp)
	w.member("SignatureVersion", m.version)
	w.member("Signature", signature)
	w.member("SigningCertUrl", url)
	w.member("UnsubscribeUrl", m.s.unsubscribeURL(m.TopicARN, x.ID))
	w.raw("MessageAttributes", m.attributes())
	var r writer
	r.member("EventSource", "aws:sns")
	r.member("EventVersion", "1.0")
	r.member("EventSubscriptionArn", m.TopicARN+":"+x.ID)
	r.raw("Sns", []byte(w.end()))
	return json.Marshal(map[string]any{"Records": []json.RawMessage{json.RawMessage(r.end())}})
}

// queueMessage is what a queue gets.
func (m *sealed) queueMessage(ctx context.Context, x *subscriber) (*port.QueueMessage, error) {
	out := &port.QueueMessage{Body: m.bodyFor(protocolSQS), Sender: senderID, Trace: m.Trace}
	if !m.t.fifo() || strings.HasSuffix(x.Endpoint, fifoSuffix) {
		out.Group, out.Deduplication = m.Group, m.Deduplication
	}
	if x.raw() {
		out.Attributes = m.Attributes
		return out, nil
	}
	var err error
	out.Body, err = m.envelope(ctx, x)
	return out, err
}

// senderID is the id of the user that queues see behind SNS.
const senderID = "AIDAIT2UOQQY3AUEKVGXU"
