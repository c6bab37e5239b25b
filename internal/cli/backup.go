package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/backup"
)

func (a *app) backupCommand() *cobra.Command {
	var keep int
	var withoutKeys bool
	c := a.jsonFlag(&cobra.Command{
		Use: "backup DIR", Short: "Copy the whole state of the running Lambent into a folder",
		Long: "Backup copies tables, objects, queues, functions and everything else as it was at one moment, while Lambent goes on. DIR\n" +
			"keeps any number of copies; each time only what no earlier copy has is copied, and a backup that broke off goes on where it was.\n" +
			"The keys of the data folder are part of it, so whoever can read DIR can do everything; --without-keys leaves them out.\n\n" +
			"lambent restore makes a data folder of a copy.",
		Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
			return a.backup(cmd.Context(), args[0], keep, withoutKeys)
		},
	})
	c.Flags().IntVar(&keep, "keep", 0, "remove all copies but the newest so many afterwards (default: keep all)")
	c.Flags().BoolVar(&withoutKeys, "without-keys", false, "leave the folder keys out, without which nothing that is encrypted can be read; keep a copy of it elsewhere")
	return c
}

func (a *app) restoreCommand() *cobra.Command {
	var name string
	c := a.jsonFlag(&cobra.Command{
		Use: "restore DIR DATA-DIR", Short: "Make a data folder of a backup",
		Long: "Restore makes the data folder DATA-DIR, such as app/.lambent, of the newest copy in DIR, and compares every byte with its sum.\n" +
			"No Lambent may use DATA-DIR, which must be empty or missing. Start one on it with lambent up.",
		Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
			return a.restore(cmd.Context(), args[0], args[1], name)
		},
	})
	c.Flags().StringVar(&name, "snapshot", "", "the copy to restore, by the name that backup printed (default: the newest)")
	return c
}

// withoutKeys is a source without the folder of keys.
type withoutKeys struct{ backup.Source }

// Files implements [backup.Source].
func (w withoutKeys) Files(ctx context.Context, each func(backup.File) error) error {
	return w.Source.Files(ctx, func(f backup.File) error {
		if strings.HasPrefix(f.Name, "keys/") {
			return nil
		}
		return each(f)
	})
}

func (a *app) backup(ctx context.Context, dir string, keep int, noKeys bool) (err error) {
	if keep < 0 {
		return usage{fmt.Errorf("--keep %d: give the number of copies to keep", keep)}
	}
	cl, err := a.rootClient()
	if err != nil {
		return err
	}
	state, err := cl.BeginBackup(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, state.End(context.WithoutCancel(ctx))) }()
	f, err := backup.Create(dir, state.Origin)
	if err != nil {
		return usage{err}
	}
	var source backup.Source = state
	if noKeys {
		source = withoutKeys{state}
	}
	r, err := f.Backup(ctx, source, a.Clock.Now())
	if err != nil {
		return err
	}
	if keep > 0 {
		if r.Removed, err = f.Keep(keep); err != nil {
			return err
		}
	}
	if a.json {
		return a.Term.JSON(r)
	}
	a.Term.Print("%s: %d files, %s, of which %s in %d files were new", r.Snapshot, r.Files, size(r.Bytes), size(r.FetchedBytes), r.Fetched)
	if r.Removed > 0 {
		a.Term.Print("%d older copies were removed", r.Removed)
	}
	return nil
}

func (a *app) restore(ctx context.Context, dir, to, name string) error {
	f, err := backup.Open(dir)
	if err != nil {
		return usage{err}
	}
	r, err := f.Restore(ctx, name, to)
	if err != nil {
		return err
	}
	if a.json {
		return a.Term.JSON(r)
	}
	a.Term.Print("%s: %d files, %s, in %s", r.Snapshot, r.Files, size(r.Bytes), to)
	return nil
}
