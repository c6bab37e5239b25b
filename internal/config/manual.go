package config

import (
	"fmt"
	"strings"
)

// Manual returns the reference manual of all settings as Markdown: the text of docs/configuration.md.
func Manual() string {
	var b strings.Builder
	b.WriteString(`<!-- Written from internal/config/settings.go by "make generate"; change it there. -->
# Configuration

Lambent works without any. Settings come from four places, and a later one wins: the default, the file ` + "`lambent.yaml`" + ` in the
project's folder (or ` + "`--config FILE`" + `), the environment, and the command line. A name that is not in this list is refused.

`)
	for _, s := range Settings() {
		if s.hidden {
			continue
		}
		value := s.Default
		if value == "" {
			value = "(empty)"
		}
		fmt.Fprintf(&b, "## %s\n\n`%s`, `%s`. Default: `%s`.\n\n%s\n\n", s.Name, s.Flag(), s.Env(), value, s.Doc)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
