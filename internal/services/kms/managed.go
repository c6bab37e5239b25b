package kms

import (
	"context"
	"regexp"

	"lambent.dev/lambent/internal/auth/datakey"
	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/services/kms/material"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

var serviceNames = regexp.MustCompile(`^[a-z0-9-]{2,32}$`)

// managedServices are the services that have keys of their own.
func managedServices() map[string]string {
	return map[string]string{
		"acm": "Certificate Manager", "dynamodb": "DynamoDB", "ebs": "EC2", "ecr": "ECR", "elasticfilesystem": "EFS", "events": "EventBridge", "kinesis": "Kinesis",
		"lambda": "Lambda", "logs": "CloudWatch Logs", "rds": "RDS", "s3": "S3", "secretsmanager": "Secrets Manager", "sns": "SNS", "sqs": "SQS", "ssm": "Parameter Store",
		"states": "Step Functions", "xray": "X-Ray",
	}
}

// managedPolicy lets everybody in the account use the key through the service, and the account see it; nobody may change it
// (https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk).
func (p place) managedPolicy(name string) string {
	return `{"Version":"2012-10-17","Id":"auto-` + name + `-1","Statement":[` +
		`{"Sid":"UseThroughService","Effect":"Allow","Principal":{"AWS":"*"},` +
		`"Action":["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:CreateGrant","kms:DescribeKey"],"Resource":"*",` +
		`"Condition":{"StringEquals":{"kms:CallerAccount":"` + p.account + `","kms:ViaService":"` + p.host(name) + `"}}},` +
		`{"Sid":"SeeKey","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + p.account + `:root"},"Action":["kms:Describe*","kms:Get*","kms:List*"],"Resource":"*"}]}`
}

// host returns the name by which kms:ViaService means a service.
func (p place) host(name string) string { return name + "." + p.region + ".amazonaws.com" }

// makeManaged makes the key of a service, unless there is no such service.
func (s *Service) makeManaged(ctx context.Context, p place, name string) (made bool, err error) {
	title, known := managedServices()[name]
	if !known || !serviceNames.MatchString(name) {
		return false, nil
	}
	secret, err := material.NewSecret(32, s.deps.Random)
	if err != nil {
		return false, err
	}
	now := s.now()
	f := &found{place: p, keyRecord: keyRecord{
		ID: datakey.ID(name, p.account, p.region), Description: "Default key that protects the data of " + title + " when no other key is defined",
		Spec: material.Symmetric, Usage: material.UsageEncrypt, Origin: api.OriginTypeAwsKms, Manager: api.KeyManagerTypeAws, Policy: p.managedPolicy(name),
		State: api.KeyStateEnabled, Created: now, Rotation: rotationRecord{Period: usualPeriod},
	}}
	fresh := f.keyRecord
	return true, s.deps.Store.Update(ctx, func(tx store.Txn) error {
		there, err := record.Has(tx, p.key(f.ID))
		if err != nil || there {
			return err
		}
		f.keyRecord = fresh
		if err := s.addMaterial(tx, f, secret, materialRecord{State: api.KeyMaterialStateCurrent}); err != nil {
			return err
		}
		f.Current = f.Last
		if err := f.scheduleRotation(tx, now); err != nil {
			return err
		}
		if err := setAlias(tx, p, managedPrefix+name, aliasRecord{Target: f.ID, Created: now, Updated: now}); err != nil {
			return err
		}
		return f.save(tx)
	})
}
