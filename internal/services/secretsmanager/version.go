package secretsmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/seal"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The stages that Secrets Manager itself moves.
const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
	stagePending  = "AWSPENDING"
)

// Limits of https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html.
const (
	maxValue    = 65536
	keptUnnamed = 100 // versions without stages
	maxStages   = 20
)

// versionRecord is a version of a secret. Sealed is nil while a rotation has not put its value.
type versionRecord struct {
	Created         time.Time
	Accessed        time.Time `json:",omitzero"`
	Sealed, Wrapped []byte    `json:",omitempty"`
	// Key is the ARN of the key; Default tells that the secret named none.
	Key     string
	Default bool `json:",omitempty"`
}

// value is the value of a version: a text or bytes.
type value struct {
	Text  *string `json:",omitempty"`
	Bytes []byte  `json:",omitempty"`
}

func (v value) isEmpty() bool { return v.Text == nil && v.Bytes == nil }

func (v value) check() error {
	switch {
	case v.Text != nil && v.Bytes != nil:
		return badRequest("You can't specify both SecretString and SecretBinary.")
	case v.isEmpty():
		return badRequest("You must provide either SecretString or SecretBinary.")
	case v.Text != nil && len(*v.Text) > maxValue, len(v.Bytes) > maxValue:
		return badParameter("The secret value is longer than %d bytes.", maxValue)
	}
	return nil
}

// keyUse says how the value of a version is encrypted, see
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html.
func (f *found) keyUse(version string) port.KeyUse {
	k := f.KMSKey
	if k == "" {
		k = defaultKey
	}
	return port.KeyUse{Service: "secretsmanager", Key: k, Account: f.account, Region: f.region, Context: map[string]string{"SecretARN": f.arn(), "SecretVersionId": version}}
}

const defaultKey = "alias/aws/secretsmanager"

// sealedValue is a new version, with the same value sealed for the replicas by their regions.
type sealedValue struct {
	id       string
	plain    value
	record   versionRecord
	replicas map[string]versionRecord
}

// sealNew seals a value for a version of a secret and of its replicas.
func (s *Service) sealNew(ctx context.Context, f *found, version string, v value) (*sealedValue, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	out := &sealedValue{id: version, plain: v, replicas: map[string]versionRecord{}}
	var err error
	if out.record, err = s.sealFor(ctx, f, version, v, false); err != nil {
		return nil, err
	}
	for _, r := range f.Replicas {
		if out.replicas[r.Region], err = s.sealFor(ctx, f.replica(r), version, v, true); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Service) sealFor(ctx context.Context, f *found, version string, v value, granted bool) (r versionRecord, err error) {
	use := f.keyUse(version)
	use.Granted = granted
	k, err := s.options.Keys.GenerateDataKey(ctx, use)
	if err != nil {
		return r, badKey("EncryptionFailure", err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return r, err
	}
	r = versionRecord{Created: s.now(), Wrapped: k.Wrapped, Key: k.Key, Default: f.KMSKey == ""}
	r.Sealed, err = seal.Value(k.Plain, text)
	return r, err
}

// badKey returns an error of the key service in the way of Secrets Manager. A denial is one in its own words.
func badKey(code string, err error) error {
	var e *service.Error
	if errors.As(err, &e) && strings.HasPrefix(e.Code, "KMS.") {
		if e.Code == "KMS.NotFoundException" {
			code = codeNotFound
		}
		return refused(code, "%s", e.Message)
	}
	return err
}

// checkKey refuses a key that cannot encrypt the values of a secret.
func (s *Service) checkKey(ctx context.Context, f *found) error {
	if f.KMSKey == "" {
		return nil
	}
	_, err := s.options.Keys.CheckKey(ctx, f.keyUse(""))
	return badKey("EncryptionFailure", err)
}

// unseal returns the value of a version.
func (s *Service) unseal(ctx context.Context, f *found, version string, r *versionRecord, granted bool) (v value, err error) {
	use := f.keyUse(version)
	use.Key, use.Granted = r.Key, granted
	plain, err := s.options.Keys.Decrypt(ctx, use, r.Wrapped)
	if err != nil {
		return v, badKey("DecryptionFailure", err)
	}
	text, err := seal.OpenValue(plain, r.Sealed)
	if err != nil {
		return v, fmt.Errorf("open the version %s of %s: %w", version, f.arn(), err)
	}
	return v, json.Unmarshal(text, &v)
}

func (s *Service) versionOf(ctx context.Context, f *found, id string) (v versionRecord, there bool, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		v, there, err = record.Get[versionRecord](r, f.version(f.Name, id))
		return err
	})
	return v, there, err
}

// isSame tells whether a secret has a version with an id and a value already.
func (s *Service) isSame(ctx context.Context, f *found, version string, v value) (bool, error) {
	r, there, err := s.versionOf(ctx, f, version)
	if err != nil || !there || r.Sealed == nil || v.isEmpty() {
		return false, err
	}
	have, err := s.unseal(ctx, f, version, &r, true)
	return opt.Value(have.Text) == opt.Value(v.Text) && bytes.Equal(have.Bytes, v.Bytes), err
}

// addVersion writes a new version, and those of the replicas.
func (f *found) addVersion(tx store.Txn, v *sealedValue, now time.Time) error {
	if !slices.Contains(f.Order, v.id) {
		f.Order = append(f.Order, v.id)
	}
	for region, r := range v.replicas {
		if err := record.Set(tx, place{f.account, region}.version(f.Name, v.id), r); err != nil {
			return err
		}
	}
	if err := record.Set(tx, f.version(f.Name, v.id), v.record); err != nil {
		return err
	}
	return f.dropUnnamed(tx, now)
}

// dropUnnamed deletes the oldest versions without stages when there are too many, if they are a day old.
func (f *found) dropUnnamed(tx store.Txn, now time.Time) error {
	named := map[string]bool{}
	for _, version := range f.Stages {
		named[version] = true
	}
	for _, id := range slices.Clone(f.Order) {
		if len(f.Order) <= keptUnnamed {
			return nil
		}
		v, there, err := record.Get[versionRecord](tx, f.version(f.Name, id))
		if err != nil {
			return err
		}
		if named[id] || there && v.Created.After(now.Add(-day)) {
			continue
		}
		tx.Delete(f.version(f.Name, id))
		for _, r := range f.Replicas {
			tx.Delete(place{f.account, r.Region}.version(f.Name, id))
		}
		f.Order = slices.DeleteFunc(f.Order, func(o string) bool { return o == id })
	}
	return nil
}

// move puts a stage on a version. What loses AWSCURRENT gets AWSPREVIOUS and is pending no longer.
func (f *found) move(stage, version string) {
	old, had := f.Stages[stage]
	if had && old == version {
		return
	}
	if stage == stageCurrent && had {
		f.Stages[stagePrevious] = old
		if f.Stages[stagePending] == old {
			delete(f.Stages, stagePending)
		}
	}
	f.Stages[stage] = version
	if stage == stageCurrent && f.Stages[stagePrevious] == version {
		delete(f.Stages, stagePrevious)
	}
}

// stagesOf returns the stages of a version.
func (f *found) stagesOf(version string) []string {
	var out []string
	for stage, v := range f.Stages {
		if v == version {
			out = append(out, stage)
		}
	}
	slices.Sort(out)
	return out
}

// put adds a version with the given stages; none means AWSCURRENT. The first version is always the current one.
func (s *Service) put(tx store.Txn, f *found, v *sealedValue, stages []string) error {
	have, there, err := record.Get[versionRecord](tx, f.version(f.Name, v.id))
	if err != nil {
		return err
	}
	if there && have.Sealed != nil {
		return refused(codeExists, "You can't modify an existing version, you can only create a new version.")
	}
	first := len(f.Stages) == 0
	if err := f.addVersion(tx, v, s.now()); err != nil {
		return err
	}
	if len(stages) == 0 || first {
		f.move(stageCurrent, v.id)
	}
	for _, stage := range stages {
		f.move(stage, v.id)
	}
	f.Changed = s.now()
	return nil
}

func (s *Service) putSecretValue(ctx context.Context, in *api.PutSecretValueInput) (*api.PutSecretValueOutput, error) {
	if err := needToken(codeRequest, in.ClientRequestToken); err != nil {
		return nil, err
	}
	if len(in.VersionStages) > maxStages {
		return nil, badParameter("A version has at most %d staging labels.", maxStages)
	}
	f, err := s.find(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	if err := f.changeable(); err != nil {
		return nil, err
	}
	given, id := value{in.SecretString, in.SecretBinary}, *in.ClientRequestToken
	if err := given.check(); err != nil {
		return nil, err
	}
	same, err := s.isSame(ctx, f, id, given)
	if err != nil {
		return nil, err
	}
	if !same {
		v, err := s.sealNew(ctx, f, id, given)
		if err != nil {
			return nil, err
		}
		f, err = s.change(ctx, in.SecretId, func(tx store.Txn, f *found) error {
			if err := f.changeable(); err != nil {
				return err
			}
			return s.put(tx, f, v, in.VersionStages)
		})
		if err != nil {
			return nil, err
		}
	}
	return &api.PutSecretValueOutput{ARN: new(f.arn()), Name: &f.Name, VersionId: &id, VersionStages: f.stagesOf(id)}, nil
}

// chosen returns the version that a call names, by its id, a stage, both or neither.
func (f *found) chosen(id, stage *string) (string, error) {
	if id != nil {
		switch {
		case !slices.Contains(f.Order, *id):
			return "", noValue("VersionId: " + *id)
		case stage != nil && f.Stages[*stage] != *id:
			return "", badRequest("You provided a VersionStage that is not associated to the provided VersionId.")
		}
		return *id, nil
	}
	name := stageCurrent
	if stage != nil {
		name = *stage
	}
	version, ok := f.Stages[name]
	if !ok {
		return "", noValue("staging label: " + name)
	}
	return version, nil
}

func (s *Service) getSecretValue(ctx context.Context, in *api.GetSecretValueInput) (*api.GetSecretValueOutput, error) {
	f, err := s.living(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	id, err := f.chosen(in.VersionId, in.VersionStage)
	if err != nil {
		return nil, err
	}
	r, there, err := s.versionOf(ctx, f, id)
	if err != nil {
		return nil, err
	}
	if !there || r.Sealed == nil {
		if in.VersionStage != nil {
			return nil, noValue("staging label: " + *in.VersionStage)
		}
		return nil, noValue("VersionId: " + id)
	}
	v, err := s.unseal(ctx, f, id, &r, false)
	if err != nil {
		return nil, err
	}
	s.accessed(ctx, f, id, &r)
	return &api.GetSecretValueOutput{
		ARN: new(f.arn()), Name: &f.Name, VersionId: &id, SecretString: v.Text, SecretBinary: v.Bytes, VersionStages: f.stagesOf(id), CreatedDate: &r.Created,
	}, nil
}

// accessed notes the day on which a value is read, once a day. A failure of that is no failure of the call.
func (s *Service) accessed(ctx context.Context, f *found, id string, r *versionRecord) {
	today := s.now().Truncate(day)
	if r.Accessed.Equal(today) && f.Accessed.Equal(today) {
		return
	}
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		rec, there, err := record.Get[secretRecord](tx, f.secret(f.Name))
		if err != nil || !there {
			return err
		}
		v, there, err := record.Get[versionRecord](tx, f.version(f.Name, id))
		if err != nil || !there {
			return err
		}
		rec.Accessed, v.Accessed = today, today
		if err := record.Set(tx, f.secret(f.Name), rec); err != nil {
			return err
		}
		return record.Set(tx, f.version(f.Name, id), v)
	})
	if err != nil {
		s.deps.Log.WarnContext(ctx, "the reading of a secret was not noted", slog.String("secret", f.arn()), slog.Any("error", err))
	}
}
