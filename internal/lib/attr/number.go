package attr

import (
	"math/big"
	"strconv"
)

// Number is a DynamoDB number in its one encoding, whose bytes sort like the numbers:
//
//	zero      0x02
//	positive  0x03, exponent+130, pairs of digits + 1, 0x00
//	negative  0x01, then the complement of what the positive number has
//
// The digits are those of d.ddd × 10^exponent without trailing zeros, two to a byte. There are at most 38 of them, and
// the exponent lies between -130 and 125
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html).
type Number []byte

const (
	signNegative = 0x01
	signZero     = 0x02
	signPositive = 0x03

	maxDigits   = 38
	minExponent = -130
	maxExponent = 125
	maxNumber   = 2 + maxDigits/2 + 1 // bytes of the longest encoding
)

// The messages with which DynamoDB refuses numbers.
const (
	msgNotNumber = "The parameter cannot be converted to a numeric value"
	msgOverflow  = "Number overflow. Attempting to store a number with magnitude larger than supported range"
	msgUnderflow = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
	msgDigits    = "Attempting to store more than 38 significant digits in a Number"
)

// decimal is a number taken apart: ±d.ddd × 10^exp, with n digits and no trailing zero; n is 0 for zero.
type decimal struct {
	negative bool
	exp      int
	n        int
	digits   [maxDigits + 2]byte // 0 to 9
}

// scanNumber reads the text of a number. It returns DynamoDB's message when it is none, or one that DynamoDB does not hold.
func scanNumber(text []byte, d *decimal) (msg string) {
	if len(text) == 0 {
		return msgNotNumber
	}
	rest, ok := d.scanMantissa(text)
	if !ok {
		return msgNotNumber + ": " + string(text)
	}
	if len(rest) > 0 {
		e, ok := scanExponent(rest)
		if !ok {
			return msgNotNumber + ": " + string(text)
		}
		d.exp += e
	}
	switch {
	case d.n == 0:
		d.negative, d.exp = false, 0
		return ""
	case d.exp > maxExponent:
		return msgOverflow
	case d.exp < minExponent:
		return msgUnderflow
	case d.n > maxDigits:
		return msgDigits
	}
	return ""
}

// scanMantissa reads sign and digits, and returns what follows them.
func (d *decimal) scanMantissa(text []byte) (rest []byte, ok bool) {
	i := 0
	if text[0] == '-' || text[0] == '+' {
		d.negative = text[0] == '-'
		i = 1
	}
	point, seen, n, last := false, false, 0, 0
	exp := -1
scan:
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			seen = true
			if n == 0 && c == '0' { // a leading zero
				if point {
					exp--
				}
				continue
			}
			if !point {
				exp++
			}
			if n < len(d.digits) {
				d.digits[n] = c - '0'
			}
			n++
			if c != '0' {
				last = n
			}
		case c == '.' && !point:
			point = true
		default:
			break scan
		}
	}
	d.n, d.exp = last, exp
	return text[i:], seen
}

// scanExponent reads "e", an optional sign and digits, to the end of text.
func scanExponent(text []byte) (e int, ok bool) {
	if text[0] != 'e' && text[0] != 'E' || len(text) < 2 {
		return 0, false
	}
	text = text[1:]
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		if e < 1<<24 {
			e = e*10 + int(c-'0')
		}
	}
	if negative {
		e = -e
	}
	return e, len(text) > 0
}

// append appends the encoding of the number.
func (d *decimal) append(dst []byte) []byte {
	if d.n == 0 {
		return append(dst, signZero)
	}
	flip, sign := byte(0), byte(signPositive)
	if d.negative {
		flip, sign = 0xff, signNegative
	}
	dst = append(dst, sign, byte(d.exp-minExponent)^flip)
	if d.n&1 != 0 {
		d.digits[d.n] = 0
	}
	for i := 0; i < d.n; i += 2 {
		dst = append(dst, (d.digits[i]*10+d.digits[i+1]+1)^flip)
	}
	return append(dst, flip)
}

// decimal takes the number apart.
func (n Number) decimal() (d decimal) {
	if len(n) < 4 {
		return d
	}
	flip := byte(0)
	if n[0] == signNegative {
		flip, d.negative = 0xff, true
	}
	d.exp = int(n[1]^flip) + minExponent
	for _, b := range n[2 : len(n)-1] {
		pair := b ^ flip - 1
		d.digits[d.n], d.digits[d.n+1] = pair/10, pair%10
		d.n += 2
	}
	if d.digits[d.n-1] == 0 {
		d.n--
	}
	return d
}

// ParseNumber reads a number as DynamoDB does: decimal notation with an optional exponent.
func ParseNumber(text string) (Number, error) {
	var d decimal
	if msg := scanNumber([]byte(text), &d); msg != "" {
		return nil, &InvalidError{Message: msg}
	}
	return d.append(make([]byte, 0, maxNumber)), nil
}

// AppendText appends the number in plain decimal notation, as DynamoDB prints it.
func (n Number) AppendText(dst []byte) []byte {
	d := n.decimal()
	if d.n == 0 {
		return append(dst, '0')
	}
	if d.negative {
		dst = append(dst, '-')
	}
	if d.exp < 0 {
		dst = append(dst, '0', '.')
		for i := d.exp + 1; i < 0; i++ {
			dst = append(dst, '0')
		}
	}
	for i := range d.n {
		if i == d.exp+1 && d.exp >= 0 {
			dst = append(dst, '.')
		}
		dst = append(dst, '0'+d.digits[i])
	}
	for i := d.n; i <= d.exp; i++ {
		dst = append(dst, '0')
	}
	return dst
}

// String returns the number in plain decimal notation.
func (n Number) String() string { return string(n.AppendText(make([]byte, 0, 48))) }

// Int64 returns the number when it is a whole number that an int64 of at most 18 digits holds.
func (n Number) Int64() (int64, bool) {
	d := n.decimal()
	if d.n == 0 {
		return 0, true
	}
	if d.exp < d.n-1 || d.exp > 17 {
		return 0, false
	}
	var v int64
	for i := 0; i <= d.exp; i++ {
		v *= 10
		if i < d.n {
			v += int64(d.digits[i])
		}
	}
	if d.negative {
		v = -v
	}
	return v, true
}

// Value returns the number as an N.
func (n Number) Value() Value {
	v := append(make(Value, 0, 2+len(n)), tagN, byte(len(n)))
	return append(v, n...)
}

// size returns the number's part of an item's size: one byte for two digits, pairs being counted from the decimal
// point, one more, and one for a sign.
func (n Number) size() int {
	d := n.decimal()
	if d.n == 0 {
		return 1
	}
	size := 1 + (d.n+1)/2
	if d.n%2 == 0 && d.exp%2 == 0 {
		size++
	}
	if d.negative {
		size++
	}
	return size
}

// Add returns a + b. It fails as storing a number does when the result has too many digits or is too large.
func Add(a, b Number) (Number, error) {
	if x, ok := a.Int64(); ok {
		if y, ok := b.Int64(); ok { // two numbers of 18 digits cannot overflow
			return intNumber(x + y), nil
		}
	}
	x, scale := a.unscaledFor(b)
	y, _ := b.unscaledFor(a)
	sum := x.Add(x, y)
	var d decimal
	text := sum.Append(make([]byte, 0, 320), 10)
	text = strconv.AppendInt(append(text, 'e'), int64(scale), 10)
	if msg := scanNumber(text, &d); msg != "" {
		return nil, &InvalidError{Message: msg}
	}
	return d.append(make([]byte, 0, maxNumber)), nil
}

// Sub returns a - b; see [Add].
func Sub(a, b Number) (Number, error) {
	d := b.decimal()
	d.negative = !d.negative && d.n > 0
	return Add(a, d.append(make([]byte, 0, maxNumber)))
}

// unscaled returns the number as an integer times ten to the power of scale.
func (n Number) unscaled() (i *big.Int, scale int) {
	d := n.decimal()
	text := make([]byte, 0, maxDigits+1)
	if d.negative {
		text = append(text, '-')
	}
	for _, digit := range d.digits[:d.n] {
		text = append(text, '0'+digit)
	}
	if d.n == 0 {
		return new(big.Int), 0
	}
	i, _ = new(big.Int).SetString(string(text), 10)
	return i, d.exp - d.n + 1
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// unscaledFor returns n as an integer times ten to the power of scale, which is the same for other.unscaledFor(n).
func (n Number) unscaledFor(other Number) (i *big.Int, scale int) {
	i, scale = n.unscaled()
	_, otherScale := other.unscaled()
	low := min(scale, otherScale)
	return i.Mul(i, pow10(scale-low)), low
}
