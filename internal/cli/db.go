package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/lib/attr"
)

// dbCommand holds the commands that work on tables.
func (a *app) dbCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "db", Short: "Look into tables and change items",
		Long: "Items are shown as plain JSON, one a line: numbers are numbers, sets are lists, binaries are base64. With --typed they are in\n" +
			"DynamoDB's own JSON, which tells all types. Keys are given as attribute=value.",
		Example: "  lambent db get orders id=7\n  lambent db query orders customer=ann 'day>=2026-11' --index byCustomer\n  lambent db export orders > orders.jsonl",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var d db
	c.PersistentFlags().BoolVar(&d.typed, "typed", false, "items in DynamoDB's own JSON")
	c.AddCommand(
		a.onTables("tables", "List the tables", cobra.NoArgs, d.tables),
		a.onTables("describe TABLE", "Show a table's keys, indexes and size", cobra.ExactArgs(1), d.describe),
		a.onTables("get TABLE KEY=VALUE…", "Show an item", cobra.MinimumNArgs(2), d.get),
		a.onTables("put TABLE ITEM", "Write an item, given as JSON; - reads standard input, @FILE a file", cobra.ExactArgs(2), d.put),
		a.onTables("delete TABLE KEY=VALUE…", "Remove an item", cobra.MinimumNArgs(2), d.remove),
		d.reading(a.onTables("query TABLE KEY=VALUE [KEY>=VALUE]", "Show the items of a partition", cobra.MinimumNArgs(2), d.query)),
		d.reading(a.onTables("scan TABLE", "Show the items of a table", cobra.ExactArgs(1), d.scan)),
		d.reading(a.onTables("top TABLE", "Show the keys with most traffic, for tables with Contributor Insights", cobra.ExactArgs(1), d.top)),
		a.onTables("sql STATEMENT", "Run a PartiQL statement", cobra.ExactArgs(1), d.sql),
		a.onTables("export TABLE", "Write all items as lines of JSON to standard output", cobra.ExactArgs(1), d.export),
		a.onTables("import TABLE", "Read items, lines of JSON as export writes them, from standard input", cobra.ExactArgs(1), d.load),
		a.shellCommand(),
	)
	return c
}

// db holds the flags of the commands.
type db struct {
	typed, reverse bool
	index          string
	limit          int
}

// dbCall is one command under way.
type dbCall struct {
	*app
	cmd  *cobra.Command
	cl   *client.Client
	args []string
}

// onTables makes a command, with completion of table names.
func (a *app) onTables(use, short string, args cobra.PositionalArgs, run func(s dbCall) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			return run(dbCall{a, cmd, cl, args})
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			cl, err := a.client()
			if err != nil || len(args) > 0 || !strings.Contains(use, " TABLE") {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			names, err := cl.Tables(cmd.Context())
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, begun) }), cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// reading gives a command the flags of Query and Scan.
func (d *db) reading(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&d.index, "index", "", "read a secondary index")
	c.Flags().IntVar(&d.limit, "limit", 0, "at most this many items")
	if strings.HasPrefix(c.Use, "query") {
		c.Flags().BoolVar(&d.reverse, "reverse", false, "the last sort key first")
	}
	return c
}

func (d *db) tables(s dbCall) error {
	names, err := s.cl.Tables(s.cmd.Context())
	for _, n := range names {
		s.Term.Print("%s", n)
	}
	return err
}

func (d *db) describe(s dbCall) error {
	t, err := s.cl.Table(s.cmd.Context(), s.args[0])
	if err != nil {
		return err
	}
	s.Term.Print("%s  %s, %d items, %d bytes", t.TableName, strings.ToLower(t.TableStatus), t.ItemCount, t.TableSizeBytes)
	show := func(what string, keys []client.KeyAttribute) {
		parts := make([]string, len(keys))
		for i, k := range keys {
			parts[i] = fmt.Sprintf("%s (%s, %s)", k.AttributeName, t.Type(k.AttributeName), strings.ToLower(k.KeyType))
		}
		s.Term.Print("  %s  %s", what, strings.Join(parts, ", "))
	}
	show("key", t.KeySchema)
	for _, ix := range slices.Concat(t.GlobalSecondaryIndexes, t.LocalSecondaryIndexes) {
		show("index "+ix.IndexName, ix.KeySchema)
	}
	if t.StreamSpecification != nil {
		s.Term.Print("  stream  %s  %s", t.StreamSpecification.StreamViewType, t.LatestStreamArn)
	}
	return nil
}

// show prints an item.
func (d *db) show(s dbCall, item attr.Map) error {
	if !d.typed {
		s.Term.Print("%s", plain(item))
		return nil
	}
	b, err := item.AppendJSON(nil)
	s.Term.Print("%s", b)
	return err
}

// parse reads an item.
func (d *db) parse(text []byte) (attr.Map, error) {
	if !d.typed {
		return parsePlain(text)
	}
	var item attr.Map
	if err := json.Unmarshal(text, &item); err != nil {
		return nil, usage{fmt.Errorf("the item is not in DynamoDB's JSON: %w", err)}
	}
	return item, item.Err()
}

// key reads the table and the key that a command names.
func (d *db) key(s dbCall) (*client.Table, attr.Map, error) {
	t, err := s.cl.Table(s.cmd.Context(), s.args[0])
	if err != nil {
		return nil, nil, err
	}
	key, err := parseKey(t, s.args[1:])
	return t, key, err
}

func (d *db) get(s dbCall) error {
	t, key, err := d.key(s)
	if err != nil {
		return err
	}
	item, err := s.cl.Item(s.cmd.Context(), t.TableName, key)
	if err != nil {
		return err
	}
	if item == nil {
		s.Term.Say("%s has no item with this key", t.TableName)
		return exit(ExitFailed)
	}
	return d.show(s, item)
}

func (d *db) put(s dbCall) error {
	text, err := s.payload(s.args[1])
	if err != nil {
		return err
	}
	item, err := d.parse(text)
	if err != nil {
		return err
	}
	return s.cl.PutItem(s.cmd.Context(), s.args[0], item)
}

func (d *db) remove(s dbCall) error {
	t, key, err := d.key(s)
	if err != nil {
		return err
	}
	there, err := s.cl.DeleteItem(s.cmd.Context(), t.TableName, key)
	if err == nil && !there {
		s.Term.Say("%s had no item with this key", t.TableName)
	}
	return err
}

func (d *db) query(s dbCall) error {
	t, err := s.cl.Table(s.cmd.Context(), s.args[0])
	if err != nil {
		return err
	}
	if _, err := t.Keys(d.index); err != nil {
		return usage{err}
	}
	in, err := keyConditions(t, s.args[1:])
	if err != nil {
		return err
	}
	in["ScanIndexForward"] = !d.reverse
	return d.read(s, "Query", in)
}

func (d *db) scan(s dbCall) error {
	return d.read(s, "Scan", map[string]any{"TableName": s.args[0]})
}

func (d *db) read(s dbCall, operation string, in map[string]any) error {
	if d.index != "" {
		in["IndexName"] = d.index
	}
	return s.cl.Read(s.cmd.Context(), operation, in, d.limit, func(item attr.Map) error { return d.show(s, item) })
}

func (d *db) top(s dbCall) error {
	cl, err := s.rootClient()
	if err != nil {
		return err
	}
	account, err := cl.Account(s.cmd.Context())
	if err != nil {
		return err
	}
	limit := d.limit
	if limit <= 0 {
		limit = 10
	}
	top, err := cl.Contributors(s.cmd.Context(), account, s.args[0], d.index, limit)
	if err != nil {
		return err
	}
	s.Term.Print("since %s", top.Since.Format(time.RFC3339))
	for _, list := range []struct {
		title, unit string
		keys        []client.Contributor
	}{
		{"partitions", "units", top.Partitions},
		{"items", "units", top.Items},
		{"refused, by partition", "requests", top.ThrottledPartitions},
		{"refused, by item", "requests", top.ThrottledItems},
	} {
		if len(list.keys) > 0 {
			s.Term.Print("%s", list.title)
		}
		for _, k := range list.keys {
			s.Term.Print("  %10.1f %s  %s", k.Count, list.unit, plain(k.Key))
		}
	}
	return nil
}

func (d *db) sql(s dbCall) error {
	return s.cl.Execute(s.cmd.Context(), s.args[0], func(item attr.Map) error { return d.show(s, item) })
}

// exportLine is the form of a line of an export, which is that of DynamoDB's exports to S3.
type exportLine struct{ Item attr.Map }

func (d *db) export(s dbCall) error {
	n := 0
	err := s.cl.Read(s.cmd.Context(), "Scan", map[string]any{"TableName": s.args[0], "ConsistentRead": true}, 0, func(item attr.Map) error {
		n++
		return s.Term.JSONLine(exportLine{item})
	})
	if err == nil {
		s.Term.Say("%d items of %s", n, s.args[0])
	}
	return err
}

// importBatch is how many items go to the platform at once.
const importBatch = 25

// maxLine is the longest line that import reads, in bytes.
const maxLine = 4 << 20

func (d *db) load(s dbCall) error {
	lines := bufio.NewReaderSize(s.Stdin, 64<<10)
	var items []attr.Map
	n := 0
	flush := func() error {
		err := s.cl.PutItems(s.cmd.Context(), s.args[0], items)
		n += len(items)
		items = items[:0]
		return err
	}
	for line := 1; ; line++ {
		text, err := lines.ReadBytes('\n')
		if len(text) > maxLine {
			return usage{fmt.Errorf("line %d is longer than %d bytes", line, maxLine)}
		}
		if len(strings.TrimSpace(string(text))) > 0 {
			var l exportLine
			if bad := json.Unmarshal(text, &l); bad != nil || l.Item == nil {
				return usage{fmt.Errorf("line %d is not {\"Item\": {…}}, after %d items were written: %w", line, n, bad)}
			}
			if items = append(items, l.Item); len(items) == importBatch {
				if err := flush(); err != nil {
					return fmt.Errorf("line %d, after %d items were written: %w", line, n, err)
				}
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read items: %w", err)
		}
	}
	if err := flush(); err != nil {
		return err
	}
	s.Term.Say("%d items into %s", n, s.args[0])
	return nil
}
