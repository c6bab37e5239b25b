package runtimes

import (
	"bytes"
	"os"
	"path/filepath"
)

// SDK is the AWS SDK of a language. AWS's own runtimes bring it along, so that functions count on it without having it in their code. Here it is
// added to the runtime client, which functions see as /var/runtime.
type SDK struct {
	// Family is the language.
	Family string
	// Name is what functions import, Packages what is to be installed for that.
	Name     string
	Packages []string
	// Folder is where it is looked for, below the folder of the catalog.
	Folder string

	probe string // lies in Folder when the SDK is there
	// missed begin what a runtime says of a module of the SDK that it has not found.
	missed []string
}

// SDKs returns the SDKs that functions may count on.
func SDKs() []SDK {
	return []SDK{
		{
			Family: FamilyNode, Name: "@aws-sdk", Folder: filepath.Join("clients", "node"), probe: filepath.Join("node_modules", "@aws-sdk"),
			missed: []string{"Cannot find module '@aws-sdk/", "Cannot find package '@aws-sdk/"},
			Packages: []string{
				"@aws-sdk/client-apigatewaymanagementapi", "@aws-sdk/client-cloudformation", "@aws-sdk/client-cloudwatch", "@aws-sdk/client-cloudwatch-logs",
				"@aws-sdk/client-cognito-identity-provider", "@aws-sdk/client-dynamodb", "@aws-sdk/client-eventbridge", "@aws-sdk/client-firehose",
				"@aws-sdk/client-iam", "@aws-sdk/client-kinesis", "@aws-sdk/client-kms", "@aws-sdk/client-lambda", "@aws-sdk/client-s3", "@aws-sdk/client-scheduler",
				"@aws-sdk/client-secrets-manager", "@aws-sdk/client-sfn", "@aws-sdk/client-sns", "@aws-sdk/client-sqs", "@aws-sdk/client-ssm", "@aws-sdk/client-sts",
				"@aws-sdk/lib-dynamodb", "@aws-sdk/lib-storage", "@aws-sdk/s3-presigned-post", "@aws-sdk/s3-request-presigner", "@aws-sdk/util-dynamodb",
			},
		},
		{
			Family: FamilyPython, Name: "boto3", Folder: filepath.Join("clients", "python"), probe: "boto3", Packages: []string{"boto3"},
			missed: []string{"No module named 'boto3", "No module named 'botocore"},
		},
	}
}

// Installed tells whether the SDK is in the catalog's folder dir.
func (s *SDK) Installed(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, s.Folder, s.probe))
	return err == nil
}

// MissingSDK tells what to do about an initialisation that failed because the function counts on an SDK that is not installed; empty when that is not why.
// failure is the runtime's own error document.
func MissingSDK(failure []byte) string {
	for _, s := range SDKs() {
		for _, m := range s.missed {
			if bytes.Contains(failure, []byte(m)) {
				return "AWS's runtimes bring " + s.Name + " along; here functions have it in their package, or from: lambent runtime sdk " + s.Family
			}
		}
	}
	return ""
}
