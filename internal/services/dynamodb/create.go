package dynamodb

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// Limits of tables (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html).
const (
	maxGlobalIndexes = 20
	maxLocalIndexes  = 5
	maxThroughput    = 1_000_000_000_000
	maxTags          = 50
)

func (s *Service) createTable(ctx context.Context, in *ddb.CreateTableInput) (*ddb.CreateTableOutput, error) {
	if err := checkCreate(in); err != nil {
		return nil, err
	}
	id, err := s.newID()
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	r := &tableRecord{
		Name: tableName(in.TableName), ID: id, Created: s.clock.Now().UTC(), Attributes: in.AttributeDefinitions, Keys: in.KeySchema,
		OnDemand: in.BillingMode == ddb.BillingModePayPerRequest, OnDemandLimits: in.OnDemandThroughput, Class: in.TableClass,
		Protected: isTrue(in.DeletionProtectionEnabled), Encryption: in.SSESpecification, Tags: tagMap(in.Tags),
	}
	if r.OnDemand {
		r.OnDemandSince = r.Created
	} else {
		r.Throughput = *in.ProvisionedThroughput
	}
	for _, ix := range in.LocalSecondaryIndexes {
		r.Local = append(r.Local, r.newIndex(ix.IndexName, ix.KeySchema, *ix.Projection, nil))
	}
	for _, ix := range in.GlobalSecondaryIndexes {
		r.Global = append(r.Global, r.newIndex(ix.IndexName, ix.KeySchema, *ix.Projection, ix.ProvisionedThroughput))
	}
	err = s.store.Update(ctx, func(tx store.Txn) error {
		other, err := s.findTable(tx, p, r.Name)
		if err != nil {
			return err
		}
		if other != nil {
			return service.Errorf(codeInUse, "Table already exists: %s", r.Name)
		}
		if spec := in.StreamSpecification; spec != nil && spec.StreamEnabled {
			if err := r.openStream(tx, p, spec.StreamViewType, r.Created); err != nil {
				return err
			}
		}
		return saveTable(tx, p, r)
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &ddb.CreateTableOutput{TableDescription: newTable(p, r).describe(ddb.TableStatusCreating, statistics{})}, nil
}

// newIndex makes the record of an index with an id of its own.
func (r *tableRecord) newIndex(name string, keys []ddb.KeySchemaElement, pr ddb.Projection, th *ddb.ProvisionedThroughput) indexRecord {
	r.NextIndex++
	return indexRecord{Name: name, ID: r.NextIndex, Keys: keys, Projection: pr, Throughput: deref(th)}
}

// newID returns a random UUID, version 4.
func (s *Service) newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

// checkCreate checks a CreateTable request beyond its model.
func checkCreate(in *ddb.CreateTableInput) error {
	if err := checkName("tableName", in.TableName); err != nil {
		return err
	}
	if len(tableName(in.TableName)) < 3 {
		return violated("'"+in.TableName+"'", "tableName", "Member must have length greater than or equal to 3")
	}
	if err := checkAttributeTypes(in.AttributeDefinitions); err != nil {
		return err
	}
	for _, u := range []legacy{
		{"ResourcePolicy", in.ResourcePolicy != nil},
		{"WarmThroughput", in.WarmThroughput != nil},
		{"GlobalTableSourceArn", in.GlobalTableSourceArn != nil},
		{"GlobalTableSettingsReplicationMode", in.GlobalTableSettingsReplicationMode != ""},
	} {
		if u.set {
			return unsupported("CreateTable", u.name)
		}
	}
	if err := checkEncryption(in.SSESpecification, "CreateTable"); err != nil {
		return err
	}
	if err := checkStream(in.StreamSpecification); err != nil {
		return err
	}
	if err := checkBilling(in.BillingMode, in.ProvisionedThroughput); err != nil {
		return err
	}
	if len(in.Tags) > maxTags {
		return invalid("Too many tags: %d, at most %d are allowed", len(in.Tags), maxTags)
	}
	return checkSchema(in)
}

// checkAttributeTypes checks the types of key attributes.
func checkAttributeTypes(defs []ddb.AttributeDefinition) error {
	for i, d := range defs {
		switch d.AttributeType {
		case ddb.ScalarAttributeTypeB, ddb.ScalarAttributeTypeN, ddb.ScalarAttributeTypeS:
		default:
			return violated("'"+d.AttributeType+"'", fmt.Sprintf("attributeDefinitions.%d.member.attributeType", i+1), "Member must satisfy enum value set: [B, N, S]")
		}
	}
	return nil
}

// checkEncryption refuses keys of KMS, with which tables are not encrypted here. That encryption is asked for is kept and shown.
func checkEncryption(sse *ddb.SSESpecification, operation string) error {
	if sse != nil && sse.KMSMasterKeyId != nil {
		return unsupported(operation, "SSESpecification.KMSMasterKeyId")
	}
	return nil
}

func checkBilling(mode string, th *ddb.ProvisionedThroughput) error {
	if mode == ddb.BillingModePayPerRequest {
		if th != nil {
			return invalidValue("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
		}
		return nil
	}
	if th == nil {
		return invalidValue("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	}
	return checkThroughput(th)
}

func checkThroughput(th *ddb.ProvisionedThroughput) error {
	if th.ReadCapacityUnits > maxThroughput {
		return invalid("Given value %d for ReadCapacityUnits is out of bounds", th.ReadCapacityUnits)
	}
	if th.WriteCapacityUnits > maxThroughput {
		return invalid("Given value %d for WriteCapacityUnits is out of bounds", th.WriteCapacityUnits)
	}
	return nil
}

// checkSchema checks the keys of a table and its indexes.
func checkSchema(in *ddb.CreateTableInput) error {
	if len(in.KeySchema) == 0 {
		return violated("'[]'", "keySchema", "Member must have length greater than or equal to 1")
	}
	if len(in.KeySchema) > len(in.AttributeDefinitions) && len(in.KeySchema) <= 2 {
		return invalid("Invalid KeySchema: Some index key attribute have no definition")
	}
	if err := checkKeySchema(in.KeySchema, in.AttributeDefinitions); err != nil {
		return err
	}
	if in.LocalSecondaryIndexes == nil && in.GlobalSecondaryIndexes == nil && len(in.KeySchema) != len(in.AttributeDefinitions) {
		return invalidValue("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	names := map[string]bool{}
	if err := checkLocal(in, names); err != nil {
		return err
	}
	if in.GlobalSecondaryIndexes != nil && len(in.GlobalSecondaryIndexes) == 0 {
		return invalidValue("List of GlobalSecondaryIndexes is empty")
	}
	for _, ix := range in.GlobalSecondaryIndexes {
		err := checkIndex(ix.IndexName, ix.KeySchema, ix.Projection, in.AttributeDefinitions, names)
		if err != nil {
			return err
		}
		if err := checkIndexThroughput(in.BillingMode, ix.IndexName, ix.ProvisionedThroughput); err != nil {
			return err
		}
		if ix.WarmThroughput != nil {
			return unsupported("CreateTable", "GlobalSecondaryIndexes.WarmThroughput")
		}
	}
	if len(in.GlobalSecondaryIndexes) > maxGlobalIndexes {
		return invalidValue("GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobalIndexes)
	}
	return checkDefinitionsUsed(in)
}

func checkIndexThroughput(mode, name string, th *ddb.ProvisionedThroughput) error {
	if mode == ddb.BillingModePayPerRequest && th != nil {
		return invalidValue("ProvisionedThroughput should not be specified for index: %s when BillingMode is PAY_PER_REQUEST", name)
	}
	if mode != ddb.BillingModePayPerRequest && th == nil {
		return invalidValue("ProvisionedThroughput must be specified for index: %s", name)
	}
	return nil
}

func checkLocal(in *ddb.CreateTableInput, names map[string]bool) error {
	if in.LocalSecondaryIndexes == nil {
		return nil
	}
	if len(in.LocalSecondaryIndexes) == 0 {
		return invalidValue("List of LocalSecondaryIndexes is empty")
	}
	if len(in.KeySchema) != 2 {
		return invalidValue("Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex")
	}
	tableHash := in.KeySchema[0].AttributeName
	for _, ix := range in.LocalSecondaryIndexes {
		if err := checkKeySchema(ix.KeySchema, in.AttributeDefinitions); err != nil {
			return err
		}
		if len(ix.KeySchema) != 2 {
			return invalidValue("Index KeySchema does not have a range key for index: %s", ix.IndexName)
		}
		if h := ix.KeySchema[0].AttributeName; h != tableHash {
			return invalidValue("Index KeySchema does not have the same leading hash key as table KeySchema for index: %s. index hash key: %s, table hash key: %s", ix.IndexName, h, tableHash)
		}
		if err := checkIndex(ix.IndexName, ix.KeySchema, ix.Projection, in.AttributeDefinitions, names); err != nil {
			return err
		}
	}
	if len(in.LocalSecondaryIndexes) > maxLocalIndexes {
		return invalidValue("Number of LocalSecondaryIndexes exceeds per-table limit of %d", maxLocalIndexes)
	}
	return nil
}

// checkIndex checks one index and adds its name to names.
func checkIndex(name string, keys []ddb.KeySchemaElement, pr *ddb.Projection, defs []ddb.AttributeDefinition, names map[string]bool) error {
	if err := checkKeySchema(keys, defs); err != nil {
		return err
	}
	if pr == nil || pr.ProjectionType == "" {
		return invalidValue("Unknown ProjectionType: null")
	}
	if pr.NonKeyAttributes != nil && pr.ProjectionType != ddb.ProjectionTypeInclude {
		return invalidValue("ProjectionType is %s, but NonKeyAttributes is specified", pr.ProjectionType)
	}
	if pr.NonKeyAttributes == nil && pr.ProjectionType == ddb.ProjectionTypeInclude {
		return invalidValue("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
	}
	if names[name] {
		return invalidValue("Duplicate index name: %s", name)
	}
	names[name] = true
	return nil
}

func checkKeySchema(keys []ddb.KeySchemaElement, defs []ddb.AttributeDefinition) error {
	if len(keys) == 0 {
		return invalidValue("An index has no KeySchema")
	}
	if len(keys) > 2 {
		shown := make([]string, len(keys))
		for i, k := range keys {
			shown[i] = "KeySchemaElement(attributeName=" + k.AttributeName + ", keyType=" + k.KeyType + ")"
		}
		return violated("'["+strings.Join(shown, ", ")+"]'", "keySchema", "Member must have length less than or equal to 2")
	}
	defined := make([]string, len(defs))
	for i, d := range defs {
		defined[i] = d.AttributeName
	}
	names := make([]string, len(keys))
	missing := false
	for i, k := range keys {
		names[i] = k.AttributeName
		missing = missing || !slices.Contains(defined, k.AttributeName)
	}
	switch {
	case missing:
		return invalidValue("Some index key attributes are not defined in AttributeDefinitions. Keys: [%s], AttributeDefinitions: [%s]",
			strings.Join(names, ", "), strings.Join(defined, ", "))
	case len(keys) == 2 && names[0] == names[1]:
		return invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	case keys[0].KeyType != ddb.KeyTypeHash:
		return invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	case len(keys) == 2 && keys[1].KeyType != ddb.KeyTypeRange:
		return invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	}
	return nil
}

// checkDefinitionsUsed refuses definitions of attributes that are in no key.
func checkDefinitionsUsed(in *ddb.CreateTableInput) error {
	used := map[string]bool{}
	for _, k := range in.KeySchema {
		used[k.AttributeName] = true
	}
	for _, ix := range in.LocalSecondaryIndexes {
		for _, k := range ix.KeySchema {
			used[k.AttributeName] = true
		}
	}
	for _, ix := range in.GlobalSecondaryIndexes {
		for _, k := range ix.KeySchema {
			used[k.AttributeName] = true
		}
	}
	defined := map[string]bool{}
	for _, d := range in.AttributeDefinitions {
		if defined[d.AttributeName] {
			return invalidValue("Duplicate AttributeName in AttributeDefinitions: %s", d.AttributeName)
		}
		defined[d.AttributeName] = true
	}
	if len(used) == len(defined) {
		return nil
	}
	return invalidValue("Some AttributeDefinitions are not used. AttributeDefinitions: [%s], keys used: [%s]",
		strings.Join(slices.Sorted(maps.Keys(defined)), ", "), strings.Join(slices.Sorted(maps.Keys(used)), ", "))
}
