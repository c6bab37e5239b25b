package sns

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/lib/mail"
)

// mails is a server for mails that fails as it is told.
type mails struct {
	mu    sync.Mutex
	err   error
	sent  []mail.Message
	tries int
}

func (m *mails) Send(_ context.Context, message mail.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tries++; m.err != nil {
		return m.err
	}
	m.sent = append(m.sent, message)
	return nil
}

func (m *mails) state() (sent []mail.Message, tries int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent, m.tries
}

func (m *mails) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err, m.tries = err, 0
}

// refusal is the error for a mail that can never be sent.
func refusal(t *testing.T) error {
	t.Helper()
	server, err := mail.Parse("smtp://127.0.0.1:25", "app@example.com", "")
	if err != nil {
		t.Fatal(err)
	}
	if err = server.Send(t.Context(), mail.Message{To: "no address"}); !mail.Refused(err) {
		t.Fatalf("a mail to nobody: %v", err)
	}
	return err
}

func TestMailsAreSentWhenThereIsAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, server := newHarness(t, nil), &mails{}
		h.impl.options.Mails = server
		topic, dead := h.topic(t, "t", nil), h.queue(t, "dead", nil)
		h.subscribe(t, topic, "email", "ann@example.com", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dead + `"}`})
		synctest.Wait()
		sent, _ := server.state()
		if len(sent) != 1 || sent[0].To != "ann@example.com" || !sent[0].Time.Equal(h.clock.Now()) {
			t.Fatalf("sent %+v", sent)
		}
		_, token, _ := strings.Cut(sent[0].Body, "&Token=")
		do[api.ConfirmSubscriptionOutput](t, h, "sns", "ConfirmSubscription", &api.ConfirmSubscriptionInput{TopicArn: topic, Token: token})
		subject, text := "news", "hello"
		publish := func() {
			do[api.PublishOutput](t, h, "sns", "Publish", &api.PublishInput{TopicArn: &topic, Subject: &subject, Message: text})
			synctest.Wait()
		}
		publish()
		if sent, _ = server.state(); len(sent) != 2 || sent[1].Subject != "news" || sent[1].Body != "hello" || sent[1].ID == sent[0].ID {
			t.Fatalf("sent %+v", sent)
		}
		kept, err := h.impl.kept(h.ctx, place{"000000000000", "us-east-1"}, 10)
		if err != nil || len(kept) != 2 {
			t.Errorf("the outbox has %v, %v", kept, err)
		}

		server.fail(errors.New("connection refused"))
		publish()
		for range 2 {
			h.clock.Advance(10 * time.Second)
			synctest.Wait()
		}
		if _, tries := server.state(); tries != 3 {
			t.Errorf("%d tries in 20 s, want 3", tries)
		}
		server.fail(nil)
		h.clock.Advance(16 * time.Second) // the third wait is longer
		synctest.Wait()
		if sent, _ = server.state(); len(sent) != 3 {
			t.Fatalf("a mail was not sent when the server was back: %+v", sent)
		}

		server.fail(refusal(t))
		text = "poison"
		publish()
		if _, tries := server.state(); tries != 1 {
			t.Errorf("a mail that was refused for good was tried %d times", tries)
		}
		if got := h.bodies(t, "dead"); len(got) != 1 || !strings.Contains(got[0], `"Message":"poison"`) {
			t.Errorf("the dead-letter queue has %v", got)
		}

		server.fail(errors.New("connection refused"))
		text = "late"
		publish()
		for range mailTries {
			h.clock.Advance(10 * time.Minute) // no wait is longer
			synctest.Wait()
		}
		if _, tries := server.state(); tries != mailTries {
			t.Errorf("%d tries, want %d", tries, mailTries)
		}
		if got := h.bodies(t, "dead"); len(got) != 1 || !strings.Contains(got[0], `"Message":"late"`) {
			t.Errorf("the dead-letter queue has %v", got)
		}
	})
}
