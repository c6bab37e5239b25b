package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	defaultEndpoint = "http://127.0.0.1:4566"
	dataFolder      = ".lambent"
	runningFile     = "running.json"
)

// running is what running.json tells about the Lambent that uses a data folder.
type running struct {
	PID int    `json:"pid"`
	URL string `json:"url"`
	// Local tells whether the pair test/test works; otherwise the root key of the folder is used.
	Local bool `json:"local_credentials"`
	// dataDir is the folder that this was read from.
	dataDir string
}

// find returns what to talk to: the endpoint of the flag or the environment, the Lambent of the project around the
// working folder, or the default. Its dataDir is empty unless it was found by its folder.
func (a *app) find() (*running, error) {
	for _, explicit := range []string{a.endpoint, a.getenv("LAMBENT_ENDPOINT")} {
		if explicit == "" {
			continue
		}
		u, err := url.Parse(explicit)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return nil, usage{fmt.Errorf("the endpoint %q is not a URL such as %s", explicit, defaultEndpoint)}
		}
		return &running{URL: strings.TrimRight(explicit, "/"), Local: true}, nil
	}
	dir, err := workingDir()
	if err != nil {
		return nil, err
	}
	for ; ; dir = filepath.Dir(dir) {
		if r, err := readRunning(filepath.Join(dir, dataFolder)); err == nil && r != nil {
			return r, nil
		}
		if dir == filepath.Dir(dir) {
			return &running{URL: defaultEndpoint, Local: true}, nil
		}
	}
}

// readRunning returns what runs on a data folder, or nil when nothing does.
func readRunning(dataDir string) (*running, error) {
	raw, err := os.ReadFile(filepath.Join(dataDir, runningFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", runningFile, err)
	}
	var r running
	if err := json.Unmarshal(raw, &r); err != nil || r.PID <= 0 {
		return nil, nil //nolint:nilerr // cut off by a crash: nobody's
	}
	if err := syscall.Kill(r.PID, 0); errors.Is(err, syscall.ESRCH) {
		return nil, nil
	}
	r.dataDir = dataDir
	return &r, nil
}

// hold takes a data folder for this process. The lock ends with the process, however it ends.
func hold(dataDir string) (release func(), err error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dataDir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the data folder %s: %w", dataDir, err)
		}
		who := "another Lambent"
		if r, _ := readRunning(dataDir); r != nil {
			who = fmt.Sprintf("the Lambent at %s (process %d)", r.URL, r.PID)
		}
		return nil, fmt.Errorf("%s uses the data folder %s already; deploy to it with lambent deploy, stop it, or choose another folder with --data-dir", who, dataDir)
	}
	return func() { f.Close() }, nil
}

// announce writes running.json, and returns how to remove it.
func announce(dataDir string, r running) (withdraw func(), err error) {
	r.PID = os.Getpid()
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dataDir, runningFile)
	if err := os.WriteFile(path+".new", append(raw, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("write %s: %w", runningFile, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, fmt.Errorf("write %s: %w", runningFile, err)
	}
	return func() { _ = os.Remove(path) }, nil
}

// local tells whether an endpoint is on this machine.
func local(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	host := u.Hostname()
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
