package deploy

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// topological orders nodes so that each comes after its dependencies, ties by name. When there is a cycle it returns
// the nodes of one, in order, instead.
func topological(deps map[string][]string) (order, cycle []string) {
	const (
		visiting = 1
		visited  = 2
	)
	state := make(map[string]int, len(deps))
	var path []string
	var visit func(id string) []string
	visit = func(id string) []string {
		switch state[id] {
		case visited:
			return nil
		case visiting:
			return slices.Clone(path[slices.Index(path, id):])
		}
		state[id] = visiting
		path = append(path, id)
		for _, d := range deps[id] {
			if c := visit(d); c != nil {
				return c
			}
		}
		path = path[:len(path)-1]
		state[id] = visited
		order = append(order, id)
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(deps)) {
		if c := visit(id); c != nil {
			return nil, c
		}
	}
	return order, nil
}

// reverse turns "a depends on b" into "b waits for a", among the given nodes.
func reverse(deps map[string][]string) map[string][]string {
	out := make(map[string][]string, len(deps))
	for id := range deps {
		out[id] = nil
	}
	for id, list := range deps {
		for _, d := range list {
			if _, ok := deps[d]; ok && d != id {
				out[d] = append(out[d], id)
			}
		}
	}
	return out
}

// errStep tells that the step of one resource failed and that this is recorded.
var errStep = errors.New("a resource failed")

// parallel calls do for every node after it returned nil for the node's dependencies, at most maxParallel at a time. After an
// error nothing new begins (with keepGoing: nothing that depends on the failed node). It returns an error that is not errStep first.
func parallel(ctx context.Context, deps map[string][]string, keepGoing bool, do func(ctx context.Context, id string) error) error {
	type result struct {
		id  string
		err error
	}
	waiting := make(map[string]int, len(deps))
	dependents := map[string][]string{}
	var ready []string
	for _, id := range slices.Sorted(maps.Keys(deps)) {
		for _, d := range deps[id] {
			if _, ok := deps[d]; ok {
				waiting[id]++
				dependents[d] = append(dependents[d], id)
			}
		}
		if waiting[id] == 0 {
			ready = append(ready, id)
		}
	}
	results := make(chan result)
	var wg sync.WaitGroup
	defer wg.Wait()
	var first error
	running := 0
	for running > 0 || len(ready) > 0 && (first == nil || keepGoing && errors.Is(first, errStep)) {
		for len(ready) > 0 && running < maxParallel && (first == nil || keepGoing && errors.Is(first, errStep)) {
			id := ready[0]
			ready = ready[1:]
			running++
			wg.Go(func() { results <- result{id, do(ctx, id)} })
		}
		r := <-results
		running--
		if r.err != nil {
			if first == nil || errors.Is(first, errStep) {
				first = r.err
			}
			continue
		}
		for _, d := range dependents[r.id] {
			if waiting[d]--; waiting[d] == 0 {
				ready = append(ready, d)
			}
		}
	}
	return first
}
