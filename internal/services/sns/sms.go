package sns

import (
	"context"
	"maps"
	"regexp"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// smsRecord holds the settings of text messages of an account in a region.
type smsRecord struct {
	Attributes map[string]string `json:",omitempty"`
}

// smsAttributes are the settings that text messages have
// (https://docs.aws.amazon.com/sns/latest/api/API_SetSMSAttributes.html).
var smsAttributes = []string{"MonthlySpendLimit", "DeliveryStatusIAMRole", "DeliveryStatusSuccessSamplingRate", "DefaultSenderID", "DefaultSMSType", "UsageReportS3Bucket"}

func smsInvalid(format string) error {
	return &service.Error{Code: codeInvalid, Status: 400, Message: format}
}

var senderPattern = regexp.MustCompile(`^[A-Za-z0-9-]{1,11}$`)

func (s *Service) setSMSAttributes(ctx context.Context, in *api.SetSMSAttributesInput) (*api.SetSMSAttributesOutput, error) {
	for _, name := range slices.Sorted(maps.Keys(in.Attributes)) {
		value := in.Attributes[name]
		switch {
		case !slices.Contains(smsAttributes, name):
			return nil, smsInvalid(name + " is not a valid attribute")
		case name == "DefaultSMSType" && value != "Promotional" && value != "Transactional":
			return nil, smsInvalid("DefaultSMSType is invalid")
		case name == "DefaultSenderID" && (!senderPattern.MatchString(value) || !regexp.MustCompile(`[A-Za-z]`).MatchString(value)):
			return nil, smsInvalid("DefaultSendID is not a valid attribute")
		}
	}
	k := placeOf(ctx).smsSettings()
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		r, _, err := record.Get[smsRecord](tx, k)
		if err != nil {
			return err
		}
		if r.Attributes == nil {
			r.Attributes = map[string]string{}
		}
		maps.Copy(r.Attributes, in.Attributes)
		return record.Set(tx, k, r)
	})
	return &api.SetSMSAttributesOutput{}, storeError(err)
}

func (s *Service) getSMSAttributes(ctx context.Context, in *api.GetSMSAttributesInput) (*api.GetSMSAttributesOutput, error) {
	out := &api.GetSMSAttributesOutput{Attributes: map[string]string{"MonthlySpendLimit": "1"}}
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		have, _, err := record.Get[smsRecord](r, placeOf(ctx).smsSettings())
		maps.Copy(out.Attributes, have.Attributes)
		return err
	})
	if len(in.Attributes) > 0 {
		maps.DeleteFunc(out.Attributes, func(name, _ string) bool { return !slices.Contains(in.Attributes, name) })
	}
	return out, storeError(err)
}

// publishToPhone keeps a text message in the outbox.
func (s *Service) publishToPhone(ctx context.Context, number string, e *api.PublishBatchRequestEntry) (*api.PublishOutput, error) {
	if !regexp.MustCompile(`^\+`).MatchString(number) {
		if regexp.MustCompile(`^[0-9]+$`).MatchString(number) {
			return nil, invalid("PhoneNumber Reason: input incorrectly formatted")
		}
		return nil, invalid("PhoneNumber Reason: %s is not valid to publish to", number)
	}
	if !phoneNumber.MatchString(number) {
		return nil, invalid("PhoneNumber Reason: %s is not valid to publish to", number)
	}
	return s.publishToOutbox(ctx, protocolSMS, number, e)
}

func (s *Service) publishToOutbox(ctx context.Context, protocol, to string, e *api.PublishBatchRequestEntry) (*api.PublishOutput, error) {
	m, err := s.compose(ctx, nil, e)
	if err != nil {
		return nil, err
	}
	o := &outgoing{Kind: protocol, To: to, Body: m.bodyFor(protocol), Time: m.Timestamp}
	if m.Subject != nil {
		o.Subject = *m.Subject
	}
	p := placeOf(ctx)
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error { return s.outbox(tx, p, o) })
	return &api.PublishOutput{MessageId: &m.ID}, storeError(err)
}

// Nobody opts out of text messages that are not sent.

func (s *Service) checkIfPhoneNumberIsOptedOut(_ context.Context, in *api.CheckIfPhoneNumberIsOptedOutInput) (*api.CheckIfPhoneNumberIsOptedOutOutput, error) {
	if err := checkNumber(in.PhoneNumber); err != nil {
		return nil, err
	}
	return &api.CheckIfPhoneNumberIsOptedOutOutput{IsOptedOut: new(false)}, nil
}

func checkNumber(number string) error {
	if !phoneNumber.MatchString(number) {
		return invalid("PhoneNumber Reason: input incorrectly formatted")
	}
	return nil
}

func (s *Service) listPhoneNumbersOptedOut(context.Context, *api.ListPhoneNumbersOptedOutInput) (*api.ListPhoneNumbersOptedOutOutput, error) {
	return &api.ListPhoneNumbersOptedOutOutput{PhoneNumbers: []string{}}, nil
}

func (s *Service) optInPhoneNumber(_ context.Context, in *api.OptInPhoneNumberInput) (*api.OptInPhoneNumberOutput, error) {
	return &api.OptInPhoneNumberOutput{}, checkNumber(in.PhoneNumber)
}

func (s *Service) getSMSSandboxAccountStatus(context.Context, *api.GetSMSSandboxAccountStatusInput) (*api.GetSMSSandboxAccountStatusOutput, error) {
	return &api.GetSMSSandboxAccountStatusOutput{IsInSandbox: true}, nil
}
