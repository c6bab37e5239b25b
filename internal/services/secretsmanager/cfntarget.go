package secretsmanager

import (
	"context"
	"encoding/json"

	"lambent.dev/lambent/internal/awsapi/rds"
	api "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// targetProperties are the properties of AWS::SecretsManager::SecretTargetAttachment, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secrettargetattachment.html.
type targetProperties struct {
	SecretID   string `cfn:"SecretId,required,createOnly"`
	TargetID   string `cfn:"TargetId,required"`
	TargetType string `cfn:"TargetType,required"`
}

// The types of databases that a secret can be for.
const (
	targetInstance = "AWS::RDS::DBInstance"
	targetCluster  = "AWS::RDS::DBCluster"
)

// connection returns what a secret is told of its database.
func (s *Service) connection(ctx context.Context, p *targetProperties) (map[string]any, error) {
	switch p.TargetType {
	case targetInstance:
		out, err := service.Call[rds.DescribeDBInstancesOutput](ctx, s.deps.Door, "rds", "DescribeDBInstances", &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &p.TargetID})
		if err != nil {
			return nil, err
		}
		if len(out.DBInstances) == 0 || out.DBInstances[0].Endpoint == nil {
			return nil, badRequest("The database %s has no endpoint.", p.TargetID)
		}
		d := out.DBInstances[0]
		return map[string]any{
			"engine": opt.Value(d.Engine), "host": opt.Value(d.Endpoint.Address), "port": opt.Value(d.Endpoint.Port), "dbname": opt.Value(d.DBName), "dbInstanceIdentifier": p.TargetID,
		}, nil
	case targetCluster:
		out, err := service.Call[rds.DescribeDBClustersOutput](ctx, s.deps.Door, "rds", "DescribeDBClusters", &rds.DescribeDBClustersInput{DBClusterIdentifier: &p.TargetID})
		if err != nil {
			return nil, err
		}
		if len(out.DBClusters) == 0 {
			return nil, badRequest("There is no database cluster %s.", p.TargetID)
		}
		d := out.DBClusters[0]
		return map[string]any{
			"engine": opt.Value(d.Engine), "host": opt.Value(d.Endpoint), "port": opt.Value(d.Port), "dbname": opt.Value(d.DatabaseName), "dbClusterIdentifier": p.TargetID,
		}, nil
	}
	return nil, unsupported("AWS::SecretsManager::SecretTargetAttachment", "TargetType "+p.TargetType)
}

// targetMembers are what an attachment adds to a secret.
func targetMembers() []string {
	return []string{"engine", "host", "port", "dbname", "dbInstanceIdentifier", "dbClusterIdentifier"}
}

// rewrite puts a new value of a secret that is a JSON object.
func (s *Service) rewrite(ctx context.Context, c service.ResourceCall, id string, change func(members map[string]any)) (arn string, err error) {
	now, err := call[api.GetSecretValueOutput](ctx, s, "GetSecretValue", &api.GetSecretValueInput{SecretId: id})
	if err != nil {
		return "", err
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(opt.Value(now.SecretString)), &members); err != nil {
		return "", badRequest("The value of the secret %s must be a JSON object to be attached to a database: %v", id, err)
	}
	change(members)
	b, err := json.Marshal(members)
	if err != nil {
		return "", err
	}
	_, err = call[api.PutSecretValueOutput](ctx, s, "PutSecretValue", &api.PutSecretValueInput{SecretId: id, ClientRequestToken: versionToken(c), SecretString: new(string(b))})
	if c.Retry && service.Code(err) == codeExists {
		err = nil
	}
	return *now.ARN, err
}

func (s *Service) attach(ctx context.Context, c service.ResourceCall, p *targetProperties) (service.Resource, error) {
	target, err := s.connection(ctx, p)
	if err != nil {
		return service.Resource{}, err
	}
	arn, err := s.rewrite(ctx, c, p.SecretID, func(members map[string]any) {
		for k, v := range target {
			if k != "dbname" || v != "" {
				members[k] = v
			}
		}
	})
	return service.Resource{PhysicalID: arn}, err
}

func (s *Service) detach(ctx context.Context, c service.ResourceCall, _ *targetProperties) error {
	_, err := s.rewrite(ctx, c, c.PhysicalID, func(members map[string]any) {
		for _, k := range targetMembers() {
			delete(members, k)
		}
	})
	return service.Unless(err, codeNotFound, codeRequest)
}
