// Package keycheck asks whether callers may use the key under which a service was told to keep data.
//
// It is for services whose data lies in the store without further encryption, and is protected by the disk that the store is on: queues, topics, data
// streams. A key of theirs decides who reads and writes, exactly as on AWS: it must exist and be enabled, and the caller must have the right to use it. Data that was
// written stays readable when its key is deleted and the service is told to use another.
//
// A yes is kept for as long as the service would use a data key again, so a change of the key or its policy takes that long to be felt, as it does there. A no is
// asked again each time.
package keycheck

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/lru"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// maxKept bounds the answers that are kept.
const maxKept = 10_000

// Right is what a caller wants to do with a key.
type Right string

// The rights.
const (
	// Write is to put data under the key: kms:GenerateDataKey and kms:Decrypt.
	Write Right = "write"
	// Read is to get data from under it: kms:Decrypt.
	Read Right = "read"
)

// Checker asks keys and keeps their answers. Make one with [New]; a nil one answers yes. It is safe for concurrent use.
type Checker struct {
	keys  port.Keys
	clock clock.Clock
	kept  *lru.Cache[Question, time.Time] // until when a yes holds
}

// Question is what was asked of a key: who wants to do what with it, for which service, place and encryption context. Questions are compared with ==.
type Question struct {
	right                                Right
	caller, service, key, place, context string
}

// New returns a checker that asks keys.
func New(keys port.Keys, c clock.Clock) *Checker {
	return &Checker{keys: keys, clock: c, kept: lru.New[Question, time.Time](maxKept)}
}

// Check returns nil when the principal of ctx has a right on a key. use.Key is not empty; reuse is for how long a yes is kept. Errors are those of [port.Keys].
func (c *Checker) Check(ctx context.Context, right Right, use port.KeyUse, reuse time.Duration) error {
	if c == nil {
		return nil
	}
	now, q := c.clock.Now(), QuestionOf(ctx, right, use)
	if until, ok := c.kept.Get(q); ok && now.Before(until) && until.Sub(now) <= reuse {
		return nil
	}
	if err := c.ask(ctx, right, use); err != nil {
		return err
	}
	c.kept.Put(q, now.Add(reuse))
	return nil
}

// QuestionOf returns what the principal of ctx asks.
func QuestionOf(ctx context.Context, right Right, use port.KeyUse) Question {
	p := &service.RequestFrom(ctx).Principal
	caller := strings.Join([]string{p.ARN, p.UserID, p.AccessKeyID, p.Service, p.SourceARN, p.SourceAccount}, " ")
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(use.Context)) {
		b.WriteString(name + "=" + use.Context[name] + ";")
	}
	return Question{right, caller, use.Service, use.Key, use.Account + "/" + use.Region, b.String()}
}

func (c *Checker) ask(ctx context.Context, right Right, use port.KeyUse) error {
	made := use
	made.Granted = right == Read // the data that is read was put there by somebody else
	dk, err := c.keys.GenerateDataKey(ctx, made)
	if err != nil {
		return err
	}
	_, err = c.keys.Decrypt(ctx, use, dk.Wrapped)
	return err
}

// Cause is why a key cannot be used.
type Cause string

// The causes.
const (
	Denied   Cause = "AccessDenied"
	Disabled Cause = "Disabled"
	State    Cause = "InvalidState"
	Usage    Cause = "InvalidKeyUsage"
	Missing  Cause = "NotFound"
)

// CauseOf returns the cause that an error of [Checker.Check] has, and its message. A failure of the platform has none.
func CauseOf(err error) (cause Cause, message string, ok bool) {
	var e *service.Error
	if !errors.As(err, &e) || e.Status >= 500 {
		return "", "", false
	}
	switch e.Code {
	case "KMS.NotFoundException":
		cause = Missing
	case "KMS.DisabledException":
		cause = Disabled
	case "KMS.KMSInvalidStateException":
		cause = State
	case "KMS.InvalidKeyUsageException":
		cause = Usage
	default:
		cause = Denied
	}
	return cause, e.Message, true
}
