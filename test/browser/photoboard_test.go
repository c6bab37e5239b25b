package browser

import (
	"bufio"
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestPhotoboardInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the example and starts a browser")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "test", "js", "node_modules", "playwright-core")); err != nil {
		t.Skip("playwright-core is not installed; make clients installs it")
	}
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("there is no chromium; apt-get install chromium")
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "lambent")
	command(t, root, "go", "build", "-o", binary, "./cmd/lambent")
	shots := filepath.Join(root, "artifacts")
	if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	picture := filepath.Join(dir, "lake.jpg")
	writePicture(t, picture)
	port := freePort(t)
	script := filepath.Join(root, "test", "js", "photoboard.mjs")

	page, kill := up(t, binary, root, dir, port)
	t.Logf("%s", command(t, root, "node", script, page, picture, filepath.Join(shots, "photoboard.png"), "signup"))

	// kill -9, and everything is there: the user, the board, the picture.
	kill()
	began := time.Now()
	page, _ = up(t, binary, root, dir, port)
	t.Logf("second start, unchanged: deployed after %v", time.Since(began).Round(time.Millisecond))
	t.Logf("%s", command(t, root, "node", script, page, picture, filepath.Join(shots, "photoboard-after-restart.png"), "signin"))
}

// up starts the platform with the example, and returns the page's URL when it is deployed, and how to kill it.
func up(t *testing.T, binary, root, dir string, port int) (page string, kill func()) {
	t.Helper()
	cmd := exec.Command(binary, "up", filepath.Join(root, "examples", "photoboard"),
		"--listen", "127.0.0.1:"+strconv.Itoa(port), "--data-dir", filepath.Join(dir, "data"))
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill = func() {
		if !killed {
			killed = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(func() {
		kill()
		if t.Failed() {
			t.Logf("the platform said:\n%s", talk.String())
		}
	})
	watchdog := time.AfterFunc(4*time.Minute, kill)
	defer watchdog.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "PageURL"); ok {
			page = strings.TrimSpace(url)
			break
		}
	}
	if page == "" {
		t.Fatal("up did not deploy the photo-board")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return page, kill
}

func command(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func freePort(t *testing.T) int {
	t.Helper()
	for port := 19000 + os.Getpid()%1000; port < 21000; port++ {
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// writePicture paints a lake: sky, hills and water.
func writePicture(t *testing.T, path string) {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 1800, 1200))
	for y := range 1200 {
		for x := range 1800 {
			c := color.RGBA{uint8(255 - y/6), uint8(190 - y/12), uint8(140 + y/10), 255}
			switch hill := 520 + (x-900)*(x-900)/6000; {
			case y > 760:
				c = color.RGBA{uint8(40 + (y-760)/8), uint8(90 + (y-760)/6), uint8(150 + (x/20+y/9)%24), 255}
			case y > hill:
				c = color.RGBA{uint8(60 + y/40), uint8(90 + (y-hill)/6), 80, 255}
			}
			m.Set(x, y, c)
		}
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := jpeg.Encode(f, m, nil); err != nil {
		t.Fatal(err)
	}
}
