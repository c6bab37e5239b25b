package s3

import (
	"fmt"
	"testing"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

func TestWhatTheStoresRefuseHasCodesOfS3(t *testing.T) {
	for err, want := range map[error]string{
		blob.ErrBusy:      "SlowDown",
		blob.ErrFull:      "ServiceUnavailable",
		store.ErrFull:     "ServiceUnavailable",
		store.ErrConflict: "ConditionalRequestConflict",
		&blob.UnavailableError{Reason: "it does not answer"}:     "ServiceUnavailable",
		&blob.UnavailableError{Reason: "it is full", Busy: true}: "SlowDown",
	} {
		if got := service.Code(fromStore(fmt.Errorf("write body: %w", err))); got != want {
			t.Errorf("%v: code is %q, want %q", err, got, want)
		}
	}
}
