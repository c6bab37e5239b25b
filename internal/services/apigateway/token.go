package apigateway

import (
	"context"
	"crypto/sha256"

	"lambent.dev/lambent/internal/service"
)

// idFor returns the id of n characters, at most 32, for what a call creates: by its token, or random.
func (g *Gateway) idFor(ctx context.Context, n int) (string, error) {
	token := service.CreateToken(ctx)
	if token == "" {
		return g.newID(n)
	}
	sum := sha256.Sum256([]byte(token))
	id := sum[:n]
	for i := range id {
		id[i] = idAlphabet[int(id[i])%len(idAlphabet)]
	}
	return string(id), nil
}
