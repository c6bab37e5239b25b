package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"

	"lambent.dev/lambent/internal/auth/keyfile"
	"lambent.dev/lambent/internal/cli/client"
)

// localAccount is given where a key file is only read: the account in the file counts.
const localAccount = "000000000000"

// client returns a client of the running Lambent.
func (a *app) client() (*client.Client, error) {
	where, err := a.find()
	if err != nil {
		return nil, err
	}
	return a.clientOf(where)
}

// rootClient returns a client with the root key of the data folder, for the platform's own paths.
func (a *app) rootClient() (*client.Client, error) {
	where, err := a.find()
	if err != nil {
		return nil, err
	}
	return a.rootOf(where)
}

// rootOf returns a client of a Lambent with its root key, when it was found by its folder.
func (a *app) rootOf(where *running) (*client.Client, error) {
	root := *where
	if root.dataDir != "" {
		root.Local = false
	}
	return a.clientOf(&root)
}

// clientOf returns a client of a Lambent. On this machine it is the pair test/test or the root key of the data folder:
// the keys in the environment may be those of another account, somewhere else, and are not sent there.
func (a *app) clientOf(where *running) (*client.Client, error) {
	c := &client.Client{Endpoint: where.URL, Region: "us-east-1", HTTP: &http.Client{Transport: &http.Transport{}}, Clock: a.Clock}
	for _, name := range []string{"AWS_DEFAULT_REGION", "AWS_REGION"} {
		if v := a.getenv(name); v != "" {
			c.Region = v
		}
	}
	switch {
	case where.dataDir != "" && !where.Local:
		return c, rootKey(c, where.dataDir)
	case local(where.URL):
		c.AccessKeyID, c.Secret = "test", "test"
		return c, nil
	}
	c.AccessKeyID, c.Secret, c.Token = a.getenv("AWS_ACCESS_KEY_ID"), a.getenv("AWS_SECRET_ACCESS_KEY"), a.getenv("AWS_SESSION_TOKEN")
	if c.AccessKeyID == "" || c.Secret == "" {
		return nil, usage{errors.New(where.URL + " is not on this machine, so it needs credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")}
	}
	return c, nil
}

func rootKey(c *client.Client, dataDir string) error {
	if _, err := os.Stat(keyfile.Path(dataDir)); err != nil {
		return fmt.Errorf("read the root key: %w", err)
	}
	keys, err := keyfile.Open(dataDir, localAccount, rand.Reader)
	if err != nil {
		return fmt.Errorf("read the root key: %w", err)
	}
	c.AccessKeyID, c.Secret = keys.Root.AccessKeyID, keys.Root.Secret
	return nil
}

func workingDir() (string, error) { return os.Getwd() }
