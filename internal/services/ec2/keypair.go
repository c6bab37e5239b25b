package ec2

import (
	"context"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"io"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
)

// keyPair is the public half of a key. The private half is answered once and not kept.
type keyPair struct{ api.KeyPairInfo }

// Types of keys.
const (
	keyRSA     = "rsa"
	keyED25519 = "ed25519"
)

// rsaBits is the size of RSA keys that are made here.
const rsaBits = 2048

var keyPairs = kind[keyPair]{
	class: class{name: "key-pair", prefix: "key", absent: "InvalidKeyPair.NotFound", malformed: "InvalidKeyPairID.Malformed", unknown: "The key pair ID '%s' does not exist"},
	id:    func(k *keyPair) string { return *k.KeyPairId },
}

var keyPairFields = fields[*api.KeyPairInfo]{
	id:   func(k *api.KeyPairInfo) *string { return k.KeyPairId },
	tags: func(k *api.KeyPairInfo) []api.Tag { return k.Tags },
	values: map[string]func(*api.KeyPairInfo) []string{
		"fingerprint": func(k *api.KeyPairInfo) []string { return text(k.KeyFingerprint) },
		"key-name":    func(k *api.KeyPairInfo) []string { return text(k.KeyName) },
		"key-pair-id": func(k *api.KeyPairInfo) []string { return text(k.KeyPairId) },
	},
}

// keyNamed returns the key with a name, or nil.
func (v *view) keyNamed(name string) (*keyPair, error) {
	there, err := all(v, &keyPairs)
	if err != nil {
		return nil, err
	}
	for i := range there {
		if *there[i].KeyName == name {
			return &there[i], nil
		}
	}
	return nil, nil
}

func noKey(name string) error {
	return refuse(keyPairs.absent, "The key pair '%s' does not exist", name)
}

func (s *Service) describeKeyPairs(ctx context.Context, in *api.DescribeKeyPairsInput) (*api.DescribeKeyPairsOutput, error) {
	ids := slices.Clone(in.KeyPairIds)
	err := s.view(ctx, func(v *view) error {
		for _, name := range in.KeyNames {
			k, err := v.keyNamed(name)
			if err != nil {
				return err
			}
			if k == nil {
				return noKey(name)
			}
			ids = append(ids, *k.KeyPairId)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out, _, err := list(ctx, s, &keyPairs, query{ids: ids, filters: in.Filters}, &keyPairFields, func(v *view, k *keyPair) (out api.KeyPairInfo, err error) {
		out = k.KeyPairInfo
		if !opt.Value(in.IncludePublicKey) {
			out.PublicKey = nil
		}
		out.Tags, err = v.tagsOf(*k.KeyPairId)
		return out, err
	})
	return &api.DescribeKeyPairsOutput{KeyPairs: out}, err
}

func checkKeyName(name string) error {
	if len(name) == 0 || len(name) > 255 || strings.IndexFunc(name, func(r rune) bool { return r > 127 || r < 32 }) >= 0 || strings.TrimSpace(name) != name {
		return invalid("Value (%s) for parameter KeyName is invalid. It must be up to 255 ASCII characters without spaces around them", name)
	}
	return nil
}

func (s *Service) createKeyPair(ctx context.Context, in *api.CreateKeyPairInput) (*api.CreateKeyPairOutput, error) {
	if err := checkKeyName(in.KeyName); err != nil {
		return nil, err
	}
	if or(in.KeyFormat, "pem") != "pem" {
		return nil, refuse(codeUnsupported, "Lambent makes keys in the format pem, and not in the format %s.", in.KeyFormat)
	}
	made, err := makeKey(s.deps.Random, or(in.KeyType, keyRSA), in.KeyName)
	if err != nil {
		return nil, err
	}
	out := &api.CreateKeyPairOutput{KeyName: &in.KeyName, KeyFingerprint: &made.fingerprint, KeyMaterial: &made.private}
	return out, s.addKey(ctx, in.KeyName, made, in.TagSpecifications, func(id string, tags []api.Tag) { out.KeyPairId, out.Tags = &id, tags })
}

func (s *Service) importKeyPair(ctx context.Context, in *api.ImportKeyPairInput) (*api.ImportKeyPairOutput, error) {
	if err := checkKeyName(in.KeyName); err != nil {
		return nil, err
	}
	read, err := readKey(in.PublicKeyMaterial)
	if err != nil {
		return nil, err
	}
	out := &api.ImportKeyPairOutput{KeyName: &in.KeyName, KeyFingerprint: &read.fingerprint}
	return out, s.addKey(ctx, in.KeyName, read, in.TagSpecifications, func(id string, tags []api.Tag) { out.KeyPairId, out.Tags = &id, tags })
}

// addKey stores a key whose name is free, and calls done with its id and tags.
func (s *Service) addKey(ctx context.Context, name string, m keyMaterial, specs []api.TagSpecification, done func(id string, tags []api.Tag)) error {
	return s.update(ctx, func(e *edit) error {
		there, err := e.keyNamed(name)
		if err != nil {
			return err
		}
		id, made, err := keyPairs.make(e)
		if err != nil {
			return err
		}
		if there != nil && (made == nil || *there.KeyPairId != id) {
			return refuse("InvalidKeyPair.Duplicate", "The keypair already exists")
		}
		err = put(e, &keyPairs, &keyPair{api.KeyPairInfo{
			KeyPairId: &id, KeyName: &name, KeyType: m.kind, KeyFingerprint: &m.fingerprint, PublicKey: &m.public, CreateTime: &e.now,
		}})
		if err != nil {
			return err
		}
		if err := e.specified(&keyPairs.class, id, specs); err != nil {
			return err
		}
		tags, err := e.tagsOf(id)
		if len(tags) == 0 {
			tags = nil
		}
		done(id, tags)
		return err
	})
}

// deleteKeyPair deletes a key. One that is not there is no error.
func (s *Service) deleteKeyPair(ctx context.Context, in *api.DeleteKeyPairInput) (*api.DeleteKeyPairOutput, error) {
	out := &api.DeleteKeyPairOutput{Return: new(true)}
	if in.KeyName == nil && in.KeyPairId == nil {
		return nil, missing("KeyName")
	}
	return out, s.update(ctx, func(e *edit) (err error) {
		var k *keyPair
		if in.KeyPairId != nil {
			if err := keyPairs.check(*in.KeyPairId); err != nil {
				return err
			}
			k, err = find(e.view, &keyPairs, *in.KeyPairId)
		} else {
			k, err = e.keyNamed(*in.KeyName)
		}
		if err != nil || k == nil {
			return err
		}
		out.KeyPairId = k.KeyPairId
		drop(e, &keyPairs, k)
		return nil
	})
}

// keyMaterial is a key with its halves as text. An imported one has no private half.
type keyMaterial struct{ kind, public, private, fingerprint string }

// makeKey makes a key. The fingerprint of an RSA key is the SHA-1 of its private half in DER (PKCS #8), that of an ED25519 key the SHA-256 that OpenSSH shows
// (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-keys.html).
func makeKey(random io.Reader, kind, name string) (m keyMaterial, err error) {
	m.kind = kind
	var public ssh.PublicKey
	switch kind {
	case keyRSA:
		k, err := rsa.GenerateKey(random, rsaBits)
		if err != nil {
			return m, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			return m, err
		}
		sum := sha1.Sum(der) //nolint:gosec // what AWS shows, and nothing rests on it
		m.fingerprint = colons(sum[:])
		m.private = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))
		if public, err = ssh.NewPublicKey(&k.PublicKey); err != nil {
			return m, err
		}
	case keyED25519:
		half, k, err := ed25519.GenerateKey(random)
		if err != nil {
			return m, err
		}
		block, err := ssh.MarshalPrivateKey(k, name)
		if err != nil {
			return m, err
		}
		m.private = string(pem.EncodeToMemory(block))
		if public, err = ssh.NewPublicKey(half); err != nil {
			return m, err
		}
		m.fingerprint = sshFingerprint(public)
	default:
		return m, invalid("Invalid value '%s' for keyType. It should be 'rsa' or 'ed25519'.", kind)
	}
	m.public = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))) + " " + name
	return m, nil
}

// readKey reads a public key in OpenSSH's form, as text or in base64. The fingerprint of an RSA key is the MD5 of it in DER.
func readKey(material []byte) (m keyMaterial, err error) {
	public, comment, _, _, err := ssh.ParseAuthorizedKey(material)
	if err != nil {
		if decoded, e := base64.StdEncoding.DecodeString(strings.TrimSpace(string(material))); e == nil {
			public, comment, _, _, err = ssh.ParseAuthorizedKey(decoded)
		}
	}
	if err != nil {
		return m, refuse("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
	}
	m.public = strings.TrimSpace(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))) + " " + comment)
	crypto, ok := public.(ssh.CryptoPublicKey)
	if !ok {
		return m, refuse("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
	}
	switch k := crypto.CryptoPublicKey().(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits != 1024 && bits != 2048 && bits != 4096 {
			return m, refuse("InvalidKey.Format", "RSA keys of 1024, 2048 and 4096 bits are supported, and not of %d", bits)
		}
		der, err := x509.MarshalPKIXPublicKey(k)
		if err != nil {
			return m, err
		}
		sum := md5.Sum(der) //nolint:gosec // what AWS shows, and nothing rests on it
		m.kind, m.fingerprint = keyRSA, colons(sum[:])
	case ed25519.PublicKey:
		m.kind, m.fingerprint = keyED25519, sshFingerprint(public)
	default:
		return m, refuse("InvalidKey.Format", "Keys of the type %s are not supported. Use RSA or ED25519.", public.Type())
	}
	return m, nil
}

// sshFingerprint is the SHA-256 of a public key in base64, as AWS shows it: with its padding.
func sshFingerprint(k ssh.PublicKey) string {
	sum := sha256.Sum256(k.Marshal())
	return base64.StdEncoding.EncodeToString(sum[:])
}

// colons writes bytes in hexadecimal with colons between them.
func colons(b []byte) string {
	var out []string
	for i := range b {
		out = append(out, hex.EncodeToString(b[i:i+1]))
	}
	return strings.Join(out, ":")
}
