package apigateway

import (
	"strings"
	"testing"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
)

func TestUploadedCertificateIsRefusedByName(t *testing.T) {
	pem := "PEM"
	for member, in := range map[string]*aws.CreateDomainNameInput{
		"certificateBody":       {DomainName: "api.example.com", CertificateBody: &pem},
		"certificatePrivateKey": {DomainName: "api.example.com", CertificatePrivateKey: &pem},
		"certificateChain":      {DomainName: "api.example.com", CertificateChain: &pem},
	} {
		_, err := (&Gateway{}).createDomainName(t.Context(), in)
		if err == nil || !strings.Contains(err.Error(), member) {
			t.Errorf("%s: got %v, want a refusal that names the member", member, err)
		}
	}
}
