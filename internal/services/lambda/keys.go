package lambda

import (
	"strconv"

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

// version is the key of a published version, whose number is a decimal.
func (s scope) version(name, number string) []byte {
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		n = 0 // no version has this number
	}
	return s.versions(name).Uint(n)
}

// policy and async are the keys of what belongs to a qualifier; the empty one is the function itself.
func (s scope) policy(name, qualifier string) []byte { return s.policies(name).Str(qualifier) }
func (s scope) async(name, qualifier string) []byte  { return s.asyncs(name).Str(qualifier) }

// reserved is the sum of the reserved concurrency of all functions.
func (s scope) reserved() []byte { return s.root("r") }

// blobRef tells that a blob is a function's zip file.
func blobRef(id string) []byte { return key.New("lambda", "blob").Str(id) }
