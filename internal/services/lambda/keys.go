package lambda

import (
	"math"
	"strconv"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/store/key"
)

// scope is the account and region that own a function; every key begins with them.
type scope struct{ account, region string }

func (s scope) root(kind string) key.Key { return key.New("lambda", s.account, s.region, kind) }

func (s scope) functions() key.Key              { return s.root("f") }
func (s scope) function(name string) key.Key    { return s.functions().Str(name) }
func (s scope) versions(name string) key.Key    { return s.root("v").Str(name) }
func (s scope) aliases(name string) key.Key     { return s.root("a").Str(name) }
func (s scope) alias(name, alias string) []byte { return s.aliases(name).Str(alias) }
func (s scope) policies(name string) key.Key    { return s.root("p").Str(name) }
func (s scope) asyncs(name string) key.Key      { return s.root("e").Str(name) }

// What else belongs to a function's qualifiers: function URLs, provisioned concurrency, and how their runtime is updated.
func (s scope) urls(name string) key.Key { return s.root("u").Str(name) }

func (s scope) allProvisioned() key.Key             { return provisioned().Str(s.account).Str(s.region) }
func (s scope) provisions(name string) key.Key      { return s.allProvisioned().Str(name) }
func (s scope) runtimeSettings(name string) key.Key { return s.root("m").Str(name) }

// snapStarted are the records of versions that snapshots are kept of, by the number of the version.
func snapStarted() key.Key                     { return key.New("lambda.snapstart") }
func (s scope) allSnapStarts() key.Key         { return snapStarted().Str(s.account).Str(s.region) }
func (s scope) snapStarts(name string) key.Key { return s.allSnapStarts().Str(name) }

// capacityProviders are the records of capacity providers by name; allManaged those of the versions that run on them, by the number of the version.
func (s scope) capacityProviders() key.Key           { return s.root("c") }
func (s scope) capacityProvider(name string) key.Key { return s.capacityProviders().Str(name) }
func allManaged() key.Key                            { return key.New("lambda.managed") }
func (s scope) allManaged() key.Key                  { return allManaged().Str(s.account).Str(s.region) }
func (s scope) managed(name string) key.Key          { return s.allManaged().Str(name) }

// allImageOrders are the records of versions that wait for their image, by the number of the version.
func allImageOrders() key.Key { return key.New("lambda.image") }

func (s scope) imageOrders(name string) key.Key {
	return allImageOrders().Str(s.account).Str(s.region).Str(name)
}

// provisioned are the records of provisioned concurrency of all accounts, so that one watch covers them.
func provisioned() key.Key { return key.New("lambda.provisioned") }

// layers are the records of layers by name, layerVersions those of their versions, from the first.
func (s scope) layers() key.Key                   { return s.root("l") }
func (s scope) layer(name string) key.Key         { return s.layers().Str(name) }
func (s scope) allLayerVersions() key.Key         { return s.root("w") }
func (s scope) layerVersions(name string) key.Key { return s.allLayerVersions().Str(name) }
func (s scope) layerVersion(name string, number int64) []byte {
	return s.layerVersions(name).Uint(uint64(number))
}

// signingConfigs are the records of code signing configurations by id.
func (s scope) signingConfigs() key.Key         { return s.root("s") }
func (s scope) signingConfig(id string) key.Key { return s.signingConfigs().Str(id) }

// version is the key of a published version, whose number is a decimal from 1 on, or latestPublished.
func (s scope) version(name, number string) []byte {
	if number == latestPublished {
		return s.versions(name).Uint(0)
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || n == 0 {
		n = math.MaxUint64 // no version has this number
	}
	return s.versions(name).Uint(n)
}

// policy and async are the keys of what belongs to a qualifier; the empty one is the function itself.
func (s scope) policy(name, qualifier string) []byte { return s.policies(name).Str(qualifier) }
func (s scope) async(name, qualifier string) []byte  { return s.asyncs(name).Str(qualifier) }

// reserved is the sum of the reserved concurrency of all functions.
func (s scope) reserved() []byte { return s.root("r") }

// Rows without an account. blobRefs lists who uses a zip file, by the ARN of a version of a function or a layer; a file that nobody uses is deleted.
// url finds the function of a URL's id. downloadKey signs the addresses from which code is downloaded.
func global(kind string) key.Key            { return key.New("lambda", "", kind) }
func blobRefs(id blob.ID) key.Key           { return global("blob").Str(string(id)) }
func blobRef(id blob.ID, arn string) []byte { return blobRefs(id).Str(arn) }
func urlID(id string) []byte                { return global("url").Str(id) }
func downloadKey() []byte                   { return global("download") }
