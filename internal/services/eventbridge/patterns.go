package eventbridge

import (
	"sync"

	"lambent.dev/lambent/internal/lib/pattern"
)

// patternCache keeps compiled patterns by their text, so that a change of one rule does not compile those of its neighbours again.
type patternCache struct {
	mu    sync.Mutex // guards the field below
	known map[string]*pattern.Pattern
}

func (c *patternCache) compile(text string) (*pattern.Pattern, error) {
	c.mu.Lock()
	p := c.known[text]
	c.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p, err := pattern.Compile(text, pattern.EventBridge)
	if err != nil {
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
