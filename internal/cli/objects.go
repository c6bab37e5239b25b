package cli

import (
	"context"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) s3Command() *cobra.Command {
	c := &cobra.Command{Use: "s3", Short: "Look after the object store", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(a.jsonFlag(&cobra.Command{
		Use: "du", Short: "Tell how much each bucket holds",
		Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return a.usage(cmd.Context()) },
	}), a.jsonFlag(&cobra.Command{
		Use: "scrub", Short: "Verify the checksum of every stored object",
		Long: "Scrub reads every body and compares it with its checksum. What is damaged is listed and from then on refused to readers;\n" +
			"the exit code is 1. Objects under keys that only their customers have cannot be verified and are counted.",
		Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return a.scrub(cmd.Context()) },
	}), a.importCommand())
	return c
}

func (a *app) importCommand() *cobra.Command {
	from := origin{}
	c := &cobra.Command{
		Use: "import DIR|s3://BUCKET[/PREFIX] BUCKET[/PREFIX]", Short: "Copy a folder's files, or objects from elsewhere, into a bucket",
		Long: "Import makes the bucket unless it exists, and stores each file below DIR under its path, large ones in parts. What is there\nalready with the same content is left as it is, so that an import that broke off goes on; what has another content is replaced.\nHidden files are imported too; links are followed to files and not to folders.\n\n" +
			"From s3:// it copies the current objects below PREFIX, with their metadata and tags, out of Amazon S3 or the store that\n--from-endpoint names. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN are the keys for that store;\nwithout them only public objects can be read.",
		Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
			if strings.HasPrefix(args[0], "s3://") {
				return a.importObjects(cmd.Context(), from, args[0], args[1])
			}
			return a.importFolder(cmd.Context(), args[0], args[1])
		},
	}
	c.Flags().StringVar(&from.endpoint, "from-endpoint", "", "URL of the store that s3:// is in (default: Amazon S3)")
	c.Flags().StringVar(&from.region, "from-region", "us-east-1", "region of the bucket that is read")
	c.Flags().BoolVar(&from.pathStyle, "from-path-style", false, "name the bucket in the path of URLs instead of the host")
	return c
}

func (a *app) usage(ctx context.Context) error {
	cl, err := a.rootClient()
	if err != nil {
		return err
	}
	all, err := cl.Usage(ctx)
	if err != nil {
		return err
	}
	if a.json {
		return a.Term.JSON(nonNil(all))
	}
	rows := make([][]string, 0, len(all))
	for _, u := range all {
		rows = append(rows, []string{
			u.Bucket, strconv.FormatInt(u.Objects, 10), size(u.Bytes), strconv.FormatInt(u.Versions, 10), size(u.AllBytes), strconv.FormatInt(u.Uploads, 10), size(u.PartBytes),
		})
	}
	return a.Term.Table([]string{"bucket", "objects", "size", "versions", "with old versions", "uploads", "parts"}, rows)
}

// size writes a number of bytes for people.
func size(n int64) string {
	units := []string{"B", "KB", "MB", "GB", "TB"}
	v := float64(n)
	i := 0
	for ; v >= 1000 && i < len(units)-1; i++ {
		v /= 1000
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

func (a *app) scrub(ctx context.Context) error {
	cl, err := a.rootClient()
	if err != nil {
		return err
	}
	found, total, err := cl.Scrub(ctx)
	if err != nil {
		return err
	}
	if a.json {
		if err := a.Term.JSON(map[string]any{"damaged": nonNil(found), "total": total}); err != nil {
			return err
		}
	} else {
		for _, d := range found {
			a.Term.Print("damaged: s3://%s/%s (version %s): %s", d.Bucket, d.Key, d.Version, d.Problem)
		}
		a.Term.Print("%d versions, %s read, %d damaged, %d unproven without their keys", total.Versions, size(total.Bytes), total.Damaged, total.Unproven)
	}
	if total.Damaged > 0 {
		return exit(ExitFailed)
	}
	return nil
}

func (a *app) importFolder(ctx context.Context, dir, target string) error {
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(target, "s3://"), "/")
	cl, err := a.client()
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return usage{fmt.Errorf("%s is not a folder", dir)}
	}
	to, err := newImportTarget(ctx, cl, bucket)
	if err != nil {
		return err
	}
	n := &importCount{}
	err = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		return importFile(ctx, to, path.Join(prefix, filepath.ToSlash(rel)), name, n)
	})
	if err != nil {
		return fmt.Errorf("import stopped after %d files; the next one goes on there: %w", n.stored+n.there, err)
	}
	a.Term.Print("%s, in s3://%s/%s", n.text("file"), bucket, prefix)
	return nil
}

// importFile stores a file. Links that lead to nothing that can be read as a file are left out.
func importFile(ctx context.Context, to *importTarget, key, name string, n *importCount) error {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	c, err := readContent(f, info.Size(), importPart)
	if err != nil {
		return err
	}
	header := http.Header{}
	if kind := mime.TypeByExtension(path.Ext(name)); kind != "" {
		header.Set("Content-Type", kind)
	}
	stored, err := to.store(ctx, key, header, info.Size(), c)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	n.add(stored, info.Size())
	return nil
}
