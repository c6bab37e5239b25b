package dynamodb

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

func TestStoreErrorsThatACallerCanActOnHaveACode(t *testing.T) {
	for _, c := range []struct {
		err    error
		code   string
		status int
	}{
		{store.ErrConflict, "TransactionConflictException", 0},
		{store.ErrTooLarge, "ValidationException", 0},
		{store.ErrFull, "ServiceUnavailable", http.StatusServiceUnavailable},
	} {
		var e *service.Error
		if err := storeError(fmt.Errorf("put: %w", c.err)); !errors.As(err, &e) || e.Code != c.code || e.Status != c.status || !errors.Is(err, c.err) {
			t.Errorf("storeError(%v) = %v, want code %s and status %d", c.err, err, c.code, c.status)
		}
	}
	if err := storeError(errors.New("broken")); errors.As(err, new(*service.Error)) {
		t.Errorf("an unknown error became an answer: %v", err)
	}
}
