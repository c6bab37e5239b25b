package iam

import (
	"strings"

	"lambent.dev/lambent/internal/lib/glob"
)

// The versions of the language.
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// Policy is a compiled document. It is immutable and safe for concurrent use.
type Policy struct {
	// Version is the version of the language; empty in the document means 2008-10-17.
	Version string
	// ID is the document's Id element.
	ID string

	statements []statement
	// byService lists, for a lower-case service prefix, the statements that name it; general
	// lists those that can concern any service.
	byService map[string][]int
	general   []int
}

// statement is one compiled statement.
type statement struct {
	sid          string
	allow        bool
	principals   *principals
	actions      []glob.Pattern // lower case
	notAction    bool
	resources    []resource
	notResource  bool
	hasResources bool
	conditions   []condition
}

// Len returns the number of statements.
func (p *Policy) Len() int { return len(p.statements) }

// ContextKeys returns the condition keys and variables that the document refers to, as written,
// without repetition.
func (p *Policy) ContextKeys() []string {
	var out []string
	seen := map[string]bool{}
	add := func(key string) {
		if low := strings.ToLower(key); !seen[low] {
			seen[low] = true
			out = append(out, key)
		}
	}
	for i := range p.statements {
		s := &p.statements[i]
		for j := range s.conditions {
			add(s.conditions[j].name)
			for k := range s.conditions[j].values {
				for _, part := range s.conditions[j].values[k].parts {
					if part.key != "" {
						add(part.name)
					}
				}
			}
		}
		for j := range s.resources {
			for _, seg := range s.resources[j].segs {
				for _, part := range seg {
					if part.key != "" {
						add(part.name)
					}
				}
			}
		}
	}
	return out
}

// index fills byService and general.
func (p *Policy) index() {
	p.byService = map[string][]int{}
	for i := range p.statements {
		s := &p.statements[i]
		services := map[string]bool{}
		anywhere := s.notAction
		for j := range s.actions {
			service, _, ok := strings.Cut(s.actions[j].Prefix(), ":")
			if !ok {
				anywhere = true
			}
			services[service] = true
		}
		if anywhere {
			p.general = append(p.general, i)
			continue
		}
		for service := range services {
			p.byService[service] = append(p.byService[service], i)
		}
	}
}

// matchesAction reports whether the statement speaks of the action, which is in lower case.
func (s *statement) matchesAction(action string) bool {
	for i := range s.actions {
		if s.actions[i].Match(action) {
			return !s.notAction
		}
	}
	return s.notAction
}

// matchesResource reports whether the statement speaks of the resource. A statement without
// resources, as in trust policies, speaks of the one it is attached to.
func (s *statement) matchesResource(name string, ctx Context) bool {
	if !s.hasResources {
		return true
	}
	for i := range s.resources {
		if s.resources[i].match(name, ctx) {
			return !s.notResource
		}
	}
	return s.notResource
}

// AWSPrincipals returns the accounts, ARNs and unique ids that the document names as principals.
func (p *Policy) AWSPrincipals() []string {
	var out []string
	for i := range p.statements {
		if ps := p.statements[i].principals; ps != nil {
			out = append(out, ps.aws...)
		}
	}
	return out
}
