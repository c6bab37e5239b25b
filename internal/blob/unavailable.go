package blob

import (
	"errors"
	"fmt"
	"syscall"
)

// UnavailableError tells why the place that keeps bodies cannot be used. It is an [ErrUnavailable].
type UnavailableError struct {
	// Reason completes "the store of bodies is unavailable because …"; it names no address and no key.
	Reason string
	// Busy tells that the place asks for fewer requests.
	Busy bool
	Err  error
}

// Error has the reason and everything below it, for logs.
func (e *UnavailableError) Error() string {
	return fmt.Sprintf("%v: %s: %v", ErrUnavailable, e.Reason, e.Err)
}

// Unwrap returns what happened.
func (e *UnavailableError) Unwrap() []error { return []error{ErrUnavailable, e.Err} }

// WrapFull marks an error of a full disk or quota as [ErrFull].
func WrapFull(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
