package main

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
)

// orientation returns how a JPEG wants to be turned: the value 1 to 8 of its Exif tag 0x0112, and 1 (as it is)
// for anything else.
func orientation(raw []byte) int {
	exif := exifOf(raw)
	if len(exif) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if exif[0] == 'I' {
		order = binary.LittleEndian
	}
	at := int(order.Uint32(exif[4:]))
	if at < 8 || at+2 > len(exif) {
		return 1
	}
	count := int(order.Uint16(exif[at:]))
	for i := range count {
		entry := at + 2 + 12*i
		if entry+12 > len(exif) {
			return 1
		}
		if order.Uint16(exif[entry:]) == 0x0112 {
			if v := int(order.Uint16(exif[entry+8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
	}
	return 1
}

// exifOf returns the TIFF block of a JPEG's APP1 segment, or nil.
func exifOf(raw []byte) []byte {
	if !bytes.HasPrefix(raw, []byte{0xFF, 0xD8}) {
		return nil
	}
	for at := 2; at+4 <= len(raw) && raw[at] == 0xFF; {
		marker, length := raw[at+1], int(binary.BigEndian.Uint16(raw[at+2:]))
		end := at + 2 + length
		if length < 2 || end > len(raw) || marker == 0xDA { // the pixels begin
			return nil
		}
		if body := raw[at+4 : end]; marker == 0xE1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
			return body[6:]
		}
		at = end
	}
	return nil
}

// upright returns picture turned and mirrored as an Exif orientation asks.
func upright(picture image.Image, orientation int) image.Image {
	if orientation == 1 {
		return picture
	}
	return &turned{Image: picture, orientation: orientation}
}

// turned shows a picture in another orientation without copying it.
type turned struct {
	image.Image
	orientation int
}

func (t *turned) Bounds() image.Rectangle {
	size := t.Image.Bounds().Size()
	if t.orientation >= 5 {
		size.X, size.Y = size.Y, size.X
	}
	return image.Rectangle{Max: size}
}

func (t *turned) At(x, y int) color.Color {
	b := t.Image.Bounds()
	w, h := b.Dx()-1, b.Dy()-1
	switch t.orientation {
	case 2:
		x = w - x
	case 3:
		x, y = w-x, h-y
	case 4:
		y = h - y
	case 5:
		x, y = y, x
	case 6:
		x, y = y, h-x
	case 7:
		x, y = w-y, h-x
	case 8:
		x, y = w-y, x
	}
	return t.Image.At(b.Min.X+x, b.Min.Y+y)
}
