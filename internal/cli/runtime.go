package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/image"
	"lambent.dev/lambent/internal/runtimes"
	"lambent.dev/lambent/internal/sandbox"
)

func (a *app) runtimeCommand() *cobra.Command {
	c := &cobra.Command{Use: "runtime", Short: "The languages of functions", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	var dataDir string
	c.PersistentFlags().StringVar(&dataDir, "data-dir", "", "the data folder (default: that of the running Lambent of this project)")
	c.AddCommand(a.sdkCommand(&dataDir), a.runtimeAddCommand(&dataDir), a.runtimeListCommand(&dataDir), a.runtimeRemoveCommand(&dataDir))
	return c
}

// dataFolder is the data folder of a flag, or that of the Lambent that runs here.
func (a *app) dataFolder(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	where, err := a.find()
	if err != nil {
		return "", err
	}
	if where.dataDir == "" {
		return "", usage{errors.New("no Lambent runs in this project; name its data folder with --data-dir")}
	}
	return where.dataDir, nil
}

// images opens the image store of a data folder. Who sits at the machine may pull from every registry, with the credentials of his Docker.
func (a *app) images(flag string) (*image.Store, error) {
	dir, err := a.dataFolder(flag)
	if err != nil {
		return nil, err
	}
	return image.Open(image.Options{Dir: filepath.Join(dir, "images"), Registries: []string{"*"}, Credentials: a.dockerConfig()})
}

// dockerConfig is the folder with Docker's configuration; empty if there is none.
func (a *app) dockerConfig() string {
	dir := a.getenv("DOCKER_CONFIG")
	if dir == "" {
		if home := a.getenv("HOME"); home != "" {
			dir = filepath.Join(home, ".docker")
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil {
		return ""
	}
	return dir
}

func (a *app) runtimeAddCommand(dataDir *string) *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "add NAME IMAGE", Short: "Run functions of a runtime in a container image",
		Long: "Add unpacks a container image and runs functions of the runtime NAME, such as python3.13, with the language that is in it, instead of the one that is\n" +
			"installed on this machine. IMAGE is the address of an image in a registry, a tar file (OCI layout or docker save), or a folder in the OCI image layout;\n" +
			"oci:DIR and tar:FILE say so. The image must have exactly that version of the language. No Docker is needed. It may run while Lambent does:\n" +
			"environments of functions that start from then on use it.",
		Example: "  lambent runtime add python3.13 public.ecr.aws/lambda/python:3.13\n  lambent runtime add nodejs22.x node:22-slim\n  lambent runtime add provided.al2023 tar:al2023.tar",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			images, err := a.images(*dataDir)
			if err != nil {
				return err
			}
			defer images.Close()
			if !runtimes.Known(args[0]) {
				return usage{fmt.Errorf("%q is not a runtime of Lambda; those are %s", args[0], strings.Join(runtimes.Identifiers(), ", "))}
			}
			i, err := takeImage(cmd.Context(), images, args[1])
			if err != nil {
				return err
			}
			host, err := sandbox.Open(cmd.Context(), sandbox.Options{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				return err
			}
			defer host.Close()
			added, err := runtimes.Add(cmd.Context(), host, images, args[0], i, args[1])
			if err != nil {
				return err
			}
			if a.json {
				return a.Term.JSON(added)
			}
			a.Term.Say("functions of %s run in %s%s", added.ID, added.Source, inBrackets(added.Version))
			return nil
		},
	})
}

func inBrackets(version string) string {
	if version == "" {
		return ""
	}
	return " (" + version + ")"
}

// takeImage unpacks the image that an argument names.
func takeImage(ctx context.Context, images *image.Store, name string) (*image.Image, error) {
	for _, prefix := range []string{"oci:", "tar:"} {
		if file, ok := strings.CutPrefix(name, prefix); ok {
			return images.Load(ctx, file)
		}
	}
	if _, err := os.Stat(name); err == nil {
		return images.Load(ctx, name)
	}
	return images.Pull(ctx, name)
}

func (a *app) runtimeListCommand(dataDir *string) *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "list", Short: "List the runtimes that were added, and the languages that are installed", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			images, err := a.images(*dataDir)
			if err != nil {
				return err
			}
			defer images.Close()
			added, err := runtimes.ListAdded(images)
			if err != nil {
				return err
			}
			catalog, err := runtimes.NewCatalog(runtimes.Options{})
			if err != nil {
				return err
			}
			installed := catalog.Installed(cmd.Context())
			if a.json {
				return a.Term.JSON(struct {
					Added     []runtimes.Added
					Installed []runtimes.Status
				}{added, installed})
			}
			for _, r := range added {
				a.Term.Print("%s%s: %s, sha256:%.12s", r.ID, inBrackets(r.Version), r.Source, r.Digest)
			}
			for _, s := range installed {
				if len(s.Versions) > 0 {
					a.Term.Print("%s: %s", s.Language, strings.Join(s.Versions, ", "))
				}
			}
			return nil
		},
	})
}

func (a *app) runtimeRemoveCommand(dataDir *string) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Use the machine's own language for a runtime again", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			images, err := a.images(*dataDir)
			if err != nil {
				return err
			}
			defer images.Close()
			if err := runtimes.Remove(images, args[0]); err != nil {
				return err
			}
			a.Term.Say("%s is no longer run from an image; its files go when Lambent starts the next time", args[0])
			return nil
		},
	}
}
