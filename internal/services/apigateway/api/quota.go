package api

import (
	"time"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
)

// Period returns the first day of the period of a quota that t is in, as "2006-01-02". Weeks begin on Sunday and months on their first day, both Offset days later.
func Period(q *aws.QuotaSettings, t time.Time) string {
	t = t.UTC()
	offset := 0
	if q.Offset != nil {
		offset = int(*q.Offset)
	}
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	switch q.Period {
	case aws.QuotaPeriodTypeWeek:
		day = day.AddDate(0, 0, -((int(day.Weekday()) - offset + 7) % 7))
	case aws.QuotaPeriodTypeMonth:
		first := time.Date(t.Year(), t.Month(), 1+offset, 0, 0, 0, 0, time.UTC)
		if first.After(day) {
			first = time.Date(t.Year(), t.Month()-1, 1+offset, 0, 0, 0, 0, time.UTC)
		}
		day = first
	}
	return day.Format(time.DateOnly)
}

// Remaining returns how much of its quota a key has left at t; u is what is stored of it.
func Remaining(q *aws.QuotaSettings, u Quota, t time.Time) int64 {
	if u.Period == Period(q, t) {
		return u.Left
	}
	if q.Limit == nil {
		return 0
	}
	return int64(*q.Limit)
}
