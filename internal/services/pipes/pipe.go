package pipes

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/pipes"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// pipeRecord is a pipe.
type pipeRecord struct {
	Name, ID          string
	Description       string `json:",omitempty"`
	Desired, State    string
	Reason            string `json:",omitempty"`
	Source            string
	SourceParameters  *api.PipeSourceParameters         `json:",omitempty"`
	Enrichment        string                            `json:",omitempty"`
	EnrichmentInput   *string                           `json:",omitempty"`
	EnrichmentHTTP    *api.PipeEnrichmentHttpParameters `json:",omitempty"`
	Target            string
	TargetParameters  *api.PipeTargetParameters `json:",omitempty"`
	Role              string
	Tags              map[string]string         `json:",omitempty"`
	Log               *api.PipeLogConfiguration `json:",omitempty"`
	KMSKey            string                    `json:",omitempty"`
	Created, Modified time.Time
	// Revision is new with every change that the pipe's worker must know of.
	Revision string
}

// The states of a pipe.
const (
	running  = "RUNNING"
	stopped  = "STOPPED"
	creating = "CREATING"
	updating = "UPDATING"
	deleting = "DELETING"
	starting = "STARTING"
	stopping = "STOPPING"
)

func (s *Service) createPipe(ctx context.Context, in *api.CreatePipeInput) (*api.CreatePipeOutput, error) {
	p := placeOf(ctx)
	r := pipeRecord{
		Name: in.Name, Description: opt.Value(in.Description), Desired: in.DesiredState, State: creating, Source: in.Source, SourceParameters: in.SourceParameters,
		Enrichment: opt.Value(in.Enrichment), Target: in.Target, TargetParameters: in.TargetParameters, Role: in.RoleArn, Tags: in.Tags, Log: shownLog(in.LogConfiguration),
		KMSKey: opt.Value(in.KmsKeyIdentifier), Created: s.now(), Modified: s.now(),
	}
	if r.Desired == "" {
		r.Desired = running
	}
	r.setEnrichment(in.EnrichmentParameters)
	var err error
	if r.ID, err = uuid.New(s.deps.Random); err != nil {
		return nil, err
	}
	if err := s.checkLog(ctx, r.Log); err != nil {
		return nil, err
	}
	if err := s.settle(ctx, &r); err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if there, err := record.Has(tx, p.pipe(in.Name)); err != nil || there {
			if there {
				err = conflict(in.Name, "Pipe %s already exists.", in.Name)
			}
			return err
		}
		return record.Set(tx, p.pipe(in.Name), r)
	})
	return &api.CreatePipeOutput{Arn: new(p.arn(in.Name)), Name: &in.Name, DesiredState: r.Desired, CurrentState: r.State, CreationTime: &r.Created, LastModifiedTime: &r.Modified}, storeError(err)
}

// settle checks a pipe that is about to be stored, and gives it a new revision.
func (s *Service) settle(ctx context.Context, r *pipeRecord) error {
	if _, err := newFlow(placeOf(ctx), r); err != nil {
		return err
	}
	if err := s.options.Roles.CheckPassRole(ctx, r.Role, principal); err != nil {
		return err
	}
	var err error
	r.Revision, err = uuid.New(s.deps.Random)
	return err
}

func (r *pipeRecord) setEnrichment(in *api.PipeEnrichmentParameters) {
	r.EnrichmentInput, r.EnrichmentHTTP = nil, nil
	if in != nil {
		r.EnrichmentInput, r.EnrichmentHTTP = in.InputTemplate, in.HttpParameters
	}
}

func get(rd store.Reader, p place, name string) (pipeRecord, error) {
	r, ok, err := record.Get[pipeRecord](rd, p.pipe(name))
	if err == nil && !ok {
		err = noPipe(name)
	}
	return r, err
}

func (s *Service) view(ctx context.Context, p place, name string) (r pipeRecord, err error) {
	err = s.deps.Store.View(ctx, func(rd store.Reader) error {
		r, err = get(rd, p, name)
		return err
	})
	return r, storeError(err)
}

// change runs fn on the record of a pipe and stores it.
func (s *Service) change(ctx context.Context, p place, name string, fn func(r *pipeRecord) error) (r pipeRecord, err error) {
	revision, err := uuid.New(s.deps.Random)
	if err != nil {
		return r, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if r, err = get(tx, p, name); err != nil {
			return err
		}
		if r.State == deleting {
			return conflict(name, "Pipe %s is being deleted.", name)
		}
		if err := fn(&r); err != nil {
			return err
		}
		r.Modified, r.Revision = s.now(), revision
		return record.Set(tx, p.pipe(name), r)
	})
	return r, storeError(err)
}

func (s *Service) updatePipe(ctx context.Context, in *api.UpdatePipeInput) (*api.UpdatePipeOutput, error) {
	p := placeOf(ctx)
	// What is wrong with the change is found before the transaction.
	now, err := s.view(ctx, p, in.Name)
	if err != nil {
		return nil, err
	}
	if err := now.update(in); err != nil {
		return nil, err
	}
	if err := s.settle(ctx, &now); err != nil {
		return nil, err
	}
	if err := s.checkLog(ctx, shownLog(in.LogConfiguration)); err != nil {
		return nil, err
	}
	r, err := s.change(ctx, p, in.Name, func(r *pipeRecord) error {
		r.State = updating
		return r.update(in)
	})
	return &api.UpdatePipeOutput{Arn: new(p.arn(in.Name)), Name: &in.Name, DesiredState: r.Desired, CurrentState: r.State, CreationTime: &r.Created, LastModifiedTime: &r.Modified}, err
}

// update takes over what an update says; what it leaves out stays.
func (r *pipeRecord) update(in *api.UpdatePipeInput) error {
	r.Role = in.RoleArn
	if in.Description != nil {
		r.Description = *in.Description
	}
	if in.DesiredState != "" {
		r.Desired = in.DesiredState
	}
	if in.Enrichment != nil {
		r.Enrichment = *in.Enrichment
	}
	if in.EnrichmentParameters != nil {
		r.setEnrichment(in.EnrichmentParameters)
	}
	if in.Target != nil {
		r.Target = *in.Target
	}
	if in.TargetParameters != nil {
		r.TargetParameters = in.TargetParameters
	}
	if in.LogConfiguration != nil {
		r.Log = shownLog(in.LogConfiguration)
	}
	if in.KmsKeyIdentifier != nil {
		r.KMSKey = *in.KmsKeyIdentifier
	}
	return r.updateSource(in.SourceParameters)
}

// updateSource takes over what an update says of the source. Where a stream begins cannot change.
func (r *pipeRecord) updateSource(in *api.UpdatePipeSourceParameters) error {
	if in == nil {
		return nil
	}
	if in.ActiveMQBrokerParameters != nil || in.RabbitMQBrokerParameters != nil || in.ManagedStreamingKafkaParameters != nil || in.SelfManagedKafkaParameters != nil {
		return invalid("SourceParameters of brokers are not supported: the sources of Lambent's pipes are SQS queues, DynamoDB streams and Kinesis data streams.")
	}
	out := &api.PipeSourceParameters{}
	if r.SourceParameters != nil {
		*out = *r.SourceParameters
	}
	if in.FilterCriteria != nil {
		out.FilterCriteria = in.FilterCriteria
	}
	if x := in.SqsQueueParameters; x != nil {
		out.SqsQueueParameters = &api.PipeSourceSqsQueueParameters{BatchSize: x.BatchSize, MaximumBatchingWindowInSeconds: x.MaximumBatchingWindowInSeconds}
	}
	if x := in.DynamoDBStreamParameters; x != nil && out.DynamoDBStreamParameters != nil {
		out.DynamoDBStreamParameters = &api.PipeSourceDynamoDBStreamParameters{
			BatchSize: x.BatchSize, DeadLetterConfig: x.DeadLetterConfig, OnPartialBatchItemFailure: x.OnPartialBatchItemFailure, MaximumBatchingWindowInSeconds: x.MaximumBatchingWindowInSeconds,
			MaximumRecordAgeInSeconds: x.MaximumRecordAgeInSeconds, MaximumRetryAttempts: x.MaximumRetryAttempts, ParallelizationFactor: x.ParallelizationFactor,
			StartingPosition: out.DynamoDBStreamParameters.StartingPosition,
		}
	}
	if x := in.KinesisStreamParameters; x != nil && out.KinesisStreamParameters != nil {
		out.KinesisStreamParameters = &api.PipeSourceKinesisStreamParameters{
			BatchSize: x.BatchSize, DeadLetterConfig: x.DeadLetterConfig, OnPartialBatchItemFailure: x.OnPartialBatchItemFailure, MaximumBatchingWindowInSeconds: x.MaximumBatchingWindowInSeconds,
			MaximumRecordAgeInSeconds: x.MaximumRecordAgeInSeconds, MaximumRetryAttempts: x.MaximumRetryAttempts, ParallelizationFactor: x.ParallelizationFactor,
			StartingPosition: out.KinesisStreamParameters.StartingPosition, StartingPositionTimestamp: out.KinesisStreamParameters.StartingPositionTimestamp,
		}
	}
	r.SourceParameters = out
	return nil
}

func (s *Service) startPipe(ctx context.Context, in *api.StartPipeInput) (*api.StartPipeOutput, error) {
	r, err := s.change(ctx, placeOf(ctx), in.Name, func(r *pipeRecord) error {
		if r.Desired == running && r.State != stopped {
			return conflict(r.Name, "Pipe %s is not stopped.", r.Name)
		}
		r.Desired, r.State = running, starting
		return nil
	})
	return &api.StartPipeOutput{Arn: new(placeOf(ctx).arn(in.Name)), Name: &in.Name, DesiredState: r.Desired, CurrentState: r.State, CreationTime: &r.Created, LastModifiedTime: &r.Modified}, err
}

func (s *Service) stopPipe(ctx context.Context, in *api.StopPipeInput) (*api.StopPipeOutput, error) {
	r, err := s.change(ctx, placeOf(ctx), in.Name, func(r *pipeRecord) error {
		if r.Desired == stopped {
			return conflict(r.Name, "Pipe %s is stopped.", r.Name)
		}
		r.Desired, r.State = stopped, stopping
		return nil
	})
	return &api.StopPipeOutput{Arn: new(placeOf(ctx).arn(in.Name)), Name: &in.Name, DesiredState: r.Desired, CurrentState: r.State, CreationTime: &r.Created, LastModifiedTime: &r.Modified}, err
}

// deletePipe marks a pipe as going. It is gone when its worker has stopped.
func (s *Service) deletePipe(ctx context.Context, in *api.DeletePipeInput) (*api.DeletePipeOutput, error) {
	r, err := s.change(ctx, placeOf(ctx), in.Name, func(r *pipeRecord) error {
		r.Desired, r.State = "DELETED", deleting
		return nil
	})
	return &api.DeletePipeOutput{Arn: new(placeOf(ctx).arn(in.Name)), Name: &in.Name, DesiredState: r.Desired, CurrentState: r.State, CreationTime: &r.Created, LastModifiedTime: &r.Modified}, err
}

func (s *Service) describePipe(ctx context.Context, in *api.DescribePipeInput) (*api.DescribePipeOutput, error) {
	p := placeOf(ctx)
	r, err := s.view(ctx, p, in.Name)
	if err != nil {
		return nil, err
	}
	out := &api.DescribePipeOutput{
		Arn: new(p.arn(r.Name)), Name: &r.Name, Description: opt.Of(r.Description), DesiredState: r.Desired, CurrentState: r.State, StateReason: opt.Of(r.Reason), Source: &r.Source,
		SourceParameters: r.SourceParameters, Enrichment: opt.Of(r.Enrichment), Target: &r.Target, TargetParameters: r.TargetParameters, RoleArn: &r.Role, Tags: r.Tags,
		CreationTime: &r.Created, LastModifiedTime: &r.Modified, LogConfiguration: r.Log, KmsKeyIdentifier: opt.Of(r.KMSKey),
	}
	if r.EnrichmentInput != nil || r.EnrichmentHTTP != nil {
		out.EnrichmentParameters = &api.PipeEnrichmentParameters{InputTemplate: r.EnrichmentInput, HttpParameters: r.EnrichmentHTTP}
	}
	return out, nil
}

// pageSize is how many pipes a list gives at once unless the call says less.
const pageSize = 100

func (s *Service) listPipes(ctx context.Context, in *api.ListPipesInput) (*api.ListPipesOutput, error) {
	p := placeOf(ctx)
	size := pageSize
	if in.Limit != nil && int(*in.Limit) < size {
		size = int(*in.Limit)
	}
	begins := func(text string, prefix *string) bool { return prefix == nil || strings.HasPrefix(text, *prefix) }
	out := &api.ListPipesOutput{Pipes: []api.Pipe{}}
	next, err := record.Page(ctx, s.deps.Store, p.pipes(), record.Paging{NamePrefix: opt.Value(in.NamePrefix), Token: in.NextToken, Limit: size}, func(_ string, r pipeRecord) bool {
		if in.DesiredState != "" && in.DesiredState != r.Desired || in.CurrentState != "" && in.CurrentState != r.State || !begins(r.Source, in.SourcePrefix) || !begins(r.Target, in.TargetPrefix) {
			return false
		}
		out.Pipes = append(out.Pipes, api.Pipe{
			Name: &r.Name, Arn: new(p.arn(r.Name)), DesiredState: r.Desired, CurrentState: r.State, StateReason: opt.Of(r.Reason), CreationTime: &r.Created, LastModifiedTime: &r.Modified,
			Source: &r.Source, Target: &r.Target, Enrichment: opt.Of(r.Enrichment),
		})
		return true
	})
	if errors.Is(err, record.ErrToken) {
		return nil, invalid("NextToken is not valid.")
	}
	out.NextToken = next
	return out, storeError(err)
}

// tagged runs fn on the tags of the pipe that an ARN names, and stores what it returns. The worker need not know.
func (s *Service) tagged(ctx context.Context, arn string, fn func(tags map[string]string) map[string]string) error {
	id, ok := pipeAt(arn)
	if !ok {
		return invalid("ResourceArn %s is not the ARN of a pipe.", arn)
	}
	return storeError(s.deps.Store.Update(ctx, func(tx store.Txn) error {
		r, err := get(tx, id.place, id.name)
		if err != nil {
			return err
		}
		r.Tags = fn(r.Tags)
		return record.Set(tx, id.pipe(id.name), r)
	}))
}

func (s *Service) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	err := s.tagged(ctx, in.ResourceArn, func(tags map[string]string) map[string]string {
		if tags == nil {
			tags = map[string]string{}
		}
		maps.Copy(tags, in.Tags)
		return tags
	})
	return &api.TagResourceOutput{}, err
}

func (s *Service) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	err := s.tagged(ctx, in.ResourceArn, func(tags map[string]string) map[string]string {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
		return tags
	})
	return &api.UntagResourceOutput{}, err
}

func (s *Service) listTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	id, ok := pipeAt(in.ResourceArn)
	if !ok {
		return nil, invalid("ResourceArn %s is not the ARN of a pipe.", in.ResourceArn)
	}
	r, err := s.view(ctx, id.place, id.name)
	if r.Tags == nil {
		r.Tags = map[string]string{}
	}
	return &api.ListTagsForResourceOutput{Tags: r.Tags}, err
}
