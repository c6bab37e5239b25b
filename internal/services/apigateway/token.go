package apigateway

import (
	"context"
	"crypto/sha256"
)

// createToken is the key of a token in a context.
type createToken struct{}

// withToken marks a creating call of a deploy: what it makes has an id that follows from token, so that the call makes one thing however often it is repeated. API Gateway's
// operations have no client tokens of their own.
func withToken(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, createToken{}, token)
}

// idFor returns the id of n characters, at most 32, for what a call creates: by its token, or random.
func (g *Gateway) idFor(ctx context.Context, n int) (string, error) {
	token, _ := ctx.Value(createToken{}).(string)
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
