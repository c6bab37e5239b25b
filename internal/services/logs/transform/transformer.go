package transform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/logs"
)

// Limits of a transformer
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Transformation-Create.html).
const (
	maxProcessors = 20
	maxParsers    = 5
	maxDepth      = 3
)

// ErrUnsupported marks the errors of [Compile] that tell of what transformers of AWS have and this one has not.
var ErrUnsupported = errors.New("is not supported")

// Event is a log event and where it comes from.
type Event struct {
	Account, Region, Group, Stream, Message string
}

// Transformer is a compiled list of processors. It is safe for concurrent use.
type Transformer struct {
	steps []step
}

// state is an event under way: the document that the parsers made of it.
type state struct {
	Event

	document map[string]any
}

// step is one compiled processor. It fails when it is a parser that cannot read the event.
type step func(s *state) error

// kind is what a processor of a list is compiled by.
type kind struct {
	parser bool
	// builtin parsers read the logs of one service, and come first.
	builtin bool
	// once are kinds that a transformer has at most one of.
	once    bool
	compile func(p *api.Processor) (step, error)
}

// kinds are the processors by their names in [api.Processor].
func kinds() map[string]kind {
	return map[string]kind{
		"ParseJSON": {parser: true, compile: compileJSON}, "Csv": {parser: true, compile: compileCSV}, "ParseKeyValue": {parser: true, compile: compileKeyValue},
		"Grok":            {parser: true, once: true, compile: compileGrok},
		"ParseCloudfront": {parser: true, builtin: true, compile: compileCloudFront}, "ParseVPC": {parser: true, builtin: true, compile: compileVPC},
		"ParseRoute53": {parser: true, builtin: true, compile: compileRoute53}, "ParsePostgres": {parser: true, builtin: true, compile: compilePostgres},
		"AddKeys": {once: true, compile: compileAddKeys}, "CopyValue": {once: true, compile: compileCopyValue}, "DeleteKeys": {compile: compileDeleteKeys},
		"MoveKeys": {compile: compileMoveKeys}, "RenameKeys": {compile: compileRenameKeys}, "ListToMap": {compile: compileListToMap},
		"LowerCaseString": {compile: compileLower}, "UpperCaseString": {compile: compileUpper}, "TrimString": {compile: compileTrim},
		"SplitString": {compile: compileSplit}, "SubstituteString": {compile: compileSubstitute},
		"TypeConverter": {compile: compileTypes}, "DateTimeConverter": {compile: compileDates},
	}
}

// Compile checks a list of processors. Its errors are sentences for the caller of the operation.
func Compile(list []api.Processor) (*Transformer, error) {
	if len(list) == 0 || len(list) > maxProcessors {
		return nil, fmt.Errorf("a transformer has 1 to %d processors, not %d", maxProcessors, len(list))
	}
	all, parsers, seen := kinds(), 0, map[string]bool{}
	t := &Transformer{}
	for i := range list {
		name, err := nameOf(&list[i])
		if err != nil {
			return nil, fmt.Errorf("processor %d %w", i+1, err)
		}
		k, ok := all[name]
		switch {
		case !ok:
			return nil, fmt.Errorf("the processor %s %w", shown(name), ErrUnsupported)
		case i == 0 && !k.parser:
			return nil, fmt.Errorf("the first processor must be a parser, and %s is none", shown(name))
		case i > 0 && k.builtin:
			return nil, fmt.Errorf("the processor %s must be the first one", shown(name))
		case k.once && seen[name]:
			return nil, fmt.Errorf("a transformer has one processor %s at most", shown(name))
		}
		if k.parser {
			parsers++
		}
		if parsers > maxParsers {
			return nil, fmt.Errorf("a transformer has at most %d parsers", maxParsers)
		}
		seen[name] = true
		run, err := k.compile(&list[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", shown(name), err)
		}
		t.steps = append(t.steps, run)
	}
	return t, nil
}

// nameOf returns which processor an element of a list is.
func nameOf(p *api.Processor) (name string, err error) {
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		if v.Field(i).IsNil() {
			continue
		}
		if name != "" {
			return "", fmt.Errorf("is two: %s and %s. Give each its own element of the list", shown(name), shown(v.Type().Field(i).Name))
		}
		name = v.Type().Field(i).Name
	}
	if name == "" {
		return "", errors.New("is empty")
	}
	return name, nil
}

// shown returns the name of a processor as the API has it.
func shown(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// Apply transforms an event; ok is false for one that a parser cannot read.
func (t *Transformer) Apply(e Event) (transformed string, ok bool) {
	s := &state{Event: e, document: map[string]any{}}
	for _, run := range t.steps {
		if run(s) != nil {
			return "", false
		}
	}
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	if out.Encode(s.document) != nil {
		return "", false
	}
	return strings.TrimSuffix(b.String(), "\n"), true
}
