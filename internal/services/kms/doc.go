// Package kms is the Key Management Service: keys that encrypt, sign, authenticate and agree on secrets, which never leave it in the clear.
//
// # Keys
//
// All keys begin with "kms" and a kind. Those of a place go on with account and region, then:
//
//	"k", place, id                       a key (record)
//	"m", place, id, n                    material n of a key (record), sealed
//	"a", place, alias                    an alias (record)
//	"t", place, id, alias                the alias is one of the key
//	"g", place, id, grant                a grant (record)
//	"n", place, id, grantee, grant       the grant is to a grantee
//	"y", place, retiring, id, grant      the grant may be retired by a principal
//	"u", place, id                       the last use of a key (record), written once a day
//	"i", id                              the account and the region of a key
//	"r", account, id                     the regions of a multi-Region key (record)
//	"c", account, token                  the key that a deploy made with a token
//
// # Material
//
// Material is sealed under the platform's master keys, bound to its key and its number. It lies encrypted in the store and is opened for each use. Whoever
// deletes a key deletes its rows; the bytes leave the disk when the store compacts them, and are of no use without the master keys.
// The cryptography is package material's.
//
// # Ciphertexts
//
// A symmetric ciphertext names its key and the number of its material, so that it opens after any rotation and without a key id:
//
//	2 | form (1) | id of the key (16) | material (4, big endian) | salt (16) | ciphertext | tag (16)
//
// form is 0 for keys of one region and 1 for multi-Region keys (mrk-…). Everything before the ciphertext is authenticated, and so is the encryption
// context. Asymmetric ciphertexts are RFC 8017's, without a head.
//
// # Who may
//
// Key policies are resource policies that must allow (package auth/iam); grants are added to them as statements when they fit the call. So there is one
// decision about a call, and a Deny wins over a grant. Other services come through [Keys], with kms:ViaService and the caller's own right.
//
// # Keys of services
//
// alias/aws/s3 and its like come into being when they are first used. Their ids follow from account, region and service. What a service encrypts without
// naming any key is under the platform's keys (package auth/datakey), of which users see nothing.
//
// # What it is not
//
// There are no custom key stores (CloudHSM, external key stores), no Nitro enclaves (Recipient) and no SM2.
//
// # Locks
//
// None: all state is in the store. A channel bounds how many RSA keys are made at a time.
package kms
