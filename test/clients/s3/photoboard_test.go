package s3

import (
	"bytes"
	"encoding/json"
	"image"
	"image/jpeg"
	"path/filepath"
	"testing"

	"lambent.dev/lambent/test/deployed"
)

// TestPhotoboard deploys the example once, and uses it from three languages.
func TestPhotoboard(t *testing.T) {
	dir := installed(t)
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	app := deployed.New(t, root, filepath.Join(root, "examples", "photoboard"))
	outputs, _ := app.Up(t, "UploadsBucket")
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 720, 480)), nil); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(app.Dir(), "data", "keys", "root.pem")
	if outputs["ApiURL"] == "" {
		t.Fatalf("the outputs are %v", outputs)
	}
	in, err := json.Marshal(map[string]any{
		"api": outputs["ApiURL"], "endpoint": app.URL(), "uploads": outputs["UploadsBucket"], "ca": ca, "key": "test", "secret": "test", "picture": picture.Bytes(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("python", func(t *testing.T) {
		run(t, in, nil, filepath.Join(venv, "python"), filepath.Join("photoboard", "board.py"))
	})
	t.Run("javascript", func(t *testing.T) {
		run(t, in, []string{"CLIENTS=" + filepath.Join(dir, "js"), "NODE_EXTRA_CA_CERTS=" + ca}, "node", "--no-warnings", filepath.Join("photoboard", "board.mjs"))
	})
	t.Run("go", func(t *testing.T) { run(t, in, nil, filepath.Join(dir, "go-client"), "photoboard") })
}
