package pattern

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorded is a case with the answer that AWS gave, as LocalStack's public tests recorded it.
type recorded struct {
	Name, Pattern, Event, Error string
	Match                       bool
}

func recordedCases(t testing.TB) []recorded {
	t.Helper()
	b, err := os.ReadFile("testdata/recorded.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var out []recorded
	for line := range bytes.Lines(b) {
		var c recorded
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// echo is what AWS's messages repeat of a pattern; some recordings have placeholders in it.
var echo = regexp.MustCompile(`(?s)\[Source: \(String\)".*?"; line`)

func TestPatternsAnswerAsRecorded(t *testing.T) {
	for _, c := range recordedCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			p, err := Compile(c.Pattern, EventBridge)
			if c.Error != "" {
				want, got := c.Error, fmt.Sprint(err)
				if strings.Contains(want, "<region>") {
					want, got = echo.ReplaceAllString(want, ""), echo.ReplaceAllString(got, "")
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("error (-recorded +got):\n%s", diff)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := p.Match([]byte(c.Event)); err != nil || got != c.Match {
				t.Errorf("Match = %v, %v; recorded %v", got, err, c.Match)
			}
		})
	}
}

// TestSetAnswersLikeItsPatterns files all recorded patterns in one set and compares its answers with each pattern's own.
func TestSetAnswersLikeItsPatterns(t *testing.T) {
	var s Set[string]
	patterns := map[string]*Pattern{}
	cases := recordedCases(t)
	for _, c := range cases {
		if p, err := Compile(c.Pattern, EventBridge); err == nil {
			patterns[c.Name] = p
			s.Add(c.Name, p)
		}
	}
	for _, c := range cases {
		var want []string
		for name, p := range patterns {
			if ok, err := p.Match([]byte(c.Event)); err != nil {
				t.Fatal(err)
			} else if ok {
				want = append(want, name)
			}
		}
		got, err := s.Match([]byte(c.Event))
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("event of %s (-each +set):\n%s", c.Name, diff)
		}
	}
}

func TestLanguage(t *testing.T) {
	for _, tc := range []struct {
		name, pattern, event string
		want                 bool
	}{
		{"fields of one array must match in one element", `{"a":{"x":[1],"y":[2]}}`, `{"a":[{"x":1,"y":1},{"x":2,"y":2}]}`, false},
		{"fields of one array match in one element", `{"a":{"x":[1],"y":[2]}}`, `{"a":[{"x":2,"y":2},{"x":1,"y":2}]}`, true},
		{"an outer element is kept", `{"a":{"b":{"x":[1]},"c":[5]}}`, `{"a":[{"b":[{"x":1}],"c":4},{"b":[{"x":2}],"c":5}]}`, false},
		{"different arrays are independent", `{"a":{"x":[1]},"b":{"y":[2]}}`, `{"a":[{"x":0},{"x":1}],"b":[{"y":2},{"y":0}]}`, true},
		{"arrays of arrays", `{"a":{"x":[1],"y":[2]}}`, `{"a":[[{"x":1},{"x":1,"y":2}]]}`, true},
		{"an array's values are alternatives", `{"a":[2]}`, `{"a":[1,2,3]}`, true},
		{"$or is a field when it is no array of objects", `{"$or":["x"]}`, `{"$or":"x"}`, true},
		{"$or is a field when a key is an operator", `{"$or":[{"prefix":"x"},{"prefix":"y"}]}`, `{"$or":"xy"}`, true},
		{"$or inside of $or", `{"$or":[{"a":[1]},{"$or":[{"b":[2]},{"c":[3]}]}]}`, `{"c":3}`, true},
		{"fields beside $or count", `{"d":[4],"$or":[{"a":[1]},{"b":[2]}]}`, `{"b":2}`, false},
		{"a dot in a key is nesting", `{"a":{"b":["x"]}}`, `{"a.b":"x"}`, true},
		{"addresses match in every notation", `{"a":["2001:db8::1"]}`, `{"a":"2001:0db8:0:0:0:0:0:1"}`, true},
		{"large numbers are compared as written", `{"a":[12345678901234567890123]}`, `{"a":12345678901234567890124}`, false},
		{"large numbers are equal as written", `{"a":[12345678901234567890123]}`, `{"a":12345678901234567890123}`, true},
		{"numbers are equal in every notation", `{"a":[1e2]}`, `{"a":100.0}`, true},
		{"suffix without regard to case", `{"a":[{"suffix":{"equals-ignore-case":".PNG"}}]}`, `{"a":"x.pNg"}`, true},
		{"a star may be escaped", `{"a":[{"wildcard":"a\\*b*"}]}`, `{"a":"a*bc"}`, true},
		{"an escaped star is no star", `{"a":[{"wildcard":"a\\*b*"}]}`, `{"a":"axbc"}`, false},
		{"a question mark is no wildcard", `{"a":[{"wildcard":"a?*"}]}`, `{"a":"abc"}`, false},
		{"exists is for leaves", `{"a":[{"exists":true}]}`, `{"a":{"b":1}}`, false},
		{"absent beside a value", `{"a":[{"exists":false},"x"],"b":[1]}`, `{"b":1}`, true},
		{"absent beside another value", `{"a":[{"exists":false},"x"],"b":[1]}`, `{"a":"y","b":1}`, false},
		{"escapes in events", `{"a":["\u00e9\ud83d\ude00\"/"]}`, `{"a":"é\ud83d\uDE00\"\/"}`, true},
		{"exactly", `{"a":[{"exactly":"x"}]}`, `{"a":"x"}`, true},
		{"anything but a list of numbers", `{"a":[{"anything-but":[1,2]}]}`, `{"a":"1"}`, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := Compile(tc.pattern, EventBridge)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := p.Match([]byte(tc.event)); err != nil || got != tc.want {
				t.Errorf("Match = %v, %v", got, err)
			}
		})
	}
}

func TestFilterPoliciesAreNarrower(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":[{"wildcard":"x*"}]}`:                         "Unrecognized match type wildcard",
		`{"a":[{"anything-but":{"suffix":"x"}}]}`:           "Unsupported anything-but pattern: suffix",
		`{"a":[{"prefix":{"equals-ignore-case":"x"}}]}`:     "prefix match pattern must be a string",
		`{"a":[{"anything-but":{"prefix":false}}]}`:         "prefix match pattern must be a string",
		`{"a":[{"numeric":[">",5,"<",5]}]}`:                 "Bottom must be less than top",
		`{"a":[{"numeric":["<",5,">",6]}]}`:                 "Too many elements in numeric expression",
		`{"a":[{"numeric":[5]}]}`:                           "Invalid member in numeric match: 5",
		`{"a":[{"numeric":["<>",5]}]}`:                      "Unrecognized numeric range operator: <>",
		`{"a":[{"numeric":["=","5"]}]}`:                     "Value of equals must be numeric",
		`{"a":[{"numeric":[">",5,30]}]}`:                    "Bad value in numeric range: 30",
		`{"a":[{"numeric":[">",5,"<",7,"<"]}]}`:             "Too many terms in numeric range expression",
		`{"a":[{"exists":"x"}]}`:                            "exists match pattern must be either true or false.",
		`{"a":[{"prefix":"x","suffix":"y"}]}`:               "Only one key allowed in match expression",
		`{"a":[["x"]]}`:                                     "Match value must be String, number, true, false, or null",
		`{}`:                                                "Empty objects are not allowed",
		`{"a":[{"anything-but":["x",1]}]}`:                  "Inside anything but list, either all values are number or string, mixed type is not supported",
		`{"a":["x"]} x`:                                     "Unexpected character ('x' (code 120)): expected the end of the pattern",
		`{"a":["x"`:                                         "Unexpected end-of-input",
		`{"a":[{"cidr":"10.0.0.0/33"}]}`:                    "IPv4 mask bits must be < 32",
		`{"a":` + strings.Repeat(`{"a":`, 2000) + `["x"]`:   "The pattern is nested too deeply",
		`{"a":[{"anything-but":{"prefix":["x"],"y":"z"}}]}`: "Too many elements in numeric expression",
	} {
		_, err := Compile(text, SNS)
		var e *Error
		if !errors.As(err, &e) || e.Reason != want {
			t.Errorf("%.60s: got %v, want %s", text, err, want)
		}
	}
}

func TestWhatIsNoObjectIsNoEvent(t *testing.T) {
	p, err := Compile(`{"a":["x"]}`, EventBridge)
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{``, `1`, `"x"`, `[]`, `{`, `{"a":}`, `{"a":1,}`, `{"a":01}`, `{"a":"\x"}`, `{"a":tru}`, `{"a" 1}`, `{"a":1}}`, `{"a":"` + "\n" + `"}`, `{"a":[1 2]}`, `{"b":"\u12"}`} {
		if _, err := p.Match([]byte(event)); !errors.Is(err, ErrEvent) {
			t.Errorf("%s: got %v", event, err)
		}
	}
	deep := `{"a":` + strings.Repeat("[", 2*maxDepth) + strings.Repeat("]", 2*maxDepth) + `}`
	if _, err := p.Match([]byte(deep)); !errors.Is(err, ErrEvent) {
		t.Errorf("deeply nested: got %v", err)
	}
}

// TestSetKeepsUpWithChanges adds and removes random patterns and compares the set with a plain list after each change.
func TestSetKeepsUpWithChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var s Set[int]
	all := map[int]*Pattern{}
	for range 3000 {
		key := r.IntN(400)
		if r.IntN(3) == 0 {
			s.Remove(key)
			delete(all, key)
		} else {
			p, err := Compile(randomPattern(r), EventBridge)
			if err != nil {
				t.Fatal(err)
			}
			s.Add(key, p)
			all[key] = p
		}
		event := []byte(randomEvent(r))
		var want []int
		for key, p := range all {
			if ok, err := p.Match(event); err != nil {
				t.Fatal(err)
			} else if ok {
				want = append(want, key)
			}
		}
		got, err := s.Match(event)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Fatalf("event %s: set %v, list %v", event, got, want)
		}
	}
	if s.Len() != len(all) {
		t.Errorf("Len = %d, want %d", s.Len(), len(all))
	}
	for key := range all {
		s.Remove(key)
	}
	if len(s.index.paths) != 0 || s.paths != 0 {
		t.Error("an empty set keeps what its patterns left")
	}
}

func randomPattern(r *rand.Rand) string {
	one := func() string {
		return []string{
			`"x"`, `"y"`, `"xyz"`, `1`, `2.0`, `null`, `true`, `{"prefix":"x"}`, `{"suffix":"z"}`, `{"equals-ignore-case":"XY"}`, `{"anything-but":"x"}`,
			`{"numeric":[">",1]}`, `{"exists":true}`, `{"exists":false}`, `{"wildcard":"x*z"}`, `{"cidr":"10.0.0.0/8"}`, `"10.1.2.3"`,
			`{"anything-but":{"prefix":"x"}}`, `{"prefix":{"equals-ignore-case":"X"}}`,
		}[r.IntN(19)]
	}
	field := func() string {
		name := []string{`"a"`, `"b"`, `"c"`, `"d.e"`, `"d.f"`}[r.IntN(5)]
		if r.IntN(3) == 0 {
			return name + ":[" + one() + "," + one() + "]"
		}
		return name + ":[" + one() + "]"
	}
	if r.IntN(6) == 0 {
		return `{"$or":[{` + field() + `},{` + field() + `,` + field() + `}],` + field() + `}`
	}
	return `{` + field() + `,` + field() + `}`
}

func randomEvent(r *rand.Rand) string {
	one := func() string {
		return []string{`"x"`, `"y"`, `"xyz"`, `"XY"`, `1`, `2`, `null`, `true`, `"10.1.2.3"`, `["x","y",1]`, `{}`, `[]`}[r.IntN(12)]
	}
	d := `{"e":` + one() + `,"f":` + one() + `}`
	if r.IntN(2) == 0 {
		d = `[` + d + `,{"e":` + one() + `,"f":` + one() + `}]`
	}
	return `{"a":` + one() + `,"b":` + one() + `,"other":{"x":[1,2,{"y":"z"}]},"c":` + one() + `,"d":` + d + `}`
}

func FuzzPattern(f *testing.F) {
	for _, c := range recordedCases(f) {
		f.Add(c.Pattern, c.Event)
	}
	f.Fuzz(func(t *testing.T, text, event string) {
		for _, d := range []Dialect{EventBridge, SNS} {
			p, err := Compile(text, d)
			if err != nil {
				var e *Error
				if !errors.As(err, &e) || e.Reason == "" {
					t.Fatalf("an error without a reason: %#v", err)
				}
				continue
			}
			if !json.Valid([]byte(text)) {
				t.Fatalf("compiled what is not JSON: %q", text)
			}
			_, err = p.Match([]byte(event))
			if valid := json.Valid([]byte(event)) && strings.HasPrefix(strings.TrimLeft(event, " \t\r\n"), "{"); valid != (err == nil) && strings.Count(event, "{")+strings.Count(event, "[") < maxDepth {
				t.Fatalf("event %q: valid %v, error %v", event, valid, err)
			}
		}
	})
}

// Benchmarks of a set: the same event against one pattern and ten thousand.

const benchEvent = `{"version":"0","id":"6a7e8feb-b491-4cf7-a9f1-bf3703467718","detail-type":"EC2 Instance State-change Notification","source":"app.77",
"account":"111122223333","time":"2017-12-22T18:43:48Z","region":"us-west-1","resources":["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"],
"detail":{"instance-id":"i-1234567890abcdef0","state":"terminated","kind":"k5077","size":117,"path":"/data/7/file.png"}}`

func benchmarkSet(b *testing.B, n int, pattern func(i int) string) {
	b.Helper()
	var s Set[int]
	for i := range n {
		p, err := Compile(pattern(i), EventBridge)
		if err != nil {
			b.Fatal(err)
		}
		s.Add(i, p)
	}
	event := []byte(benchEvent)
	var keys []int
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if keys, err = s.AppendMatches(keys[:0], event); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(keys)), "matches")
}

func BenchmarkSet(b *testing.B) {
	exact := func(i int) string {
		return fmt.Sprintf(`{"source":["app.%d"],"detail":{"kind":["k%d"]}}`, i%100, i)
	}
	pairs := func(i int) string {
		return fmt.Sprintf(`{"source":["app.%d"],"detail":{"size":[%d]}}`, i%100, i/100+100)
	}
	prefix := func(i int) string {
		return fmt.Sprintf(`{"source":["app.77"],"detail":{"path":[{"prefix":"/data/%d/"}]}}`, i)
	}
	not := func(i int) string {
		return fmt.Sprintf(`{"source":["app.%d"],"detail":{"kind":[{"anything-but":"k%d"}]}}`, i%10*7+14, i)
	}
	alone := func(i int) string {
		return fmt.Sprintf(`{"detail":{"state":[{"anything-but":["s%d","terminated"]}]}}`, i)
	}
	for _, bm := range []struct {
		name    string
		pattern func(int) string
	}{{"exact", exact}, {"pairs", pairs}, {"prefix", prefix}, {"anything-but", not}, {"anything-but-alone", alone}} {
		for _, n := range []int{1, 1000, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", bm.name, n), func(b *testing.B) { benchmarkSet(b, n, bm.pattern) })
		}
	}
}
