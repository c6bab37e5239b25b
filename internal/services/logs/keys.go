package logs

import "lambent.dev/lambent/internal/store/key"

// scope is the account and region of a call; every key begins with them.
type scope struct{ account, region string }

func (s scope) root(kind string) key.Key { return key.New("logs", s.account, s.region, kind) }

func (s scope) policies() key.Key          { return s.root("p") }
func (s scope) policy(name string) key.Key { return s.policies().Str(name) }

// policyName returns the name in the key of a resource policy.
func (s scope) policyName(k []byte) string { return key.Decode(k).Skip(s.policies()).Str() }

func (s scope) destinations() key.Key           { return s.root("d") }
func (s scope) destination(name string) key.Key { return s.destinations().Str(name) }

// destinationName returns the name in the key of a destination.
func (s scope) destinationName(k []byte) string { return key.Decode(k).Skip(s.destinations()).Str() }

func (s scope) accountPolicies() key.Key { return s.root("a") }
func (s scope) accountPolicy(kind, name string) key.Key {
	return s.accountPolicies().Str(kind).Str(name)
}

// accountPolicyName returns the type and the name in the key of an account policy.
func (s scope) accountPolicyName(k []byte) (kind, name string) {
	d := key.Decode(k).Skip(s.accountPolicies())
	return d.Str(), d.Str()
}

func (s scope) queries() key.Key                   { return s.root("r") }
func (s scope) query(id string) key.Key            { return s.queries().Str(id) }
func (s scope) activeQueries() key.Key             { return s.root("ra") }
func (s scope) activeQuery(id string) key.Key      { return s.activeQueries().Str(id) }
func (s scope) queryParts(id string) key.Key       { return s.root("rp").Str(id) }
func (s scope) queryPart(id string, n int) key.Key { return s.queryParts(id).Uint(uint64(n)) }

func (s scope) scheduledQueries() key.Key            { return s.root("sq") }
func (s scope) scheduledQuery(name string) key.Key   { return s.scheduledQueries().Str(name) }
func (s scope) scheduledQueryName(id string) key.Key { return s.root("si").Str(id) }
func (s scope) scheduledRuns(id string) key.Key      { return s.root("sh").Str(id) }
func (s scope) scheduledRun(id runID) key.Key        { return s.scheduledRuns(id.Schedule).Int(id.At) }

func (s scope) detectors() key.Key                        { return s.root("ad") }
func (s scope) detector(id string) key.Key                { return s.detectors().Str(id) }
func (s scope) learnt(detector string) key.Key            { return s.root("al").Str(detector) }
func (s scope) learntPattern(detector, id string) key.Key { return s.learnt(detector).Str(id) }
func (s scope) anomalies() key.Key                        { return s.root("an") }
func (s scope) anomaliesOf(detector string) key.Key       { return s.anomalies().Str(detector) }
func (s scope) anomaly(detector, id string) key.Key       { return s.anomaliesOf(detector).Str(id) }

func (s scope) deliverySources() key.Key                { return s.root("ds") }
func (s scope) deliverySource(name string) key.Key      { return s.deliverySources().Str(name) }
func (s scope) sourceOf(resource, kind string) key.Key  { return s.root("dr").Str(resource).Str(kind) }
func (s scope) deliveryDestinations() key.Key           { return s.root("dd") }
func (s scope) deliveryDestination(name string) key.Key { return s.deliveryDestinations().Str(name) }
func (s scope) deliveries() key.Key                     { return s.root("dv") }
func (s scope) delivery(id string) key.Key              { return s.deliveries().Str(id) }
func (s scope) deliveriesOf(source string) key.Key      { return s.root("dx").Str(source) }
func (s scope) deliveryOf(source, id string) key.Key    { return s.deliveriesOf(source).Str(id) }
func (s scope) vended(id string) key.Key                { return s.root("dw").Str(id) }

// deliveryID returns the id in the key of a delivery of a source.
func (s scope) deliveryID(source string, k []byte) string {
	return key.Decode(k).Skip(s.deliveriesOf(source)).Str()
}

func (s scope) queryDefinitions() key.Key         { return s.root("q") }
func (s scope) queryDefinition(id string) key.Key { return s.queryDefinitions().Str(id) }

// queryDefinitionID returns the id in the key of a query definition.
func (s scope) queryDefinitionID(k []byte) string {
	return key.Decode(k).Skip(s.queryDefinitions()).Str()
}

func (s scope) groups() key.Key                    { return s.root("g") }
func (s scope) group(name string) key.Key          { return s.groups().Str(name) }
func (s scope) streams(group string) key.Key       { return s.root("s").Str(group) }
func (s scope) stream(group, name string) key.Key  { return s.streams(group).Str(name) }
func (s scope) blocks(group string) key.Key        { return s.root("b").Str(group) }
func (s scope) indexes(group string) key.Key       { return s.root("x").Str(group) }
func (s scope) index(group, stream string) key.Key { return s.indexes(group).Str(stream) }

func (s scope) block(group string, first position) key.Key {
	return first.append(s.blocks(group))
}

// append adds a position to a key.
func (p position) append(k key.Key) key.Key { return k.Int(p.ms).Str(p.stream).Uint(p.seq) }
