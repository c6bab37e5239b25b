package cli

import (
	"runtime"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "version", Short: "Print the version",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			if a.json {
				return a.Term.JSON(map[string]string{"version": a.Version, "go": runtime.Version(), "platform": platform})
			}
			a.Term.Print("lambent %s (%s, %s)", a.Version, runtime.Version(), platform)
			return nil
		},
	})
}
