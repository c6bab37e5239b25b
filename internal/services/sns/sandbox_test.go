package sns

import (
	"strings"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/service"
)

func TestNumberInTheSandboxIsVerifiedByThePasswordInTheOutbox(t *testing.T) {
	h := newHarness(t, nil)
	const number = "+4915123456789"
	create := func(number string) error {
		_, err := h.Call(h.ctx, "sns", "CreateSMSSandboxPhoneNumber", &api.CreateSMSSandboxPhoneNumberInput{PhoneNumber: number})
		return err
	}
	verify := func(password string) error {
		_, err := h.Call(h.ctx, "sns", "VerifySMSSandboxPhoneNumber", &api.VerifySMSSandboxPhoneNumberInput{PhoneNumber: number, OneTimePassword: password})
		return err
	}
	password := func() string {
		sent, err := h.impl.kept(h.ctx, placeOf(h.ctx), 1)
		if err != nil || len(sent) != 1 || sent[0].To != number {
			t.Fatalf("outbox: %v, %v", sent, err)
		}
		return strings.TrimPrefix(sent[0].Body, "Your verification code is ")
	}
	status := func() string {
		list := do[api.ListSMSSandboxPhoneNumbersOutput](t, h, "sns", "ListSMSSandboxPhoneNumbers", &api.ListSMSSandboxPhoneNumbersInput{}).PhoneNumbers
		if len(list) == 0 {
			return ""
		}
		return list[0].Status
	}
	if err := verify("000000"); service.Code(err) != "ResourceNotFound" {
		t.Errorf("a number that is not there: %v", err)
	}
	if err := create("12"); service.Code(err) != codeInvalid {
		t.Errorf("a broken number: %v", err)
	}
	if err := create(number); err != nil {
		t.Fatal(err)
	}
	if got := status(); got != "Pending" {
		t.Errorf("status %s", got)
	}
	for range maxPasswordTries {
		if err := verify("x" + password()[1:]); service.Code(err) != "VerificationException" {
			t.Errorf("a wrong password: %v", err)
		}
	}
	if err := verify(password()); service.Code(err) != "VerificationException" {
		t.Errorf("the right password after too many wrong ones: %v", err)
	}
	if err := create(number); err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(passwordLife + time.Second)
	if err := verify(password()); service.Code(err) != "VerificationException" {
		t.Errorf("an old password: %v", err)
	}
	if err := create(number); err != nil {
		t.Fatal(err)
	}
	if err := verify(password()); err != nil {
		t.Fatal(err)
	}
	if got := status(); got != "Verified" {
		t.Errorf("status %s", got)
	}
	if err := create(number); service.Code(err) != "UserError" {
		t.Errorf("a verified number again: %v", err)
	}
	do[api.DeleteSMSSandboxPhoneNumberOutput](t, h, "sns", "DeleteSMSSandboxPhoneNumber", &api.DeleteSMSSandboxPhoneNumberInput{PhoneNumber: number})
	if got := status(); got != "" {
		t.Errorf("status %s after the deletion", got)
	}
	for i := range maxSandboxNumbers {
		if err := create("+491512345678" + string(rune('0'+i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := create("+4915200000000"); service.Code(err) != "UserError" {
		t.Errorf("one number too many: %v", err)
	}
}
