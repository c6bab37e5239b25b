package schedule

import (
	"strconv"
	"strings"
	"time"
)

const (
	firstYear = 1970
	lastYear  = 2199
)

// set holds numbers from 0 to 63.
type set uint64

func (s set) has(n int) bool { return n >= 0 && n < 64 && s&(1<<n) != 0 }

// cron is a parsed cron expression.
type cron struct {
	minutes, hours, months set
	// years are the years that count; nil means all.
	years map[int]bool
	// days is set for a day of the month, weekdays (0 = Sunday) for one of the week; any tells that every day counts.
	days, weekdays set
	any            bool
	// last is L (and L-n: last with before = n), nearest W: the weekday nearest to the day in days, or to the last one.
	last, nearest bool
	before        int
	// lastWeekday is nL: the last such weekday of the month; nth is n#k: the k-th one. 0 means that the form is not used.
	lastWeekday, nth bool
}

var monthNames = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}

var dayNames = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

// parseCron reads the six fields of a cron expression.
func parseCron(s string) (*cron, bool) {
	fields := strings.Fields(s)
	if len(fields) != 6 {
		return nil, false
	}
	c := &cron{}
	var ok bool
	if c.minutes, ok = parseSet(fields[0], span{0, 59, nil}); !ok {
		return nil, false
	}
	if c.hours, ok = parseSet(fields[1], span{0, 23, nil}); !ok {
		return nil, false
	}
	if c.months, ok = parseSet(fields[3], span{1, 12, monthNames}); !ok {
		return nil, false
	}
	if c.years, ok = parseYears(fields[5]); !ok {
		return nil, false
	}
	// Exactly one of the two fields for days says something.
	switch day, weekday := fields[2], fields[4]; {
	case (day == "?") == (weekday == "?"):
		return nil, false
	case day == "*", weekday == "*":
		c.any = true
		return c, true
	case weekday == "?":
		return c, c.parseDay(day)
	default:
		return c, c.parseWeekday(weekday)
	}
}

func (c *cron) parseDay(s string) (ok bool) {
	switch rest, before := strings.CutPrefix(s, "L-"); {
	case s == "L":
		c.last = true
		return true
	case s == "LW", s == "WL":
		c.last, c.nearest = true, true
		return true
	case before:
		n, err := strconv.Atoi(rest)
		c.last, c.before = true, n
		return err == nil && n >= 0 && n <= 30
	}
	if day, found := strings.CutSuffix(s, "W"); found {
		n, err := strconv.Atoi(day)
		c.nearest, c.days = true, 1<<n
		return err == nil && n >= 1 && n <= 31
	}
	c.days, ok = parseSet(s, span{1, 31, nil})
	return ok
}

func (c *cron) parseWeekday(s string) (ok bool) {
	days := span{1, 7, dayNames}
	one := func(s string) bool {
		n, ok := days.number(s)
		c.weekdays = 1 << (n - 1)
		return ok
	}
	if day, found := strings.CutSuffix(s, "L"); found && day != "" {
		c.lastWeekday = true
		return one(day)
	}
	if s == "L" { // the last day of the week
		return one("SAT")
	}
	if day, nth, found := strings.Cut(s, "#"); found {
		n, err := strconv.Atoi(nth)
		c.nth, c.before = true, n
		return one(day) && err == nil && n >= 1 && n <= 5
	}
	all, ok := parseSet(s, days)
	c.weekdays = all >> 1
	return ok
}

// span is the range of a field, with the names of its values.
type span struct {
	low, high int
	names     []string
}

func (p span) number(s string) (int, bool) {
	for i, name := range p.names {
		if s == name {
			return p.low + i, true
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < p.low || n > p.high || s[0] == '+' {
		return p.low, false
	}
	return n, true
}

// parseSet reads a list of values, ranges and steps.
func parseSet(s string, p span) (out set, ok bool) {
	each := func(n int) { out |= 1 << n }
	return out, parseList(s, p, each)
}

func parseYears(s string) (map[int]bool, bool) {
	if s == "*" {
		return nil, true
	}
	out := map[int]bool{}
	return out, parseList(s, span{firstYear, lastYear, nil}, func(n int) { out[n] = true })
}

func parseList(s string, p span, each func(n int)) bool {
	for part := range strings.SplitSeq(s, ",") {
		if !parsePart(part, p, each) {
			return false
		}
	}
	return true
}

// parsePart reads one value, a range a-b (which may go over the end), or a step: */n, a/n, a-b/n.
func parsePart(s string, p span, each func(n int)) bool {
	values, stepText, stepped := strings.Cut(s, "/")
	step := 1
	if stepped {
		var err error
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
			return false
		}
	}
	low, high := p.low, p.high
	from, to, ranged := strings.Cut(values, "-")
	switch {
	case values == "*":
	case ranged:
		a, ok := p.number(from)
		b, okB := p.number(to)
		if !ok || !okB {
			return false
		}
		low, high = a, b
	default:
		n, ok := p.number(values)
		if !ok {
			return false
		}
		low = n
		if !stepped {
			high = n
		}
	}
	if high < low {
		high += p.high - p.low + 1
	}
	for n := low; n <= high; n += step {
		each(p.low + (n-p.low)%(p.high-p.low+1))
	}
	return true
}

// next returns the first due time after after. It looks at the wall clock of zone.
func (c *cron) next(after time.Time, zone *time.Location) (time.Time, bool) {
	local := after.In(zone)
	y, m, d := local.Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	for day.Year() <= lastYear {
		switch {
		case c.years != nil && !c.years[day.Year()]:
			if !c.laterYear(day.Year()) {
				return time.Time{}, false
			}
			day = time.Date(day.Year()+1, 1, 1, 0, 0, 0, 0, time.UTC)
			continue
		case !c.months.has(int(day.Month())):
			day = time.Date(day.Year(), day.Month()+1, 1, 0, 0, 0, 0, time.UTC)
			continue
		case c.onDay(day):
			if t, ok := c.onDate(day, after, zone); ok {
				return t, true
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}, false
}

func (c *cron) laterYear(year int) bool {
	for y := range c.years {
		if y > year {
			return true
		}
	}
	return false
}

// onDate returns the first due time of a day that is after after. Clocks may go back within the day, so times are not in the order of what they show.
func (c *cron) onDate(day, after time.Time, zone *time.Location) (best time.Time, found bool) {
	for h := range 24 {
		if !c.hours.has(h) {
			continue
		}
		if found && best.Hour() < h-2 {
			break
		}
		for m := range 60 {
			if !c.minutes.has(m) {
				continue
			}
			wall := day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute)
			t, ok := onClock(wall, zone)
			if ok && t.After(after) && (!found || t.Before(best)) {
				best, found = t, true
			}
		}
	}
	return best, found
}

// onDay tells whether a day, midnight in UTC, counts.
func (c *cron) onDay(day time.Time) bool {
	end := time.Date(day.Year(), day.Month()+1, 0, 0, 0, 0, 0, time.UTC)
	switch {
	case c.any:
		return true
	case c.nearest:
		want := end
		if !c.last {
			for n := range 32 {
				if c.days.has(n) {
					want = time.Date(day.Year(), day.Month(), min(n, 32), 0, 0, 0, 0, time.UTC)
				}
			}
			if want.Month() != day.Month() {
				return false
			}
		}
		return day.Equal(workday(want, end))
	case c.last:
		return day.Equal(end.AddDate(0, 0, -c.before))
	case c.lastWeekday:
		return c.weekdays.has(int(day.Weekday())) && day.Day() > end.Day()-7
	case c.nth:
		return c.weekdays.has(int(day.Weekday())) && (day.Day()-1)/7+1 == c.before
	case c.days != 0:
		return c.days.has(day.Day())
	}
	return c.weekdays.has(int(day.Weekday()))
}

// workday returns the weekday nearest to a day in the same month, which ends at end.
func workday(day, end time.Time) time.Time {
	switch day.Weekday() {
	case time.Saturday:
		if day.Day() == 1 {
			return day.AddDate(0, 0, 2)
		}
		return day.AddDate(0, 0, -1)
	case time.Sunday:
		if day.Equal(end) {
			return day.AddDate(0, 0, -2)
		}
		return day.AddDate(0, 0, 1)
	}
	return day
}
