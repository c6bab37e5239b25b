package config

import (
	"fmt"
	"os"
	"strings"
)

// KeysFromEnvironment is the value of the setting "bodies-keys" that takes them from the environment.
const KeysFromEnvironment = "env"

// keys reads what the setting bodies-keys names.
func (src *Source) keys(c *Config) error {
	names := map[string]*string{"aws_access_key_id": &c.Keys.AccessKeyID, "aws_secret_access_key": &c.Keys.Secret, "aws_session_token": &c.Keys.Token}
	where := "the environment"
	if c.BodiesKeys == KeysFromEnvironment {
		for _, entry := range src.Environ {
			name, value, _ := strings.Cut(entry, "=")
			if to := names[strings.ToLower(name)]; to != nil && name == strings.ToUpper(name) {
				*to = value
			}
		}
	} else {
		where = c.BodiesKeys
		raw, err := os.ReadFile(c.BodiesKeys)
		if err != nil {
			return fmt.Errorf("setting bodies-keys: %w", err)
		}
		readProfile(string(raw), names)
	}
	if c.Keys.AccessKeyID == "" || c.Keys.Secret == "" {
		return fmt.Errorf("setting bodies-keys: %s has no aws_access_key_id with an aws_secret_access_key; bodies needs them", where)
	}
	return nil
}

// readProfile sets the names that the profile default of a credentials file has. Lines before any profile count for it.
func readProfile(text string, names map[string]*string) {
	profile := "default"
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			profile = strings.TrimSpace(line[1 : len(line)-1])
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if to := names[strings.TrimSpace(name)]; ok && to != nil && profile == "default" {
			*to = strings.TrimSpace(value)
		}
	}
}
