package cli

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/clock"
)

// runWith is run with a standard input.
func runWith(t *testing.T, stdin string, args ...string) (code int, out, talk string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Run(t.Context(), Process{
		Args: args, Environ: os.Environ(), Stdin: strings.NewReader(stdin), Clock: clock.System{}, Version: "test",
		Term: &term.Terminal{Out: &stdout, Err: &stderr, Width: 80}, Start: start,
	})
	return code, stdout.String(), stderr.String()
}

func TestTheShellCompletesCommandsAndTables(t *testing.T) {
	s := &dbShell{app: &app{}, tables: []string{"orders", "orders-old", "people"}}
	for before, want := range map[string]string{
		"que": "query ", "ex": "ex", "exi": "exit ", "get o": "get orders", "get p": "get people ", "get orders c": "", "sql p": "", "nothing p": "", "": "",
	} {
		got, pos, ok := s.complete(before+"|", len(before), '\t')
		if ok != (want != "") && before != "" || ok && (got != want+"|" || pos != len(want)) && before != "" {
			t.Errorf("%q becomes %q, %d, %t; want %q", before, got, pos, ok, want)
		}
	}
	if _, _, ok := s.complete("que", 3, 'x'); ok {
		t.Error("another key than Tab completed a word")
	}
}

func TestQuotesHoldWordsTogether(t *testing.T) {
	for line, want := range map[string][]string{
		"  get  t a=1 ": {"get", "t", "a=1"}, `put t '{"a": "it"}'`: {"put", "t", `{"a": "it"}`}, `sql "SELECT 'x' FROM t"`: {"sql", "SELECT 'x' FROM t"}, `a ''`: {"a", ""}, `get t a="x y"`: {"get", "t", "a=x y"}, `--typed put t {"a": 'it'} `: {"--typed", "put", "t", `{"a": 'it'}`}, "": nil,
	} {
		if got, err := words(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", line, got, err)
		}
	}
	if _, err := words(`put t '{"a"`); err == nil {
		t.Error("a line may end within quotes")
	}
}

const ordersTemplate = `
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      BillingMode: PAY_PER_REQUEST
      ContributorInsightsSpecification: {Enabled: true}
      AttributeDefinitions: [{AttributeName: customer, AttributeType: S}, {AttributeName: day, AttributeType: N}, {AttributeName: state, AttributeType: S}]
      KeySchema: [{AttributeName: customer, KeyType: HASH}, {AttributeName: day, KeyType: RANGE}]
      GlobalSecondaryIndexes: [{IndexName: byState, KeySchema: [{AttributeName: state, KeyType: HASH}], Projection: {ProjectionType: ALL}}]
  Copy:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: copy
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: customer, AttributeType: S}, {AttributeName: day, AttributeType: N}]
      KeySchema: [{AttributeName: customer, KeyType: HASH}, {AttributeName: day, KeyType: RANGE}]
`

func TestDBReadsAndWritesItems(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	up(t, dir)
	if err := os.Mkdir("app", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("app/template.yaml", []byte(ordersTemplate), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, talk := runWith(t, "", "deploy", "app"); code != 0 {
		t.Fatalf("deploy = %d %s", code, talk)
	}
	for _, c := range []struct {
		args             string // split at |
		stdin, out, talk string
		code             int
	}{
		{args: "db|tables", out: "copy\norders\n"},
		{args: "db|describe|orders", out: "orders  active, 0 items, 0 bytes\n  key  customer (S, hash), day (N, range)\n  index byState  state (S, hash)\n"},
		{args: `db|put|orders|{"customer":"ann","day":1,"state":"open","lines":[{"sku":"<a>","n":2.5}],"paid":false,"note":null}`},
		{args: `db|put|orders|-`, stdin: `{"customer":"ann","day":2,"state":"open"}`},
		{args: `db|put|orders|{"customer":{"S":"bob"},"day":{"N":"3"},"tags":{"SS":["x"]},"raw":{"B":"AAE="}}|--typed`},
		{args: "db|get|orders|customer=ann|day=1", out: `{"customer":"ann","day":1,"lines":[{"n":2.5,"sku":"<a>"}],"note":null,"paid":false,"state":"open"}` + "\n"},
		{args: "db|get|orders|customer=bob|day=3|--typed", out: `{"customer":{"S":"bob"},"day":{"N":"3"},"raw":{"B":"AAE="},"tags":{"SS":["x"]}}` + "\n"},
		{args: "db|get|orders|customer=bob|day=3", out: `{"customer":"bob","day":3,"raw":"AAE=","tags":["x"]}` + "\n"},
		{args: "db|get|orders|customer=bob|day=4", code: ExitFailed, talk: "no item with this key"},
		{args: "db|get|orders|customer=bob", code: ExitUsage, talk: "the key of orders is customer=… day=…"},
		{args: "db|get|orders|customer=bob|day=x", code: ExitUsage, talk: "no number"},
		{args: "db|query|orders|customer=ann|day>=2", out: `{"customer":"ann","day":2,"state":"open"}` + "\n"},
		{args: "db|query|orders|customer=ann|day=1..2|--reverse|--limit|1", out: `{"customer":"ann","day":2,"state":"open"}` + "\n"},
		{args: "db|query|orders|state^=op|--index|byState", code: ExitFailed, talk: "Query key condition not supported"},
		{args: "db|query|orders|state=closed|--index|byState"},
		{args: "db|query|orders|customer=ann|--index|other", code: ExitUsage, talk: "no index other"},
		{args: "db|scan|orders|--index|byState|--limit|1", out: `"state":"open"`},
		{args: "db|sql|SELECT day FROM orders WHERE customer = 'ann' ORDER BY day DESC", out: "{\"day\":2}\n{\"day\":1}\n"},
		{args: "db|delete|orders|customer=ann|day=2"},
		{args: "db|delete|orders|customer=ann|day=2", talk: "had no item"},
		{args: "db|get|nothing|id=1", code: ExitFailed, talk: "nothing"},
		{args: "db|put|orders|5", code: ExitUsage, talk: "not a JSON object"},
		{args: "db|import|orders", stdin: "{\"Item\":{}\n", code: ExitUsage, talk: "line 1"},
	} {
		code, out, talk := runWith(t, c.stdin, strings.Split(c.args, "|")...)
		if code != c.code || !strings.Contains(out, c.out) || c.out == "" && out != "" || !strings.Contains(talk, c.talk) {
			t.Errorf("%s\n  = %d %q %q\nwant %d %q %q", c.args, code, out, talk, c.code, c.out, c.talk)
		}
	}
	if code, out, talk := runWith(t, "", "db", "top", "orders"); code != 0 || !strings.Contains(out, `  {"customer":"ann"}`) {
		t.Errorf("top = %d %s %s", code, out, talk)
	}
	if code, _, talk := runWith(t, "", "db", "top", "copy"); code != ExitFailed || !strings.Contains(talk, "Enable them with UpdateContributorInsights") {
		t.Errorf("top = %d %s", code, talk)
	}
	code, out, talk := runWith(t, "get orders customer=ann day=1 --typed\n\nput orders {\"customer\": \"eve x\", \"day\":9}\nget orders customer=\"eve x\" day=9\ndelete orders 'customer=eve x' day=9\nexit\ntables\n", "db", "shell")
	if code != 0 || !strings.HasPrefix(out, `{"customer":{"S":"ann"}`) || !strings.HasSuffix(out, `{"customer":"eve x","day":9}`+"\n") {
		t.Errorf("shell = %d %s %s", code, out, talk)
	}
	if code, out, talk := runWith(t, "get orders\ntables\n", "db", "shell"); code != ExitUsage || out != "" {
		t.Errorf("a shell with a wrong line = %d %s %s", code, out, talk)
	}
	_, lines, _ := runWith(t, "", "db", "export", "orders")
	if code, _, talk := runWith(t, lines, "db", "import", "copy"); code != 0 || !strings.Contains(talk, "2 items into copy") {
		t.Fatalf("import = %d %s", code, talk)
	}
	if _, copied, _ := runWith(t, "", "db", "export", "copy"); copied != lines {
		t.Errorf("the copy is %s, want %s", copied, lines)
	}
	if _, out, _ := runWith(t, "", "__complete", "db", "get", "or"); !strings.HasPrefix(out, "orders\n") {
		t.Errorf("completion gives %q", out)
	}
}
