package plane

import (
	"encoding/base64"
	"fmt"
	"unicode/utf8"
)

// payload is a body on its way through an API, which is text or bytes by its media type and the API's binary media types
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html).
type payload struct {
	body   []byte
	binary bool
}

// The content handling strategies.
const (
	toText   = "CONVERT_TO_TEXT"
	toBinary = "CONVERT_TO_BINARY"
)

// convert returns the payload that an integration, or the client, gets. bytes tells that it takes bytes; a strategy decides before that.
func (p payload) convert(strategy string, bytes bool) (payload, error) {
	switch strategy {
	case toText:
		bytes = false
	case toBinary:
		bytes = true
	}
	switch {
	case p.binary && !bytes:
		return payload{body: base64.StdEncoding.AppendEncode(nil, p.body)}, nil
	case !p.binary && bytes:
		decoded, err := base64.StdEncoding.DecodeString(string(p.body))
		if err != nil {
			return p, fmt.Errorf("the body is not base64: %w", err)
		}
		return payload{decoded, true}, nil
	case !p.binary:
		return payload{body: validText(p.body)}, nil
	}
	return p, nil
}

// validText returns a body that is taken for text: what is no UTF-8 in it is lost, as on AWS.
func validText(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	out := make([]byte, 0, len(b)+len(b)/2)
	for _, r := range string(b) {
		out = utf8.AppendRune(out, r)
	}
	return out
}
