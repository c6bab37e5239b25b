package portal

import (
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Save stores a resource with other tags.
type Save func(tx store.Txn, tags map[string]string) error

// Tagged returns the tags of what an ARN of a portal or a product names, and how to store others; ok is false for ARNs of other things.
func Tagged(r store.Reader, s Scope, arn string) (tags map[string]string, save Save, ok bool, err error) {
	at, path, ok := parseARN(arn)
	if !ok || len(path) != 2 || path[0] != productsPath && path[0] != portalsPath {
		return nil, nil, false, nil
	}
	if at != s {
		return nil, nil, true, notFound("resource", arn)
	}
	if path[0] == productsPath {
		v, err := loadProduct(r, s, path[1])
		return v.Tags, func(tx store.Txn, tags map[string]string) error {
			v.Tags = tags
			return record.Set(tx, s.product(v.ID), v)
		}, true, err
	}
	v, err := loadPortal(r, s, path[1])
	return v.Tags, func(tx store.Txn, tags map[string]string) error {
		v.Tags = tags
		return record.Set(tx, s.portal(v.ID), v)
	}, true, err
}
