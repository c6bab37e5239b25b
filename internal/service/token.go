package service

import "context"

type createToken struct{}

// WithCreateToken marks a creating call of a deploy for an operation without a client token of its own: what it makes is found by token, so that the call makes one thing however
// often it is repeated. token is that of the step ([ResourceCall.Token]).
func WithCreateToken(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, createToken{}, token)
}

// CreateToken returns the token of [WithCreateToken]; empty for any other call.
func CreateToken(ctx context.Context) string {
	token, _ := ctx.Value(createToken{}).(string)
	return token
}
