package dynamodb

import (
	"fmt"
	"io"
	"strings"
	"time"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// A kind is what backups, exports and imports have in common: they belong to a table, outlive it, and have an ARN below its ARN that ends with an
// id in the order of time.
type kind[R any] struct {
	root    string // of the keys
	segment string // of the ARN
	missing string // the error code for one that does not exist
}

func backups() kind[backupRecord] {
	return kind[backupRecord]{"a", "backup", "BackupNotFoundException"}
}

func exports() kind[exportRecord] {
	return kind[exportRecord]{"o", "export", "ExportNotFoundException"}
}

func imports() kind[importRecord] {
	return kind[importRecord]{"m", "import", "ImportNotFoundException"}
}

func (k kind[R]) all(p place) key.Key                   { return p.root(k.root) }
func (k kind[R]) key(p place, table, id string) key.Key { return k.all(p).Str(table).Str(id) }
func (k kind[R]) arn(p place, table, id string) string {
	return tableARN(p, table) + "/" + k.segment + "/" + id
}

// parse returns the table and the id in an ARN.
func (k kind[R]) parse(p place, arn string) (table, id string, ok bool) {
	rest, ok := strings.CutPrefix(arn, tableARN(p, ""))
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/"+k.segment+"/")
}

// find returns the one of an ARN.
func (k kind[R]) find(r store.Reader, p place, arn string) (*R, error) {
	if table, id, ok := k.parse(p, arn); ok {
		v, found, err := record.Get[R](r, k.key(p, table, id))
		if err != nil || found {
			return &v, err
		}
	}
	return nil, service.Errorf(k.missing, "%s not found: %s", strings.ToUpper(k.segment[:1])+k.segment[1:], arn)
}

// page yields those of a table, or of all tables, behind the one of an ARN, until each wants no more.
func (k kind[R]) page(r store.Reader, p place, table, after *string, each func(*R) (more bool)) error {
	prefix := k.all(p)
	if table != nil {
		prefix = prefix.Str(tableName(*table))
	}
	span := prefix.Span()
	if after != nil {
		table, id, ok := k.parse(p, *after)
		if !ok {
			return invalid("%s, where the list is to go on, is not the ARN of one of this account and region", *after)
		}
		if lo := k.key(p, table, id).End(); string(lo) > string(span.Lo) {
			span.Lo = lo
		}
	}
	for row, err := range record.Range[R](r, span) {
		if err != nil {
			return err
		}
		if v := row.Value; !each(&v) {
			return nil
		}
	}
	return nil
}

// newTimedID returns an id of a kind.
func (s *Service) newTimedID(now time.Time) (string, error) {
	var suffix [4]byte
	if _, err := io.ReadFull(s.random, suffix[:]); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return fmt.Sprintf("%014d-%x", now.UnixMilli(), suffix), nil
}
