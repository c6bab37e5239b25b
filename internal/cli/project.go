package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"lambent.dev/lambent/internal/deploy/pack"
)

// project is what a folder holds to be deployed.
type project struct {
	// dir is the folder; file in it is the template, or the settings of the tool.
	dir, file string
	// tool deploys the project; nil where there is a template, which Lambent packs and deploys by itself.
	tool *tool
}

// errNoProject tells that a folder holds nothing to deploy.
var errNoProject = errors.New("it holds no application")

// later are names in a folder that tell of an application in a form that cannot be deployed yet.
var later = [...]string{"copilot", "Procfile", "Dockerfile"}

// detect finds the project of path: a folder, or a file that would make its folder a project. A template counts before the settings of a tool. A folder without anything
// that is known gives [errNoProject].
func detect(path string) (project, error) {
	info, err := os.Stat(path)
	if err != nil {
		return project{}, fmt.Errorf("find the application: %w", err)
	}
	if !info.IsDir() {
		return projectOf(path), nil
	}
	if file, err := pack.FindTemplate(path); err == nil {
		return projectOf(file), nil
	}
	for _, t := range tools() {
		for _, name := range t.files {
			if file := filepath.Join(path, name); isThere(file) {
				return projectOf(file), nil
			}
		}
	}
	for _, name := range later {
		if isThere(filepath.Join(path, name)) {
			return project{}, fmt.Errorf("%s holds an application as %s, which Lambent cannot deploy yet; describe it in a template.yaml (lambent init writes one to begin with)", path, name)
		}
	}
	return project{}, fmt.Errorf("there is no template.yaml, cdk.json or serverless.yml in %s; name the folder of an application: %w", path, errNoProject)
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// projectOf is the project that a file makes of its folder. A file with any other name than those of tools is a template.
func projectOf(file string) project {
	p := project{dir: filepath.Dir(file), file: file}
	for _, t := range tools() {
		if slices.Contains(t.files, filepath.Base(file)) {
			p.tool = &t
		}
	}
	return p
}
