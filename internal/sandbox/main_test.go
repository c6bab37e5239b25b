//go:build linux

package sandbox

import (
	"os"
	"testing"
)

// payloadVariable makes the test binary act as a payload: its value names the act.
const payloadVariable = "LAMBENT_TEST_PAYLOAD"

func TestMain(m *testing.M) {
	MaybeChild()
	if act := os.Getenv(payloadVariable); act != "" {
		os.Exit(runPayload(act))
	}
	os.Exit(m.Run())
}
