// Command lambent is the serverless application stack as one program; run lambent help.
package main

import (
	"os"

	"lambent.dev/lambent/internal/cli"
	"lambent.dev/lambent/internal/sandbox"
)

// version is set by the release build.
var version = "development"

func main() {
	// The sandbox starts its helpers from this same program; they never come back from here.
	sandbox.MaybeChild()
	stop := profiled()
	code := cli.Main(version)
	stop()
	os.Exit(code)
}
