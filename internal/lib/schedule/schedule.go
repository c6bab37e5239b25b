package schedule

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// ErrInvalid tells that a text is not an expression.
var ErrInvalid = errors.New("not a schedule expression: expected rate(value unit), cron(minutes hours day-of-month month day-of-week year) or at(yyyy-mm-ddThh:mm:ss)")

// Dialect says what a service accepts.
type Dialect uint8

const (
	// Rules are those of EventBridge: rates and cron expressions; the unit of a rate is singular exactly when its value is 1.
	Rules Dialect = iota
	// Scheduler takes at expressions too, and either form of a unit.
	Scheduler
)

// Expression is a parsed schedule expression. It is safe for concurrent use.
type Expression struct {
	text string
	rate time.Duration
	// at is the wall clock of an at expression, as if it were UTC.
	at   time.Time
	cron *cron
}

// Parse checks an expression. Its error is ErrInvalid.
func Parse(text string, d Dialect) (*Expression, error) {
	e := &Expression{text: text}
	var ok bool
	if inner, found := inside(text, "rate"); found {
		e.rate, ok = parseRate(inner, d)
	} else if inner, found := inside(text, "cron"); found {
		e.cron, ok = parseCron(inner)
	} else if inner, found := inside(text, "at"); found && d == Scheduler {
		var err error
		e.at, err = time.Parse("2006-01-02T15:04:05", inner)
		ok = err == nil
	}
	if !ok {
		return nil, ErrInvalid
	}
	return e, nil
}

// inside returns what stands between the brackets of name(…).
func inside(text, name string) (string, bool) {
	rest, ok := strings.CutPrefix(text, name+"(")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, ")")
}

func parseRate(s string, d Dialect) (time.Duration, bool) {
	value, unit, ok := strings.Cut(s, " ")
	n, err := strconv.ParseInt(value, 10, 64)
	if !ok || err != nil || n < 1 || value[0] == '+' {
		return 0, false
	}
	stem, plural := strings.CutSuffix(unit, "s")
	if d == Rules && plural != (n != 1) {
		return 0, false
	}
	var each time.Duration
	switch stem {
	case "minute":
		each = time.Minute
	case "hour":
		each = time.Hour
	case "day":
		each = 24 * time.Hour
	default:
		return 0, false
	}
	if n > math.MaxInt64/int64(each) {
		return 0, false
	}
	return time.Duration(n) * each, true
}

// String returns the text of the expression.
func (e *Expression) String() string { return e.text }

// Once tells whether the expression is due at most once.
func (e *Expression) Once() bool { return !e.at.IsZero() }

// Next returns the first time after after at which the expression is due, and false when there is none. Rates count from anchor; the
// others are read in zone.
func (e *Expression) Next(after, anchor time.Time, zone *time.Location) (time.Time, bool) {
	switch {
	case e.cron != nil:
		return e.cron.next(after, zone)
	case e.rate > 0:
		if after.Before(anchor) {
			return anchor, true
		}
		since := after.Sub(anchor)
		return after.Add(e.rate - since%e.rate), true
	}
	at, ok := onClock(e.at, zone)
	return at, ok && at.After(after)
}

// onClock returns the first time at which the clocks in zone show wall, and false when they skip it.
func onClock(wall time.Time, zone *time.Location) (time.Time, bool) {
	y, m, d := wall.Date()
	t := time.Date(y, m, d, wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	if t.Hour() != wall.Hour() || t.Minute() != wall.Minute() || t.Day() != d {
		return t, false
	}
	// Where a local time occurs twice, time.Date may choose the second.
	for _, back := range []time.Duration{time.Hour, 30 * time.Minute, 2 * time.Hour} {
		if earlier := t.Add(-back); earlier.Hour() == wall.Hour() && earlier.Minute() == wall.Minute() && earlier.Day() == d {
			return earlier, true
		}
	}
	return t, true
}
