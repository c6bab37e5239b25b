package transform

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
)

// errUnreadable is the failure of a parser.
var errUnreadable = errors.New("the event is not in the form that the parser reads")

// parser makes a step of a function that reads a text into fields, and of where they go. Fields that are there are overwritten, unless keep is set.
func parser(from, to *string, keep bool, read func(text string) (map[string]any, error)) (step, error) {
	in, err := sourceOf(from)
	if err != nil {
		return nil, err
	}
	under, err := rootOr(to)
	if err != nil {
		return nil, err
	}
	return func(s *state) error {
		text, ok := in.read(s)
		if !ok {
			return nil
		}
		fields, err := read(text)
		if err != nil {
			return err
		}
		at, ok := under.object(s.document)
		if !ok {
			return nil
		}
		if keep {
			maps.Copy(fields, at)
		}
		maps.Copy(at, fields)
		return nil
	}, nil
}

// compileJSON reads objects.
func compileJSON(p *api.Processor) (step, error) {
	return parser(p.ParseJSON.Source, p.ParseJSON.Destination, false, func(text string) (map[string]any, error) {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var fields map[string]any
		if err := d.Decode(&fields); err != nil || fields == nil {
			return nil, errUnreadable
		}
		if _, err := d.Token(); err != io.EOF { //nolint:errorlint // Token returns io.EOF itself, and any other error says that more follows
			return nil, errUnreadable
		}
		return fields, nil
	})
}

// compileCSV reads one line of columns.
func compileCSV(p *api.Processor) (step, error) {
	c := p.Csv
	quote, delimiter := "\"", ","
	if c.QuoteCharacter != nil {
		quote = *c.QuoteCharacter
	}
	if c.Delimiter != nil {
		delimiter = strings.ReplaceAll(*c.Delimiter, `\t`, "\t")
	}
	if len([]rune(quote)) != 1 || delimiter == "" || quote == delimiter {
		return nil, errors.New("quoteCharacter is one character, and the delimiter another one")
	}
	return parser(c.Source, c.Destination, false, func(text string) (map[string]any, error) {
		fields := map[string]any{}
		for i, column := range splitCSV(text, quote, delimiter) {
			name := "column_" + strconv.Itoa(i+1)
			if i < len(c.Columns) {
				name = c.Columns[i]
			}
			fields[name] = column
		}
		return fields, nil
	})
}

// splitCSV splits a line at delimiters that are not within quotes; a quote within quotes is doubled.
func splitCSV(text, quote, delimiter string) (out []string) {
	for {
		var b strings.Builder
		rest, quoted := strings.CutPrefix(text, quote)
		for quoted {
			part, after, closed := strings.Cut(rest, quote)
			b.WriteString(part)
			rest = after
			if !closed || !strings.HasPrefix(rest, quote) {
				break
			}
			b.WriteString(quote)
			rest = rest[len(quote):]
		}
		part, after, more := strings.Cut(rest, delimiter)
		out = append(out, b.String()+part)
		if !more {
			return out
		}
		text = after
	}
}

// compileKeyValue reads pairs such as a=1&b=2.
func compileKeyValue(p *api.Processor) (step, error) {
	k := p.ParseKeyValue
	between, within := "&", "="
	if k.FieldDelimiter != nil {
		between = *k.FieldDelimiter
	}
	if k.KeyValueDelimiter != nil {
		within = *k.KeyValueDelimiter
	}
	if between == "" || within == "" {
		return nil, errors.New("the delimiters must not be empty")
	}
	return parser(k.Source, k.Destination, !opt.Value(k.OverwriteIfExists), func(text string) (map[string]any, error) {
		fields := map[string]any{}
		for pair := range strings.SplitSeq(text, between) {
			name, value, ok := strings.Cut(pair, within)
			switch {
			case ok:
				fields[opt.Value(k.KeyPrefix)+name] = value
			case pair != "" && k.NonMatchValue != nil:
				fields[opt.Value(k.KeyPrefix)+pair] = *k.NonMatchValue
			case pair != "":
				fields[opt.Value(k.KeyPrefix)+pair] = nil
			}
		}
		return fields, nil
	})
}
