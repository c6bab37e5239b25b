package vtl

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// pythonJSON writes a value as the recorder's client wrote the body of its requests.
func pythonJSON(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	v, err := ParseJSON(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	p := printer{max: 1 << 20}
	if err := p.json(v, 0); err != nil {
		t.Fatal(err)
	}
	return string(p.out)
}

// TestRecordedRenders renders what was rendered on API Gateway, in the frame of directives in which the recorder put each template.
func TestRecordedRenders(t *testing.T) {
	data, err := os.ReadFile("testdata/renders.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Template, Want string
		Context              json.RawMessage
		Trim                 bool
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != 203 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			body := pythonJSON(t, c.Context)
			root, err := ParseJSON(body)
			if err != nil {
				t.Fatal(err)
			}
			var sets []string
			for _, name := range root.(*Map).Keys() {
				sets = append(sets, fmt.Sprintf("#set($%s = $bodyJSON.%s)", name, name))
			}
			template := "#set($body = $context.requestOverride.path.body)\n#set($bodyJSON = $util.parseJson($body)) " +
				strings.Join(sets, " ") + "\n" + c.Template
			context := NewMap()
			override, path := NewMap(), NewMap()
			context.Put("requestOverride", override)
			override.Put("path", path)
			path.Put("body", body)
			got := render(t, template, Variables(Request{}, context, NewMap()))
			if c.Trim {
				got = strings.Join(strings.Fields(got), " ")
			}
			if got != c.Want {
				t.Errorf("got  %q\nwant %q", got, c.Want)
			}
		})
	}
}

func render(t testing.TB, template string, vars map[string]any) string {
	t.Helper()
	tpl, err := Parse(template)
	if err != nil {
		t.Fatalf("%s: %v", template, err)
	}
	out, err := tpl.Render(vars, Limits{})
	if err != nil {
		t.Fatalf("%s: %v", template, err)
	}
	return string(out)
}

// requestVars are the variables of a request with all kinds of parameters.
func requestVars(body string) map[string]any {
	pairs := func(kv ...string) *Map {
		m := NewMap()
		for i := 0; i < len(kv); i += 2 {
			m.Put(kv[i], kv[i+1])
		}
		return m
	}
	context := pairs("stage", "prod", "requestId", "r-1")
	for _, name := range []string{"requestOverride", "responseOverride"} {
		o := NewMap()
		o.Put("header", NewMap())
		context.Put(name, o)
	}
	return Variables(Request{
		Body:   body,
		Path:   func() *Map { return pairs("id", "7") },
		Query:  func() *Map { return pairs("id", "8", "q", "a b") },
		Header: func() *Map { return pairs("User-Agent", "curl", "X-Id", "9") },
	}, context, pairs("table", "orders"))
}

// TestRendersAsAPIGateway runs testdata/renders.txt, our own facts, and testdata/velocity.txt, what API Gateway shares with Apache Velocity.
func TestRendersAsAPIGateway(t *testing.T) {
	for _, name := range []string{"renders.txt", "velocity.txt"} {
		t.Run(name, func(t *testing.T) { runRenders(t, "testdata/"+name) })
	}
}

func runRenders(t *testing.T, file string) {
	const body = `{"b":[1,2.0,{"k":"v"}],"a":"é\"/","n":null,"big":12345678901234567890}`
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "// ") {
			continue
		}
		template, want, ok := strings.Cut(line, " => ")
		if !ok {
			t.Fatalf("no arrow: %s", line)
		}
		t.Run(template, func(t *testing.T) {
			if got := render(t, strings.ReplaceAll(template, "␤", "\n"), requestVars(body)); got != strings.ReplaceAll(want, "␤", "\n") {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

func TestOverridesAreSeenByTheCaller(t *testing.T) {
	vars := requestVars("")
	render(t, `#set($context.responseOverride.status = 201)#set($context.responseOverride.header['X-A'] = "b")`, vars)
	override := vars["context"].(*Map).Get("responseOverride").(*Map)
	if override.Get("status") != int64(201) || override.Get("header").(*Map).Get("X-A") != "b" {
		t.Errorf("override: %v", override)
	}
}

func TestSyntaxErrorsNameTheirPlace(t *testing.T) {
	for template, want := range map[string]string{
		"a\n#if($x":              "line 2, column 7: expected )",
		"Hello ${name.":          "line 1, column 13: expected the } of a reference",
		"#if(true)a":             "line 1, column 11: expected the #end of #if",
		"#if(true)a#else b#else": "line 1, column 23: expected the #end of #if",
		"x#end":                  "line 1, column 6: #end without the directive that it belongs to",
		"#foreach($x of $y)#end": "line 1, column 13: expected in",
		"#set($x = )":            "line 1, column 11: expected a value: a reference, a string, a number, a list or a map",
		`#set($x = "\"a\"")`:     "line 1, column 14: expected )",
		"${a|'b'}":               "line 1, column 4: expected the } of a reference",
	} {
		_, err := Parse(template)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || err.Error() != want {
			t.Errorf("%q: got %v, want %s", template, err, want)
		}
	}
}

func TestRunsThatBlowUpAreEnded(t *testing.T) {
	for _, template := range []string{
		`#foreach($i in [1..100000000])x#end`,
		`#set($s = "ab")#foreach($i in [1..64])#set($s = "$s$s")#end`,
		`#set($s = "ab")#foreach($i in [1..64])#set($s = $s + $s)#end`,
		`#set($s = "aaaaaaaaaa")#foreach($i in [1..64])#set($s = $s.replaceAll("a", $s))#end`,
		`#set($s = "aaaaaaaaaa")#foreach($i in [1..64])#set($s = $s.replace("a", $s))#end`,
		`#set($l = [1])#foreach($i in [1..64])#set($x = $l.addAll($l))#end`,
		`#set($m = {})#set($x = $m.put("m", $m))$m`,
		`#set($l = [])#set($x = $l.add($l))#set($x = $l.add($l))$l`,
		`#define($d)$d#end$d`,
		`#define($d)#set($x = "$d")#end$d`,
		`#set($s = "[1234567890]")#foreach($i in [1..14])#set($s = "[$s,$s]")#end#foreach($i in [1..9999])#set($x = $util.parseJson($s))#end`,
		`#foreach($i in [1..2000])#foreach($j in [1..2000])#end#end`,
	} {
		tpl, err := Parse(template)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tpl.Render(requestVars(""), Limits{}); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", template, err)
		}
	}
}

func TestTemplatesThatNestTooDeeplyAreRefused(t *testing.T) {
	for _, part := range []string{"#if(true)", "#set($a=(((((", "$a[$a[", "#set($a = !!!!", "#a(", `#set($a = [[[[[`, `$a.b($a.b(`} {
		if _, err := Parse(strings.Repeat(part, 10000)); err == nil && !strings.HasPrefix(part, "$a[") && part != "#a(" {
			t.Errorf("%s is taken", part)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	data, err := os.ReadFile("testdata/renders.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		template, _, _ := strings.Cut(line, " => ")
		f.Add(template, `{"a":[1,{"b":null}]}`)
	}
	f.Fuzz(func(t *testing.T, template, body string) {
		tpl, err := Parse(template)
		if err != nil {
			return
		}
		limits := Limits{Steps: 10000, Output: 1 << 16, Text: 1 << 18}
		if out, err := tpl.Render(requestVars(body), limits); err == nil && len(out) > limits.Output {
			t.Errorf("%d bytes of output", len(out))
		}
	})
}

// BenchmarkTemplate renders a template of 5 KB: the passthrough of API Gateway's console, repeated.
func BenchmarkTemplate(b *testing.B) {
	const part = `#set($params = $input.params())
{ "body": $input.json('$.order'), "stage": "$context.stage", "id": "$util.escapeJavaScript($input.params('id'))",
#foreach($type in $params.keySet())
  "$type": {#foreach($name in $params.get($type).keySet())"$name": "$params.get($type).get($name)"#if($foreach.hasNext),#end#end},
#end
  "static": "`
	template := strings.Repeat(part+strings.Repeat("x", 800-len(part))+"\"}\n", 1) + strings.Repeat(`{"field": "$context.requestId", "text": "some text that stands as it is"}`+"\n", 57)
	tpl, err := Parse(template)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(template)), "template-bytes")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tpl.Render(requestVars(`{"order":{"id":1,"lines":[{"sku":"a","n":2},{"sku":"b","n":1}]}}`), Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTemplateTellsWhichMembersItReads(t *testing.T) {
	for text, want := range map[string]map[string]bool{
		"$context.stage ${context.identity.sourceIp}":                   {"stage": true, "identity": true, "path": false, "sourceIp": false},
		`#set($context.requestOverride.header.A = "$context.path")`:     {"requestOverride": true, "path": true, "stage": false},
		`#foreach($k in $context.keySet())$k#end`:                       {"stage": true},
		`#set($c = $context)$c.stage`:                                   {"stage": true},
		`$context["stage"]`:                                             {"stage": true},
		`$context[ $input.path('$.a')`:                                  {"stage": true},
		`#if($context.authorizer.principalId == "me")$context.path#end`: {"authorizer": true, "path": true, "stage": false},
		"$input.path('$.a') context.stage":                              {"stage": false},
	} {
		template, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for member, reads := range want {
			if got := template.Reads("context", member); got != reads {
				t.Errorf("%s reads %s: %t, want %t", text, member, got, reads)
			}
		}
	}
}
