// Package keyfile makes and keeps the keys that everything rests on: the master keys, under which
// tokens and secrets are sealed, and the root user's access key.
//
// They are in one file, keys/keys.json in the data directory, readable by its owner only. It is
// made on the first run with random keys; there are no default secrets. A file that others may
// read is refused. Whoever has the file has everything, and without it the stored secrets are
// lost: it belongs into the backup, apart from the data.
package keyfile

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/token"
)

// Keys are the keys of one platform.
type Keys struct {
	// Ring seals under the master keys.
	Ring *token.Keyring
	// Root is the root user's access key.
	Root auth.RootKey
	// Created tells that they were made by this call.
	Created bool
}

// content is the file.
type content struct {
	// Current is the id of the master key that seals; Master holds all of them, in base64.
	Current uint32            `json:"current"`
	Master  map[uint32]string `json:"master"`
	Root    struct {
		AccessKeyID     string `json:"accessKeyId"`
		SecretAccessKey string `json:"secretAccessKey"`
		Account         string `json:"account"`
	} `json:"root"`
}

// Path returns where the file of a data directory is.
func Path(dataDir string) string { return filepath.Join(dataDir, "keys", "keys.json") }

// Open reads the keys of a data directory, and makes them when there are none. account is the
// account of a new root key.
func Open(dataDir, account string, rand io.Reader) (*Keys, error) {
	path := Path(dataDir)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(path, account, rand)
	}
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the key file %s may be read by others (mode %04o); run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	var c content
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("read the key file %s: %w; restore it from a backup", path, err)
	}
	return c.keys(rand)
}

// Ephemeral returns keys that are kept nowhere.
func Ephemeral(account string, rand io.Reader) (*Keys, error) {
	c, err := generate(account, rand)
	if err != nil {
		return nil, err
	}
	k, err := c.keys(rand)
	if err == nil {
		k.Created = true
	}
	return k, err
}

func create(path, account string, rand io.Reader) (*Keys, error) {
	c, err := generate(account, rand)
	if err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the keys: %w", err)
	}
	if err := write(path, append(raw, '\n')); err != nil {
		return nil, fmt.Errorf("write the key file: %w", err)
	}
	k, err := c.keys(rand)
	if err == nil {
		k.Created = true
	}
	return k, err
}

func generate(account string, rand io.Reader) (*content, error) {
	master := make([]byte, token.KeySize)
	if _, err := io.ReadFull(rand, master); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	c := &content{Current: 1, Master: map[uint32]string{1: base64.StdEncoding.EncodeToString(master)}}
	var err error
	if c.Root.AccessKeyID, err = token.NewAccessKeyID(token.PrefixAccessKey, account, rand); err != nil {
		return nil, err
	}
	if c.Root.SecretAccessKey, err = token.NewSecret(rand); err != nil {
		return nil, err
	}
	c.Root.Account = account
	return c, nil
}

func (c *content) keys(rand io.Reader) (*Keys, error) {
	master := make(map[uint32][]byte, len(c.Master))
	for id, text := range c.Master {
		k, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("read master key %d: %w", id, err)
		}
		master[id] = k
	}
	ring, err := token.NewKeyring(master, c.Current, rand)
	if err != nil {
		return nil, err
	}
	if c.Root.AccessKeyID == "" || c.Root.SecretAccessKey == "" || len(c.Root.Account) != 12 {
		return nil, errors.New("the key file has no root key")
	}
	return &Keys{Ring: ring, Root: auth.RootKey{
		AccessKeyID: c.Root.AccessKeyID, Secret: c.Root.SecretAccessKey, Account: c.Root.Account,
	}}, nil
}

// write puts the file in place whole: a crash leaves either no file or all of it.
func write(path string, raw []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "keys-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if err := f.Chmod(0o600); err != nil && runtime.GOOS != "windows" {
		return err
	}
	if _, err := f.Write(raw); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return errors.Join(f.Close(), syncDir(dir))
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
