package kms

import (
	"net/http"

	"lambent.dev/lambent/internal/service"
)

// The service's error codes.
const (
	codeNotFound     = "NotFoundException"
	codeDisabled     = "DisabledException"
	codeState        = "KMSInvalidStateException"
	codeUsage        = "InvalidKeyUsageException"
	codeCiphertext   = "InvalidCiphertextException"
	codeIncorrectKey = "IncorrectKeyException"
	codeUnsupported  = "UnsupportedOperationException"
	codeExists       = "AlreadyExistsException"
	codeLimit        = "LimitExceededException"
	codePolicy       = "MalformedPolicyDocumentException"
	codeMarker       = "InvalidMarkerException"
	codeTag          = "TagException"
	codeARN          = "InvalidArnException"
	codeAlias        = "InvalidAliasNameException"
	codeGrantToken   = "InvalidGrantTokenException"
	codeGrantID      = "InvalidGrantIdException"
	codeImportToken  = "InvalidImportTokenException"
	codeTokenExpired = "ExpiredImportTokenException"
	codeMaterial     = "IncorrectKeyMaterialException"
	codeSignature    = "KMSInvalidSignatureException"
	codeMAC          = "KMSInvalidMacException"
	codeDryRun       = "DryRunOperationException"
)

func refused(code, format string, args ...any) error {
	return service.Errorf(code, format, args...).WithStatus(http.StatusBadRequest)
}

func invalid(format string, args ...any) error {
	return refused("ValidationException", format, args...)
}

// silent returns an error that AWS gives no message.
func silent(code string) error { return refused(code, "") }

func unsupported(operation, parameter string) error {
	return service.Unsupported(codeUnsupported, operation, parameter)
}

// rehearsed is the answer of a call with DryRun that would have succeeded.
func rehearsed(dry *bool) error {
	if dry != nil && *dry {
		return refused(codeDryRun, "The request would have succeeded, but the DryRun option is set.")
	}
	return nil
}
