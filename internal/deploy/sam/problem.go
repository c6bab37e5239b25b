package sam

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// problem is one fault of a template, in the words of AWS's transform.
type problem struct {
	// about is the logical id or the name of the event that the fault is about; it is the message for faults of the whole template.
	about, message string
	// event tells that the fault is about an event: whoever expands the resource around it adds the resource's name.
	event bool
}

func (p *problem) Error() string { return p.message }

// document is the error of a template of which nothing can be expanded, or the sum of the faults of all its resources.
type document struct{ problems []*problem }

// Error joins the messages in the order of what they are about, as CloudFormation shows them.
func (d *document) Error() string {
	list := slices.Clone(d.problems)
	slices.SortStableFunc(list, func(a, b *problem) int { return cmp.Compare(a.about, b.about) })
	var b strings.Builder
	fmt.Fprintf(&b, "Invalid Serverless Application Specification document. Number of errors found: %d.", len(list))
	for _, p := range list {
		b.WriteString(" " + p.message)
	}
	return b.String()
}

func documentOf(problems ...*problem) *document {
	var out document
	seen := map[string]bool{}
	for _, p := range problems {
		if !seen[p.message] {
			seen[p.message] = true
			out.problems = append(out.problems, p)
		}
	}
	return &out
}

// invalid is a fault of a resource.
func invalid(id, format string, args ...any) error {
	return &problem{about: id, message: "Resource with id [" + id + "] is invalid. " + fmt.Sprintf(format, args...)}
}

// invalidEvent is a fault of an event of a resource.
func invalidEvent(id, format string, args ...any) error {
	return &problem{about: id, message: "Event with id [" + id + "] is invalid. " + fmt.Sprintf(format, args...), event: true}
}

// invalidTemplate is a fault that is about no resource in particular, though others may be found beside it.
func invalidTemplate(format string, args ...any) error {
	m := "Structure of the SAM template is invalid. " + fmt.Sprintf(format, args...)
	return &problem{about: m, message: m}
}

// invalidDocument is a fault that ends the transform.
func invalidDocument(format string, args ...any) error {
	return documentOf(asProblem(invalidTemplate(format, args...)))
}

// within adds the resource around an event to a fault of the event.
func within(id string, err error) error {
	var p *problem
	if errors.As(err, &p) && p.event {
		return invalid(id, "%s", p.message)
	}
	return err
}
