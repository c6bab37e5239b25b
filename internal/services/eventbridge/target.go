package eventbridge

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/jsonpath"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

const (
	// maxTargets is how many targets a rule may have (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html).
	maxTargets = 5
	// maxPaths is how many entries the paths of an input transformer may have.
	maxPaths = 100
)

// deliverable are the services in the ARN of a target, by their names in an error.
var deliverable = []string{"lambda", "sqs", "sns", "kinesis", "firehose", "states", "logs", "events", "execute-api"}

func (s *Service) putTargets(ctx context.Context, in *api.PutTargetsInput) (*api.PutTargetsOutput, error) {
	p, busName := busNamed(ctx, in.EventBusName)
	for i := range in.Targets {
		if err := s.checkTarget(ctx, &in.Targets[i]); err != nil {
			return nil, err
		}
	}
	err := change(ctx, s, p.rule(busName, in.Rule), noRule(busName, in.Rule), func(_ store.Txn, r *ruleRecord) error {
		all := slices.Clone(r.Targets)
		for _, t := range in.Targets {
			if i := slices.IndexFunc(all, func(have api.Target) bool { return have.Id == t.Id }); i >= 0 {
				all[i] = t
			} else {
				all = append(all, t)
			}
		}
		if len(all) > maxTargets {
			return overLimit()
		}
		r.Targets = all
		return nil
	})
	if err != nil {
		return nil, s.missingRule(ctx, p, busName, err)
	}
	return &api.PutTargetsOutput{FailedEntryCount: new(int32(0)), FailedEntries: []api.PutTargetsResultEntry{}}, nil
}

func (s *Service) checkTarget(ctx context.Context, t *api.Target) error {
	a, err := arn.Parse(t.Arn)
	if err != nil {
		return invalid("Parameter %s is not valid. Reason: Provided Arn is not in correct format.", t.Arn)
	}
	if !slices.Contains(deliverable, a.Service) {
		return service.Unsupported(codeValidation, "PutTargets", fmt.Sprintf("Target.Arn (%s: rules of Lambent deliver to %s and API destinations)", t.Arn, strings.Join(deliverable, ", ")))
	}
	for name, given := range map[string]bool{
		"EcsParameters": t.EcsParameters != nil, "BatchParameters": t.BatchParameters != nil, "RunCommandParameters": t.RunCommandParameters != nil,
		"RedshiftDataParameters": t.RedshiftDataParameters != nil, "SageMakerPipelineParameters": t.SageMakerPipelineParameters != nil, "AppSyncParameters": t.AppSyncParameters != nil,
	} {
		if given {
			return service.Unsupported(codeValidation, "PutTargets", name)
		}
	}
	if t.RoleArn != nil {
		if err := s.options.Roles.CheckPassRole(ctx, *t.RoleArn, principal); err != nil {
			return err
		}
	}
	if _, _, _, _, ok := stageCall(a); isStage(a) && !ok {
		return invalid("Parameter %s is not valid. Reason: it must name a method of a stage: arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH.", t.Arn)
	}
	if isDestination(a) && t.RoleArn == nil {
		return invalid("RoleArn is required for target %s.", t.Arn)
	}
	if t.SqsParameters != nil && a.Service == "sqs" && !strings.HasSuffix(a.Resource, ".fifo") && t.SqsParameters.MessageGroupId != nil {
		return invalid("Parameter(s) SqsParameters are not valid for target %s: only a FIFO queue has message groups.", t.Id)
	}
	if strings.HasSuffix(a.Resource, ".fifo") && a.Service == "sqs" && (t.SqsParameters == nil || t.SqsParameters.MessageGroupId == nil) {
		return invalid("Parameter(s) SqsParameters must be specified for target: %s.", t.Id)
	}
	if c := deadLetter(t.DeadLetterConfig); c != "" {
		if q, err := arn.Parse(c); err != nil || q.Service != "sqs" {
			return invalid("Invalid value at 'targets.1.member.deadLetterConfig.arn': it must be the ARN of an SQS queue.")
		}
	}
	return checkInput(t)
}

// checkInput checks what a target is to be given in place of the event.
func checkInput(t *api.Target) error {
	given := 0
	for _, is := range []bool{t.Input != nil, t.InputPath != nil, t.InputTransformer != nil} {
		if is {
			given++
		}
	}
	if given > 1 {
		return invalid("Only one of Input, InputPath, or InputTransformer must be provided for target %s.", t.Id)
	}
	if t.Input != nil && !validJSON([]byte(*t.Input)) {
		return invalid("JSON syntax error in input for target %s.", t.Id)
	}
	if t.InputPath != nil {
		if _, err := jsonpath.Parse(*t.InputPath); err != nil {
			return invalid("InputPath for target %s is invalid: %s", t.Id, err)
		}
	}
	if k := t.KinesisParameters; k != nil {
		if _, err := jsonpath.Parse(k.PartitionKeyPath); err != nil {
			return invalid("PartitionKeyPath for target %s is invalid: %s", t.Id, err)
		}
	}
	if t.InputTransformer == nil {
		return nil
	}
	_, err := newTransformer(t)
	return err
}

func (s *Service) removeTargets(ctx context.Context, in *api.RemoveTargetsInput) (*api.RemoveTargetsOutput, error) {
	p, busName := busNamed(ctx, in.EventBusName)
	out := &api.RemoveTargetsOutput{}
	err := change(ctx, s, p.rule(busName, in.Rule), noRule(busName, in.Rule), func(_ store.Txn, r *ruleRecord) error {
		out.FailedEntries = []api.RemoveTargetsResultEntry{}
		for _, id := range in.Ids {
			n := len(r.Targets)
			if r.Targets = slices.DeleteFunc(r.Targets, func(t api.Target) bool { return t.Id == id }); len(r.Targets) == n {
				out.FailedEntries = append(out.FailedEntries, api.RemoveTargetsResultEntry{
					TargetId: &id, ErrorCode: new(codeNotFound), ErrorMessage: new("Rule " + in.Rule + " does not have a target with the Id " + id + "."),
				})
			}
		}
		return nil
	})
	out.FailedEntryCount = new(int32(len(out.FailedEntries)))
	if err != nil {
		return nil, s.missingRule(ctx, p, busName, err)
	}
	return out, nil
}

// listTargetsByRule lists targets in the order in which they were put.
func (s *Service) listTargetsByRule(ctx context.Context, in *api.ListTargetsByRuleInput) (*api.ListTargetsByRuleOutput, error) {
	p, busName := busNamed(ctx, in.EventBusName)
	r, err := view[ruleRecord](ctx, s, p.rule(busName, in.Rule), noRule(busName, in.Rule))
	if err != nil {
		return nil, s.missingRule(ctx, p, busName, err)
	}
	first, err := firstTarget(in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.ListTargetsByRuleOutput{Targets: append([]api.Target{}, r.Targets[min(first, len(r.Targets)):]...)}
	if in.Limit != nil && len(out.Targets) > int(*in.Limit) {
		out.Targets = out.Targets[:*in.Limit]
		out.NextToken = new(base64.RawURLEncoding.EncodeToString(binary.AppendUvarint(nil, uint64(first+len(out.Targets)))))
	}
	return out, nil
}

// firstTarget returns which target a page begins with.
func firstTarget(token *string) (int, error) {
	if token == nil {
		return 0, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*token)
	n, size := binary.Uvarint(b)
	if err != nil || size != len(b) || n > maxTargets {
		return 0, invalid("Parameter NextToken is not valid.")
	}
	return int(n), nil
}
