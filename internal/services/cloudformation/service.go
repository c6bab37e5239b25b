package cloudformation

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"sync"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/registry"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// maxOperations is how many stacks are worked on at a time. An operation may wait for an hour for a custom resource or a nested stack.
const maxOperations = 256

// maxSetOperations is how many stack sets are worked on at a time. Their stacks count for [maxOperations].
const maxSetOperations = 64

// Options are the ports that the service uses.
type Options struct {
	// Types returns every resource type of the platform; it is called when the first template is read, after all services are built.
	Types func() []service.ResourceType
	// Objects reads templates from S3; nil refuses TemplateURL.
	Objects port.Objects
	// Roles checks the passing of roles; nil refuses RoleARN.
	Roles port.Roles
}

// Service holds what the handlers share.
type Service struct {
	service.Deps
	options Options
	types   func() deploy.Types
	// registry has AWS's types, for stubs.
	registry func() (registry.Registry, error)
	// board wakes those who wait for an answer or for a stack.
	board board
	// endings are the early ends of the operations under way, by operation id.
	endings sync.Map
}

// New returns the service, and what alarms tell when they go off.
func New(deps service.Deps, options Options) (service.Service, *Service) {
	s := &Service{Deps: deps, options: options, registry: sync.OnceValues(registry.Load)}
	s.types = sync.OnceValue(func() deploy.Types {
		types := deploy.NewTypes(options.Types()...)
		for _, t := range append(s.ownTypes(), deploy.StubType()) {
			types[t.Name] = t
		}
		return types
	})
	h := &cloudformation.Handlers{
		CreateChangeSet: s.createChangeSet, DescribeChangeSet: s.describeChangeSet, ExecuteChangeSet: s.executeChangeSet,
		DeleteChangeSet: s.deleteChangeSet, ListChangeSets: s.listChangeSets,
		CreateStack: s.createStack, UpdateStack: s.updateStack, DeleteStack: s.deleteStack,
		DescribeStacks: s.describeStacks, ListStacks: s.listStacks, UpdateTerminationProtection: s.updateTerminationProtection,
		DescribeStackEvents:   s.describeStackEvents,
		DescribeEvents:        s.describeEvents,
		EstimateTemplateCost:  s.estimateTemplateCost,
		DescribeStackResource: s.describeStackResource, DescribeStackResources: s.describeStackResources, ListStackResources: s.listStackResources,
		GetTemplate: s.getTemplate, GetTemplateSummary: s.getTemplateSummary, ValidateTemplate: s.validateTemplate,
		SetStackPolicy: s.setStackPolicy, GetStackPolicy: s.getStackPolicy,
		SignalResource:    s.signalResource,
		CancelUpdateStack: s.cancelUpdateStack, ContinueUpdateRollback: s.continueUpdateRollback, RollbackStack: s.rollbackStack,
		DetectStackDrift: s.detectStackDrift, DetectStackResourceDrift: s.detectStackResourceDrift,
		DescribeStackDriftDetectionStatus: s.describeStackDriftDetectionStatus, DescribeStackResourceDrifts: s.describeStackResourceDrifts,
		DescribeAccountLimits: s.describeAccountLimits,
		ListExports:           s.listExports, ListImports: s.listImports,
		CreateStackRefactor: s.createStackRefactor, DescribeStackRefactor: s.describeStackRefactor, ExecuteStackRefactor: s.executeStackRefactor,
		ListStackRefactors: s.listStackRefactors, ListStackRefactorActions: s.listStackRefactorActions,
		CreateStackSet: s.createStackSet, UpdateStackSet: s.updateStackSet, DeleteStackSet: s.deleteStackSet, DescribeStackSet: s.describeStackSet, ListStackSets: s.listStackSets,
		CreateStackInstances: s.createStackInstances, UpdateStackInstances: s.updateStackInstances, DeleteStackInstances: s.deleteStackInstances,
		DescribeStackInstance: s.describeStackInstance, ListStackInstances: s.listStackInstances, ListStackInstanceResourceDrifts: s.listStackInstanceResourceDrifts,
		DescribeStackSetOperation: s.describeStackSetOperation, ListStackSetOperations: s.listStackSetOperations, ListStackSetOperationResults: s.listStackSetOperationResults,
		StopStackSetOperation: s.stopStackSetOperation, DetectStackSetDrift: s.detectStackSetDrift, ImportStacksToStackSet: s.importStacksToStackSet,
		ListStackSetAutoDeploymentTargets: s.listStackSetAutoDeploymentTargets,
		ListTypes:                         s.listTypes, DescribeType: s.describeType, ListTypeVersions: s.listTypeVersions,
		ActivateType: s.activateType, DeactivateType: s.deactivateType,
		SetTypeConfiguration: s.setTypeConfiguration, BatchDescribeTypeConfigurations: s.batchDescribeTypeConfigurations,
		ListHookResults: s.listHookResults, GetHookResult: s.getHookResult, DescribeChangeSetHooks: s.describeChangeSetHooks,
	}
	return service.Service{
		API: cloudformation.API, Operations: h.Bindings(), Access: access(), Resources: s.ownTypes(),
		Jobs: []events.Kind{{Name: jobKind, Handle: s.work, Concurrency: maxOperations}, {Name: driftKind, Handle: s.detect, Concurrency: maxDetections}, {Name: setKind, Handle: s.operateSet, Concurrency: maxSetOperations}, s.notifyJobs()},
		Routes: []service.Route{
			{Path: callbackPath[:len(callbackPath)-1], Handler: http.HandlerFunc(s.serveCallback), Public: true},
			{Path: payloadPath[:len(payloadPath)-1], Handler: http.HandlerFunc(s.servePayload), Public: true},
		},
	}, s
}

// uuid returns a random UUID of version 4.
func (s *Service) uuid() (string, error) {
	random := s.Random
	if random == nil {
		random = rand.Reader
	}
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}

func ptr[T any](v T) *T { return &v }

// optional returns nil for the empty string.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
