// Package arch holds the house rules of ARCHITECTURE.md and CONTRIBUTING.md that a machine can check: who may import whom, and where
// the operating system's clock, environment and panics may be used.
package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "lambent.dev/lambent/"

// pkg is a package of the module as `go list` describes it.
type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,GoFiles,Imports", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// layer is one line of the table: packages below a prefix and what of ours they may import. Longer prefixes count first.
type layer struct {
	prefix string
	may    []string
}

// layers is section 3 of ARCHITECTURE.md.
var layers = []layer{
	{"cmd/", []string{"internal/cli", "internal/sandbox"}},
	{"internal/cli", []string{"internal/"}},
	{"internal/server", []string{"internal/"}},
	{"internal/backup", []string{}},
	{"internal/config", []string{}},
	{"internal/front", []string{"internal/service", "internal/clock", "internal/front", "internal/observe/access", "internal/lib"}},
	{"internal/observe", []string{"internal/lib"}},
	{"internal/dispatch", []string{"internal/front", "internal/observe/access", "internal/wire", "internal/auth", "internal/service", "internal/awsapi", "internal/clock", "internal/store", "internal/blob"}},
	{"internal/wire", []string{"internal/service", "internal/awsapi", "internal/wire", "internal/lib"}},
	{"internal/awsapi", []string{"internal/awsapi", "internal/lib"}},
	{"internal/auth", []string{"internal/auth", "internal/service", "internal/lib", "internal/clock"}},
	{"internal/service", []string{"internal/service", "internal/awsapi", "internal/store", "internal/blob", "internal/events", "internal/clock", "internal/lib/meter"}},
	{"internal/services/lambda", []string{"internal/service", "internal/awsapi", "internal/store", "internal/blob", "internal/events", "internal/deliver", "internal/sources", "internal/clock", "internal/lib", "internal/sandbox", "internal/runtimes", "internal/image", "internal/front", "internal/services/lambda", "internal/auth"}},
	{"internal/services/apigateway", []string{"internal/service", "internal/awsapi", "internal/store", "internal/blob", "internal/events", "internal/deliver", "internal/clock", "internal/lib", "internal/front", "internal/auth", "internal/gateway", "internal/services/apigateway"}},
	{"internal/services/apigatewayv2", []string{"internal/service", "internal/awsapi", "internal/store", "internal/blob", "internal/events", "internal/deliver", "internal/clock", "internal/lib", "internal/front", "internal/auth", "internal/gateway", "internal/services/apigatewayv2"}},
	{"internal/services/cloudformation", []string{"internal/front", "internal/service", "internal/awsapi", "internal/store", "internal/events", "internal/clock", "internal/lib", "internal/deploy", "internal/services/cloudformation"}},
	{"internal/services/cloudcontrol", []string{"internal/service", "internal/awsapi", "internal/store", "internal/events", "internal/clock", "internal/lib", "internal/deploy", "internal/services/cloudcontrol"}},
	{"internal/services", []string{"internal/service", "internal/awsapi", "internal/store", "internal/blob", "internal/events", "internal/deliver", "internal/sources", "internal/clock", "internal/lib", "internal/front", "internal/auth", "internal/services/"}},
	{"internal/store", []string{"internal/store", "internal/clock"}},
	{"internal/blob", []string{"internal/blob", "internal/clock"}},
	{"internal/blob/s3", []string{"internal/blob", "internal/clock", "internal/s3client"}},
	{"internal/s3client", []string{"internal/auth/sigv4", "internal/clock"}},
	{"internal/events", []string{"internal/store", "internal/clock"}},
	{"internal/gateway", []string{"internal/gateway", "internal/service", "internal/awsapi", "internal/store", "internal/deliver", "internal/clock", "internal/lib", "internal/front", "internal/auth"}},
	{"internal/deliver", []string{"internal/service", "internal/awsapi", "internal/store", "internal/events", "internal/clock", "internal/lib"}},
	{"internal/sources", []string{"internal/service", "internal/awsapi", "internal/store", "internal/clock", "internal/lib"}},
	{"internal/sandbox", []string{"internal/sandbox", "internal/lib", "internal/clock"}},
	{"internal/image", []string{"internal/image", "internal/lib", "internal/clock"}},
	{"internal/runtimes", []string{"internal/sandbox", "internal/runtimes", "internal/image", "internal/lib", "internal/clock"}},
	{"internal/deploy", []string{"internal/deploy", "internal/service", "internal/store", "internal/events", "internal/clock", "internal/lib"}},
	{"internal/clock", []string{}},
	{"internal/lib", []string{"internal/lib"}},
}

func layerOf(path string) *layer {
	var best *layer
	for i := range layers {
		l := &layers[i]
		if strings.HasPrefix(path+"/", strings.TrimSuffix(l.prefix, "/")+"/") && (best == nil || len(l.prefix) > len(best.prefix)) {
			best = l
		}
	}
	return best
}

func TestImportsPointDownTheTable(t *testing.T) {
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(path, "tools/") || strings.HasPrefix(path, "bench/") || strings.HasPrefix(path, "test/") {
			continue
		}
		l := layerOf(path)
		if l == nil {
			t.Errorf("%s stands in no layer of the table: give it a line in ARCHITECTURE.md and here", path)
			continue
		}
		for _, imported := range p.Imports {
			ours, ok := strings.CutPrefix(imported, module)
			if !ok || slices.ContainsFunc(l.may, func(m string) bool { return strings.HasPrefix(ours+"/", strings.TrimSuffix(m, "/")+"/") }) {
				continue
			}
			t.Errorf("%s imports %s, which its layer (%s) may not", path, ours, l.prefix)
		}
	}
}

func TestServicesDoNotImportEachOther(t *testing.T) {
	for _, p := range packages(t) {
		own, ok := strings.CutPrefix(p.ImportPath, module+"internal/services/")
		if !ok {
			continue
		}
		own, _, _ = strings.Cut(own, "/")
		for _, imported := range p.Imports {
			other, ok := strings.CutPrefix(imported, module+"internal/services/")
			if other, _, _ = strings.Cut(other, "/"); ok && other != own {
				t.Errorf("services/%s imports services/%s: use the door or a port", own, other)
			}
		}
	}
}

func TestNoAWSSDKIsLinked(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "github.com/aws/") {
				t.Errorf("%s imports %s: SDKs belong in test modules of their own", p.ImportPath, imported)
			}
		}
	}
}

// TestMethodsCanBeLeftOut holds that the linker may leave out the methods that nothing calls. A template calls methods by names that are known only when it
// runs, and so keeps every exported method of every type in the program.
func TestMethodsCanBeLeftOut(t *testing.T) {
	for _, p := range packages(t) {
		path, ok := strings.CutPrefix(p.ImportPath, module)
		if !ok || !strings.HasPrefix(path, "internal/") && !strings.HasPrefix(path, "cmd/") {
			continue
		}
		for _, imported := range p.Imports {
			if imported == "text/template" || imported == "html/template" {
				t.Errorf("%s imports %s, which keeps the methods of all types in the program (docs/adr/0141-methods-that-are-left-out.md)", path, imported)
			}
		}
	}
}

// banned are calls that only the named packages may make.
var banned = []struct {
	call   string
	why    string
	except []string
}{
	{"time.Now", "time comes from internal/clock", []string{"internal/clock"}},
	{"time.Sleep", "wait on a clock, a channel or a context", []string{"internal/clock"}},
	{"time.After", "use a timer of internal/clock", []string{"internal/clock"}},
	{"os.Getenv", "settings come from internal/config", []string{"internal/cli", "internal/config", "internal/deploy/pack", "internal/runtimes", "internal/sandbox"}},
}

func TestBannedCalls(t *testing.T) {
	for _, p := range packages(t) {
		path, ok := strings.CutPrefix(p.ImportPath, module)
		if !ok || !strings.HasPrefix(path, "internal/") {
			continue
		}
		for _, name := range p.GoFiles {
			for _, found := range calls(t, filepath.Join(p.Dir, name)) {
				for _, b := range banned {
					if b.call == found.name && !slices.ContainsFunc(b.except, func(e string) bool { return strings.HasPrefix(path+"/", e+"/") }) {
						t.Errorf("%s/%s:%d calls %s: %s", path, name, found.line, b.call, b.why)
					}
				}
			}
		}
	}
}

type found struct {
	name string
	line int
}

// calls lists the calls of package functions in a file, as pkg.Func.
func calls(t *testing.T, file string) (out []found) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if s, ok := call.Fun.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				out = append(out, found{fmt.Sprintf("%s.%s", x.Name, s.Sel.Name), set.Position(call.Pos()).Line})
			}
		}
		return true
	})
	return out
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		set := token.NewFileSet()
		said := false
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			said = said || f.Doc != nil
		}
		if len(p.GoFiles) > 0 && !said {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// TestServicesThatKeepBodiesHoldThem guards bodies from the sweep: it deletes what no service says it holds.
func TestServicesThatKeepBodiesHoldThem(t *testing.T) {
	creates, holds := map[string]bool{}, map[string]bool{}
	for _, p := range packages(t) {
		own, ok := strings.CutPrefix(p.ImportPath, module+"internal/services/")
		if !ok {
			continue
		}
		own, _, _ = strings.Cut(own, "/")
		for _, name := range p.GoFiles {
			source, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			creates[own] = creates[own] || bytes.Contains(source, []byte(`"lambent.dev/lambent/internal/blob"`))
			holds[own] = holds[own] || bytes.Contains(source, []byte("HoldsBody:"))
		}
	}
	for own := range creates {
		if creates[own] && !holds[own] {
			t.Errorf("services/%s uses package blob and sets no HoldsBody in its service.Service: its bodies would be swept away", own)
		}
	}
	if !creates["s3"] || !creates["lambda"] {
		t.Error("the services that keep bodies were not found")
	}
}

func TestChangesAreOfTheKnownKinds(t *testing.T) {
	files, err := filepath.Glob("../../changelog/unreleased/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no changes:", err)
	}
	for _, f := range append(files, "../../changelog/TEMPLATE") {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		title, rest, _ := strings.Cut(string(text), "\n")
		kind, _, ok := strings.Cut(title, ": ")
		if !ok || !slices.Contains([]string{"Security", "Change", "Feature", "Enhancement", "Fix"}, kind) || !strings.HasPrefix(rest, "\n") {
			t.Errorf("%s begins with %q: see changelog/TEMPLATE", filepath.Base(f), title)
		}
	}
}
