//go:build profile

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
)

// profiled writes a CPU profile of this process to a new file in the folder that CPU_PROFILE_DIR names, from now until stop is called, and beside
// it then a profile of all that was allocated.
func profiled() (stop func()) {
	dir := os.Getenv("CPU_PROFILE_DIR")
	if dir == "" {
		return func() {}
	}
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.pprof", os.Getpid())))
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lambent: CPU_PROFILE_DIR:", err)
		os.Exit(1)
	}
	return func() {
		pprof.StopCPUProfile()
		if err := errors.Join(f.Close(), allocated(strings.TrimSuffix(f.Name(), ".pprof")+".allocs.pprof")); err != nil {
			fmt.Fprintln(os.Stderr, "lambent: CPU_PROFILE_DIR:", err)
		}
	}
}

func allocated(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}
