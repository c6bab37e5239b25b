package wire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi"
)

// timeFormat is how a timestamp is written.
type timeFormat uint8

const (
	formatEpoch timeFormat = iota + 1
	formatISO8601
	formatHTTPDate
)

// setText sets a scalar from the text form that XML, query, headers and labels
// share.
func (f *field) setText(v reflect.Value, text string) error {
	switch f.kind {
	case awsapi.String:
		v.SetString(text)
	case awsapi.Boolean:
		b, err := parseBool(text)
		if err != nil {
			return err
		}
		v.SetBool(b)
	case awsapi.Integer, awsapi.Long:
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is not an integer", text)
		}
		v.SetInt(n)
	case awsapi.Float, awsapi.Double:
		n, err := parseFloat(strings.TrimSpace(text))
		if err != nil {
			return err
		}
		v.SetFloat(n)
	case awsapi.Timestamp:
		t, err := parseTime(strings.TrimSpace(text))
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(t))
	case awsapi.Blob:
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil {
			return fmt.Errorf("%q is not base64", text)
		}
		v.SetBytes(b)
	default:
		return fmt.Errorf("a value of shape %s has no text form", f.shape.Name)
	}
	return nil
}

// text returns the text form of a scalar.
func (f *field) text(v reflect.Value, def timeFormat) string {
	switch f.kind {
	case awsapi.String:
		return v.String()
	case awsapi.Boolean:
		return strconv.FormatBool(v.Bool())
	case awsapi.Integer, awsapi.Long:
		return strconv.FormatInt(v.Int(), 10)
	case awsapi.Float, awsapi.Double:
		return formatFloat(v.Float(), v.Type().Bits())
	case awsapi.Timestamp:
		t, _ := v.Interface().(time.Time)
		return string(appendTime(nil, t, f.format(def)))
	case awsapi.Blob:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case awsapi.Document:
		return string(v.Bytes())
	}
	return ""
}

func parseBool(text string) (bool, error) {
	switch strings.TrimSpace(text) {
	case "true", "True", "TRUE", "1":
		return true, nil
	case "false", "False", "FALSE", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is not a boolean", text)
}

func parseFloat(text string) (float64, error) {
	switch text {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return 0, fmt.Errorf("%q is not a number", text)
	}
	return n, nil
}

// formatFloat writes a number as Smithy does in text: the shortest form, with
// NaN, Infinity and -Infinity by name.
func formatFloat(n float64, bits int) string {
	switch {
	case math.IsNaN(n):
		return "NaN"
	case math.IsInf(n, 1):
		return "Infinity"
	case math.IsInf(n, -1):
		return "-Infinity"
	}
	if abs := math.Abs(n); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.FormatFloat(n, 'e', -1, bits)
	}
	return strconv.FormatFloat(n, 'f', -1, bits)
}

// parseTime reads a timestamp in whatever format it is: clients of one API do
// not all send the same one.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, errors.New("an empty text is not a timestamp")
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return epochTime(n)
	}
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "20060102T150405Z", "2006-01-02",
		"Mon, 02 Jan 2006 15:04:05.999999999 MST", "Mon, 2 Jan 2006 15:04:05.999999999 MST",
		time.RFC1123Z, time.RFC850, time.ANSIC,
	} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a timestamp", text)
}

// epochTime converts seconds since 1970, exact to the microsecond, to a time.
func epochTime(seconds float64) (time.Time, error) {
	if math.IsNaN(seconds) || math.Abs(seconds) > 1e13 {
		return time.Time{}, fmt.Errorf("%v is out of the range of timestamps", seconds)
	}
	whole, frac := math.Modf(seconds)
	return time.Unix(int64(whole), int64(math.Round(frac*1e6))*1000).UTC(), nil
}

// appendTime appends a timestamp; fractions of a second are kept to the
// millisecond and left out when there are none.
func appendTime(dst []byte, t time.Time, format timeFormat) []byte {
	t = t.UTC()
	millis := t.Nanosecond() / int(time.Millisecond)
	switch format {
	case formatISO8601:
		if millis == 0 {
			return t.AppendFormat(dst, "2006-01-02T15:04:05Z")
		}
		return t.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	case formatHTTPDate:
		if millis == 0 {
			return t.AppendFormat(dst, "Mon, 02 Jan 2006 15:04:05 GMT")
		}
		return t.AppendFormat(dst, "Mon, 02 Jan 2006 15:04:05.000 GMT")
	}
	if millis == 0 {
		return strconv.AppendInt(dst, t.Unix(), 10)
	}
	return strconv.AppendFloat(dst, float64(t.UnixMilli())/1000, 'f', -1, 64)
}
