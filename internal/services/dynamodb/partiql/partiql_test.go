package partiql

import (
	"strings"
	"testing"

	"lambent.dev/lambent/internal/lib/attr"
)

func TestMalformedStatementsAreRefused(t *testing.T) {
	for _, src := range []string{
		"", ";", "SELECT", "SELECT *", "SELECT * FROM", "SELECT * FROM t WHERE", "SELECT * FROM t WHERE a", "SELECT * FROM t WHERE a =", "SELECT * FROM t WHERE a = 'b",
		"SELECT * FROM t WHERE a = 1 AND", "SELECT * FROM t WHERE (a = 1", "SELECT * FROM t WHERE a IN ()", "SELECT * FROM t WHERE a BETWEEN 1", "SELECT * FROM t x",
		"SELECT a[ FROM t", "SELECT a[1.5] FROM t", "SELECT * FROM t WHERE 1 IS MISSING", "SELECT * FROM t WHERE nothing(a)", "SELECT * FROM t ORDER BY",
		"INSERT INTO t VALUE 5", "INSERT INTO t VALUE {'a' 1}", "INSERT INTO t VALUE {'a': 1, 'a': 2}", "INSERT INTO t VALUE {'a': <<>>}", "INSERT INTO t VALUE {'a': 1e999}",
		"UPDATE t WHERE a = 1", "UPDATE t SET a WHERE a = 1", "UPDATE t SET a = set_add(b, <<1>>) WHERE a = 1", "UPDATE t SET a = set_add(a, 1) WHERE a = 1",
		"DELETE FROM t WHERE a = 1 RETURNING ALL NEW *", "DELETE t", "DROP TABLE t", "SELECT * FROM t WHERE " + strings.Repeat("(", 500) + "a = 1", "SELECT * FROM t WHERE a = " + strings.Repeat("[", 500),
	} {
		if s, err := Parse(src, nil); err == nil {
			t.Errorf("%.60q is read as %+v", src, s)
		}
	}
}

func TestCommentsAndQuotes(t *testing.T) {
	s, err := Parse("SELECT \"a\"\"b\"['c d'] -- the column\nFROM \"my-table\".ix WHERE \"from\" = 'it''s';", nil)
	if err != nil {
		t.Fatal(err)
	}
	item := attr.NewMap(attr.Field{Name: `a"b`, Value: attr.NewMap(attr.Field{Name: "c d", Value: attr.Int(1)}).Value()}, attr.Field{Name: "from", Value: attr.String("it's")})
	if s.Table != "my-table" || s.Index != "ix" || !s.Where.Match(item) {
		t.Errorf("read as %+v", s)
	}
	if got, _ := s.Project(item).AppendJSON(nil); string(got) != `{"c d":{"N":"1"}}` {
		t.Errorf("projected to %s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, src := range []string{
		"SELECT a.b[1], c FROM t.i WHERE a = ? AND (b IN [1, 2] OR NOT c IS MISSING) ORDER BY a DESC",
		"INSERT INTO t VALUE {'a': [1, <<'x'>>, {'b': null}], 'c': -1.5e3}",
		"UPDATE t SET a = list_append(a, [?]), b = b + 1 SET c = set_delete(c, <<1>>) REMOVE d[0] WHERE k = 1 RETURNING MODIFIED OLD *",
		"DELETE FROM t WHERE a = 1 AND size(b) > 2", "EXISTS(SELECT * FROM t WHERE a = 1)",
	} {
		f.Add(src)
	}
	item := attr.NewMap(attr.Field{Name: "a", Value: attr.Int(1)})
	f.Fuzz(func(t *testing.T, src string) {
		s, err := Parse(src, []attr.Value{attr.Int(1)})
		if (s == nil) == (err == nil) {
			t.Fatalf("%q: statement %v, error %v", src, s, err)
		}
		if err != nil {
			return
		}
		if s.Where != nil {
			s.Where.Match(item)
			for _, c := range s.Where.Conjuncts() {
				if test, ok := c.KeyTest(); ok && test.Condition().Match(item) != c.Match(item) {
					t.Errorf("%q: the key test %+v does not say what the condition says", src, test)
				}
			}
		}
		if s.Changes != nil {
			_, _ = s.Changes.Apply(item)
		}
		s.Project(item)
	})
}
