package eventbridge

import (
	"sync"

	"lambent.dev/lambent/internal/lib/pattern"
)

// patternCache keeps compiled patterns by their text, so that a change of one rule does not compile those of its neighbours again.
type patternCache struct {
	mu    sync.Mutex // guards the field below
	known map[string]*compiled
}

// compiled is a pattern, with the part of it that asks for events about calls; that is nil in most.
type compiled struct {
	*pattern.Pattern

	calls *pattern.Pattern
}

func (c *patternCache) compile(text string) (*compiled, error) {
	c.mu.Lock()
	p := c.known[text]
	c.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p = &compiled{}
	var err error
	if p.Pattern, err = pattern.Compile(text, pattern.EventBridge); err != nil {
		return nil, err
	}
	if p.calls, err = callsHead(text); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxKnownPatterns {
		clear(c.known)
	}
	c.known[text] = p
	return p, nil
}
