package secretsmanager

import (
	"context"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/lib/opt"
)

// The classes of characters, see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html.
const (
	lowercase   = "abcdefghijklmnopqrstuvwxyz"
	uppercase   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	numbers     = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

	usualLength = 32
	maxLength   = 4096
)

func (s *Service) getRandomPassword(_ context.Context, in *api.GetRandomPasswordInput) (*api.GetRandomPasswordOutput, error) {
	text, err := s.password(in)
	return &api.GetRandomPasswordOutput{RandomPassword: &text}, err
}

// password draws a password.
func (s *Service) password(in *api.GetRandomPasswordInput) (string, error) {
	length := int64(usualLength)
	if in.PasswordLength != nil {
		length = *in.PasswordLength
	}
	if length < 1 || length > maxLength {
		return "", badParameter("PasswordLength must be between 1 and %d.", maxLength)
	}
	classes, err := classesOf(in)
	if err != nil {
		return "", err
	}
	required := in.RequireEachIncludedType == nil || *in.RequireEachIncludedType
	if required && length < int64(len(classes)) {
		return "", badParameter("The password length %d is too short based on the required types.", length)
	}
	out := make([]byte, length)
	all := strings.Join(classes, "")
	for i := range out {
		from := all
		if required && i < len(classes) {
			from = classes[i]
		}
		c, err := pick(s.deps.Random, len(from))
		if err != nil {
			return "", err
		}
		out[i] = from[c]
	}
	// Shuffled, so that the required characters do not stand in front (Fisher and Yates).
	for i := len(out) - 1; i > 0 && required; i-- {
		j, err := s.below(i + 1)
		if err != nil {
			return "", err
		}
		out[i], out[j] = out[j], out[i]
	}
	return string(out), nil
}

// below returns a number below n, which is at most maxLength.
func (s *Service) below(n int) (int, error) {
	const half = 64
	for {
		high, err := pick(s.deps.Random, half)
		if err != nil {
			return 0, err
		}
		low, err := pick(s.deps.Random, half)
		if err != nil {
			return 0, err
		}
		if v := high*half + low; v < half*half-half*half%n {
			return v % n, nil
		}
	}
}

// classesOf returns the classes that a password is made of, without the characters that are excluded.
func classesOf(in *api.GetRandomPasswordInput) ([]string, error) {
	excluded := opt.Value(in.ExcludeCharacters)
	var classes []string
	for _, c := range []struct {
		chars string
		out   bool
	}{
		{lowercase, opt.Value(in.ExcludeLowercase)},
		{uppercase, opt.Value(in.ExcludeUppercase)},
		{numbers, opt.Value(in.ExcludeNumbers)},
		{punctuation, opt.Value(in.ExcludePunctuation)},
		{" ", !opt.Value(in.IncludeSpace)},
	} {
		if c.out {
			continue
		}
		left := strings.Map(func(r rune) rune {
			if strings.ContainsRune(excluded, r) {
				return -1
			}
			return r
		}, c.chars)
		if left != "" {
			classes = append(classes, left)
		} else if in.RequireEachIncludedType == nil || *in.RequireEachIncludedType {
			return nil, badParameter("ExcludeCharacters leaves nothing of a type of characters that is required.")
		}
	}
	if len(classes) == 0 {
		return nil, badParameter("There are no characters left to make a password of.")
	}
	return classes, nil
}
