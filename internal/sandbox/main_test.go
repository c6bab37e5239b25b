//go:build linux

package sandbox

import (
	"os"
	"testing"
)

// payloadVariable makes the test binary act as a payload: its value names the act.
const payloadVariable = "LAMBENT_TEST_PAYLOAD"

// noUsersVariable makes the test binary forbid itself to make user namespaces.
const noUsersVariable = "LAMBENT_TEST_NO_USERS"

func TestMain(m *testing.M) {
	MaybeChild()
	if act := os.Getenv(payloadVariable); act != "" {
		os.Exit(runPayload(act))
	}
	if os.Getenv(noUsersVariable) != "" {
		// The limit of the user namespace that this process was started in: no further ones can be made.
		if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
