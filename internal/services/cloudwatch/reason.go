package cloudwatch

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
)

// Layouts of times, all in UTC: in documents, in reasons of metric alarms and in those of composite ones.
const (
	documentTime  = "2006-01-02T15:04:05.000+0000"
	pointTime     = "02/01/06 15:04:05"
	compositeTime = "Monday 02 January, 2006 15:04:05 MST"
)

// mostPoints is how many values a reason shows; from that many on, it says that they are the most recent ones.
const mostPoints = 5

// double is a number as AWS's documents and texts have it.
type double float64

// String writes at least one decimal, and an exponent below a thousandth and from ten million on.
func (d double) String() string {
	v := float64(d)
	if a := math.Abs(v); a != 0 && (a < 1e-3 || a >= 1e7) {
		digits, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
		n, _ := strconv.Atoi(exponent)
		return decimal(digits) + "E" + itoa(n)
	}
	return decimal(strconv.FormatFloat(v, 'f', -1, 64))
}

// MarshalJSON writes it as String does.
func (d double) MarshalJSON() ([]byte, error) { return []byte(d.String()), nil }

func decimal(digits string) string {
	if strings.Contains(digits, ".") {
		return digits
	}
	return digits + ".0"
}

// reason says in words what a verdict comes from, as AWS does.
func (w *metricAlarm) reason(v *verdict) string {
	n := int(w.Evaluation)
	treated := "Breaching"
	if v.value == api.StateValueOk {
		treated = "NonBreaching"
	}
	switch seen := n - v.filled; {
	case v.value == api.StateValueInsufficientData:
		return fmt.Sprintf("Insufficient Data: %s unknown.", were(n, "datapoint"))
	case v.filled == 0, len(v.counted) > 0 && !w.byMissing(v):
		return w.crossed(v)
	case seen == 0:
		return fmt.Sprintf("Threshold Crossed: no datapoints were received for %s and %s treated as [%s].", count(n, "period"), were(v.filled, "missing datapoint"), treated)
	default:
		return fmt.Sprintf("Threshold Crossed: %s received for %s and %s treated as [%s].", were(seen, "datapoint"), count(n, "period"), were(v.filled, "missing datapoint"), treated)
	}
}

// byMissing tells whether missing data was needed for a verdict.
func (w *metricAlarm) byMissing(v *verdict) bool {
	m := int(w.Evaluation)
	if w.Datapoints != nil {
		m = int(*w.Datapoints)
	}
	return v.value == api.StateValueAlarm && len(v.counted) < m && w.Missing != nil && *w.Missing == missingBreaches
}

// crossed is the reason of a verdict that data made.
func (w *metricAlarm) crossed(v *verdict) string {
	k := len(v.counted)
	not, change := "", "OK -> ALARM"
	if v.value == api.StateValueOk {
		not, change = "not ", "ALARM -> OK"
	}
	var points []string
	for _, x := range v.counted[:min(k, mostPoints)] {
		points = append(points, fmt.Sprintf("%s (%s)", double(x.value), x.at.Format(pointTime)))
	}
	shown := "[" + strings.Join(points, ", ") + "]"
	text := "Threshold Crossed: " + count(k, "datapoint")
	verb := "was"
	if k != 1 {
		verb = "were"
	}
	if w.Datapoints != nil {
		text = fmt.Sprintf("Threshold Crossed: %d out of the last %s", k, counted(int(w.Evaluation), "datapoints"))
	}
	if k < mostPoints {
		text += " " + shown
	}
	text += fmt.Sprintf(" %s %s%s the threshold (%s)", verb, not, comparisons()[w.Comparison], double(w.Threshold))
	if k >= mostPoints {
		text += ". The most recent datapoints which crossed the threshold: " + shown
	}
	if w.Datapoints != nil {
		text += fmt.Sprintf(" (minimum %s for %s transition)", count(int(*w.Datapoints), "datapoint"), change)
	}
	return text + "."
}

func comparisons() map[string]string {
	return map[string]string{
		api.ComparisonOperatorGreaterThanThreshold:          "greater than",
		api.ComparisonOperatorGreaterThanOrEqualToThreshold: "greater than or equal to",
		api.ComparisonOperatorLessThanThreshold:             "less than",
		api.ComparisonOperatorLessThanOrEqualToThreshold:    "less than or equal to",
	}
}

func counted(n int, things string) string { return itoa(n) + " " + things }

// count is a number of things: "1 period", "2 periods".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return counted(n, thing+"s")
}

// were is count with its verb.
func were(n int, thing string) string {
	if n == 1 {
		return count(n, thing) + " was"
	}
	return count(n, thing) + " were"
}

// reasonData is the document of a reason.
type reasonData struct {
	Version   string      `json:"version"`
	QueryDate string      `json:"queryDate"`
	StartDate string      `json:"startDate,omitempty"`
	Unit      string      `json:"unit,omitempty"`
	Statistic string      `json:"statistic,omitempty"`
	Period    int         `json:"period"`
	Recent    []double    `json:"recentDatapoints"`
	Threshold double      `json:"threshold"`
	Evaluated []evaluated `json:"evaluatedDatapoints"`
}

type evaluated struct {
	Timestamp   string  `json:"timestamp"`
	SampleCount *double `json:"sampleCount,omitempty"`
	Value       *double `json:"value,omitempty"`
}

// data is the document of a verdict's reason: the values from the oldest to the newest, and the periods from the newest to the oldest.
func (w *metricAlarm) data(v *verdict, now time.Time) (string, error) {
	q := w.watched()
	out := reasonData{Version: "1.0", QueryDate: now.Format(documentTime), Unit: q.unit, Statistic: q.stat, Period: int(q.period / time.Second), Recent: []double{}, Threshold: double(w.Threshold), Evaluated: []evaluated{}}
	if len(w.Metrics) > 0 {
		out.Statistic = ""
	}
	for _, x := range v.considered {
		e := evaluated{Timestamp: x.at.Format(documentTime)}
		if x.there {
			e.SampleCount, e.Value = new(double(x.samples)), new(double(x.value))
			out.Recent = append(out.Recent, double(x.value))
			out.StartDate = e.Timestamp
		}
		out.Evaluated = append(out.Evaluated, e)
	}
	slices.Reverse(out.Recent)
	b, err := json.Marshal(out)
	return string(b), err
}
