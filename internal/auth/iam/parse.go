package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"lambent.dev/lambent/internal/lib/glob"
)

// maxDocument bounds a policy document, in bytes.
const maxDocument = 128 << 10

// maxStatements bounds the statements of a document.
const maxStatements = 1024

// Role says where a document is attached, which decides what elements it must have.
type Role uint8

// The places of a document.
const (
	// Identity is attached to a user, group or role; also boundaries, session policies, SCPs.
	Identity Role = iota
	// ResourceBased is attached to a resource.
	ResourceBased
	// Trust is the assume-role policy of a role.
	Trust
)

// MalformedError tells why a document is refused, in AWS's words where these are known.
type MalformedError struct {
	Message string
	// S3 is what S3 says of the same in a bucket's policy, where that is something else.
	S3 string
}

// Error returns the message.
func (e *MalformedError) Error() string { return e.Message }

func bad(format string, args ...any) error {
	return &MalformedError{Message: fmt.Sprintf(format, args...)}
}

// errSyntax is what AWS says of everything that does not follow the grammar.
const errSyntax = "Syntax errors in policy."

// Parse compiles a document. The error is a [*MalformedError].
func Parse(doc string, role Role) (*Policy, error) {
	if len(doc) > maxDocument {
		return nil, bad("The policy is longer than %d bytes.", maxDocument)
	}
	members, err := object([]byte(doc))
	if err != nil {
		return nil, bad(errSyntax+" (%s)", err)
	}
	p := &Policy{Version: version2008}
	var raw json.RawMessage
	for _, m := range members {
		switch m.name {
		case "Version":
			if err := json.Unmarshal(m.value, &p.Version); err != nil || p.Version != version2008 && p.Version != version2012 {
				return nil, bad(errSyntax + " (Version must be 2012-10-17 or 2008-10-17)")
			}
		case "Id":
			if err := json.Unmarshal(m.value, &p.ID); err != nil {
				return nil, bad(errSyntax + " (Id must be a string)")
			}
		case "Statement":
			raw = m.value
		default:
			return nil, bad(errSyntax+" (unknown element %q)", m.name)
		}
	}
	if raw == nil {
		return nil, bad(errSyntax + " (there is no Statement)")
	}
	if err := p.parseStatements(raw, role); err != nil {
		return nil, err
	}
	p.index()
	return p, nil
}

func (p *Policy) parseStatements(raw json.RawMessage, role Role) error {
	list, err := oneOrMany(raw)
	if err != nil || len(list) == 0 || len(list) > maxStatements {
		return bad(errSyntax+" (Statement must be an object or a list of up to %d objects)", maxStatements)
	}
	sids := map[string]bool{}
	for _, r := range list {
		s, err := parseStatement(r, role, p.Version == version2012)
		if err != nil {
			return err
		}
		if s.sid != "" && sids[s.sid] {
			return bad("Statement IDs (SID) in a single policy must be unique.")
		}
		sids[s.sid] = true
		p.statements = append(p.statements, *s)
	}
	return nil
}

// parseStatement compiles one statement.
func parseStatement(raw json.RawMessage, role Role, vars bool) (*statement, error) {
	members, err := object(raw)
	if err != nil {
		return nil, bad(errSyntax+" (statement: %s)", err)
	}
	s := &statement{}
	seen := map[string]bool{}
	for _, m := range members {
		seen[m.name] = true
		if err := s.element(m, vars); err != nil {
			return nil, err
		}
	}
	switch {
	case !seen["Effect"]:
		return nil, bad(errSyntax + " (a statement has no Effect)")
	case !seen["Action"] && !seen["NotAction"]:
		return nil, bad("Policy statement must contain actions.")
	case seen["Action"] && seen["NotAction"], seen["Resource"] && seen["NotResource"], seen["Principal"] && seen["NotPrincipal"]:
		return nil, bad(errSyntax + " (a statement has an element and its Not form)")
	}
	return s, s.fits(role, seen)
}

// fits checks the elements that the place of the document asks for or forbids.
func (s *statement) fits(role Role, seen map[string]bool) error {
	hasPrincipal := seen["Principal"] || seen["NotPrincipal"]
	switch role {
	case Identity:
		if hasPrincipal {
			return bad("Policy document should not specify a principal.")
		}
		if !s.hasResources {
			return bad("Policy statement must contain resources.")
		}
	case ResourceBased:
		if !hasPrincipal {
			return bad("Missing required field Principal")
		}
	case Trust:
		if s.hasResources {
			return bad("Has prohibited field Resource")
		}
		if !hasPrincipal {
			return bad("Missing required field Principal")
		}
		if seen["NotPrincipal"] && s.allow {
			return bad("Has prohibited field NotPrincipal")
		}
		for i := range s.actions {
			if p := s.actions[i].Prefix(); !strings.HasPrefix(p, "sts:") {
				return bad("AssumeRole policy may only specify STS AssumeRole actions.")
			}
		}
	}
	return nil
}

// element compiles one member of a statement.
func (s *statement) element(m member, vars bool) error {
	switch m.name {
	case "Sid":
		if err := json.Unmarshal(m.value, &s.sid); err != nil {
			return bad(errSyntax + " (Sid must be a string)")
		}
	case "Effect":
		var effect string
		if err := json.Unmarshal(m.value, &effect); err != nil || effect != "Allow" && effect != "Deny" {
			return bad(errSyntax + " (Effect must be Allow or Deny)")
		}
		s.allow = effect == "Allow"
	case "Action", "NotAction":
		s.notAction = m.name == "NotAction"
		return s.parseActions(m.value)
	case "Resource", "NotResource":
		s.notResource, s.hasResources = m.name == "NotResource", true
		return s.parseResources(m.value, vars)
	case "Principal", "NotPrincipal":
		ps, err := parsePrincipals(m.value)
		if err != nil {
			return err
		}
		ps.not = m.name == "NotPrincipal"
		s.principals = ps
	case "Condition":
		return s.parseConditions(m.value, vars)
	default:
		return bad(errSyntax+" (unknown element %q in a statement)", m.name)
	}
	return nil
}

func (s *statement) parseActions(raw json.RawMessage) error {
	list, err := texts(raw, false)
	if err != nil {
		return bad(errSyntax+" (Action: %s)", err)
	}
	if len(list) == 0 {
		return bad("Policy statement must contain actions.")
	}
	for _, a := range list {
		vendor, name, ok := strings.Cut(a, ":")
		switch {
		case a == "*":
		case !ok:
			return bad("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
		case strings.Contains(name, ":"):
			return bad("Actions/Condition can contain only one colon.")
		case vendor == "" || strings.ContainsFunc(vendor, func(r rune) bool { return !vendorRune(r) }):
			return bad("Vendor %s is not valid", vendor)
		}
		s.actions = append(s.actions, glob.Compile(strings.ToLower(a)))
	}
	return nil
}

func vendorRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '*' || r == '?'
}

func (s *statement) parseResources(raw json.RawMessage, vars bool) error {
	list, err := texts(raw, false)
	if err != nil {
		return bad(errSyntax+" (Resource: %s)", err)
	}
	if len(list) == 0 {
		return bad("Policy statement must contain resources.")
	}
	for _, text := range list {
		if text != "*" && !strings.HasPrefix(text, "arn:") && strings.Trim(text, "*") != "" && !strings.HasPrefix(text, "arn*") && !(vars && strings.HasPrefix(text, "${")) {
			return bad(`Resource %s must be in ARN format or "*".`, text)
		}
		r, ok := compileResource(text, vars)
		if !ok {
			return bad(errSyntax+" (Resource %s has an unreadable variable)", text)
		}
		s.resources = append(s.resources, r)
	}
	return nil
}

// parsePrincipals compiles "*" or an object of types.
func parsePrincipals(raw json.RawMessage) (*principals, error) {
	var all string
	if json.Unmarshal(raw, &all) == nil {
		if all != "*" {
			return nil, bad("Invalid principal in policy: %q", all)
		}
		return &principals{everybody: true}, nil
	}
	members, err := object(raw)
	if err != nil || len(members) == 0 {
		return nil, bad(errSyntax + ` (Principal must be "*" or an object)`)
	}
	ps := &principals{}
	for _, m := range members {
		list, err := texts(m.value, false)
		if err != nil || len(list) == 0 {
			return nil, bad(errSyntax + " (Principal)")
		}
		for _, v := range list {
			if err := ps.add(m.name, v); err != nil {
				return nil, err
			}
		}
	}
	return ps, nil
}

func (ps *principals) add(kind, v string) error {
	switch kind {
	case "AWS":
		switch {
		case v == "*":
			ps.everybody = true
		case validAWSPrincipal(v):
			ps.aws = append(ps.aws, v)
		default:
			return bad(`Invalid principal in policy: "AWS":%q`, v)
		}
	case "Service":
		if !strings.Contains(v, ".") || strings.ContainsAny(v, "*?/ ") {
			return bad(`Invalid principal in policy: "SERVICE":%q`, v)
		}
		ps.services = append(ps.services, strings.ToLower(v))
	case "Federated":
		if v == "" {
			return bad(`Invalid principal in policy: "FEDERATED":%q`, v)
		}
		ps.federated = append(ps.federated, v)
	case "CanonicalUser":
		return bad("Lambent does not support the principal type CanonicalUser; name the account under AWS instead.")
	default:
		return bad(errSyntax+" (unknown principal type %q)", kind)
	}
	return nil
}

// validAWSPrincipal reports whether v is an account, an ARN of IAM or STS, or a unique id.
func validAWSPrincipal(v string) bool {
	if len(v) == 12 && strings.Trim(v, "0123456789") == "" {
		return true
	}
	if strings.HasPrefix(v, "AIDA") || strings.HasPrefix(v, "AROA") {
		return len(v) >= 16 && len(v) <= 128
	}
	f := strings.SplitN(v, ":", 6)
	if len(f) != 6 || f[0] != "arn" || f[1] == "" || f[2] != "iam" && f[2] != "sts" || f[3] != "" || strings.ContainsAny(v, "*?") {
		return false
	}
	return len(f[4]) == 12 && strings.Trim(f[4], "0123456789") == "" && f[5] != ""
}

func (s *statement) parseConditions(raw json.RawMessage, vars bool) error {
	ops, err := object(raw)
	if err != nil {
		return bad(errSyntax+" (Condition: %s)", err)
	}
	for _, op := range ops {
		c := condition{}
		name := strings.ToLower(op.name)
		if rest, ok := strings.CutPrefix(name, "forallvalues:"); ok {
			name, c.quant = rest, forAll
		} else if rest, ok := strings.CutPrefix(name, "foranyvalue:"); ok {
			name, c.quant = rest, forAny
		}
		if rest, ok := strings.CutSuffix(name, "ifexists"); ok {
			name, c.ifExists = rest, true
		}
		var known bool
		if c.op, known = operatorOf(name); !known || c.op.class == classNull && (c.ifExists || c.quant != single) {
			return &MalformedError{
				Message: fmt.Sprintf(errSyntax+" (unknown condition operator %q)", op.name), S3: "Invalid Condition type : " + op.name,
			}
		}
		keys, err := object(op.value)
		if err != nil {
			return bad(errSyntax+" (condition operator %s: %s)", op.name, err)
		}
		for _, k := range keys {
			one := c
			one.name, one.key = k.name, strings.ToLower(k.name)
			list, err := texts(k.value, true)
			if err != nil {
				return bad(errSyntax+" (condition key %s: %s)", k.name, err)
			}
			for _, text := range list {
				v, ok := compileValue(c.op.class, text, vars)
				if !ok {
					e := &MalformedError{Message: fmt.Sprintf(errSyntax+" (condition key %s: %q is not a value for %s)", k.name, text, op.name)}
					if c.op.class == classIP {
						e.S3 = "Invalid IP address in Conditions"
					}
					return e
				}
				one.values = append(one.values, v)
			}
			s.conditions = append(s.conditions, one)
		}
	}
	return nil
}

// member is one member of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

var (
	errNoObject  = errors.New("expected an object")
	errTwice     = errors.New("a name comes twice")
	errTrailing  = errors.New("there is text behind the end")
	errNoStrings = errors.New("expected a string or a list of strings")
)

// object reads a JSON object and refuses names that come twice.
func object(raw []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	tok, err := dec.Token()
	if err != nil {
		return nil, errNoObject
	}
	if tok != json.Delim('{') {
		return nil, errNoObject
	}
	var out []member
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("read a name: %w", err)
		}
		name, _ := tok.(string)
		if seen[name] {
			return nil, errTwice
		}
		seen[name] = true
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, fmt.Errorf("read %q: %w", name, err)
		}
		out = append(out, member{name, v})
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("read the end of an object: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return out, nil
}

// oneOrMany reads a list, or one value as a list.
func oneOrMany(raw json.RawMessage) ([]json.RawMessage, error) {
	if t := bytes.TrimSpace(raw); len(t) > 0 && t[0] == '[' {
		var list []json.RawMessage
		err := json.Unmarshal(raw, &list)
		return list, err
	}
	return []json.RawMessage{raw}, nil
}

// texts reads a string or a list of strings. scalars lets numbers and booleans stand for their
// text, as conditions do.
func texts(raw json.RawMessage, scalars bool) ([]string, error) {
	list, err := oneOrMany(raw)
	if err != nil {
		return nil, errNoStrings
	}
	out := make([]string, 0, len(list))
	for _, r := range list {
		r = bytes.TrimSpace(r)
		var s string
		if json.Unmarshal(r, &s) == nil && len(r) > 0 && r[0] == '"' {
			out = append(out, s)
			continue
		}
		if !scalars || len(r) == 0 || r[0] == '{' || r[0] == '[' || string(r) == "null" {
			return nil, errNoStrings
		}
		out = append(out, string(r))
	}
	return out, nil
}
