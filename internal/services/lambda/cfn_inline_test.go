package lambda

import (
	"archive/zip"
	"bytes"
	"slices"
	"testing"
)

func TestInlineCodeHasTheModuleThatItNames(t *testing.T) {
	for _, c := range []struct {
		runtime, code string
		want          []string
	}{
		{"python3.12", "import cfnresponse", []string{"index.py", "cfnresponse.py"}},
		{"python3.12", "pass", []string{"index.py"}},
		{"nodejs22.x", "const r = require('cfn-response')", []string{"index.js", "node_modules/cfn-response.js"}},
		{"nodejs22.x", "", []string{"index.js"}},
	} {
		b, err := inlineArchive(c.runtime, "index.handler", c.code)
		if err != nil {
			t.Fatal(err)
		}
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range z.File {
			got = append(got, f.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s, %q: %v, want %v", c.runtime, c.code, got, c.want)
		}
	}
}
