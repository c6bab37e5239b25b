package s3

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5" //nolint:gosec // how S3 names a customer's key, not a protection.
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/seal"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// The algorithms of x-amz-server-side-encryption. All of them encrypt with [seal]; they differ in who keeps the key.
const (
	sseS3      = "AES256"
	sseKMS     = "aws:kms"
	sseKMSDSSE = "aws:kms:dsse"
)

// ownKey is the key of the key service for objects that name none.
const ownKey = "alias/aws/s3"

// encryption is how the bodies of an object are encrypted: under a data key that is kept wrapped.
type encryption struct {
	// Algorithm is that of the answers; empty when the customer keeps the key.
	Algorithm string `json:"a,omitempty"`
	// Key is the ARN of the key that wrapped the data key.
	Key       string `json:"k,omitempty"`
	Context   string `json:"c,omitempty"` // the caller's encryption context, as it was sent
	BucketKey bool   `json:"bk,omitempty"`
	// Salt makes the data key of a bucket key, which Wrapped then is; see [bucketKeys].
	Salt []byte `json:"s,omitempty"`
	// ARN is what the data key is bound to: the object, or the bucket.
	ARN string `json:"arn,omitempty"`
	// CustomerMD5 names the customer's key.
	CustomerMD5 string `json:"cm,omitempty"`
	Wrapped     []byte `json:"w"`
}

// sealing is an encryption with its data key in the clear. A nil one stores bodies as they are.
type sealing struct {
	*encryption

	key []byte
}

// bucketEncryption is what a bucket does with objects that ask for nothing.
type bucketEncryption struct {
	Algorithm string   `json:"algorithm,omitempty"`
	Key       string   `json:"key,omitempty"`
	BucketKey bool     `json:"bucket_key,omitempty"`
	Blocked   []string `json:"blocked,omitempty"`
}

// sseHeader is the argument that errors about encryption name, whichever header it was.
const sseHeader = "x-amz-server-side-encryption"

// customerKey are the headers of a key that the customer keeps (SSE-C).
type customerKey struct{ algorithm, key, md5 *string }

func (c customerKey) given() bool { return anySet(c.algorithm, c.key, c.md5) }

// sealInput is how a request asks for encryption.
type sealInput struct {
	algorithm       string
	key, kmsContext *string
	bucketKey       *bool
	customer        customerKey
}

// parse returns the key that came with a request.
func (c customerKey) parse(ctx context.Context) ([]byte, error) {
	const prefix = "Requests specifying Server Side Encryption with Customer provided keys must "
	switch {
	case !service.RequestFrom(ctx).Secure:
		return nil, invalidRequest(prefix + "be made over a secure connection.")
	case deref(c.algorithm) == "":
		return nil, invalidValue(sseHeader, "null", prefix+"provide a valid encryption algorithm.")
	case *c.algorithm != sseS3:
		return nil, fail("InvalidEncryptionAlgorithmError", http.StatusBadRequest, "The Encryption request you specified is not valid. Supported value: AES256.").
			WithDetail(&InvalidArgument{sseHeader, *c.algorithm})
	case deref(c.key) == "":
		return nil, invalidValue(sseHeader, "null", prefix+"provide an appropriate secret key.")
	case deref(c.md5) == "":
		return nil, invalidValue(sseHeader, "null", prefix+"provide the client calculated MD5 of the secret key.")
	}
	key, err := base64.StdEncoding.DecodeString(*c.key)
	if err != nil || len(key) != seal.KeySize {
		return nil, invalidValue(sseHeader, "null", "The secret key was invalid for the specified algorithm.")
	}
	sum := md5.Sum(key) //nolint:gosec // see the import.
	if base64.StdEncoding.EncodeToString(sum[:]) != *c.md5 {
		return nil, invalidValue(sseHeader, "null", "The calculated MD5 hash of the key did not match the hash that was provided.")
	}
	return key, nil
}

// seal returns how a new object is encrypted: as the request asks, or else as its bucket says; nil is not at all.
func (s *Service) seal(ctx context.Context, b *bucket, object string, in sealInput) (*sealing, error) {
	if in.customer.given() {
		return s.sealCustomer(ctx, b, in)
	}
	algorithm, key, bucketKey := in.algorithm, deref(in.key), deref(in.bucketKey)
	if algorithm == "" && (key != "" || in.kmsContext != nil) {
		return nil, invalidArgument("Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")
	}
	if algorithm == "" && b.Encryption != nil {
		algorithm, key = b.Encryption.Algorithm, b.Encryption.Key
	}
	if in.bucketKey == nil && b.Encryption != nil {
		bucketKey = b.Encryption.BucketKey
	}
	e := &encryption{Algorithm: algorithm, ARN: b.arn()}
	switch algorithm {
	case "":
		return nil, nil
	case sseS3:
		if key != "" || in.kmsContext != nil {
			return nil, invalidArgument("Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")
		}
	case sseKMS, sseKMSDSSE:
		e.Context = deref(in.kmsContext)
		if e.BucketKey = bucketKey && algorithm == sseKMS; !e.BucketKey {
			e.ARN += "/" + object
		}
		if key == "" {
			key = ownKey
		}
	default:
		return nil, invalidValue("x-amz-server-side-encryption", algorithm, "The encryption method specified is not supported")
	}
	use, err := e.use(b)
	if err != nil {
		return nil, err
	}
	use.Key = key
	if r := service.RequestFrom(ctx); key != "" && key != ownKey && r.Principal.Account != "" {
		use.Account = r.Principal.Account // ids and aliases are those of the caller
	}
	return s.dataKey(ctx, e, use)
}

// use returns what a key service must know of the data key of e.
func (e *encryption) use(b *bucket) (port.KeyUse, error) {
	use := port.KeyUse{Service: "s3", Key: e.Key, Account: b.Account, Region: b.Region, Context: map[string]string{}}
	if name, err := arn.Parse(e.Key); err == nil {
		use.Account, use.Region = name.Account, name.Region // a replica keeps the key of its source
	}
	if e.Context != "" {
		raw, err := base64.StdEncoding.DecodeString(e.Context)
		if err != nil || json.Unmarshal(raw, &use.Context) != nil {
			return use, invalidArgument("The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map")
		}
	}
	use.Context["aws:s3:arn"] = e.ARN
	return use, nil
}

// sealCustomer makes a data key that only the customer's key opens.
func (s *Service) sealCustomer(ctx context.Context, b *bucket, in sealInput) (*sealing, error) {
	if in.algorithm != "" {
		return nil, invalidValue(sseHeader, in.algorithm, "Server Side Encryption with Customer provided key is incompatible with the encryption method specified")
	}
	if b.Encryption != nil && slices.Contains(b.Encryption.Blocked, "SSE-C") {
		return nil, accessDenied("The bucket's encryption configuration blocks encryption with customer provided keys (SSE-C).")
	}
	customer, err := in.customer.parse(ctx)
	if err != nil {
		return nil, err
	}
	data := make([]byte, seal.KeySize)
	aead, err := keyWrap(customer)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	for _, b := range [][]byte{data, nonce} {
		if _, err := io.ReadFull(s.random, b); err != nil {
			return nil, fmt.Errorf("make a data key: %w", err)
		}
	}
	return &sealing{&encryption{CustomerMD5: *in.customer.md5, Wrapped: aead.Seal(nonce, nonce, data, nil)}, data}, nil
}

func keyWrap(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("wrap a data key: %w", err)
	}
	return cipher.NewGCM(block)
}

// checkKey compares the customer's key that a call about an upload brings, if it does, with that which the upload began with.
func (u *upload) checkKey(ctx context.Context, customer customerKey) error {
	if !customer.given() {
		return nil
	}
	if _, err := customer.parse(ctx); err != nil {
		return err
	}
	if u.Seal == nil || u.Seal.CustomerMD5 != deref(customer.md5) {
		return invalidRequest("The provided encryption parameters did not match the ones used originally.")
	}
	return nil
}

// unsealPart returns the data key of an upload. Whether a part comes with a customer's key must fit what the upload began with.
func (s *Service) unsealPart(ctx context.Context, b *bucket, u *upload, customer customerKey) (*sealing, error) {
	if began := u.Seal != nil && u.Seal.CustomerMD5 != ""; began != customer.given() {
		return nil, invalidRequest("The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.")
	}
	if customer.given() && u.Seal.CustomerMD5 != deref(customer.md5) {
		return nil, invalidRequest("The provided encryption parameters did not match the ones used originally.")
	}
	return s.unseal(ctx, b, u.Seal, customer)
}

// unseal returns the data key of e, which may be nil, for a request with customer's headers.
func (s *Service) unseal(ctx context.Context, b *bucket, e *encryption, customer customerKey) (*sealing, error) {
	if e == nil || e.CustomerMD5 == "" {
		if customer.given() {
			return nil, invalidRequest("The encryption parameters are not applicable to this object.")
		}
		if e == nil {
			return nil, nil
		}
		return s.unwrap(ctx, b, e, false)
	}
	if !customer.given() {
		return nil, invalidRequest("The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.")
	}
	own, err := customer.parse(ctx)
	if err != nil {
		return nil, err
	}
	aead, err := keyWrap(own)
	if err != nil {
		return nil, err
	}
	if len(e.Wrapped) < aead.NonceSize() {
		return nil, seal.ErrDamaged
	}
	key, err := aead.Open(nil, e.Wrapped[:aead.NonceSize()], e.Wrapped[aead.NonceSize():], nil)
	if err != nil {
		return nil, accessDenied("Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key.")
	}
	return &sealing{e, key}, nil
}

// unwrap returns the data key of e, which is no customer's. The caller is asked for the permission to use its key unless the platform works for itself.
func (s *Service) unwrap(ctx context.Context, b *bucket, e *encryption, granted bool) (*sealing, error) {
	use, err := e.use(b)
	if err != nil {
		return nil, err
	}
	use.Granted = granted
	open := s.keys.Decrypt
	if e.BucketKey {
		open = s.bucketKeys.open
	}
	key, err := open(ctx, use, e.Wrapped)
	if err != nil {
		return nil, err
	}
	return e.with(key)
}

// etag returns the entity tag of a body with the MD5 sum: keys that S3 does not keep alone must not let the sum of the content out.
func (l *sealing) etag(sum string) string {
	if l == nil || l.Algorithm == sseS3 {
		return sum
	}
	h := sha256.New()
	h.Write(l.key)
	h.Write([]byte("etag " + sum))
	return hex.EncodeToString(h.Sum(nil)[:md5.Size])
}

// shownSeal is an encryption as answers show it.
type shownSeal struct {
	algorithm                                          string
	key, kmsContext, customerAlgorithm, customerKeyMD5 *string
	bucketKey                                          *bool
}

func (e *encryption) shown() shownSeal {
	switch {
	case e == nil:
		return shownSeal{}
	case e.CustomerMD5 != "":
		return shownSeal{customerAlgorithm: ptr(sseS3), customerKeyMD5: &e.CustomerMD5}
	case e.Algorithm == sseS3:
		return shownSeal{algorithm: sseS3}
	}
	return shownSeal{algorithm: e.Algorithm, key: &e.Key, kmsContext: optional(e.Context), bucketKey: optional(e.BucketKey)}
}

// sealed returns the encryption of l, for the record of an object.
func (l *sealing) sealed() *encryption {
	if l == nil {
		return nil
	}
	return l.encryption
}

func (s *Service) putBucketEncryption(ctx context.Context, in *api.PutBucketEncryptionInput) (*api.PutBucketEncryptionOutput, error) {
	c := in.ServerSideEncryptionConfiguration
	if c == nil || len(c.Rules) != 1 {
		return nil, malformedXML()
	}
	r := c.Rules[0]
	e := &bucketEncryption{BucketKey: deref(r.BucketKeyEnabled)}
	if by := r.ApplyServerSideEncryptionByDefault; by != nil {
		e.Algorithm, e.Key = by.SSEAlgorithm, deref(by.KMSMasterKeyID)
	}
	if r.BlockedEncryptionTypes != nil {
		for _, t := range r.BlockedEncryptionTypes.EncryptionType {
			switch t {
			case "SSE-C":
				e.Blocked = append(e.Blocked, t)
			case "NONE":
			default:
				return nil, malformedXML()
			}
		}
	}
	switch {
	case e.Algorithm == sseS3 && e.Key != "":
		return nil, invalidValue("ApplyServerSideEncryptionByDefault", "null", "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse")
	case e.Algorithm == "" && len(e.Blocked) == 0, !slices.Contains([]string{"", sseS3, sseKMS, sseKMSDSSE}, e.Algorithm):
		return nil, malformedXML()
	}
	err := s.changeBucket(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) { b.Encryption = e })
	return answerOf(&api.PutBucketEncryptionOutput{}, err)
}

// getBucketEncryption shows what was configured. A bucket without a configuration encrypts nothing, and says so.
func (s *Service) getBucketEncryption(ctx context.Context, in *api.GetBucketEncryptionInput) (*api.GetBucketEncryptionOutput, error) {
	out := &api.GetBucketEncryptionOutput{}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ store.Reader, b *bucket) error {
		e := b.Encryption
		if e == nil {
			return fail("ServerSideEncryptionConfigurationNotFoundError", http.StatusNotFound, "The server side encryption configuration was not found. Objects are stored as they are; PutBucketEncryption turns encryption on.")
		}
		rule := api.ServerSideEncryptionRule{BucketKeyEnabled: &e.BucketKey}
		if e.Algorithm != "" {
			rule.ApplyServerSideEncryptionByDefault = &api.ServerSideEncryptionByDefault{SSEAlgorithm: e.Algorithm, KMSMasterKeyID: optional(e.Key)}
		}
		if len(e.Blocked) > 0 {
			rule.BlockedEncryptionTypes = &api.BlockedEncryptionTypes{EncryptionType: e.Blocked}
		}
		out.ServerSideEncryptionConfiguration = &api.ServerSideEncryptionConfiguration{Rules: []api.ServerSideEncryptionRule{rule}}
		return nil
	})
	return answerOf(out, err)
}

func (s *Service) deleteBucketEncryption(ctx context.Context, in *api.DeleteBucketEncryptionInput) (*api.DeleteBucketEncryptionOutput, error) {
	err := s.changeBucket(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) { b.Encryption = nil })
	return answerOf(&api.DeleteBucketEncryptionOutput{}, err)
}
