package lambda

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"fmt"
	"strings"
)

// The modules that answer for custom resources. AWS puts its own beside inline code that names it, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-lambda-function-code-cfnresponsemodule.html.
var (
	//go:embed inline/cfnresponse.py
	pythonResponse string
	//go:embed inline/cfn-response.js
	nodeResponse string
)

// inlineArchive makes a zip file of the one file that the handler names, and of the module that answers for custom resources when the code names it.
func inlineArchive(runtime, handler, code string) ([]byte, error) {
	name, _, _ := strings.Cut(handler, ".")
	files := [][2]string{{name + ".js", code}}
	switch {
	case strings.HasPrefix(runtime, "python"):
		files[0][0] = name + ".py"
		if strings.Contains(code, "cfnresponse") {
			files = append(files, [2]string{"cfnresponse.py", pythonResponse})
		}
	case strings.Contains(code, "cfn-response"):
		files = append(files, [2]string{"node_modules/cfn-response.js", nodeResponse})
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f[0])
		if err != nil {
			return nil, fmt.Errorf("pack inline code: %w", err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			return nil, fmt.Errorf("pack inline code: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack inline code: %w", err)
	}
	return b.Bytes(), nil
}
