package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/cli/client"
)

// variable is an environment variable that points AWS tools at a Lambent.
type variable struct{ name, value string }

func variables(cl *client.Client) []variable {
	v := []variable{
		{"AWS_ENDPOINT_URL", cl.Endpoint},
		{"AWS_ACCESS_KEY_ID", cl.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", cl.Secret},
		{"AWS_REGION", cl.Region},
		{"AWS_DEFAULT_REGION", cl.Region},
	}
	if cl.Token != "" {
		v = append(v, variable{"AWS_SESSION_TOKEN", cl.Token})
	}
	return v
}

func (a *app) envCommand() *cobra.Command {
	var root bool
	c := a.jsonFlag(&cobra.Command{
		Use: "env", Short: "Print the exports that point AWS tools at the running Lambent",
		Example: "  eval \"$(lambent env)\"",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			find := a.client
			if root {
				find = a.rootClient
			}
			cl, err := find()
			if err != nil {
				return err
			}
			if root && cl.AccessKeyID == auth.LocalAccessKeyID {
				return usage{errors.New("the root key is in the data folder; run this in the folder of the project whose Lambent runs")}
			}
			list := variables(cl)
			if a.json {
				object := map[string]string{}
				for _, v := range list {
					object[v.name] = v.value
				}
				return a.Term.JSON(object)
			}
			for _, v := range list {
				a.Term.Print("export %s=%s", v.name, shellQuote(v.value))
			}
			a.Term.Print("unset AWS_PROFILE AWS_DEFAULT_PROFILE")
			return nil
		},
	})
	c.Flags().BoolVar(&root, "root", false, "the root key of the data folder instead of the pair test/test, for URLs that web pages use")
	return c
}

// shellQuote returns text as one word of a POSIX shell.
func shellQuote(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// foreign tells whether a variable could make an AWS tool talk to another place, or as somebody else.
func foreign(name string) bool {
	if strings.HasPrefix(name, "AWS_ENDPOINT_URL") || strings.HasPrefix(name, "AWS_CONTAINER_CREDENTIALS_") {
		return true
	}
	return slices.Contains([]string{
		"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
		"AWS_ROLE_SESSION_NAME", "AWS_CA_BUNDLE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	}, name)
}

// childEnviron returns the environment of a tool that shall talk to cl's Lambent and to nothing else.
func (a *app) childEnviron(cl *client.Client) []string {
	environ := slices.DeleteFunc(slices.Clone(a.Environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return foreign(name)
	})
	for _, v := range variables(cl) {
		environ = append(environ, v.name+"="+v.value)
	}
	// No profile of the user's takes part, and no look for credentials of a machine in a cloud.
	return append(environ, "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true")
}

// withEndpoint names the endpoint to the AWS CLI. Its version 1 sends sqs, rds and a few more to AWS whatever AWS_ENDPOINT_URL says.
func withEndpoint(args []string, endpoint string) []string {
	named := func(arg string) bool { return arg == "--endpoint-url" || strings.HasPrefix(arg, "--endpoint-url=") }
	if filepath.Base(args[0]) != "aws" || slices.ContainsFunc(args, named) {
		return args
	}
	return slices.Insert(slices.Clone(args), 1, "--endpoint-url", endpoint)
}

func (a *app) execCommand() *cobra.Command {
	return &cobra.Command{
		Use: "exec -- CMD [ARG…]", Short: "Run a tool against the running Lambent",
		Long: "Exec runs any tool with the endpoint and credentials of the running Lambent, and without the AWS profiles, keys and endpoints\n" +
			"of this shell, so that nothing reaches a real account by accident. It ends with the tool's exit code.",
		Example: "  lambent exec -- aws s3 ls\n  lambent exec -- sam deploy",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("exec needs a command, as in: lambent exec -- aws s3 ls")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			args = withEndpoint(args, cl.Endpoint)
			child := exec.CommandContext(cmd.Context(), args[0], args[1:]...)
			child.Stdin, child.Stdout, child.Stderr = a.Stdin, a.Term.Out, a.Term.Err
			child.Env = a.childEnviron(cl)
			err = child.Run()
			var ended *exec.ExitError
			if errors.As(err, &ended) {
				if code := ended.ExitCode(); code > 0 {
					return exit(code)
				}
				return exit(ExitInterrupted)
			}
			if err != nil {
				return fmt.Errorf("run %s: %w", args[0], err)
			}
			return nil
		},
	}
}
