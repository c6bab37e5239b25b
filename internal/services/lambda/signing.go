package lambda

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// signingConfig is the record of a code signing configuration.
//
// There is no signer on this machine, so no zip file carries a signature of an allowed publisher: a configuration that enforces signatures lets
// no code in, and one that warns lets every code in with a warning in the platform's log.
type signingConfig struct {
	ID, Description string
	Publishers      []string
	Policy          string // api.CodeSigningPolicyWarn or api.CodeSigningPolicyEnforce
	Modified        time.Time
	Tags            map[string]string `json:",omitempty"`
}

func signingARN(s scope, id string) string {
	return "arn:aws:lambda:" + s.region + ":" + s.account + ":code-signing-config:" + id
}

var signingConfigARN = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):code-signing-config:(csc-[a-z0-9]{17})$`)

// parseSigning reads the ARN of a code signing configuration of the account and region of the call; an empty id names none.
func parseSigning(ctx context.Context, arn string) (s scope, id string) {
	here := scopeOf(ctx)
	if m := signingConfigARN.FindStringSubmatch(arn); m != nil && here == (scope{account: m[2], region: m[1]}) {
		return here, m[3]
	}
	return here, ""
}

func (c *signingConfig) configuration(s scope) *api.CodeSigningConfig {
	return &api.CodeSigningConfig{
		CodeSigningConfigId: c.ID, CodeSigningConfigArn: signingARN(s, c.ID), Description: optional(c.Description), LastModified: c.Modified.UTC().Format(lastModified),
		AllowedPublishers: &api.AllowedPublishers{SigningProfileVersionArns: c.Publishers}, CodeSigningPolicies: &api.CodeSigningPolicies{UntrustedArtifactOnDeployment: c.Policy},
	}
}

// loadSigning returns the record that an ARN names.
func loadSigning(ctx context.Context, rd store.Reader, arn string) (scope, signingConfig, error) {
	s, id := parseSigning(ctx, arn)
	c, ok, err := record.Get[signingConfig](rd, s.signingConfig(id))
	if err == nil && (!ok || id == "") {
		err = notFound("The Lambda code signing configuration %s can not be found.", arn)
	}
	return s, c, err
}

func noSigning(arn string) *service.Error {
	return service.Errorf("CodeSigningConfigNotFoundException", "The code signing configuration cannot be found. Check that the provided configuration is not deleted: %s.", arn).WithStatus(http.StatusNotFound)
}

// checkSignature decides about new code for a function with the code signing configuration arn, which may be empty.
func (l *Lambda) checkSignature(ctx context.Context, rd store.Reader, r ref, arn string) error {
	if arn == "" {
		return nil
	}
	_, c, err := loadSigning(ctx, rd, arn)
	if service.Code(err) == "ResourceNotFoundException" {
		return noSigning(arn)
	}
	if err != nil {
		return err
	}
	if c.Policy == api.CodeSigningPolicyEnforce {
		return service.Errorf("CodeVerificationFailedException", "The code signature of %s cannot be verified: Lambent has no signer. Set UntrustedArtifactOnDeployment of %s to Warn, or take the configuration from the function.", r.arn(), arn).WithStatus(http.StatusBadRequest)
	}
	l.deps.Log.WarnContext(ctx, "code without a verified signature is deployed", slog.String("function", r.arn()), slog.String("code_signing_config", arn))
	return nil
}

func (l *Lambda) createCodeSigningConfig(ctx context.Context, in *api.CreateCodeSigningConfigInput) (*api.CreateCodeSigningConfigOutput, error) {
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	id, err := l.newID()
	if err != nil {
		return nil, err
	}
	c := signingConfig{
		ID: "csc-" + hexOf(id)[:17], Description: orZero(in.Description), Publishers: in.AllowedPublishers.SigningProfileVersionArns,
		Policy: api.CodeSigningPolicyWarn, Modified: l.deps.Clock.Now().UTC(), Tags: in.Tags,
	}
	if in.CodeSigningPolicies != nil {
		c.Policy = in.CodeSigningPolicies.UntrustedArtifactOnDeployment
	}
	s := scopeOf(ctx)
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error { return record.Set(tx, s.signingConfig(c.ID), c) })
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.CreateCodeSigningConfigOutput{CodeSigningConfig: c.configuration(s)}, nil
}

func (l *Lambda) getCodeSigningConfig(ctx context.Context, in *api.GetCodeSigningConfigInput) (*api.GetCodeSigningConfigOutput, error) {
	out := &api.GetCodeSigningConfigOutput{}
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		s, c, err := loadSigning(ctx, rd, in.CodeSigningConfigArn)
		out.CodeSigningConfig = c.configuration(s)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (l *Lambda) updateCodeSigningConfig(ctx context.Context, in *api.UpdateCodeSigningConfigInput) (*api.UpdateCodeSigningConfigOutput, error) {
	out := &api.UpdateCodeSigningConfigOutput{}
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		s, c, err := loadSigning(ctx, tx, in.CodeSigningConfigArn)
		if err != nil {
			return err
		}
		if in.Description != nil {
			c.Description = *in.Description
		}
		if in.AllowedPublishers != nil {
			c.Publishers = in.AllowedPublishers.SigningProfileVersionArns
		}
		if in.CodeSigningPolicies != nil {
			c.Policy = in.CodeSigningPolicies.UntrustedArtifactOnDeployment
		}
		c.Modified = l.deps.Clock.Now().UTC()
		out.CodeSigningConfig = c.configuration(s)
		return record.Set(tx, s.signingConfig(c.ID), c)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

func (l *Lambda) deleteCodeSigningConfig(ctx context.Context, in *api.DeleteCodeSigningConfigInput) (*api.DeleteCodeSigningConfigOutput, error) {
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		s, c, err := loadSigning(ctx, tx, in.CodeSigningConfigArn)
		if err != nil {
			return err
		}
		for f, err := range record.Range[function](tx, s.functions().Span()) {
			if err != nil {
				return err
			}
			if f.Value.SigningConfig == signingARN(s, c.ID) {
				return conflict("The code signing configuration %s is used by the function %s. Take it from every function first.", in.CodeSigningConfigArn, f.Value.Name)
			}
		}
		tx.Delete(s.signingConfig(c.ID))
		return nil
	})
	return &api.DeleteCodeSigningConfigOutput{}, unavailable(err)
}

func (l *Lambda) listCodeSigningConfigs(ctx context.Context, in *api.ListCodeSigningConfigsInput) (*api.ListCodeSigningConfigsOutput, error) {
	s := scopeOf(ctx)
	limit := pageSize(in.MaxItems, defaultPage)
	span := s.signingConfigs().Span()
	if in.Marker != nil {
		span.Lo = s.signingConfig(*in.Marker).End()
	}
	out := &api.ListCodeSigningConfigsOutput{CodeSigningConfigs: []api.CodeSigningConfig{}}
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		for c, err := range record.Range[signingConfig](rd, span) {
			if err != nil {
				return err
			}
			if n := len(out.CodeSigningConfigs); n == limit {
				out.NextMarker = &out.CodeSigningConfigs[n-1].CodeSigningConfigId
				return nil
			}
			out.CodeSigningConfigs = append(out.CodeSigningConfigs, *c.Value.configuration(s))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (l *Lambda) listFunctionsByCodeSigningConfig(ctx context.Context, in *api.ListFunctionsByCodeSigningConfigInput) (*api.ListFunctionsByCodeSigningConfigOutput, error) {
	limit := pageSize(in.MaxItems, defaultPage)
	out := &api.ListFunctionsByCodeSigningConfigOutput{FunctionArns: []string{}}
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		s, c, err := loadSigning(ctx, rd, in.CodeSigningConfigArn)
		if err != nil {
			return err
		}
		span := s.functions().Span()
		if in.Marker != nil {
			span.Lo = append(s.function(*in.Marker), 0)
		}
		last := ""
		for f, err := range record.Range[function](rd, span) {
			if err != nil {
				return err
			}
			if f.Value.SigningConfig != signingARN(s, c.ID) {
				continue
			}
			if len(out.FunctionArns) == limit {
				out.NextMarker = &last
				return nil
			}
			last = f.Value.Name
			out.FunctionArns = append(out.FunctionArns, ref{scope: s, name: last}.function())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (l *Lambda) putFunctionCodeSigningConfig(ctx context.Context, in *api.PutFunctionCodeSigningConfigInput) (*api.PutFunctionCodeSigningConfigOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, _, err := loadSigning(ctx, tx, in.CodeSigningConfigArn); err != nil {
			if service.Code(err) == "ResourceNotFoundException" {
				return noSigning(in.CodeSigningConfigArn)
			}
			return err
		}
		return changeFunction(tx, r, func(f *function) { f.SigningConfig = in.CodeSigningConfigArn })
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.PutFunctionCodeSigningConfigOutput{CodeSigningConfigArn: in.CodeSigningConfigArn, FunctionName: r.name}, nil
}

// changeFunction changes what is not part of a version.
func changeFunction(tx store.Txn, r ref, change func(f *function)) error {
	f, err := loadFunction(tx, r)
	if err != nil {
		return err
	}
	change(&f)
	return record.Set(tx, r.scope.function(r.name), f)
}

func (l *Lambda) getFunctionCodeSigningConfig(ctx context.Context, in *api.GetFunctionCodeSigningConfigInput) (*api.GetFunctionCodeSigningConfigOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	_, f, _, err := l.find(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	if f.SigningConfig == "" {
		return &api.GetFunctionCodeSigningConfigOutput{}, nil
	}
	return &api.GetFunctionCodeSigningConfigOutput{CodeSigningConfigArn: f.SigningConfig, FunctionName: r.name}, nil
}

func (l *Lambda) deleteFunctionCodeSigningConfig(ctx context.Context, in *api.DeleteFunctionCodeSigningConfigInput) (*api.DeleteFunctionCodeSigningConfigOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		return changeFunction(tx, r, func(f *function) { f.SigningConfig = "" })
	})
	return &api.DeleteFunctionCodeSigningConfigOutput{}, unavailable(err)
}
