package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"
	"image/jpeg"
	_ "image/png"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"
)

// A picture with more pixels than this would not fit the function's memory: 4 bytes each, twice.
const maxPixels = 40_000_000

// badPicture is the reason why an upload cannot be shown, for the person who made it.
type badPicture struct{ reason string }

func (e *badPicture) Error() string { return e.reason }

// decode reads a picture and turns it upright.
func decode(raw []byte, maxBytes int64) (image.Image, error) {
	if int64(len(raw)) > maxBytes {
		return nil, &badPicture{fmt.Sprintf("the picture has more than %d MB", maxBytes>>20)}
	}
	head, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return nil, &badPicture{"this is not a picture in a known format"}
	}
	if head.Width <= 0 || head.Height <= 0 || head.Width > maxPixels/head.Height {
		return nil, &badPicture{fmt.Sprintf("%d × %d pixels are too many", head.Width, head.Height)}
	}
	picture, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, &badPicture{"the picture is damaged"}
	}
	return upright(picture, orientation(raw)), nil
}

// scaled returns picture as a JPEG whose longer side has at most side pixels, on white where it is transparent.
func scaled(picture image.Image, side int) []byte {
	size := picture.Bounds().Size()
	if longer := max(size.X, size.Y); longer > side {
		size.X, size.Y = max(1, size.X*side/longer), max(1, size.Y*side/longer)
	}
	canvas := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(canvas, canvas.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.ApproxBiLinear.Scale(canvas, canvas.Bounds(), picture, picture.Bounds(), draw.Over, nil)
	var out bytes.Buffer
	_ = jpeg.Encode(&out, canvas, &jpeg.Options{Quality: 85}) // a buffer takes everything
	return out.Bytes()
}
