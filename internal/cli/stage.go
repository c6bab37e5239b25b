package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"lambent.dev/lambent/internal/deploy/template"
)

// stageFiles are the names of the file with a stage's parameters, in the application's folder.
func stageFiles(stage string) []string {
	return []string{"parameters." + stage + ".yaml", "parameters." + stage + ".yml", "parameters." + stage + ".json"}
}

// enterStage makes the deployment one of a stage, such as qa: a stack of its own, with the parameters of the stage's file. Parameters that are given on the
// command line count more.
func (d *deployment) enterStage(dir string) error {
	if d.stage == "" {
		return nil
	}
	if notInStackName.MatchString(d.stage) {
		return usage{fmt.Errorf("the stage %q has other characters than letters, digits and hyphens", d.stage)}
	}
	d.stack += "-" + d.stage
	for _, name := range stageFiles(d.stage) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		return d.addParameters(name, b)
	}
	return usage{fmt.Errorf("the stage %s has no file of parameters: write %s with a line NAME: VALUE for each, or {} for none", d.stage, stageFiles(d.stage)[0])}
}

// addParameters reads a file of parameters: a mapping of names to values, alone or under Parameters, or the list of ParameterKey and ParameterValue that the AWS CLI takes.
func (d *deployment) addParameters(name string, text []byte) error {
	v, err := template.ParseValue(text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if m, ok := v.(map[string]any); ok {
		if inner, ok := m["Parameters"].(map[string]any); ok {
			m = inner
		}
		for key, value := range m {
			if err := d.addParameter(name, key, value); err != nil {
				return err
			}
		}
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("%s: neither a mapping of names to values nor a list of ParameterKey and ParameterValue", name)
	}
	for _, e := range list {
		m, _ := e.(map[string]any)
		key, ok := m["ParameterKey"].(string)
		if !ok {
			return fmt.Errorf("%s: an entry without ParameterKey", name)
		}
		if err := d.addParameter(name, key, m["ParameterValue"]); err != nil {
			return err
		}
	}
	return nil
}

func (d *deployment) addParameter(file, key string, value any) error {
	text, ok := template.Text(value)
	if !ok {
		return fmt.Errorf("%s: the value of %s is not a text, a number, true or false", file, key)
	}
	if _, given := d.parameters[key]; !given {
		d.parameters[key] = text
	}
	return nil
}
