package iam_test

import (
	"bytes"
	"encoding/base32"
	"fmt"
	"image/png"
	"slices"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth"
	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/lib/totp"
	"lambent.dev/lambent/internal/service"
)

const phone = "arn:aws:iam::000000000000:mfa/team/phone"

// phoneOf makes the device "phone" and returns its seed.
func phoneOf(t testing.TB, p *platform) []byte {
	t.Helper()
	made := call[api.CreateVirtualMFADeviceOutput](t, p, as(root), "CreateVirtualMFADevice", &api.CreateVirtualMFADeviceInput{
		VirtualMFADeviceName: "phone", Path: ptr("/team/"), Tags: []api.Tag{{Key: "a", Value: "b"}},
	}).VirtualMFADevice
	seed, err := base32.StdEncoding.DecodeString(string(made.Base32StringSeed))
	if err != nil || len(made.Base32StringSeed) != 64 || made.SerialNumber != phone {
		t.Fatalf("device = %+v, %v", made, err)
	}
	code, err := png.Decode(bytes.NewReader(made.QRCodePNG))
	if err != nil || code.Bounds().Dx() < 100 {
		t.Errorf("QR code: %v", err)
	}
	return seed
}

// codeAt is what a device shows some steps from now.
func codeAt(p *platform, seed []byte, steps int64) string {
	return totp.Code(seed, totp.Counter(p.clock.Now())+steps)
}

func enable(p *platform, name string, first, second string) string {
	return code(p, as(root), "EnableMFADevice", &api.EnableMFADeviceInput{UserName: name, SerialNumber: phone, AuthenticationCode1: first, AuthenticationCode2: second})
}

// userOf makes a user, and returns its ARN.
func userOf(t testing.TB, p *platform, name string) string {
	t.Helper()
	return call[api.CreateUserOutput](t, p, as(root), "CreateUser", &api.CreateUserInput{UserName: name}).User.Arn
}

func TestAVirtualMFADeviceLivesFromCreateToDelete(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	userOf(t, p, "ann")
	seed := phoneOf(t, p)
	listed := func(status string) int {
		return len(call[api.ListVirtualMFADevicesOutput](t, p, ctx, "ListVirtualMFADevices", &api.ListVirtualMFADevicesInput{AssignmentStatus: status}).VirtualMFADevices)
	}
	if listed("Assigned") != 0 || listed("Unassigned") != 1 || listed("") != 1 {
		t.Error("the lists are not those of a device that nobody has")
	}
	if c := enable(p, "ann", codeAt(p, seed, -1), codeAt(p, seed, 0)); c != "" {
		t.Fatalf("enable: %s", c)
	}
	call[api.UpdateUserOutput](t, p, ctx, "UpdateUser", &api.UpdateUserInput{UserName: "ann", NewUserName: ptr("Beth")})
	all := call[api.ListVirtualMFADevicesOutput](t, p, ctx, "ListVirtualMFADevices", &api.ListVirtualMFADevicesInput{AssignmentStatus: "Any"}).VirtualMFADevices
	if len(all) != 1 || all[0].SerialNumber != phone || all[0].User == nil || all[0].User.UserName != "Beth" || !all[0].EnableDate.Equal(start) || all[0].Base32StringSeed != nil || listed("Unassigned") != 0 {
		t.Errorf("all devices = %+v", all)
	}
	own := call[api.ListMFADevicesOutput](t, p, ctx, "ListMFADevices", &api.ListMFADevicesInput{UserName: ptr("beth")}).MFADevices
	if !slices.Equal(own, []api.MFADevice{{UserName: "Beth", SerialNumber: phone, EnableDate: start}}) {
		t.Errorf("devices = %+v", own)
	}
	got := call[api.GetMFADeviceOutput](t, p, ctx, "GetMFADevice", &api.GetMFADeviceInput{SerialNumber: phone})
	if *got.UserName != "Beth" || !got.EnableDate.Equal(start) {
		t.Errorf("device = %+v", got)
	}
	summary := call[api.GetAccountSummaryOutput](t, p, ctx, "GetAccountSummary", &api.GetAccountSummaryInput{}).SummaryMap
	if summary["MFADevices"] != 1 || summary["MFADevicesInUse"] != 1 {
		t.Errorf("summary = %v", summary)
	}
	call[api.TagMFADeviceOutput](t, p, ctx, "TagMFADevice", &api.TagMFADeviceInput{SerialNumber: phone, Tags: []api.Tag{{Key: "c", Value: "d"}}})
	call[api.UntagMFADeviceOutput](t, p, ctx, "UntagMFADevice", &api.UntagMFADeviceInput{SerialNumber: phone, TagKeys: []string{"a"}})
	if tags := call[api.ListMFADeviceTagsOutput](t, p, ctx, "ListMFADeviceTags", &api.ListMFADeviceTagsInput{SerialNumber: phone}).Tags; !slices.Equal(tags, []api.Tag{{Key: "c", Value: "d"}}) {
		t.Errorf("tags = %v", tags)
	}
	for _, tc := range []struct {
		operation string
		in        any
		want      string
	}{
		{"DeleteVirtualMFADevice", &api.DeleteVirtualMFADeviceInput{SerialNumber: phone}, "DeleteConflict"},
		{"DeleteUser", &api.DeleteUserInput{UserName: "Beth"}, "DeleteConflict"},
		{"DeactivateMFADevice", &api.DeactivateMFADeviceInput{UserName: ptr("Beth"), SerialNumber: phone}, ""},
		{"DeactivateMFADevice", &api.DeactivateMFADeviceInput{UserName: ptr("Beth"), SerialNumber: phone}, "NoSuchEntity"},
		{"DeleteUser", &api.DeleteUserInput{UserName: "Beth"}, ""},
		{"DeleteVirtualMFADevice", &api.DeleteVirtualMFADeviceInput{SerialNumber: phone}, ""},
		{"DeleteVirtualMFADevice", &api.DeleteVirtualMFADeviceInput{SerialNumber: phone}, "NoSuchEntity"},
	} {
		if got := code(p, ctx, tc.operation, tc.in); got != tc.want {
			t.Errorf("%s %+v = %q, want %q", tc.operation, tc.in, got, tc.want)
		}
	}
}

func TestMFADevicesAreRefusedAsByAWS(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	userOf(t, p, "ann")
	userOf(t, p, "bob")
	seed := phoneOf(t, p)
	for i := range 8 {
		made := call[api.CreateVirtualMFADeviceOutput](t, p, ctx, "CreateVirtualMFADevice", &api.CreateVirtualMFADeviceInput{VirtualMFADeviceName: fmt.Sprint("more-", i)}).VirtualMFADevice
		seed, err := base32.StdEncoding.DecodeString(string(made.Base32StringSeed))
		if err != nil {
			t.Fatal(err)
		}
		call[api.EnableMFADeviceOutput](t, p, ctx, "EnableMFADevice", &api.EnableMFADeviceInput{
			UserName: "bob", SerialNumber: made.SerialNumber, AuthenticationCode1: codeAt(p, seed, 0), AuthenticationCode2: codeAt(p, seed, 1),
		})
	}
	for _, tc := range []struct{ name, user, first, second, want string }{
		{"twice the same code", "ann", codeAt(p, seed, 0), codeAt(p, seed, 0), "InvalidAuthenticationCode"},
		{"codes that do not follow each other", "ann", codeAt(p, seed, 0), codeAt(p, seed, 2), "InvalidAuthenticationCode"},
		{"codes of an hour ago", "ann", codeAt(p, seed, -120), codeAt(p, seed, -119), "InvalidAuthenticationCode"},
		{"letters", "ann", "abcdef", "abcdeg", "ValidationError"},
		{"nobody", "nobody", codeAt(p, seed, 0), codeAt(p, seed, 1), "NoSuchEntity"},
		{"a user with all the devices that one may have", "bob", codeAt(p, seed, 0), codeAt(p, seed, 1), "LimitExceeded"},
		{"codes of a clock that is behind", "ann", codeAt(p, seed, -9), codeAt(p, seed, -8), ""},
		{"a device that is in use", "ann", codeAt(p, seed, 0), codeAt(p, seed, 1), "EntityAlreadyExists"},
	} {
		if got := enable(p, tc.user, tc.first, tc.second); got != tc.want {
			t.Errorf("%s = %q, want %q", tc.name, got, tc.want)
		}
	}
	for _, tc := range []struct {
		operation string
		in        any
		want      string
	}{
		{"CreateVirtualMFADevice", &api.CreateVirtualMFADeviceInput{VirtualMFADeviceName: "Phone", Path: ptr("/team/")}, "EntityAlreadyExists"},
		{"CreateVirtualMFADevice", &api.CreateVirtualMFADeviceInput{VirtualMFADeviceName: "phone"}, ""},
		{"GetMFADevice", &api.GetMFADeviceInput{SerialNumber: phone, UserName: ptr("bob")}, "NoSuchEntity"},
		{"DeactivateMFADevice", &api.DeactivateMFADeviceInput{SerialNumber: phone, UserName: ptr("bob")}, "NoSuchEntity"},
		{"ResyncMFADevice", &api.ResyncMFADeviceInput{SerialNumber: phone, UserName: "bob", AuthenticationCode1: codeAt(p, seed, 0), AuthenticationCode2: codeAt(p, seed, 1)}, "NoSuchEntity"},
		{"EnableMFADevice", &api.EnableMFADeviceInput{SerialNumber: "GAHT12345678", UserName: "ann", AuthenticationCode1: "123456", AuthenticationCode2: "123457"}, "NoSuchEntity"},
		{"TagMFADevice", &api.TagMFADeviceInput{SerialNumber: "arn:aws:iam::111111111111:mfa/team/phone", Tags: []api.Tag{{Key: "a"}}}, "NoSuchEntity"},
		{"ListMFADevices", &api.ListMFADevicesInput{UserName: ptr("nobody")}, "NoSuchEntity"},
		{"ListMFADevices", &api.ListMFADevicesInput{}, ""},
	} {
		if got := code(p, ctx, tc.operation, tc.in); got != tc.want {
			t.Errorf("%s %+v = %q, want %q", tc.operation, tc.in, got, tc.want)
		}
	}
}

// check uses what the device shows some steps from now.
func check(t testing.TB, p *platform, user, serial string, code string) auth.MFA {
	t.Helper()
	got, err := p.dir.CheckMFA(t.Context(), user, serial, code)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestACodeIsGoodOnceAndNearItsTime(t *testing.T) {
	p := newPlatform(t)
	ann, bob := userOf(t, p, "ann"), userOf(t, p, "bob")
	seed := phoneOf(t, p)
	if got := check(t, p, ann, phone, codeAt(p, seed, 0)); got != auth.MFAUnknown {
		t.Errorf("before the device is enabled: %v", got)
	}
	// The clock of the device is two steps behind.
	if c := enable(p, "ann", codeAt(p, seed, -3), codeAt(p, seed, -2)); c != "" {
		t.Fatal(c)
	}
	for _, tc := range []struct {
		name    string
		forward time.Duration
		who     string
		serial  string
		steps   int64
		want    auth.MFA
	}{
		{"the code that enabled the device", 0, ann, phone, -2, auth.MFAWrong},
		{"the code of the clock here, which the device does not show yet", 0, ann, phone, 0, auth.MFAWrong},
		{"the next code of the device", totp.Step, ann, phone, -2, auth.MFAProven},
		{"the same again", 0, ann, phone, -2, auth.MFAWrong},
		{"the code after the next", 0, ann, phone, -1, auth.MFAProven},
		{"the one before it", 0, ann, phone, -2, auth.MFAWrong},
		{"a code of now of a device that ran on", totp.Step, ann, phone, -1, auth.MFAProven},
		{"another user", totp.Step, bob, phone, -1, auth.MFAUnknown},
		{"another device", 0, ann, phone + "s", -1, auth.MFAUnknown},
		{"no user", 0, "arn:aws:iam::000000000000:role/app", phone, -1, auth.MFAUnknown},
		{"no ARN", 0, "ann", phone, -1, auth.MFAUnknown},
		{"nobody", 0, ann + "a", phone, -1, auth.MFAUnknown},
		{"a code of an hour later without a code between", time.Hour, ann, phone, 0, auth.MFAProven},
	} {
		p.clock.Advance(tc.forward)
		if got := check(t, p, tc.who, tc.serial, codeAt(p, seed, tc.steps)); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestADeviceIsSynchronizedAgain(t *testing.T) {
	p := newPlatform(t)
	ann := userOf(t, p, "ann")
	seed := phoneOf(t, p)
	if c := enable(p, "ann", codeAt(p, seed, 0), codeAt(p, seed, 1)); c != "" {
		t.Fatal(c)
	}
	p.clock.Advance(time.Hour)
	if got := check(t, p, ann, phone, codeAt(p, seed, 40)); got != auth.MFAWrong {
		t.Errorf("a device that is 20 minutes ahead: %v", got)
	}
	resync := func(first, second int64) string {
		in := &api.ResyncMFADeviceInput{UserName: "ann", SerialNumber: phone, AuthenticationCode1: codeAt(p, seed, first), AuthenticationCode2: codeAt(p, seed, second)}
		return code(p, as(root), "ResyncMFADevice", in)
	}
	for _, tc := range []struct {
		first, second int64
		want          string
	}{{-120, -119, "InvalidAuthenticationCode"}, {130, 131, "InvalidAuthenticationCode"}, {40, 42, "InvalidAuthenticationCode"}, {40, 41, ""}} {
		if got := resync(tc.first, tc.second); got != tc.want {
			t.Errorf("codes %d and %d steps from now: %q, want %q", tc.first, tc.second, got, tc.want)
		}
	}
	if got := check(t, p, ann, phone, codeAt(p, seed, 42)); got != auth.MFAProven {
		t.Errorf("afterwards: %v", got)
	}
}

func TestWrongCodesBlockADeviceForAWhile(t *testing.T) {
	p := newPlatform(t)
	ann := userOf(t, p, "ann")
	seed := phoneOf(t, p)
	if c := enable(p, "ann", codeAt(p, seed, -1), codeAt(p, seed, 0)); c != "" {
		t.Fatal(c)
	}
	wrong := func() auth.MFA { return check(t, p, ann, phone, codeAt(p, seed, 1000)) }
	for i := range 5 {
		if got := wrong(); got != auth.MFAWrong {
			t.Errorf("wrong code %d: %v", i, got)
		}
	}
	for _, block := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
		p.clock.Advance(block - time.Second)
		if got := check(t, p, ann, phone, codeAt(p, seed, 0)); got != auth.MFABlocked {
			t.Errorf("%v after the last wrong code: %v", block-time.Second, got)
		}
		p.clock.Advance(time.Second)
		if got := wrong(); got != auth.MFAWrong {
			t.Errorf("after %v: %v", block, got)
		}
	}
	for range 10 {
		p.clock.Advance(time.Hour)
		if got := wrong(); got != auth.MFAWrong {
			t.Errorf("after an hour: %v", got)
		}
	}
	p.clock.Advance(time.Hour)
	if got := check(t, p, ann, phone, codeAt(p, seed, 0)); got != auth.MFAProven {
		t.Errorf("the right code after an hour: %v", got)
	}
	if got := wrong(); got != auth.MFAWrong {
		t.Errorf("the count begins anew: %v", got)
	}
	p.clock.Advance(totp.Step)
	if got := check(t, p, ann, phone, codeAt(p, seed, 0)); got != auth.MFAProven {
		t.Errorf("after one wrong code: %v", got)
	}
}

func TestUsersManageTheirOwnDevices(t *testing.T) {
	p := newPlatform(t)
	arn := userOf(t, p, "ann")
	call[api.PutUserPolicyOutput](t, p, as(root), "PutUserPolicy", &api.PutUserPolicyInput{
		UserName: "ann", PolicyName: "own", PolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*MFADevice*"],"Resource":["arn:aws:iam::*:mfa/${aws:username}","` + arn + `"]}]}`,
	})
	ann := as(service.Principal{Kind: service.User, Account: account, ARN: arn})
	for _, tc := range []struct {
		operation string
		in        any
		want      string
	}{
		{"CreateVirtualMFADevice", &api.CreateVirtualMFADeviceInput{VirtualMFADeviceName: "bob"}, "AccessDenied"},
		{"CreateVirtualMFADevice", &api.CreateVirtualMFADeviceInput{VirtualMFADeviceName: "ann", Path: ptr("/team/")}, "AccessDenied"},
		{"CreateVirtualMFADevice", &api.CreateVirtualMFADeviceInput{VirtualMFADeviceName: "ann"}, ""},
		{"ListMFADevices", &api.ListMFADevicesInput{}, ""},
		{"ListVirtualMFADevices", &api.ListVirtualMFADevicesInput{}, "AccessDenied"},
		{"TagMFADevice", &api.TagMFADeviceInput{SerialNumber: "arn:aws:iam::000000000000:mfa/ann", Tags: []api.Tag{{Key: "a"}}}, ""},
		{"DeactivateMFADevice", &api.DeactivateMFADeviceInput{SerialNumber: "arn:aws:iam::000000000000:mfa/ann"}, "NoSuchEntity"},
		{"DeleteVirtualMFADevice", &api.DeleteVirtualMFADeviceInput{SerialNumber: "arn:aws:iam::000000000000:mfa/ann"}, ""},
	} {
		if got := code(p, ann, tc.operation, tc.in); got != tc.want {
			t.Errorf("%s %+v = %q, want %q", tc.operation, tc.in, got, tc.want)
		}
	}
}
