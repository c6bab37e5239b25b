package sigv4

import (
	"crypto/hmac"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// Form is the signature of an upload by an HTML form: it covers the policy document of the form and nothing else.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html
type Form struct {
	// Policy is the policy as the form has it, in base64.
	Policy string
	// Credential is the scope of Version 4; AccessKeyID is set instead in forms of Version 2.
	Credential, AccessKeyID string
	// Signature is hexadecimal in Version 4, and base64 in Version 2.
	Signature string
	// Token is the session token of temporary credentials.
	Token string
}

// credentialError is a refused x-amz-credential of a form.
func credentialError(value, msg string) *Error {
	return &Error{Kind: FormField, Message: msg, Extra: []Field{{"ArgumentName", "x-amz-credential"}, {"ArgumentValue", clip(value)}}}
}

// ParseForm reads the scope of a form's signature.
func ParseForm(f *Form) (*Signature, error) {
	if f.Credential == "" {
		return &Signature{Version: V2, AccessKeyID: f.AccessKeyID, Token: f.Token, Value: f.Signature}, nil
	}
	parts := strings.Split(f.Credential, "/")
	switch {
	case len(parts) != 5:
		return nil, credentialError(f.Credential, `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`)
	case parts[4] != terminator:
		return nil, credentialError(f.Credential, `incorrect terminal "`+clip(parts[4])+`". This endpoint uses "aws4_request".`)
	case parts[3] != "s3":
		return nil, credentialError(f.Credential, `incorrect service "`+clip(parts[3])+`". This endpoint belongs to "s3".`)
	case len(parts[1]) != 8 || strings.Trim(parts[1], "0123456789") != "":
		return nil, credentialError(f.Credential, `incorrect date format "`+clip(parts[1])+`". This date in the credential must be in the format "yyyyMMdd".`)
	}
	return &Signature{Version: V4, AccessKeyID: parts[0], Date: parts[1], Region: parts[2], Service: parts[3], Token: f.Token, Value: f.Signature}, nil
}

// VerifyForm checks that s, parsed from f, was made with secret.
func (v *Verifier) VerifyForm(f *Form, s *Signature, secret string) error {
	var ok bool
	if s.Version == V2 {
		ok = hmac.Equal([]byte(sign2(secret, f.Policy)), []byte(s.Value))
	} else {
		key := v.signingKey(s, secret)
		sum := key.sum([]byte(f.Policy))
		ok = subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(s.Value)) == 1
	}
	if !ok {
		return &Error{Kind: Mismatch, AccessKeyID: s.AccessKeyID, StringToSign: f.Policy, Signature: clip(s.Value)}
	}
	return nil
}
