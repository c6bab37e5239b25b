package sandbox

import (
	"errors"
	"fmt"
)

// Assignment is what turns a cell that was started ahead of need into the one that is needed.
type Assignment struct {
	// Mounts are attached to the running cell, in order. What lay at their targets is hidden, except from processes whose working directory is there.
	Mounts []Mount
	// Limits replace those that the cell was started with; the number of open files stays.
	Limits Limits
	// Argv, Env and Dir are the program of a cell that was started with [Spec.Held], and must be empty for others.
	Argv, Env []string
	Dir       string
}

// ErrNoAttach says that folders cannot be attached to running cells on this machine.
var ErrNoAttach = errors.New("folders cannot be attached to running sandboxes on this machine")

// withDefaults returns a with the defaults filled in, or why it cannot be done to a cell of that name.
func (a Assignment) withDefaults(name string, held bool) (Assignment, error) {
	var err error
	if a.Limits, err = a.Limits.withDefaults(); err != nil {
		return a, err
	}
	if a.Dir == "" {
		a.Dir = "/"
	}
	switch {
	case held:
		err = validateProgram(name, a.Argv, a.Env)
	case len(a.Argv) > 0:
		err = fmt.Errorf("sandbox %s: its program runs already", name)
	}
	if err != nil {
		return a, err
	}
	return a, validateMounts(name, a.Mounts)
}
