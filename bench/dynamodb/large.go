package main

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"lambent.dev/lambent/bench/lab"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/services/dynamodb"
	"lambent.dev/lambent/internal/store/pebble"
)

const (
	smallItems  = 10_000
	largeRounds = 5
	// idLength and textLength make an item 200 bytes by DynamoDB's count, with the names "id" and "t".
	idLength, textLength = 16, 181
)

// large compares a table of very many items with one of 10,000.
type large struct {
	dir                      string
	items, requests, clients int
}

func (l large) run() (err error) {
	if l.dir == "" {
		if l.dir, err = os.MkdirTemp(".", "bench-large-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(l.dir)) }()
	}
	if _, err := os.Stat(l.filled()); errors.Is(err, fs.ErrNotExist) {
		if err := l.fill(); err != nil {
			return err
		}
	}
	if err := l.forget(); err != nil {
		return err
	}
	began := time.Now()
	t, err := startSelf(l.dir, "")
	if err != nil {
		return err
	}
	opened := time.Since(began)
	fmt.Printf("opened in %s\n", lab.Ms(opened))
	return errors.Join(l.measure(t), t.stop())
}

// filled is a file that tells that the folder has been filled.
func (l large) filled() string { return filepath.Join(l.dir, "filled") }

func id(i int) string { return fmt.Sprintf("user-%011d", i) }

func key(i int) string { return `{"id":{"S":"` + id(i) + `"}}` }

// text returns what an item says, which does not compress.
func text(i int) string {
	var b [136]byte
	r := rand.NewPCG(1, uint64(i))
	for j := 0; j < len(b); j += 8 {
		binary.LittleEndian.PutUint64(b[j:], r.Uint64())
	}
	return base64.StdEncoding.EncodeToString(b[:])[:textLength]
}

// fill makes both tables: the small one by calls, the large one by writing the store's files in the order of their keys.
func (l large) fill() error {
	began := time.Now()
	tableID, err := l.makeTables()
	if err != nil {
		return err
	}
	type place struct {
		hash uint64
		item int32
	}
	cfg := config.Default()
	row := func(i int) []byte { return dynamodb.Row(cfg.Account, cfg.Region, tableID, attr.String(id(i))) }
	prefix := bytes.Index(row(0), []byte(id(0))) - 9 // then the hash, a zero and the id
	places := make([]place, l.items)
	for i := range places {
		places[i] = place{binary.BigEndian.Uint64(row(i)[prefix:]), int32(i)}
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.hash, b.hash) })
	n, err := pebble.Load(filepath.Join(l.dir, "store"), pebble.Options{}, func(yield func(k, v []byte) bool) {
		for _, p := range places {
			i := int(p.item)
			item := attr.NewMap(attr.Field{Name: "id", Value: attr.String(id(i))}, attr.Field{Name: "t", Value: attr.String(text(i))})
			if !yield(row(i), item) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	fmt.Printf("filled with %d items in %s\n", n, time.Since(began).Round(time.Second))
	return os.WriteFile(l.filled(), nil, 0o600)
}

// makeTables makes the tables, of which the large one is empty, and returns its id.
func (l large) makeTables() (tableID string, err error) {
	t, err := startSelf(l.dir, "")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	for _, name := range []string{"small", "large"} {
		out, err := t.ask("CreateTable", `{"TableName":"`+name+`","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],`+
			`"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}`)
		if err != nil {
			return "", err
		}
		var answer struct{ TableDescription struct{ TableId string } } //nolint:revive // AWS's spelling
		if err := json.Unmarshal(out, &answer); err != nil {
			return "", err
		}
		tableID = answer.TableDescription.TableId
	}
	_, err = t.load("PutItem", smallItems, l.clients, func(i int) string {
		return `{"TableName":"small","Item":{"id":{"S":"` + id(i) + `"},"t":{"S":"` + text(i) + `"}}}`
	})
	return tableID, err
}

// forget asks the system to drop the store's files from its memory.
func (l large) forget() error {
	return filepath.WalkDir(l.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
	})
}

// measure reads items of both tables in alternating rounds.
func (l large) measure(t *target) error {
	fmt.Printf("%-24s %10s %10s %10s %12s %10s\n", "GetItem", "ops/s", "p50", "p99", "CPU per op", "resident")
	for round := range largeRounds {
		for _, table := range []struct {
			name  string
			items int
		}{{"small", smallItems}, {"large", l.items}} {
			r, err := t.load("GetItem", l.requests, l.clients, func(int) string {
				return `{"TableName":"` + table.name + `","Key":` + key(rand.IntN(table.items)) + `}`
			})
			if err != nil {
				return err
			}
			resident, err := lab.ResidentOf(t.pid)
			if err != nil {
				return err
			}
			fmt.Printf("%-24s %10.0f %10s %10s %12s %7d MB\n", fmt.Sprintf("%s, round %d", table.name, round+1), r.perSecond, r.median.Round(10*time.Microsecond),
				r.p99.Round(10*time.Microsecond), r.cpu.Round(time.Microsecond), resident>>20)
		}
	}
	return nil
}
