package cli

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/runtimes"
)

func (a *app) sdkCommand(dataDir *string) *cobra.Command {
	return &cobra.Command{
		Use: "sdk [nodejs|python]", Short: "Give functions the AWS SDK that AWS's runtimes bring along",
		Long: "Sdk installs boto3 for Python functions and the usual @aws-sdk packages for Node.js functions, with your own pip and npm, into the data\n" +
			"folder. Functions that have an SDK in their own code do not need it. It may run while Lambent does; environments of functions that start\n" +
			"from then on have it.",
		Args: cobra.MaximumNArgs(1), ValidArgs: []string{runtimes.FamilyNode, runtimes.FamilyPython},
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := a.dataFolder(*dataDir)
			if err != nil {
				return err
			}
			all := runtimes.SDKs()
			if len(args) == 1 {
				all = slices.DeleteFunc(all, func(s runtimes.SDK) bool { return s.Family != args[0] && s.Family != args[0]+"js" }) // "node" will do
				if len(all) == 0 {
					return usage{fmt.Errorf("there is no SDK for %q; nodejs and python have one", args[0])}
				}
			}
			for _, s := range all {
				if err := a.installSDK(cmd.Context(), filepath.Join(dir, "runtimes"), &s); err != nil {
					return err
				}
				a.Term.Say("%s functions now have %s", s.Family, s.Name)
			}
			return nil
		},
	}
}

// installSDK installs an SDK beside the runtime client, and moves it there when it is whole.
func (a *app) installSDK(ctx context.Context, dir string, s *runtimes.SDK) error {
	target := filepath.Join(dir, s.Folder)
	if err := os.MkdirAll(target, 0o755); err != nil {
		return fmt.Errorf("make the folder of runtimes: %w", err)
	}
	work, err := os.MkdirTemp(dir, "sdk-")
	if err != nil {
		return fmt.Errorf("make the folder of runtimes: %w", err)
	}
	defer os.RemoveAll(work)
	command := []string{"python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--no-warn-conflicts", "--target", work}
	if s.Family == runtimes.FamilyNode {
		command = []string{"npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", work}
	}
	command = append(command, s.Packages...)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env, cmd.Stderr, cmd.Stdout = a.Environ, a.Term.Err, a.Term.Err
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("install %s with %s: %w", s.Name, strings.Join(command[:2], " "), err)
	}
	return moveSDK(work, target)
}

// moveSDK moves what was installed into target, readable for functions, which run as another user: packages, which are folders, and modules of one file, as Python has
// them. What a package manager notes for itself stays behind.
func moveSDK(work, target string) error {
	if err := filepath.WalkDir(work, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if d.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode)
	}); err != nil {
		return fmt.Errorf("read what was installed: %w", err)
	}
	entries, err := os.ReadDir(work)
	if err != nil {
		return fmt.Errorf("read what was installed: %w", err)
	}
	for _, e := range entries {
		if e.Name() == "bin" || !e.IsDir() && filepath.Ext(e.Name()) != ".py" {
			continue
		}
		to := filepath.Join(target, e.Name())
		if err := os.RemoveAll(to); err != nil {
			return fmt.Errorf("replace %s: %w", e.Name(), err)
		}
		if err := os.Rename(filepath.Join(work, e.Name()), to); err != nil {
			return fmt.Errorf("replace %s: %w", e.Name(), err)
		}
	}
	return nil
}
