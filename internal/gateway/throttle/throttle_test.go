package throttle_test

import (
	"testing"
	"time"

	"lambent.dev/lambent/internal/gateway/throttle"
	"lambent.dev/lambent/internal/lib/tokenbucket"
)

func TestRequestThatIsRefusedTakesNothing(t *testing.T) {
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	r := throttle.New(tokenbucket.Limit{Rate: 10, Burst: 5})
	stage := throttle.Claim{Key: throttle.Key{API: "a", Stage: "s"}, Limit: tokenbucket.Limit{Rate: 1, Burst: 3}}
	method := throttle.Claim{Key: throttle.Key{API: "a", Stage: "s", Method: "GET /"}, Limit: tokenbucket.Limit{Rate: 1, Burst: 1}}
	if r.Admit(now, stage, method) != -1 {
		t.Fatal("the first request was refused")
	}
	for range 5 {
		if r.Admit(now, stage, method) != 1 {
			t.Fatal("the method's bucket was not empty")
		}
	}
	for range 2 {
		if r.Admit(now, stage) != -1 {
			t.Error("refused requests took tokens of the stage")
		}
	}
	if r.Admit(now, stage) != 0 {
		t.Error("the stage's bucket was not empty")
	}
}

func TestAccountsHaveTheLimitOfTheSettings(t *testing.T) {
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	r := throttle.New(tokenbucket.Limit{Rate: 10, Burst: 2})
	one, other := r.Account("111122223333", "eu-west-1"), r.Account("111122223333", "us-east-1")
	if one.Limit != r.AccountLimit() || r.Admit(now, one) != -1 || r.Admit(now, one) != -1 || r.Admit(now, one) != 0 {
		t.Errorf("the account's limit is %+v", one.Limit)
	}
	if r.Admit(now, other) != -1 {
		t.Error("two regions share a limit")
	}
}
