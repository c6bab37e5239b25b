package service

import (
	"errors"
	"fmt"

	"lambent.dev/lambent/internal/store"
)

// StoreError names the errors of the store that a client can do something about: it returns an [Error] with code and status for a full disk and for too many
// conflicts, err itself when it is nil or an [Error] already, and err wrapped with the name of the API otherwise.
func StoreError(api, code string, status int, err error) error {
	var known *Error
	var message string
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, store.ErrFull):
		message = "The disk has no room for this write. Nothing was stored; free space in the data directory and try again."
	case errors.Is(err, store.ErrConflict):
		message = "Too many calls changed the same thing at the same time. Nothing was changed; try again."
	default:
		return fmt.Errorf("%s: %w", api, err)
	}
	return &Error{Code: code, Status: status, Message: message, Err: err}
}
