package dynamodb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// Limits of tables (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html).
const (
	maxGlobalIndexes = 20
	maxIndexKeys     = 4 // hash and range attributes each, of a global index
	maxLocalIndexes  = 5
	maxThroughput    = 1_000_000_000_000
	maxTags          = 50
)

func (s *Service) createTable(ctx context.Context, in *ddb.CreateTableInput) (*ddb.CreateTableOutput, error) {
	if err := checkCreate(in); err != nil {
		return nil, err
	}
	r, err := s.newRecord(in)
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	if owner, _, ok := p.of(in.TableName); !ok || owner != p {
		return nil, invalid("A table is made in the account and region of the request, which %s is not", in.TableName)
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

// newRecord makes the record of the table that a checked request describes.
func (s *Service) newRecord(in *ddb.CreateTableInput) (*tableRecord, error) {
	id, err := uuid.New(s.random)
	if err != nil {
		return nil, err
	}
	r := &tableRecord{
		Name: tableName(in.TableName), ID: id, Created: s.clock.Now().UTC(), Attributes: in.AttributeDefinitions, Keys: in.KeySchema,
		OnDemand: in.BillingMode == ddb.BillingModePayPerRequest, OnDemandLimits: in.OnDemandThroughput, Class: in.TableClass,
		Protected: isTrue(in.DeletionProtectionEnabled), Encryption: in.SSESpecification, Tags: tagMap(in.Tags),
		Warm: in.WarmThroughput,
	}
	if in.ResourcePolicy != nil {
		if r.Policy, err = s.newPolicy(*in.ResourcePolicy); err != nil {
			return nil, err
		}
	}
	if r.OnDemand {
		r.OnDemandSince = r.Created
	} else {
		r.Throughput = *in.ProvisionedThroughput
	}
	for _, ix := range in.LocalSecondaryIndexes {
		r.Local = append(r.Local, r.newIndex(ix.IndexName, ix.KeySchema, *ix.Projection, nil, nil))
	}
	for _, ix := range in.GlobalSecondaryIndexes {
		made := r.newIndex(ix.IndexName, ix.KeySchema, *ix.Projection, ix.ProvisionedThroughput, ix.WarmThroughput)
		made.OnDemandLimits = ix.OnDemandThroughput
		r.Global = append(r.Global, made)
	}
	return r, nil
}

// newIndex makes the record of an index with an id of its own.
func (r *tableRecord) newIndex(name string, keys []ddb.KeySchemaElement, pr ddb.Projection, th *ddb.ProvisionedThroughput, warm *ddb.WarmThroughput) indexRecord {
	r.NextIndex++
	return indexRecord{Name: name, ID: r.NextIndex, Keys: keys, Projection: pr, Throughput: deref(th), Warm: warm}
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
	if err := checkKeySchema(in.KeySchema, in.AttributeDefinitions, 1); err != nil {
		return err
	}
	if in.LocalSecondaryIndexes == nil && in.GlobalSecondaryIndexes == nil && len(in.KeySchema) != len(in.AttributeDefinitions) {
		return invalidValue("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	names := map[string]bool{}
	if err := checkLocal(in, names); err != nil {
		return err
	}
	made := &tableRecord{OnDemand: in.BillingMode == ddb.BillingModePayPerRequest}
	if err := made.checkWarm("table", nil, deref(in.ProvisionedThroughput), in.WarmThroughput); err != nil {
		return err
	}
	if in.GlobalSecondaryIndexes != nil && len(in.GlobalSecondaryIndexes) == 0 {
		return invalidValue("List of GlobalSecondaryIndexes is empty")
	}
	for _, ix := range in.GlobalSecondaryIndexes {
		err := checkIndex(ix.IndexName, ix.KeySchema, ix.Projection, in.AttributeDefinitions, maxIndexKeys, names)
		if err != nil {
			return err
		}
		if err := checkIndexThroughput(in.BillingMode, ix.IndexName, ix.ProvisionedThroughput); err != nil {
			return err
		}
		if err := checkIndexLimits(made.OnDemand, ix.IndexName, ix.OnDemandThroughput); err != nil {
			return err
		}
		if err := made.checkWarm("index "+ix.IndexName, nil, deref(ix.ProvisionedThroughput), ix.WarmThroughput); err != nil {
			return err
		}
	}
	if len(in.GlobalSecondaryIndexes) > maxGlobalIndexes {
		return invalidValue("GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobalIndexes)
	}
	return checkDefinitionsUsed(in)
}

// checkIndexLimits refuses limits of on-demand throughput for an index of a table that is not on-demand.
func checkIndexLimits(onDemand bool, name string, limits *ddb.OnDemandThroughput) error {
	if limits != nil && !onDemand {
		return invalidValue("OnDemandThroughput should not be specified for index: %s when BillingMode is PROVISIONED", name)
	}
	return nil
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
		if err := checkKeySchema(ix.KeySchema, in.AttributeDefinitions, 1); err != nil {
			return err
		}
		if len(ix.KeySchema) != 2 {
			return invalidValue("Index KeySchema does not have a range key for index: %s", ix.IndexName)
		}
		if h := ix.KeySchema[0].AttributeName; h != tableHash {
			return invalidValue("Index KeySchema does not have the same leading hash key as table KeySchema for index: %s. index hash key: %s, table hash key: %s", ix.IndexName, h, tableHash)
		}
		if err := checkIndex(ix.IndexName, ix.KeySchema, ix.Projection, in.AttributeDefinitions, 1, names); err != nil {
			return err
		}
	}
	if len(in.LocalSecondaryIndexes) > maxLocalIndexes {
		return invalidValue("Number of LocalSecondaryIndexes exceeds per-table limit of %d", maxLocalIndexes)
	}
	return nil
}

// checkIndex checks one index, which may have up to most hash and most range attributes, and adds its name to names.
func checkIndex(name string, keys []ddb.KeySchemaElement, pr *ddb.Projection, defs []ddb.AttributeDefinition, most int, names map[string]bool) error {
	if err := checkKeySchema(keys, defs, most); err != nil {
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

// checkKeySchema checks a key schema, which may have up to most hash and most range attributes.
func checkKeySchema(keys []ddb.KeySchemaElement, defs []ddb.AttributeDefinition, most int) error {
	if len(keys) == 0 {
		return invalidValue("An index has no KeySchema")
	}
	if len(keys) > 2*most {
		shown := make([]string, len(keys))
		for i, k := range keys {
			shown[i] = "KeySchemaElement(attributeName=" + k.AttributeName + ", keyType=" + k.KeyType + ")"
		}
		return violated("'["+strings.Join(shown, ", ")+"]'", "keySchema", "Member must have length less than or equal to "+strconv.Itoa(2*most))
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
	case most == 1 && len(keys) == 2 && keys[1].KeyType != ddb.KeyTypeRange:
		return invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	}
	return checkKeyOrder(keys, most)
}

// checkKeyOrder checks a key schema of several attributes: those of the partition key stand before those of the sort key.
func checkKeyOrder(keys []ddb.KeySchemaElement, most int) error {
	counts, seen := map[string]int{}, map[string]bool{}
	for _, k := range keys {
		counts[k.KeyType]++
		switch {
		case seen[k.AttributeName]:
			return invalid("Invalid KeySchema: The attribute %s is in it twice", k.AttributeName)
		case k.KeyType == ddb.KeyTypeHash && counts[ddb.KeyTypeRange] > 0:
			return invalid("Invalid KeySchema: HASH key attributes must come before RANGE key attributes")
		case counts[k.KeyType] > most:
			return invalid("Invalid KeySchema: There are more than %d %s key attributes", most, k.KeyType)
		}
		seen[k.AttributeName] = true
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
