package trace

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text is what went into a stage or came out of it: a line, such as the status of an answer, header lines, and a body. What is empty is left out.
type Text struct {
	Line string
	Head Head // nil for none
	Body []byte

	// lineSize and bodySize are how many bytes there were of what was cut short; 0 for what was not.
	lineSize, bodySize int
}

// Head are header lines.
type Head interface {
	// Lines calls yield with the name and the value of each line.
	Lines(yield func(name, value string))
}

// Map is a map of headers as a [Head].
type Map http.Header

// Lines implements [Head].
func (h Map) Lines(yield func(name, value string)) {
	for name, values := range h {
		for _, v := range values {
			yield(name, v)
		}
	}
}

// Copy returns the lines of headers whose map will be used again; their values stay shared.
func Copy(h http.Header) Head {
	out := make(copied, 0, len(h))
	Map(h).Lines(func(name, value string) { out = append(out, [2]string{name, value}) })
	return out
}

// copied are names and values.
type copied [][2]string

// Lines implements [Head].
func (c copied) Lines(yield func(name, value string)) {
	for _, line := range c {
		yield(line[0], line[1])
	}
}

// Status is an HTTP status with its name, as the line of a [Text].
func Status(status int) string {
	if status == http.StatusOK {
		return "200 OK"
	}
	return strconv.Itoa(status) + " " + http.StatusText(status)
}

// cut keeps at most limit bytes of the line and of the body.
func (t Text) cut(limit int) Text {
	if size := len(t.Line); size > limit {
		t.Line, t.lineSize = strings.Clone(t.Line[:boundary(t.Line, limit)]), size
	}
	if size := len(t.Body); size > limit {
		t.Body, t.bodySize = slices.Clone(t.Body[:boundary(t.Body, limit)]), size
	}
	return t
}

// boundary returns where the character begins that the byte at n belongs to.
func boundary[T string | []byte](text T, n int) int {
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return n
}

// String puts the text together: header lines sorted by name, without the values of those that prove who somebody is.
func (t Text) String() string {
	b := append([]byte(nil), t.Line...)
	b = appendSize(b, t.lineSize)
	if t.Head != nil {
		if len(b) > 0 {
			b = append(b, '\n')
		}
		b = append(b, lines(t.Head)...)
	}
	if len(b) > 0 && (t.Head != nil || len(t.Body) > 0) {
		b = append(b, '\n')
	}
	return string(appendSize(append(b, t.Body...), t.bodySize))
}

// appendSize tells of what was cut short how large it was.
func appendSize(b []byte, size int) []byte {
	if size == 0 {
		return b
	}
	return append(strconv.AppendInt(append(b, "… ("...), int64(size), 10), " bytes)"...)
}

func lines(h Head) string {
	var all []string
	h.Lines(func(name, value string) {
		switch strings.ToLower(name) {
		case "authorization", "cookie", "x-api-key", "x-amz-security-token", "set-cookie":
			value = "(" + strconv.Itoa(len(value)) + " characters)"
		}
		all = append(all, name+": "+value+"\n")
	})
	slices.Sort(all)
	return strings.Join(all, "")
}
