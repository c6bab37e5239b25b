package sns

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"math/big"
	"net/http"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// maxSandboxNumbers is how many numbers the sandbox of text messages holds (https://docs.aws.amazon.com/sns/latest/dg/sns-sms-sandbox.html).
	maxSandboxNumbers = 10
	// passwordLife is how long a one-time password is good for.
	passwordLife = 15 * time.Minute
	// maxPasswordTries is how often a password may be wrong.
	maxPasswordTries = 3
)

// sandboxRecord is a number in the sandbox. The password that proves it is kept in the outbox, as every text message.
type sandboxRecord struct {
	Number   string
	Verified bool   `json:",omitempty"`
	Password string `json:",omitempty"`
	Sent     time.Time
	Tries    int `json:",omitempty"`
}

func (r *sandboxRecord) status() string {
	if r.Verified {
		return api.SMSSandboxPhoneNumberVerificationStatusVerified
	}
	return api.SMSSandboxPhoneNumberVerificationStatusPending
}

func noNumber() error {
	return service.Errorf("ResourceNotFound", "The phone number is not in the SMS sandbox.").WithStatus(http.StatusNotFound)
}

// createSMSSandboxPhoneNumber adds a number, or sends a new password to one that is not verified.
func (s *Service) createSMSSandboxPhoneNumber(ctx context.Context, in *api.CreateSMSSandboxPhoneNumberInput) (*api.CreateSMSSandboxPhoneNumberOutput, error) {
	if err := checkNumber(in.PhoneNumber); err != nil {
		return nil, err
	}
	n, err := rand.Int(s.deps.Random, big.NewInt(1_000_000))
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	r := sandboxRecord{Number: in.PhoneNumber, Password: fmt.Sprintf("%06d", n), Sent: s.deps.Clock.Now()}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		count, there := 0, false
		for row, err := range record.Range[sandboxRecord](tx, p.sandbox().Span()) {
			if err != nil {
				return err
			}
			count++
			there = there || row.Value.Number == in.PhoneNumber
			if row.Value.Number == in.PhoneNumber && row.Value.Verified {
				return service.Errorf("UserError", "The phone number is verified already.").WithStatus(http.StatusBadRequest)
			}
		}
		if !there && count >= maxSandboxNumbers {
			return service.Errorf("UserError", "The SMS sandbox holds %d phone numbers at most. Delete one first.", maxSandboxNumbers).WithStatus(http.StatusBadRequest)
		}
		o := &outgoing{Kind: protocolSMS, To: in.PhoneNumber, Body: "Your verification code is " + r.Password, Time: r.Sent.UTC().Format(time.RFC3339)}
		if err := s.outbox(tx, p, o); err != nil {
			return err
		}
		return record.Set(tx, p.sandboxNumber(in.PhoneNumber), r)
	})
	return &api.CreateSMSSandboxPhoneNumberOutput{}, storeError(err)
}

func (s *Service) verifySMSSandboxPhoneNumber(ctx context.Context, in *api.VerifySMSSandboxPhoneNumberInput) (*api.VerifySMSSandboxPhoneNumberOutput, error) {
	k := placeOf(ctx).sandboxNumber(in.PhoneNumber)
	wrong := false
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		r, ok, err := record.Get[sandboxRecord](tx, k)
		if err == nil && !ok {
			err = noNumber()
		}
		if err != nil {
			return err
		}
		late := s.deps.Clock.Now().Sub(r.Sent) > passwordLife
		wrong = r.Tries >= maxPasswordTries || late || subtle.ConstantTimeCompare([]byte(r.Password), []byte(in.OneTimePassword)) != 1
		if wrong {
			r.Tries++ // a wrong password counts, so that nobody finds it by trying
		} else {
			r.Verified, r.Password = true, ""
		}
		return record.Set(tx, k, r)
	})
	if err == nil && wrong {
		const text = "The one-time password is wrong, too old or was tried too often. Ask for a new one with CreateSMSSandboxPhoneNumber."
		err = service.Errorf("VerificationException", text).WithStatus(http.StatusBadRequest).WithDetail(&api.VerificationException{Message: text, Status: api.SMSSandboxPhoneNumberVerificationStatusPending})
	}
	return &api.VerifySMSSandboxPhoneNumberOutput{}, storeError(err)
}

func (s *Service) deleteSMSSandboxPhoneNumber(ctx context.Context, in *api.DeleteSMSSandboxPhoneNumberInput) (*api.DeleteSMSSandboxPhoneNumberOutput, error) {
	k := placeOf(ctx).sandboxNumber(in.PhoneNumber)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		there, err := record.Has(tx, k)
		if err == nil && !there {
			err = noNumber()
		}
		if err == nil {
			tx.Delete(k)
		}
		return err
	})
	return &api.DeleteSMSSandboxPhoneNumberOutput{}, storeError(err)
}

// listSMSSandboxPhoneNumbers lists all numbers: there are few.
func (s *Service) listSMSSandboxPhoneNumbers(ctx context.Context, _ *api.ListSMSSandboxPhoneNumbersInput) (*api.ListSMSSandboxPhoneNumbersOutput, error) {
	out := &api.ListSMSSandboxPhoneNumbersOutput{}
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		out.PhoneNumbers = []api.SMSSandboxPhoneNumber{}
		for row, err := range record.Range[sandboxRecord](r, placeOf(ctx).sandbox().Span()) {
			if err != nil {
				return err
			}
			out.PhoneNumbers = append(out.PhoneNumbers, api.SMSSandboxPhoneNumber{PhoneNumber: new(row.Value.Number), Status: row.Value.status()})
		}
		return nil
	})
	return out, storeError(err)
}

// listOriginationNumbers lists none: text messages are not sent.
func (s *Service) listOriginationNumbers(context.Context, *api.ListOriginationNumbersInput) (*api.ListOriginationNumbersOutput, error) {
	return &api.ListOriginationNumbersOutput{PhoneNumbers: []api.PhoneNumberInformation{}}, nil
}
