package logs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/service/port"
)

// line writes a record as a delivery wants it, without a line break.
func (d *delivery) line(format string, v *vendor, fields []port.LogField) []byte {
	wanted := d.Fields
	if len(wanted) == 0 {
		wanted = v.fields
	}
	var b bytes.Buffer
	n := 0
	for _, name := range wanted {
		i := slices.IndexFunc(fields, func(f port.LogField) bool { return f.Name == name })
		if format != api.OutputFormatJson {
			if n++; n > 1 {
				b.WriteString(cmp.Or(d.Delimiter, "\t"))
			}
			if i < 0 {
				b.WriteByte('-')
			} else {
				b.WriteString(plainValue(fields[i].Value))
			}
			continue
		}
		if i < 0 {
			continue
		}
		if n++; n == 1 {
			b.WriteByte('{')
		} else {
			b.WriteByte(',')
		}
		key, _ := json.Marshal(name) // a text has a form in JSON
		b.Write(key)
		b.WriteByte(':')
		b.Write(fields[i].Value)
	}
	if format == api.OutputFormatJson {
		if n == 0 {
			b.WriteByte('{')
		}
		b.WriteByte('}')
	}
	return b.Bytes()
}

// plainValue is a value outside of JSON: a text without its quotes, anything else as it is.
func plainValue(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) != nil {
		return string(v)
	}
	return s
}

// w3cHead is what an object in the W3C extended log file format begins with (https://www.w3.org/TR/WD-logfile.html).
func (d *delivery) w3cHead(v *vendor) string {
	wanted := d.Fields
	if len(wanted) == 0 {
		wanted = v.fields
	}
	return "#Version: 1.0\n#Fields: " + strings.Join(wanted, " ") + "\n"
}

// variable is a variable of a suffix path.
var variable = regexp.MustCompile(`\{([^{}]*)\}`)

// hiveNames are the names of the variables in paths that Hive reads.
var hiveNames = map[string]string{"yyyy": "year", "MM": "month", "dd": "day", "HH": "hour", "accountid": "aws-account-id", "region": "aws-region"}

// objectKey is the key of an object with logs of a resource at a time: below AWSLogs, the account and the name of the logs, the suffix path of the delivery.
func (d *delivery) objectKey(s scope, v *vendor, prefix, name string, at time.Time, unique string) string {
	values := map[string]string{
		"accountid": s.account, "region": s.region, v.id: name, "yyyy": at.Format("2006"), "MM": at.Format("01"), "dd": at.Format("02"), "HH": at.Format("15"),
	}
	path := variable.ReplaceAllStringFunc(cmp.Or(d.Suffix, v.suffix), func(m string) string {
		key := m[1 : len(m)-1]
		if d.Hive {
			return cmp.Or(hiveNames[key], key) + "=" + values[key]
		}
		return values[key]
	})
	parts := []string{"AWSLogs", s.account, v.folder, path, strings.Join([]string{s.account, v.folder, s.region, name, at.Format("20060102T1504Z"), unique}, "_") + ".log.gz"}
	if prefix != "" {
		parts = append([]string{prefix}, parts...)
	}
	return strings.Join(parts, "/")
}
