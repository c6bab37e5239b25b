package template

import "strings"

// Dynamic is a dynamic reference in a text, {{resolve:service:…}}, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html.
type Dynamic struct {
	// Text is the reference as it stands in the template.
	Text string
	// Service is "ssm", "ssm-secure" or "secretsmanager".
	Service string
	// Name is the parameter or the secret; Version is the parameter's version, or empty.
	Name, Version string
	// Key is the member of a secret that is a JSON object, Stage and VersionID which version of the secret.
	Key, Stage, VersionID string
}

const dynamicOpen = "{{resolve:"

// HasDynamic tells whether a text holds dynamic references.
func HasDynamic(text string) bool { return strings.Contains(text, dynamicOpen) }

// ReplaceDynamic returns text with every dynamic reference replaced by what value returns for it.
func ReplaceDynamic(text string, value func(d Dynamic) (string, error)) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, dynamicOpen)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		inner, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return "", Errorf("Template error: the dynamic reference {{resolve:%s is not closed by }}.", rest)
		}
		d, err := readDynamic(inner)
		if err != nil {
			return "", err
		}
		v, err := value(d)
		if err != nil {
			return "", err
		}
		b.WriteString(v)
		text = after
	}
}

func readDynamic(inner string) (Dynamic, error) {
	service, rest, _ := strings.Cut(strings.TrimSpace(inner), ":")
	d := Dynamic{Text: dynamicOpen + inner + "}}", Service: service}
	switch service {
	case "ssm", "ssm-secure":
		d.Name = rest
		if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.HasPrefix(rest, "arn:") {
			d.Name, d.Version = rest[:i], rest[i+1:]
		}
	case "secretsmanager":
		id, tail, _ := strings.Cut(rest, ":SecretString")
		d.Name = id
		if tail == "" && !strings.HasPrefix(id, "arn:") {
			d.Name, tail, _ = strings.Cut(id, ":")
		}
		parts := strings.SplitN(strings.TrimPrefix(tail, ":"), ":", 3)
		for i, to := range []*string{&d.Key, &d.Stage, &d.VersionID} {
			if i < len(parts) {
				*to = parts[i]
			}
		}
	default:
		return d, Errorf("Template error: the dynamic reference {{resolve:%s}} names no service that is known. Use ssm, ssm-secure or secretsmanager.", inner)
	}
	if d.Name == "" {
		return d, Errorf("Template error: the dynamic reference {{resolve:%s}} names no value.", inner)
	}
	return d, nil
}
