package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// FileName is the name of the settings file in a project's folder.
const FileName = "lambent.yaml"

// clientVariables are read by the command line as a client of a running Lambent; they are no settings.
var clientVariables = []string{"LAMBENT_ENDPOINT"}

// Source is where [Load] looks for values.
type Source struct {
	// Dir is the project's folder; relative paths in the settings start there.
	Dir string
	// File is the settings file. Empty means lambent.yaml in Dir, if there is one.
	File string
	// Environ is the environment, as os.Environ returns it.
	Environ []string
	// Flags are the values given on the command line, by setting name.
	Flags map[string]string
}

// Load gathers the settings from all places and validates them.
func Load(src Source) (Config, error) {
	c := Default()
	if err := src.file(&c); err != nil {
		return c, err
	}
	if err := src.environ(&c); err != nil {
		return c, err
	}
	for name, value := range src.Flags {
		if err := set(&c, name, value); err != nil {
			return c, fmt.Errorf("flag --%s: %w", name, err)
		}
	}
	paths := []*string{&c.DataDir, &c.TLSCert, &c.TLSKey, &c.MailPassword}
	if c.BodiesKeys != KeysFromEnvironment {
		paths = append(paths, &c.BodiesKeys)
	}
	for _, path := range paths {
		if *path != "" && !filepath.IsAbs(*path) {
			abs, err := filepath.Abs(filepath.Join(src.Dir, *path))
			if err != nil {
				return c, fmt.Errorf("find the project's folder: %w", err)
			}
			*path = abs
		}
	}
	if c.AccessLog != AccessLogOff && c.AccessLog != AccessLogStderr && c.AccessLog != "" && !filepath.IsAbs(c.AccessLog) {
		// Not the project's folder: a file that grows there would look like a changed source.
		c.AccessLog = filepath.Join(c.DataDir, c.AccessLog)
	}
	if err := c.Validate(); err != nil || c.Bodies == "" {
		return c, err
	}
	return c, src.keys(&c)
}

func (src *Source) file(c *Config) error {
	path, named := src.File, src.File != ""
	if !named {
		path = filepath.Join(src.Dir, FileName)
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("read settings %s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: settings are lines of the form name: value", path, root.Line)
	}
	var errs []error
	seen := map[string]bool{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch {
		case seen[key.Value]:
			err = fmt.Errorf("setting %s appears twice", key.Value)
		case value.Kind != yaml.ScalarNode:
			err = fmt.Errorf("setting %s: the value is not a plain text, number or boolean", key.Value)
		default:
			err = set(c, key.Value, value.Value)
		}
		seen[key.Value] = true
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", path, key.Line, err))
		}
	}
	return errors.Join(errs...)
}

func (src *Source) environ(c *Config) error {
	byEnv := map[string]string{}
	for _, s := range Settings() {
		byEnv[s.Env()] = s.Name
	}
	var errs []error
	for _, entry := range src.Environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "LAMBENT_") || slices.Contains(clientVariables, name) {
			continue
		}
		setting, ok := byEnv[name]
		if !ok {
			errs = append(errs, fmt.Errorf("environment variable %s: there is no such setting%s; unset it, or see docs/configuration.md", name, suggest(strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, "LAMBENT_"), "_", "-")))))
			continue
		}
		if err := set(c, setting, value); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func set(c *Config, name, value string) error {
	for _, s := range Settings() {
		if s.Name == name {
			return s.set(c, value)
		}
	}
	return fmt.Errorf("there is no setting %q%s; see docs/configuration.md", name, suggest(name))
}

// suggest returns " (did you mean x?)" for the setting nearest to name, or nothing.
func suggest(name string) string {
	best, nearest := 3, ""
	for _, s := range Settings() {
		if d := distance(name, s.Name); d < best {
			best, nearest = d, s.Name
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", nearest)
}

// distance is the Levenshtein distance of two short names.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
