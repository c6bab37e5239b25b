package browser

import (
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"lambent.dev/lambent/test/deployed"
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
	app := deployed.New(t, root, filepath.Join(root, "examples", "photoboard"))
	shots := filepath.Join(root, "artifacts")
	if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	picture := filepath.Join(app.Dir(), "lake.jpg")
	writePicture(t, picture)
	use := func(page, screenshot, action string) {
		t.Logf("%s", app.Run(t, "node", filepath.Join("test", "js", "photoboard.mjs"), page, picture, filepath.Join(shots, screenshot), action))
	}

	outputs, kill := app.Up(t, "PageURL")
	use(outputs["PageURL"], "photoboard.png", "signup")

	// kill -9, and everything is there: the user, the board, the picture.
	kill()
	began := time.Now()
	outputs, _ = app.Up(t, "PageURL")
	t.Logf("second start, unchanged: deployed after %v", time.Since(began).Round(time.Millisecond))
	use(outputs["PageURL"], "photoboard-after-restart.png", "signin")
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
