package sns

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"time"

	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/mail"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

const mailKind = "sns-mail"

// mailTries is how often a mail is tried: at once, twice after 10 s, ten times after ever longer waits up to 10 minutes, and then every 10 minutes
// (https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html).
const mailTries = 50

// Mails is a server that mails are handed in to, such as a [mail.Server].
type Mails interface {
	Send(ctx context.Context, m mail.Message) error
}

// mailJob is the payload of a job that sends a mail.
type mailJob struct {
	Account, Region, TopicID string
	ID                       string // of the mail
	Mail                     *outgoing
	Dead                     string             `json:",omitempty"`
	DeadMessage              *port.QueueMessage `json:",omitempty"`
}

// mailLater adds the sending of a mail to the transaction, when there is a server for mails.
func (s *Service) mailLater(tx store.Txn, j *mailJob) (err error) {
	if s.options.Mails == nil {
		return nil
	}
	if j.ID, err = uuid.New(s.deps.Random); err != nil {
		return err
	}
	b, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: mailKind, Payload: b})
}

// sendMail makes one try to send a mail.
func (s *Service) sendMail(ctx context.Context, job events.Job) error {
	var j mailJob
	if err := json.Unmarshal(job.Payload, &j); err != nil || s.options.Mails == nil {
		return events.Permanent(err) // without a server for mails, those that waited for one are in the outbox
	}
	at, err := time.Parse(timestampFormat, j.Mail.Time)
	if err != nil {
		return events.Permanent(err)
	}
	err = s.options.Mails.Send(ctx, mail.Message{To: j.Mail.To, Subject: j.Mail.Subject, Body: j.Mail.Body, ID: j.ID, Time: at})
	if err == nil || ctx.Err() != nil || job.Attempt < mailTries && !mail.Refused(err) {
		return err
	}
	s.deps.Log.WarnContext(ctx, "mail given up", slog.String("topic", j.TopicID), slog.String("to", j.Mail.To), slog.Int("attempts", job.Attempt), slog.String("reason", err.Error()))
	return s.buryLate(ctx, place{j.Account, j.Region}, j.TopicID, j.Dead, j.DeadMessage)
}

// mailWait is the wait after the try number attempt.
func mailWait(attempt int) time.Duration {
	const least, most = 10 * time.Second, 10 * time.Minute
	return min(most, time.Duration(float64(least)*math.Pow(float64(most/least), max(0, float64(attempt-2)/10))))
}
