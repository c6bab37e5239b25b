package ssm

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/lib/seal"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// keyUse binds the data key of a value to its parameter, as AWS's encryption context does, see
// https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html.
func (p place) keyUse(name, key string) port.KeyUse {
	return port.KeyUse{Service: "ssm", Key: key, Account: p.account, Region: p.region, Context: map[string]string{"PARAMETER_ARN": p.arn(name)}}
}

// keep puts a value into a version, sealed if its type asks for that.
func (s *Service) keep(ctx context.Context, p place, name string, v *versionRecord, value string) error {
	if v.Type != api.ParameterTypeSecureString {
		v.Value = value
		return nil
	}
	k, err := s.options.Keys.GenerateDataKey(ctx, p.keyUse(name, v.KeyID))
	if err != nil {
		return badKey(err)
	}
	v.Wrapped = k.Wrapped
	v.Sealed, err = seal.Value(k.Plain, []byte(value))
	return err
}

// reveal returns the value of a version; without decrypt that of a SecureString is its ciphertext.
func (s *Service) reveal(ctx context.Context, p place, name string, v *versionRecord, decrypt bool) (string, error) {
	if v.Type != api.ParameterTypeSecureString {
		return v.Value, nil
	}
	if !decrypt {
		return base64.StdEncoding.EncodeToString(v.Sealed), nil
	}
	plain, err := s.options.Keys.Decrypt(ctx, p.keyUse(name, v.KeyID), v.Wrapped)
	if err != nil {
		return "", badKey(err)
	}
	text, err := seal.OpenValue(plain, v.Sealed)
	return string(text), err
}

// badKey returns an error of the key service as the Parameter Store passes it on. A denial is one in its own words.
func badKey(err error) error {
	var e *service.Error
	if errors.As(err, &e) && strings.HasPrefix(e.Code, "KMS.") {
		return refused("InvalidKeyId", "%s", e.Message)
	}
	return err
}
