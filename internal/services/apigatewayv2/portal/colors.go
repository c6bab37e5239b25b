package portal

import "strconv"

// legible returns a color of text that can be read on another color: black or white, and for colors by name that of other texts.
func legible(on string) string {
	digits := on[1:]
	if on[0] != '#' {
		return "var(--text)"
	}
	if len(digits) < 6 { // a digit for two
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	n, err := strconv.ParseUint(digits[:6], 16, 32)
	if err != nil {
		return "var(--text)"
	}
	// how bright it looks, in thousandths (ITU-R BT.601)
	if 299*(n>>16)+587*(n>>8&0xff)+114*(n&0xff) > 150_000 {
		return "#000"
	}
	return "#fff"
}
