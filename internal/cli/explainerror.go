package cli

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed explain_errors.txt
var errorTexts string

// errorText is what there is to say about a code of an error, or a status of a stack.
type errorText struct {
	Code string `json:"code"`
	Why  string `json:"why"`
	Do   string `json:"do"`
}

// errorsNamed returns the entries whose code is name, in any case.
func errorsNamed(name string) (out []errorText) {
	for line := range strings.Lines(errorTexts) {
		parts := strings.Split(strings.TrimSpace(line), " | ")
		if len(parts) == 3 && !strings.HasPrefix(line, "#") && strings.EqualFold(parts[0], name) {
			out = append(out, errorText{parts[0], parts[1], parts[2]})
		}
	}
	return out
}

func (a *app) explainError(name string) error {
	found := errorsNamed(name)
	if len(found) == 0 {
		return fmt.Errorf("%s is no error or status that this program has words for; the message that came with it says what happened, and docs/errors.md has more", name)
	}
	if a.json {
		return a.Term.JSON(found[0])
	}
	a.Term.Print("%s: %s.", found[0].Code, found[0].Why)
	a.Term.Print("To do: %s.", found[0].Do)
	return nil
}
