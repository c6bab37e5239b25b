package template

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Signals is what a creation policy waits for, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-creationpolicy.html.
type Signals struct {
	// Count is how many signals of success are needed.
	Count int
	// Timeout is how long they may take after the resource was made.
	Timeout time.Duration
}

// Bounds of a creation policy: what it waits for when it does not say, and the longest time.
const (
	defaultSignals       = 1
	defaultSignalTimeout = 5 * time.Minute
	maxSignalTimeout     = 12 * time.Hour
)

// Signals evaluates the creation policies of the template's resources.
func (e *Env) Signals() (map[string]Signals, error) {
	out := map[string]Signals{}
	for _, id := range slices.Sorted(maps.Keys(e.Template.Resources)) {
		r := e.Template.Resources[id]
		if len(r.CreationPolicy) == 0 {
			continue
		}
		s, err := e.signals(r)
		if err != nil {
			return nil, e.Template.Document.Locate(err, "Resources", id, "CreationPolicy")
		}
		out[id] = s
	}
	return out, nil
}

func (e *Env) signals(r Resource) (Signals, error) {
	s := Signals{Count: defaultSignals, Timeout: defaultSignalTimeout}
	for _, k := range slices.Sorted(maps.Keys(r.CreationPolicy)) {
		if k != "ResourceSignal" {
			return s, Errorf("Template format error: Lambent does not support %s in the CreationPolicy of resource %s: no resource type of this version uses it.", k, r.LogicalID)
		}
	}
	v, err := e.Resolve(r.CreationPolicy["ResourceSignal"])
	if err != nil {
		return s, err
	}
	m, _ := v.(map[string]any)
	for _, k := range slices.Sorted(maps.Keys(m)) {
		text, ok := Text(m[k])
		switch k {
		case "Count":
			if s.Count, err = strconv.Atoi(text); !ok || err != nil || s.Count < 0 {
				return s, Errorf("Template format error: Count in the CreationPolicy of resource %s must be a number of signals.", r.LogicalID)
			}
		case "Timeout":
			if s.Timeout, ok = period(text); !ok || s.Timeout > maxSignalTimeout {
				return s, Errorf("Template format error: Timeout in the CreationPolicy of resource %s must be a period of ISO 8601 of at most 12 hours, such as PT15M.", r.LogicalID)
			}
		default:
			return s, Errorf("Template format error: Invalid property %s in the CreationPolicy of resource %s", k, r.LogicalID)
		}
	}
	return s, nil
}

var periodForm = regexp.MustCompile(`^PT(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?$`)

// period reads a period of ISO 8601 in hours, minutes and seconds.
func period(text string) (time.Duration, bool) {
	parts := periodForm.FindStringSubmatch(text)
	if parts == nil || text == "PT" {
		return 0, false
	}
	var d time.Duration
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi("0" + parts[i+1]) // the pattern has digits there, or nothing
		d += time.Duration(n) * unit
	}
	return d, true
}
