package schedule

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests name time zones

	"pgregory.net/rapid"
)

const layout = "2006-01-02 15:04:05 MST"

// TestExpressionsAreDueWhenAWSSays checks the first three times after the beginning of each line.
func TestExpressionsAreDueWhenAWSSays(t *testing.T) {
	for _, tc := range []struct{ expression, zone, after, want string }{
		{"cron(0 10 * * ? *)", "UTC", "2026-11-29 09:00:00", "2026-11-29 10:00:00 UTC, 2026-11-30 10:00:00 UTC, 2026-12-01 10:00:00 UTC"},
		{"cron(15 12 * * ? *)", "UTC", "2026-11-29 12:15:00", "2026-11-30 12:15:00 UTC, 2026-12-01 12:15:00 UTC, 2026-12-02 12:15:00 UTC"},
		{"cron(0 18 ? * MON-FRI *)", "UTC", "2026-11-27 18:00:01", "2026-11-30 18:00:00 UTC, 2026-12-01 18:00:00 UTC, 2026-12-02 18:00:00 UTC"},
		{"cron(0/15 * * * ? *)", "UTC", "2026-11-29 12:31:00", "2026-11-29 12:45:00 UTC, 2026-11-29 13:00:00 UTC, 2026-11-29 13:15:00 UTC"},
		{"cron(0 9 ? * 1 *)", "UTC", "2026-11-29 10:00:00", "2026-12-06 09:00:00 UTC, 2026-12-13 09:00:00 UTC, 2026-12-20 09:00:00 UTC"},
		{"cron(0 18 ? * 6L *)", "UTC", "2026-11-01 00:00:00", "2026-11-27 18:00:00 UTC, 2026-12-25 18:00:00 UTC, 2027-01-29 18:00:00 UTC"},
		{"cron(0 9 ? * 2#1 *)", "UTC", "2026-11-01 00:00:00", "2026-11-02 09:00:00 UTC, 2026-12-07 09:00:00 UTC, 2027-01-04 09:00:00 UTC"},
		{"cron(0 2 ? * SAT#5 *)", "UTC", "2026-11-01 00:00:00", "2027-01-30 02:00:00 UTC, 2027-05-29 02:00:00 UTC, 2027-07-31 02:00:00 UTC"},
		{"cron(0 9 L * ? *)", "UTC", "2026-01-31 10:00:00", "2026-02-28 09:00:00 UTC, 2026-03-31 09:00:00 UTC, 2026-04-30 09:00:00 UTC"},
		{"cron(0 9 15W * ? *)", "UTC", "2026-11-01 00:00:00", "2026-11-16 09:00:00 UTC, 2026-12-15 09:00:00 UTC, 2027-01-15 09:00:00 UTC"},
		{"cron(0 9 1W * ? *)", "UTC", "2026-07-15 00:00:00", "2026-08-03 09:00:00 UTC, 2026-09-01 09:00:00 UTC, 2026-10-01 09:00:00 UTC"},
		{"cron(0 9 LW * ? *)", "UTC", "2026-01-01 00:00:00", "2026-01-30 09:00:00 UTC, 2026-02-27 09:00:00 UTC, 2026-03-31 09:00:00 UTC"},
		{"cron(0 0 29 2 ? *)", "UTC", "2026-01-01 00:00:00", "2028-02-29 00:00:00 UTC, 2032-02-29 00:00:00 UTC, 2036-02-29 00:00:00 UTC"},
		{"cron(15 10 ? * 6L 2002-2005)", "UTC", "2005-12-01 00:00:00", "2005-12-30 10:15:00 UTC, never"},
		{"cron(0 10 1 1 ? 2030,2040)", "UTC", "2026-01-01 00:00:00", "2030-01-01 10:00:00 UTC, 2040-01-01 10:00:00 UTC, never"},
		{"cron(30 22 ? * FRI-SUN *)", "UTC", "2026-11-27 23:00:00", "2026-11-28 22:30:00 UTC, 2026-11-29 22:30:00 UTC, 2026-12-04 22:30:00 UTC"},
		{"cron(0 22-1 * * ? *)", "UTC", "2026-11-27 22:30:00", "2026-11-27 23:00:00 UTC, 2026-11-28 00:00:00 UTC, 2026-11-28 01:00:00 UTC"},
		// The clocks of Berlin go forward at 02:00 on 2026-03-29 and back at 03:00 on 2026-10-25.
		{"cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-27 12:00:00", "2026-03-28 02:30:00 CET, 2026-03-30 02:30:00 CEST, 2026-03-31 02:30:00 CEST"},
		{"cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-24 12:00:00", "2026-10-25 02:30:00 CEST, 2026-10-26 02:30:00 CET, 2026-10-27 02:30:00 CET"},
		{"cron(0/30 * * * ? *)", "Europe/Berlin", "2026-10-25 01:59:00", "2026-10-25 02:00:00 CEST, 2026-10-25 02:30:00 CEST, 2026-10-25 03:00:00 CET"},
		{"cron(15 1 * * ? *)", "Australia/Lord_Howe", "2026-04-04 12:00:00", "2026-04-05 01:15:00 +11, 2026-04-06 01:15:00 +1030, 2026-04-07 01:15:00 +1030"},
		{"rate(5 minutes)", "UTC", "2026-11-29 12:01:00", "2026-11-29 12:05:00 UTC, 2026-11-29 12:10:00 UTC, 2026-11-29 12:15:00 UTC"},
		{"rate(1 day)", "Europe/Berlin", "2026-10-24 12:00:00", "2026-10-25 00:00:00 CEST, 2026-10-25 23:00:00 CET, 2026-10-26 23:00:00 CET"},
		{"at(2026-12-24T18:00:00)", "America/New_York", "2026-11-29 12:00:00", "2026-12-24 18:00:00 EST, never"},
		{"at(2026-03-29T02:30:00)", "Europe/Berlin", "2026-01-01 00:00:00", "never"},
		{"at(2026-10-25T02:30:00)", "Europe/Berlin", "2026-01-01 00:00:00", "2026-10-25 02:30:00 CEST, never"},
	} {
		t.Run(tc.expression+" "+tc.zone, func(t *testing.T) {
			zone, err := time.LoadLocation(tc.zone)
			if err != nil {
				t.Fatal(err)
			}
			e, err := Parse(tc.expression, Scheduler)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.ParseInLocation("2006-01-02 15:04:05", tc.after, zone)
			if err != nil {
				t.Fatal(err)
			}
			anchor := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, zone)
			var got []string
			for len(got) < 3 {
				next, ok := e.Next(at, anchor, zone)
				if !ok {
					got = append(got, "never")
					break
				}
				got = append(got, next.In(zone).Format(layout))
				at = next
			}
			if text := strings.Join(got, ", "); text != tc.want {
				t.Errorf("due at %s, want %s", text, tc.want)
			}
		})
	}
}

// TestWhatAWSRefusesIsRefused has the texts that AWS was recorded to refuse.
func TestWhatAWSRefusesIsRefused(t *testing.T) {
	both := []string{
		"", "rate", "rate(10 seconds)", "rate(10 years)", "rate()", "rate(10)", "rate(10 minutess)", "rate(foo minutes)", "rate(0 minutes)", "rate(-10 minutes)",
		"rate(10 MINUTES)", "rate( 10 minutes )", " rate(10 minutes)", "rate(10 minutes) ", "rate(+1 minute)", "rate(99999999999999 days)",
		"cron(0 1 * * * *)", "cron(7 20 * * NOT *)", "cron(INVALID)", "cron(0 dummy ? * MON-FRI *)", "cron(71 8 1 * ? *)", "cron()", "cron(0 10 ? * ? *)",
		"cron(0 10 * * ?)", "cron(0 10 32 * ? *)", "cron(0 10 * 13 ? *)", "cron(0 10 ? * 8 *)", "cron(0 10 ? * 2#6 *)", "cron(0/0 10 * * ? *)", "cron(0 10 * * ? 1969)",
		"at(2021-12-31T23:59:59Z)", "at(2021-12-31)", "at(2021-02-30T00:00:00)",
	}
	for _, text := range both {
		for _, d := range []Dialect{Rules, Scheduler} {
			if _, err := Parse(text, d); err == nil {
				t.Errorf("%q is accepted by dialect %d", text, d)
			}
		}
	}
	for _, text := range []string{"rate(1 minutes)", "rate(1 hours)", "rate(1 days)", "rate(10 minute)", "rate(10 hour)", "rate(10 day)", "at(2021-12-31T23:59:59)"} {
		if _, err := Parse(text, Rules); err == nil {
			t.Errorf("%q is accepted for a rule", text)
		}
		if _, err := Parse(text, Scheduler); err != nil {
			t.Errorf("%q is refused for a schedule", text)
		}
	}
}

// TestWhatAWSAcceptsIsAccepted has the texts that AWS was recorded to accept.
func TestWhatAWSAcceptsIsAccepted(t *testing.T) {
	for _, text := range []string{
		"cron(0 2 ? * SAT *)", "cron(5,35 14 * * ? *)", "cron(* * ? * SAT#3 *)", "cron(0/5 5 ? JAN 1-5 2022)", "cron(0/5 8-17 ? * MON-FRI *)", "cron(0/30 0-2 ? * MON-FRI *)",
		"cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)", "cron(30-30 13-13 ? * 2,4,6 *)", "cron(1-31/30 1-1 ? * 1,7 *)", "cron(*/15 * * * ? *)", "cron(0-59/10 0-23/2 ? * * *)",
		"rate(1 minute)", "rate(10 minutes)",
	} {
		if _, err := Parse(text, Rules); err != nil {
			t.Errorf("%q is refused", text)
		}
	}
}

// TestNextIsTheFirst compares with looking at every minute.
func TestNextIsTheFirst(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"}
	field := func(t *rapid.T, name string, all ...string) string { return rapid.SampledFrom(all).Draw(t, name) }
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		text := "cron(" + strings.Join([]string{
			field(t, "minute", "0", "30", "*/20", "5-7", "59"), field(t, "hour", "*", "1", "2", "3", "22-2", "0/6"),
			field(t, "day", "*", "28-30", "25", "L", "1"), "*", "?", "*",
		}, " ") + ")"
		e, err := Parse(text, Rules)
		if err != nil {
			t.Fatal(err)
		}
		// Around the changes of the clocks.
		near := rapid.SampledFrom([]string{"2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01"}).Draw(t, "near")
		day, err := time.Parse(time.DateOnly, near)
		if err != nil {
			t.Fatal(err)
		}
		after := day.Add(time.Duration(rapid.IntRange(-36*60, 36*60).Draw(t, "minutes")) * time.Minute)
		got, ok := e.Next(after, after, zone)
		for at := after.Add(time.Minute); at.Before(after.AddDate(0, 0, 3)); at = at.Add(time.Minute) {
			if e.cron.shows(at.In(zone)) {
				if !ok || !got.Equal(at) {
					t.Fatalf("%s after %s in %s: due at %v, want %s", text, after, zone, got.In(zone), at.In(zone))
				}
				return
			}
		}
		if ok && got.Before(after.AddDate(0, 0, 3)) {
			t.Fatalf("%s after %s in %s: due at %s, want nothing", text, after, zone, got.In(zone))
		}
	})
}

// shows tells whether an expression names what the clock shows at t, for the first time.
func (c *cron) shows(t time.Time) bool {
	y, m, d := t.Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	if !c.minutes.has(t.Minute()) || !c.hours.has(t.Hour()) || !c.months.has(int(m)) || !c.onDay(day) {
		return false
	}
	for back := time.Minute; back <= 3*time.Hour; back += time.Minute {
		if e := t.Add(-back); e.Day() == d && e.Hour() == t.Hour() && e.Minute() == t.Minute() {
			return false
		}
	}
	return true
}

func FuzzParse(f *testing.F) {
	f.Add("cron(0 10 ? * 6L 2002-2005)")
	f.Add("rate(5 minutes)")
	f.Add("at(2026-12-24T18:00:00)")
	after := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text, Scheduler)
		if err != nil {
			return
		}
		if next, ok := e.Next(after, after, time.UTC); ok && !next.After(after) {
			t.Errorf("%q is due at %s, which has passed", text, next)
		}
	})
}
