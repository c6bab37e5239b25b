package transform

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
)

// errNoEntries refuses processors without entries.
var errNoEntries = errors.New("entries is empty")

// each compiles every entry of a processor and makes one step of them.
func each[E any](entries []E, compile func(e *E) (func(s *state), error)) (step, error) {
	if len(entries) == 0 {
		return nil, errNoEntries
	}
	all := make([]func(s *state), len(entries))
	for i := range entries {
		var err error
		if all[i], err = compile(&entries[i]); err != nil {
			return nil, err
		}
	}
	return func(s *state) error {
		for _, run := range all {
			run(s)
		}
		return nil
	}, nil
}

// both reads the source and the target of an entry.
func both(from, to string) (source, target path, err error) {
	if source, err = parsePath(from); err == nil {
		target, err = parsePath(to)
	}
	return source, target, err
}

func compileAddKeys(p *api.Processor) (step, error) {
	return each(p.AddKeys.Entries, func(e *api.AddKeyEntry) (func(*state), error) {
		key, err := parsePath(e.Key)
		return func(s *state) { key.set(s.document, e.Value, opt.Value(e.OverwriteIfExists)) }, err
	})
}

// metadata are the sources of copyValue that are no fields of the event.
var metadata = map[string]func(e *Event) string{
	"@accountId":      func(e *Event) string { return e.Account },
	"@regionName":     func(e *Event) string { return e.Region },
	"@logGroupName":   func(e *Event) string { return e.Group },
	"@logGroupStream": func(e *Event) string { return e.Stream },
}

func compileCopyValue(p *api.Processor) (step, error) {
	return each(p.CopyValue.Entries, func(e *api.CopyValueEntry) (func(*state), error) {
		from, to, err := both(e.Source, e.Target)
		overwrite := opt.Value(e.OverwriteIfExists)
		if about := metadata[e.Source]; about != nil {
			return func(s *state) { to.set(s.document, about(&s.Event), overwrite) }, err
		}
		return func(s *state) {
			if v, ok := from.get(s.document); ok {
				to.set(s.document, clone(v), overwrite)
			}
		}, err
	})
}

// clone copies a value with all that is in it.
func clone(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, v := range x {
			out[k] = clone(v)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, v := range x {
			out[i] = clone(v)
		}
		return out
	}
	return v
}

func compileDeleteKeys(p *api.Processor) (step, error) {
	keys, err := parsePaths(p.DeleteKeys.WithKeys)
	return func(s *state) error {
		for _, k := range keys {
			k.remove(s.document)
		}
		return nil
	}, err
}

// compileMoveKeys moves a field, with its name, into the object at its target.
func compileMoveKeys(p *api.Processor) (step, error) {
	return each(p.MoveKeys.Entries, func(e *api.MoveKeyEntry) (func(*state), error) {
		from, to, err := both(e.Source, e.Target)
		return func(s *state) {
			v, ok := from.get(s.document)
			if !ok || strings.HasPrefix(e.Target+".", e.Source+".") {
				return
			}
			into, ok := to.object(s.document)
			if _, taken := into[from.last()]; !ok || taken && !opt.Value(e.OverwriteIfExists) {
				return
			}
			from.remove(s.document)
			into[from.last()] = v
		}, err
	})
}

// compileRenameKeys gives a field another name where it is.
func compileRenameKeys(p *api.Processor) (step, error) {
	return each(p.RenameKeys.Entries, func(e *api.RenameKeyEntry) (func(*state), error) {
		key, err := parsePath(e.Key)
		if e.RenameTo == "" {
			return nil, errors.New("renameTo is empty")
		}
		return func(s *state) {
			at, ok := key.parent(s.document, false)
			if !ok {
				return
			}
			v, there := at[key.last()]
			if _, taken := at[e.RenameTo]; !there || taken && !opt.Value(e.OverwriteIfExists) {
				return
			}
			delete(at, key.last())
			at[e.RenameTo] = v
		}, err
	})
}

// compileListToMap makes a map of a list of objects: of the values of one of their fields to the objects, or to another of their fields.
func compileListToMap(p *api.Processor) (step, error) {
	l := p.ListToMap
	from, err := parsePath(l.Source)
	if err != nil {
		return nil, err
	}
	to, err := rootOr(l.Target)
	if err != nil {
		return nil, err
	}
	if l.Key == "" {
		return nil, errors.New("key is empty")
	}
	flatten := opt.Value(l.Flatten)
	if flatten && l.FlattenedElement != "first" && l.FlattenedElement != "last" {
		return nil, errors.New("with flatten, flattenedElement is first or last")
	}
	return func(s *state) error {
		v, _ := from.get(s.document)
		list, ok := v.([]any)
		if !ok {
			return nil
		}
		if into, ok := to.object(s.document); ok {
			maps.Copy(into, grouped(l, list, flatten))
		}
		return nil
	}, nil
}

// grouped returns the values that a list gives for each of its keys.
func grouped(l *api.ListToMap, list []any, flatten bool) map[string]any {
	out := map[string]any{}
	for _, v := range list {
		object, _ := v.(map[string]any)
		key, ok := object[l.Key].(string)
		if !ok {
			continue
		}
		if l.ValueKey != nil {
			if v, ok = object[*l.ValueKey]; !ok {
				continue
			}
		}
		_, taken := out[key]
		switch {
		case !flatten:
			have, _ := out[key].([]any)
			out[key] = append(have, clone(v))
		case !taken || l.FlattenedElement == "last":
			out[key] = clone(v)
		}
	}
	return out
}

// change makes a step that changes the texts of fields.
func change(keys []string, to func(string) string) (step, error) {
	paths, err := parsePaths(keys)
	return func(s *state) error {
		for _, p := range paths {
			if text, ok := p.text(s.document); ok {
				p.set(s.document, to(text), true)
			}
		}
		return nil
	}, err
}

func compileLower(p *api.Processor) (step, error) {
	return change(p.LowerCaseString.WithKeys, strings.ToLower)
}

func compileUpper(p *api.Processor) (step, error) {
	return change(p.UpperCaseString.WithKeys, strings.ToUpper)
}

func compileTrim(p *api.Processor) (step, error) {
	return change(p.TrimString.WithKeys, strings.TrimSpace)
}

func compileSplit(p *api.Processor) (step, error) {
	return each(p.SplitString.Entries, func(e *api.SplitStringEntry) (func(*state), error) {
		from, err := parsePath(e.Source)
		if e.Delimiter == "" {
			return nil, errors.New("delimiter is empty")
		}
		return func(s *state) {
			if text, ok := from.text(s.document); ok {
				var parts []any
				for part := range strings.SplitSeq(text, e.Delimiter) {
					parts = append(parts, part)
				}
				from.set(s.document, parts, true)
			}
		}, err
	})
}

// reference is what stands for a group in a replacement, or for a character itself: $1, ${name}, \$.
var reference = regexp.MustCompile(`\\(.)|\$(\d)|\$\{(\w+)\}|\$`)

func compileSubstitute(p *api.Processor) (step, error) {
	return each(p.SubstituteString.Entries, func(e *api.SubstituteStringEntry) (func(*state), error) {
		from, err := parsePath(e.Source)
		if err != nil {
			return nil, err
		}
		re, err := regexp.Compile(e.From)
		if err != nil {
			return nil, fmt.Errorf("the regular expression %q is malformed, or looks around or back, which is not supported: %w", e.From, err)
		}
		to := reference.ReplaceAllStringFunc(e.To, func(text string) string {
			m := reference.FindStringSubmatch(text)
			switch group := m[2] + m[3]; {
			case group != "":
				return "${" + group + "}"
			case m[1] != "":
				return strings.ReplaceAll(m[1], "$", "$$")
			}
			return "$$"
		})
		return func(s *state) {
			if text, ok := from.text(s.document); ok {
				from.set(s.document, re.ReplaceAllString(text, to), true)
			}
		}, nil
	})
}

// types are how values are converted; false leaves a value as it is.
var types = map[string]func(text string) (any, bool){
	"string": func(text string) (any, bool) { return text, true },
	"boolean": func(text string) (any, bool) {
		switch strings.ToLower(text) {
		case "true":
			return true, true
		case "false":
			return false, true
		}
		return nil, false
	},
	"integer": func(text string) (any, bool) {
		f, err := strconv.ParseFloat(text, 64)
		if n, whole := strconv.ParseInt(text, 10, 64); whole == nil {
			return n, true
		}
		return int64(f), err == nil && math.Abs(f) < 1<<53
	},
	"double": func(text string) (any, bool) {
		f, err := strconv.ParseFloat(text, 64)
		return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
	},
}

func compileTypes(p *api.Processor) (step, error) {
	return each(p.TypeConverter.Entries, func(e *api.TypeConverterEntry) (func(*state), error) {
		key, err := parsePath(e.Key)
		convert := types[e.Type]
		if convert == nil {
			return nil, fmt.Errorf("the type %q is none of %v", e.Type, slices.Sorted(maps.Keys(types)))
		}
		return func(s *state) {
			v, _ := key.get(s.document)
			switch v.(type) {
			case string, json.Number, bool, int64, float64:
			default:
				return
			}
			if to, ok := convert(fmt.Sprint(v)); ok {
				key.set(s.document, to, true)
			}
		}, err
	})
}
