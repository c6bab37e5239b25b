package sam

import (
	"slices"
	"strings"
)

// mskPolicy lets the function read the certificate of its client and the registry of schemas.
func (e *event) mskPolicy() (*dict, error) {
	statements, err := e.registryStatements()
	if err != nil {
		return nil, err
	}
	for _, v := range asList(e.get("SourceAccessConfigurations")) {
		if d, ok := v.(*dict); ok && is(d.get("Type"), "CLIENT_CERTIFICATE_TLS_AUTH") && truthy(d.get("URI")) {
			statements = append(statements, readSecret(d.get("URI")))
		}
	}
	if len(statements) == 0 {
		return nil, nil
	}
	return inlinePolicy("MSKExecutionRolePolicy", statements...), nil
}

// kafkaPolicy lets the function reach brokers of the author's own.
func (e *event) kafkaPolicy() (*dict, error) {
	topics := e.get("Topics")
	switch {
	case !truthy(e.get("KafkaBootstrapServers")):
		return nil, e.fail("No KafkaBootstrapServers provided for self managed kafka as an event source")
	case !truthy(topics):
		return nil, e.fail("No Topics provided for self managed kafka as an event source")
	case length(topics) != 1:
		return nil, e.fail("Topics for self managed kafka only supports single configuration entry.")
	case !truthy(e.get("SourceAccessConfigurations")):
		return nil, e.fail("No SourceAccessConfigurations for self managed kafka event provided.")
	}
	access, err := e.kafkaAccess()
	if err != nil {
		return nil, err
	}
	statements := []any{}
	if truthy(access.secret) {
		statements = append(statements, readSecret(access.secret))
	}
	// AWS's transform names the secret of the mechanism once more in the place of the one with the root certificate.
	if access.rootCertificate {
		statements = append(statements, readSecret(access.secret))
	}
	if access.network {
		statements = append(statements, networkStatement())
	}
	key, err := e.keyStatement([]any{"kms:Decrypt"})
	if err != nil {
		return nil, err
	}
	if key != nil {
		statements = append(statements, key)
	}
	registry, err := e.registryStatements()
	if err != nil {
		return nil, err
	}
	policy := inlinePolicy("SelfManagedKafkaExecutionRolePolicy", append(statements, registry...)...)
	policy.dict("PolicyDocument").set("Version", "2012-10-17")
	return policy, nil
}

func length(v any) int {
	switch x := v.(type) {
	case []any:
		return len(x)
	case *dict:
		return x.len()
	}
	s, _ := text(v)
	return len(s)
}

// kafkaAccess is how brokers are reached.
type kafkaAccess struct {
	// secret is that of the mechanism of authentication.
	secret          any
	rootCertificate bool
	network         bool
}

func (e *event) kafkaAccess() (kafkaAccess, error) {
	var a kafkaAccess
	list, ok := e.get("SourceAccessConfigurations").([]any)
	if !ok {
		return a, e.fail("SourceAccessConfigurations for self managed kafka event should be a list.")
	}
	var subnet, group bool
	for _, v := range list {
		d, err := inResource(e.name, "SourceAccessConfigurations").dict(v)
		if err != nil {
			return a, err
		}
		typ, _ := text(d.get("Type"))
		what := typ
		switch {
		case typ == "VPC_SUBNET":
			subnet = true
		case typ == "VPC_SECURITY_GROUP":
			group = true
		case slices.Contains([]string{"SASL_SCRAM_256_AUTH", "SASL_SCRAM_512_AUTH", "BASIC_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH"}, typ):
			if truthy(a.secret) {
				return a, e.fail("Multiple auth mechanism properties specified in SourceAccessConfigurations for self managed kafka event.")
			}
			what, a.secret = "auth mechanism", d.get("URI")
		case typ == "SERVER_ROOT_CA_CERTIFICATE":
			a.rootCertificate = true
		default:
			return a, e.fail("Invalid SourceAccessConfigurations Type provided for self managed kafka event.")
		}
		switch uri := d.get("URI"); {
		case !truthy(uri):
			return a, e.fail("No %s URI property specified in SourceAccessConfigurations for self managed kafka event.", what)
		case !aText.fits(uri) && !isIntrinsic(uri):
			return a, e.fail("Wrong Type for %s URI property specified in SourceAccessConfigurations for self managed kafka event.", what)
		}
	}
	if subnet != group {
		return a, e.fail("VPC_SUBNET and VPC_SECURITY_GROUP in SourceAccessConfigurations for SelfManagedKafka must be both provided.")
	}
	a.network = subnet
	return a, nil
}

// registryStatements let the function read the schemas of records.
func (e *event) registryStatements() ([]any, error) {
	if !truthy(e.get("SchemaRegistryConfig")) {
		return nil, nil
	}
	config, err := inEvent(e.name, "SchemaRegistryConfig").dict(e.get("SchemaRegistryConfig"))
	if err != nil {
		return nil, err
	}
	if err := e.checkRegistry(config); err != nil {
		return nil, err
	}
	var out []any
	for _, v := range asList(config.get("AccessConfigs")) {
		out = append(out, readSecret(v.(*dict).get("URI")))
	}
	uri := config.get("SchemaRegistryURI")
	registry, _ := text(uri)
	if d, ok := uri.(*dict); ok {
		resolved, err := e.resolve(d.copy())
		if err != nil {
			return nil, err
		}
		d, _ := resolved.(*dict)
		registry = python(d.get("Fn::Sub"))
	}
	parts := strings.Split(registry, ":")
	if !strings.HasPrefix(registry, "arn") || len(parts) < 6 || !strings.HasPrefix(parts[5], "registry/") {
		return out, nil
	}
	return append(out, allow([]any{"glue:GetRegistry"}, uri),
		allow([]any{"glue:GetSchemaVersion"}, []any{sub(arn("${AWS::Partition}", "glue", "schema/"+strings.TrimPrefix(parts[5], "registry/")+"/*"))})), nil
}

func (e *event) checkRegistry(config *dict) error {
	for _, k := range []string{"SchemaRegistryURI", "EventRecordFormat", "SchemaValidationConfigs"} {
		if !config.has(k) {
			return e.fail("Missing required field %s in SchemaRegistryConfig", k)
		}
	}
	if !is(config.get("EventRecordFormat"), "JSON", "SOURCE") {
		return e.fail("EventRecordFormat in SchemaRegistryConfig must be either 'JSON' or 'SOURCE'")
	}
	if !isList(config.get("SchemaValidationConfigs")) {
		return e.fail("SchemaValidationConfigs must be a list")
	}
	access := config.get("AccessConfigs")
	if truthy(access) && !isList(access) {
		return e.fail("AccessConfigs in SchemaRegistryConfig must be a list")
	}
	for _, v := range asList(access) {
		if d, ok := v.(*dict); !ok || !d.has("Type") || !d.has("URI") {
			return e.fail("Each AccessConfig must be a dict with 'Type' and 'URI' fields")
		}
	}
	return nil
}
