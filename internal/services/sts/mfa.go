package sts

import (
	"context"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// proveMFA uses up the code that a call gives, and tells whether it gave one. A code that is not right refuses the call.
func (s *STS) proveMFA(ctx context.Context, serial, code *string) (proven bool, err error) {
	if serial == nil && code == nil {
		return false, nil
	}
	if opt.Value(serial) == "" || opt.Value(code) == "" {
		return false, denied("MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.")
	}
	outcome := auth.MFAUnknown
	if p := service.RequestFrom(ctx).Principal; p.Kind == service.User {
		if outcome, err = s.roles.CheckMFA(ctx, p.ARN, *serial, *code); err != nil {
			return false, err
		}
	}
	switch outcome {
	case auth.MFAProven:
		return true, nil
	case auth.MFAWrong:
		return false, denied("MultiFactorAuthentication failed with invalid MFA one time pass code. A code can be used once: wait for the next one.")
	case auth.MFABlocked:
		return false, denied("MultiFactorAuthentication failed with invalid MFA one time pass code. There were too many wrong codes for this device: wait, for an hour at most, and try again.")
	case auth.MFAUnknown:
	}
	return false, denied("MultiFactorAuthentication failed, unable to validate MFA code. Please verify your MFA serial number is valid and associated with this user.")
}
