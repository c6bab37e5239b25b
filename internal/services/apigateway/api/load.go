package api

import (
	"errors"
	"fmt"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Served is a stage with all that decides how it answers.
type Served struct {
	Scope

	API   RestAPI
	Stage Stage
	// Hash names the tree of the stage's deployment, and Canary that of its canary; Canary is empty where the stage has none, or one that is on the same deployment but
	// for its stage variables.
	Hash, Canary string
}

// Load returns the stage of an API, or nil when there is none of that name or it has no deployment. It reads what is below [Prefix].
func Load(r store.Reader, id, stage string) (*Served, error) {
	o, ok, err := record.Get[Owner](r, OwnerKey(id))
	if err != nil || !ok {
		return nil, err
	}
	s := Served{Scope: Scope(o)}
	if s.API, ok, err = record.Get[RestAPI](r, s.Scope.API(id)); err != nil || !ok {
		return nil, err
	}
	if s.Stage, ok, err = record.Get[Stage](r, s.Scope.Stage(id, stage)); err != nil || !ok {
		return nil, err
	}
	if s.Hash, err = s.hash(r, s.Stage.DeploymentId); err != nil || s.Hash == "" {
		return nil, err
	}
	if c := s.Stage.CanarySettings; c != nil {
		if s.Canary, err = s.hash(r, c.DeploymentId); err != nil {
			return nil, err
		}
		if s.Canary == s.Hash {
			s.Canary = ""
		}
	}
	return &s, nil
}

// hash returns the name of a deployment's tree, or "" when there is no such deployment.
func (s *Served) hash(r store.Reader, deployment *string) (string, error) {
	if deployment == nil {
		return "", nil
	}
	d, _, err := record.Get[Deployment](r, s.Deployment(s.API.ID, *deployment))
	return d.Tree, err
}

// LoadTree returns a deployed tree of an API.
func LoadTree(r store.Reader, s Scope, id, hash string) (*Tree, error) {
	return readTree(r, s.Tree(id, hash), id)
}

// LoadWorking returns the working tree of an API, which is the one that TestInvokeMethod runs.
func LoadWorking(r store.Reader, s Scope, id string) (*Tree, error) {
	return readTree(r, s.Working(id), id)
}

func readTree(r store.Reader, key []byte, id string) (*Tree, error) {
	stored, err := r.Get(key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("the tree of API %s is missing: %w", id, err)
	}
	if err != nil {
		return nil, err
	}
	return DecodeTree(stored)
}

// KeyByValue returns the API key that has a value, and whether there is one.
func KeyByValue(r store.Reader, s Scope, value string) (APIKey, bool, error) {
	id, ok, err := record.Get[string](r, s.Value(value))
	if err != nil || !ok {
		return APIKey{}, false, err
	}
	return record.Get[APIKey](r, s.APIKey(id))
}

// PlansOf returns the usage plans that a key is in.
func PlansOf(r store.Reader, s Scope, id string) ([]UsagePlan, error) {
	var plans []UsagePlan
	for row, err := range record.Range[PlanKey](r, s.KeyPlans(id).Span()) {
		if err != nil {
			return nil, err
		}
		p, ok, err := record.Get[UsagePlan](r, s.Plan(row.Value.Plan))
		if err != nil {
			return nil, err
		}
		if ok {
			plans = append(plans, p)
		}
	}
	return plans, nil
}
