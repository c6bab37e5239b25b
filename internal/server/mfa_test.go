package server

import (
	"encoding/base32"
	"testing"
	"time"

	"lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/lib/totp"
	"lambent.dev/lambent/internal/service"
)

// TestARoleAsksForTheCodeOfAUsersDevice goes the whole way from a device to a role whose trust policy wants its code.
func TestARoleAsksForTheCodeOfAUsersDevice(t *testing.T) {
	now := clock.NewFake(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))
	s := run(t, machine{clock: now}, func(cfg *config.Config) { cfg.Ephemeral, cfg.Sandbox = true, config.SandboxOff })
	c := &contract{t, s, asRoot(t, s)}
	ann := ask[iam.CreateUserOutput](c, "iam", "CreateUser", &iam.CreateUserInput{UserName: "ann"}).User
	ask[iam.PutUserPolicyOutput](c, "iam", "PutUserPolicy", &iam.PutUserPolicyInput{
		UserName: "ann", PolicyName: "p", PolicyDocument: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}`,
	})
	role := ask[iam.CreateRoleOutput](c, "iam", "CreateRole", &iam.CreateRoleInput{RoleName: "careful", AssumeRolePolicyDocument: `{"Version":"2012-10-17","Statement":{"Effect":"Allow",` +
		`"Principal":{"AWS":"` + ann.Arn + `"},"Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}}`}).Role
	device := ask[iam.CreateVirtualMFADeviceOutput](c, "iam", "CreateVirtualMFADevice", &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: "ann"}).VirtualMFADevice
	seed, err := base32.StdEncoding.DecodeString(string(device.Base32StringSeed))
	if err != nil {
		t.Fatal(err)
	}
	code := func(steps int64) string { return totp.Code(seed, totp.Counter(now.Now())+steps) }
	ask[iam.EnableMFADeviceOutput](c, "iam", "EnableMFADevice", &iam.EnableMFADeviceInput{UserName: "ann", SerialNumber: device.SerialNumber, AuthenticationCode1: code(-2), AuthenticationCode2: code(-1)})

	c.ctx = service.As(c.ctx, service.Principal{Kind: service.User, Account: s.RootKey().Account, ARN: ann.Arn, UserID: ann.UserId})
	assume := func(serial, code *string) string {
		_, err := service.Call[sts.AssumeRoleOutput](c.ctx, s.plane.Door, "sts", "AssumeRole", &sts.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: "work", SerialNumber: serial, TokenCode: code})
		return service.Code(err)
	}
	for _, tc := range []struct {
		name         string
		serial, code *string
		want         string
	}{
		{"without a code", nil, nil, "AccessDenied"},
		{"with the code that is shown", &device.SerialNumber, new(code(0)), ""},
		{"with the same again", &device.SerialNumber, new(code(0)), "AccessDenied"},
	} {
		if got := assume(tc.serial, tc.code); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
